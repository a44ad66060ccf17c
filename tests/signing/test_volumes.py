"""A small run of the great ones: `manage.py bench attacks` and `bench mutations` find nothing."""

from __future__ import annotations

from portal.rehearsal.volumes import run_attacks, run_mutations


def test_no_forgery_passes_and_nothing_crashes(tmp_path):
    attacked = run_attacks(tmp_path, count=300, seed=5, seconds=60)
    damaged = run_mutations(tmp_path, count=1500, seed=5, seconds=60)
    for result in (attacked, damaged):
        assert result["accepted_forgeries"] == 0, result["examples"]
        assert result["crashes"] == 0, result["examples"]
        assert result["tried"]
