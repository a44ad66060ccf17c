"""Coverage-guided fuzzing of the parser, the cutter and the verifier with atheris (not in the lock: a venv of its own).

    PYTHONPATH=.:.venv/lib/python3.11/site-packages python tests/signing/fuzzing.py CORPUS SEEDS -max_total_time=300

A finding is any exception without a name of ours, any refusal that names no rule, and any pass with other content.
tests/signing/test_corpus.py replays what was kept.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["signing"]):
        import signing
        from portal.rehearsal.bench_corpora import make_corpora
        from portal.rehearsal.calendar import Calendar
        from portal.rehearsal.pki_files import open_pki
        from portal.rehearsal.province import make_province
        from portal.rehearsal.spelling import SPELLINGS
        from portal.rehearsal.volumes import SMALL_LAYOUT, small_record
    folder = Path(tempfile.mkdtemp(prefix="hocba-fuzz-"))
    corpus, _ = make_corpora(0, folder)
    calendar = Calendar.last_finished(corpus.at)
    province, pki = (
        make_province(seed="bench", calendar=calendar),
        open_pki(folder / "pki", seed="bench", calendar=calendar),
    )
    seeds = Path(sys.argv[2])
    seeds.mkdir(exist_ok=True)
    for spelling in SPELLINGS:
        (seeds / f"{spelling.name}.xml").write_bytes(small_record(spelling, pki, province.of_level("02")[0]))

    def one_input(data: bytes) -> None:
        check(data, signing, SMALL_LAYOUT, corpus.trust, corpus.at)

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


def check(data: bytes, signing, policy, trust, at) -> None:
    """The property: named refusals only, and no other content than what was signed."""
    report = signing.verify(data, policy, trust, at=at)
    assert report.code != "UNFORESEEN"
    if report.passed:
        content = report.covered["DU_LIEU_HOC_BA"]
        assert "".join(content.itertext()) == "Học sinh Mẫu3A"
    try:
        for piece in signing.cut(data).cuts:
            assert data[piece.start : piece.end].startswith(b"<HOC_BA")
    except signing.MalformedDocument:
        pass


if __name__ == "__main__":
    main()
