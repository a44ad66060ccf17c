"""The campaign's tools do what they say: the plan keeps heavy kinds few, the gate empties, the relay carries bytes."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from deploy.embedded.environment import BASE
from portal.rehearsal.campaign import clock_faults
from portal.rehearsal.campaign.catalogue import all_kinds, chosen
from portal.rehearsal.campaign.kinds import Kind, Stage
from portal.rehearsal.campaign.nemesis import Nemesis
from portal.rehearsal.campaign.site import Gate, Site
from portal.rehearsal.campaign.slow_line import Relay
from portal.rehearsal.campaign.storage_faults import flipped
from portal.rehearsal.campaign.upgrade_faults import _loses, last_steps


def planned(kinds: list[Kind], faults: int) -> Counter[str]:
    nemesis = Nemesis(site=cast(Site, None), kinds=kinds, faults=faults, seed="1", deadline=0.0)
    return Counter(kind.name for kind in nemesis._plan(kinds))


def test_no_two_kinds_share_a_name_and_each_can_be_chosen_alone() -> None:
    names = [kind.name for kind in all_kinds()]
    assert len(names) == len(set(names))
    assert all(name in [kind.name for kind in chosen(name)] for name in names)


def test_five_hundred_faults_hold_every_kind_and_heavy_ones_only_so_often() -> None:
    kinds = all_kinds()
    counts = planned(kinds, 500)
    assert sum(counts.values()) == 500
    for kind in kinds:
        assert counts[kind.name] >= 1, kind.name
        assert not kind.most or counts[kind.name] <= kind.most


def test_heavy_kinds_chosen_alone_are_struck_as_often_as_asked() -> None:
    heavy = [kind for kind in all_kinds() if kind.name == "backup:restored"]
    assert planned(heavy, 7) == {"backup:restored": 7}


def test_pairs_strike_two_kinds_of_different_lanes_at_once_and_no_lane_twice() -> None:
    under_way: Counter[str] = Counter()
    together: set[frozenset[str]] = set()
    twice: list[str] = []
    lock = threading.Lock()

    def kind(name: str, lane: str, most: int = 0) -> Kind:
        def strike(_site: Site, _rng: Random) -> None:
            with lock:
                under_way[lane] += 1
                twice.extend(lane for lane, count in under_way.items() if count > 1)
                together.add(frozenset(+under_way))
            time.sleep(0.002)
            with lock:
                under_way[lane] -= 1

        return Kind(name, Stage.INTAKE, strike, lane, most=most)

    kinds = [kind(f"{lane}:{number}", lane) for lane in ("one", "two", "three") for number in range(3)]
    kinds.append(kind("heavy", "three", most=2))
    site = cast(Site, SimpleNamespace(over=threading.Event(), pause=lambda seconds: time.sleep(min(seconds, 0.01))))
    nemesis = Nemesis(site=site, kinds=kinds, faults=200, seed="1", deadline=time.monotonic() + 60)
    nemesis.run()
    counts = nemesis.counts()
    assert nemesis.paired > 5
    assert sum(counts.values()) == 200 + nemesis.paired
    assert counts["heavy"] == 2
    assert not twice
    assert any(len(lanes) > 1 for lanes in together)
    assert not nemesis.troubles


def test_the_gate_waits_for_those_inside_and_lets_nobody_in() -> None:
    gate, inside, go, passed = Gate(), threading.Event(), threading.Event(), []

    def first() -> None:
        with gate.passing():
            inside.set()
            go.wait(10)
        passed.append("first")

    def second() -> None:
        with gate.passing():
            passed.append("second")

    one = threading.Thread(target=first)
    one.start()
    inside.wait(10)
    with gate.shut(seconds=0.05) as empty:
        assert not empty
    threading.Timer(0.1, go.set).start()
    with gate.shut(seconds=10) as empty:
        assert empty
        other = threading.Thread(target=second)
        other.start()
        other.join(0.1)
        assert passed == ["first"]
    other.join(10)
    one.join(10)
    assert passed == ["first", "second"]


def test_one_bit_and_no_more_is_flipped() -> None:
    for seed in range(50):
        changed = flipped(bytes(20), Random(seed))
        assert len(changed) == 20
        assert sum(byte.bit_count() for byte in changed) == 1


def test_the_thin_line_carries_every_byte_unless_it_resets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        data, got = os.urandom(20_000), bytearray()

        def serve() -> None:
            near, _ = server.accept()
            with near:
                while piece := near.recv(65_536):
                    got.extend(piece)

        reader = threading.Thread(target=serve, daemon=True)
        reader.start()
        started = time.monotonic()
        with (
            Relay(server.getsockname()[1], Random(1), reset_share=0.0) as relay,
            socket.create_connection(("127.0.0.1", relay.port), timeout=10) as line,
        ):
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            reader.join(20)
        assert bytes(got) == data
        assert time.monotonic() - started > len(data) / 64_000 * 0.8


@pytest.mark.skipif(not clock_faults.library(), reason="libfaketime (package faketime) is not installed")
def test_the_wall_clock_of_a_python_process_jumps_while_it_runs_and_its_waits_stay_true(tmp_path: Path) -> None:
    env = {**os.environ, **clock_faults.program_env(tmp_path)}
    script = (
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    started = time.monotonic(); time.sleep(2.3)\n"
        "    print(time.time(), time.monotonic() - started, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def moment() -> tuple[float, float]:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            wall, waited = process.stdout.readline().split()
            return float(wall) - time.time(), float(waited)

        seen = []
        for words in ("+0", "+3d", "-2d", "+0"):
            (tmp_path / clock_faults.FILE).write_text(f"{words}\n")
            seen.append(moment())
        assert process.stdin
        process.stdin.close()
    assert [round(difference / 86_400) for difference, _ in seen] == [0, 3, -2, 0]
    assert all(2.2 < waited < 6 for _, waited in seen)


def test_every_stage_is_one_whose_progress_is_watched() -> None:
    known: set[Any] = set(Stage)
    assert {kind.stage for kind in all_kinds()} <= known


def test_the_records_room_too_is_taken_back_while_its_newest_step_is_about_our_own_pace() -> None:
    assert {room for room, _ in last_steps()} == {"gateway", "records"}


@pytest.mark.parametrize(
    ("operation", "loses"),
    [
        (migrations.AddField("Batch", "waits_for", models.TextField()), False),
        (migrations.AddField("Batch", "declared_year", models.TextField()), True),
        (migrations.RemoveField("Batch", "waits_for"), True),
        (migrations.AlterField("Record", "findings", models.TextField()), True),
        (migrations.AlterField("Recall", "state", models.TextField(choices=[("NEW", "x")])), False),
        (migrations.AddField("Recall", "state", models.TextField()), True),
        (migrations.AddField("SealingState", "cause", models.TextField()), False),
        (migrations.RunSQL("SELECT 1", "SELECT 1"), False),
    ],
)
def test_what_somebody_said_is_never_thrown_away_by_a_step_back(operation: Operation, loses: bool) -> None:
    assert _loses(operation) is loses


def test_a_step_back_exists_and_is_the_newest_but_one_migration() -> None:
    for room, before in last_steps():
        names = sorted(path.stem for path in (_FOLDERS[room] / "migrations").glob("0*.py"))
        assert before == names[-2]


_FOLDERS = {"gateway": BASE / "gateway", "records": BASE / "portal" / "records"}
