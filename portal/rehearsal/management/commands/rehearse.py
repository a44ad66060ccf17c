"""`manage.py rehearse`: a whole rehearsal in a throwaway portal, and a verdict in figures.

Starts the environment, plays, compares, prints; everything else is in `performance` and `disturbance`.
"""

import argparse
import contextlib
import json
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.embedded.failure import Trouble
from deploy.embedded.throwaway import Environment
from gateway.simulator.control import SimulatorControl
from portal.records.conf import conf
from portal.rehearsal.bootstrap import open_rehearsal
from portal.rehearsal.disturbance import Disturbance
from portal.rehearsal.making import Wish
from portal.rehearsal.performance import Outcome, Performance, Show, Stalled, Step
from portal.rehearsal.planting import planting
from portal.rehearsal.witnesses import Held

LEGS = {"generate": "tạo và ký", "hand_in": "nộp", "verdict": "kiểm tra, gửi, chờ kết quả"}
PLANTED_BY_DEFAULT = 0.03
SHOWN = (
    "handed_in", "planted", "admitted", "refused", "refused_unplanned", "planted_not_refused", "dispatched", "accepted",
    "rejected", "missing_at_simulator", "twice_at_simulator", "altered",
)  # fmt: skip


class Command(BaseCommand):
    # The checks are about this installation; a rehearsal has one of its own, which checks itself.
    requires_system_checks = ()
    help = "Diễn tập trọn đường đi của học bạ trong một môi trường dùng một lần và đối chiếu ba bên."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--records", type=int, default=200)
        parser.add_argument("--mix", default="70:30", help="tiểu học : trung học")
        parser.add_argument("--planted", type=float, default=PLANTED_BY_DEFAULT, help="tỷ lệ học bạ cố ý sai")
        parser.add_argument("--seed", default="1")
        parser.add_argument("--schools", type=int, default=40)
        parser.add_argument("--batch-size", type=int, default=50)
        parser.add_argument("--doors", default="API,BROWSER", help="qua cửa nào: API, BROWSER")
        parser.add_argument("--kill", action="store_true", help="như --faults kill,flush")
        parser.add_argument("--faults", default="", help="kill, flush: phá trong lúc diễn tập")
        parser.add_argument("--every", type=float, default=4.0, help="số giây giữa hai lần phá")
        parser.add_argument("--rounds", type=int, default=1, help="phá mỗi tiến trình mấy lần")
        parser.add_argument("--patience", type=float, default=120.0)
        parser.add_argument("--keep", type=Path, help="thư mục giữ lại cả môi trường: nhật ký, cơ sở dữ liệu")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = _rehearse(options, Console(stderr=True))
        except (Stalled, Trouble) as problem:
            raise CommandError(str(problem)) from None
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False, indent=1))
        else:
            self._tell(result)
        if not result["clean"]:
            sys.exit(1)

    def _tell(self, result: Mapping[str, Any]) -> None:
        for name in SHOWN:
            self.stdout.write(f"{name:22} {result[name]}")
        for leg, seconds in result["seconds"].items():
            self.stdout.write(f"{leg:22} {seconds} s")
        self.stdout.write(
            "SẠCH" if result["clean"] else f"KHÔNG SẠCH: {json.dumps(result['examples'], ensure_ascii=False)}"
        )


def _rehearse(options: Mapping[str, Any], console: Console) -> dict[str, Any]:
    words = ("--seed", options["seed"], "--schools", str(options["schools"]))
    troubles = "kill,flush" if options["kill"] else options["faults"]
    with (
        Environment(
            folder=options["keep"], prepare=words, tell=lambda line: console.log(line) if console.is_terminal else None
        ) as environment,
        tempfile.TemporaryDirectory(prefix="hocba-dien-tap-") as workshop,
        _bars(console) as show,
    ):
        _look_into(environment)
        disturbance = Disturbance(environment, troubles.split(","), every=options["every"], rounds=options["rounds"])
        performance = Performance(
            rehearsal=open_rehearsal(environment.var / "rehearsal"),
            base_url=environment.url.rstrip("/"),
            repository=_Simulator(environment.control_url),
            workshop=Path(workshop),
            show=show,
            patience=options["patience"],
            disturb=disturbance.start,
            calm=disturbance.stop,
        )
        outcome = performance.play(_wish(options))
        return _report(options, outcome, environment, disturbance)


def _wish(options: Mapping[str, Any]) -> Wish:
    primary, _, secondary = str(options["mix"]).partition(":")
    share = float(primary) / (float(primary) + float(secondary or 0))
    breaches = (
        planting(options["seed"], options["planted"], revocation=conf().check_revocation)
        if options["planted"]
        else None
    )
    return Wish(options["records"], share, options["batch_size"], breaches, tuple(options["doors"].split(",")))


def _report(
    options: Mapping[str, Any], outcome: Outcome, environment: Environment, disturbance: Disturbance
) -> dict[str, Any]:
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = {**environment.peak_memory(), "rehearse itself": ours}
    return {
        "seed": options["seed"],
        "mix": options["mix"],
        **outcome.to_json(),
        "peak_memory_mb": {name: round(size / 1_000_000, 1) for name, size in memory.items()},
        "troubles": dict(disturbance.done),
        "restarts": {name: count for name, count in environment.restarts().items() if count},
    }


def _look_into(environment: Environment) -> None:
    """Points this process's database connection at the environment's server."""
    connections["default"].close()
    connections.databases["default"] |= {
        "HOST": environment.env["HOCBA_PG_HOST"],
        "NAME": environment.env["HOCBA_PG_NAME"],
        "USER": environment.env["HOCBA_PG_USER"],
    }


class _Simulator:
    """The simulator's ledger as the comparison wants it."""

    def __init__(self, control_url: str) -> None:
        self._control = SimulatorControl(control_url)

    def holdings(self) -> dict[str, Held]:
        return {
            line["uuid"]: Held(line["sha256"], line["effects"], line["verdict"] == "ACCEPTED")
            for line in self._control.ledger()
            if line["effects"] or line["messageids"]
        }


@contextlib.contextmanager
def _bars(console: Console) -> Iterator[Show]:
    """A progress bar per leg on a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield lambda _step: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {leg: progress.add_task(title, total=None, start=False) for leg, title in LEGS.items()}

        def show(step: Step) -> None:
            progress.start_task(tasks[step.leg])
            progress.update(tasks[step.leg], completed=step.done, total=step.total)

        yield show
