"""One campaign from start to verdict: environment, load, faults, quiet, three witnesses, figures.

Bounded in time at every step. What it prints is measured; a figure that could not be taken is null, never zero.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from deploy.embedded.throwaway import Environment
from gateway.simulator.control import SimulatorControl
from portal.rehearsal.bootstrap import Rehearsal, open_rehearsal
from portal.rehearsal.campaign import quiet
from portal.rehearsal.campaign.catalogue import chosen
from portal.rehearsal.campaign.checker import VIOLATIONS, Checker, Findings
from portal.rehearsal.campaign.ledger import SchoolLedger
from portal.rehearsal.campaign.load import Crowd
from portal.rehearsal.campaign.nemesis import Nemesis
from portal.rehearsal.campaign.officers import Officers
from portal.rehearsal.campaign.progress import Progress
from portal.rehearsal.campaign.site import SETTINGS, Site, make_quick, replace_file
from portal.rehearsal.campaign.testimony import Witnesses, read
from portal.rehearsal.paths import door_paths

SCHOOLS = 12
MOST_WAITING = 25


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    faults: int
    seed: str
    only: str = ""
    pairs: bool = True
    minutes: float = 14.0
    quiet_seconds: float = 120.0
    isolated: bool = False


def environment(folder: Path, orders: Path, tell: Callable[[str], None], *, settings: str = SETTINGS) -> Environment:
    """The environment of a campaign: short leases, fail-points that take orders, quick restarts."""
    return Environment(
        folder=folder,
        prepare=("--seed", "1", "--schools", str(SCHOOLS)),
        extra_env={
            "DJANGO_SETTINGS_MODULE": settings,
            "HOCBA_FAILPOINT_ORDERS": str(orders),
        },
        longest_wait=1.0,
        tell=tell,
    )


def settle_in(env: Environment) -> None:
    """After the start: quick times for the line, a simulator that shows double effects instead of refusing them."""
    make_quick(env.installation.places.endpoint_file)
    file = env.installation.simulator_file
    judging = "[judging]\ndelay_seconds = 0.3\nrecall_delay_seconds = 0.5\nsignature_share = 0.0\nrefuse_held = false\n"
    replace_file(file, file.read_text("utf-8").replace("[judging]\n", judging))
    env.restart("simulator")


@dataclass
class Campaign:
    """`play` does everything; the environment stands already."""

    site: Site
    wish: Wish
    workshop: Path
    tell: Callable[[str], None] = lambda _line: None

    def play(self) -> dict[str, Any]:
        started = time.monotonic()
        rehearsal = open_rehearsal(self.site.env.var / "rehearsal")
        ledger = SchoolLedger(self.workshop / "ledger.jsonl")
        progress = Progress(self.site)
        crowd = self._crowd(rehearsal, ledger, progress)
        officers = Officers(self.site, crowd, every=3.0, rng=Random(f"{self.wish.seed}/officers"))
        nemesis = self._nemesis(started)
        progress.start()
        crowd.start()
        officers.start()
        try:
            self.site.pause(3.0)
            nemesis.run()
            self.site.pause(2.0)
        finally:
            self.site.over.set()
            officers.stop()
            crowd.stop()
        self.tell("yên lặng")
        drained = quiet.wait(self.site, seconds=self.wish.quiet_seconds, meanwhile=officers.answer_refused)
        progress.stop()
        quiet.ask_answers(rehearsal, self.site.env.url.rstrip("/"), ledger)
        journal = quiet.verify_journal(self.site)
        ledger.close()
        findings = self._check()
        return self._report(nemesis, progress, crowd, findings, drained | {
            "journal": journal, "recalls": officers.granted, "recalls_asked_again": officers.asked_again,
            "seconds": round(time.monotonic() - started, 1),
        })  # fmt: skip

    def _crowd(self, rehearsal: Rehearsal, ledger: SchoolLedger, progress: Progress) -> Crowd:
        return Crowd(
            rehearsal=rehearsal,
            base_url=self.site.env.url.rstrip("/"),
            paths=door_paths(),
            ledger=ledger,
            seed=self.wish.seed,
            pause_seconds=0.3,
            is_full=lambda: progress.backlog > MOST_WAITING,
            gate=self.site.gate,
        )

    def _nemesis(self, started: float) -> Nemesis:
        return Nemesis(
            site=self.site, kinds=chosen(self.wish.only), faults=self.wish.faults, seed=self.wish.seed,
            deadline=started + self.wish.minutes * 60, pairs=self.wish.pairs,
        )  # fmt: skip

    def _check(self) -> Findings:
        names = self.site.env.env
        witnesses = Witnesses(
            ledger=self.workshop / "ledger.jsonl",
            database={
                "host": names["HOCBA_PG_HOST"], "dbname": names["HOCBA_PG_NAME"], "user": names["HOCBA_PG_USER"],
            },
            repository=self.site.env.installation.places.simulator,
        )  # fmt: skip
        return Checker(read(witnesses)).judge()

    def _report(
        self, nemesis: Nemesis, progress: Progress, crowd: Crowd, findings: Findings, more: Mapping[str, Any]
    ) -> dict[str, Any]:
        clean = findings.is_clean and more["journal"] == "intact" and not nemesis.troubles and not crowd.crashed
        return {
            "seed": self.wish.seed,
            "faults": len(nemesis.injected),
            "asked_for": self.wish.faults,
            "pairs": nemesis.paired,
            "records_in": findings.counts["records_in"],
            **{name: findings.counts[name] for name in VIOLATIONS},
            "clean": clean,
            **more,
            "figures": {k: v for k, v in sorted(findings.counts.items()) if k not in VIOLATIONS},
            "schools_were_told": dict(crowd.ledger.counts),
            "kinds": _by_kind(nemesis, progress),
            "not_run": nemesis.not_run,
            "missed": dict(nemesis.missed),
            "troubles": nemesis.troubles + crowd.crashed,
            "restarts": {name: count for name, count in self.site.env.restarts().items() if count},
            "peak_memory_mb": {name: round(size / 1e6, 1) for name, size in self.site.env.peak_memory().items()},
            "examples": dict(findings.examples),
        }


def _by_kind(nemesis: Nemesis, progress: Progress) -> dict[str, dict[str, Any]]:
    """How often each kind struck, and how long it took until its stage moved on."""
    recoveries: dict[str, list[float]] = {}
    for one in nemesis.injected:
        seconds = progress.recovery(one.stage, one.ended_at)
        recoveries.setdefault(one.kind, [])
        if seconds is not None:
            recoveries[one.kind].append(seconds)
    counts = Counter(one.kind for one in nemesis.injected)
    return {
        kind.name: {
            "injected": counts[kind.name],
            "median_s": round(statistics.median(found), 2) if (found := recoveries.get(kind.name)) else None,
            "worst_s": round(max(found), 2) if found else None,
        }
        for kind in nemesis.kinds
        if counts[kind.name] or kind.name not in nemesis.not_run
    }


def make_site(env: Environment, orders: Path, *, isolated: bool, ballast: Path | None) -> Site:
    return Site(
        env=env, control=SimulatorControl(env.control_url, timeout=5.0), orders=orders, isolated=isolated,
        ballast=ballast,
    )  # fmt: skip


def as_text(report: Mapping[str, Any]) -> str:
    """JSON with one line for every kind of fault: it is read by people too."""
    if "kinds" not in report:
        return json.dumps(report, ensure_ascii=False, indent=1)
    kinds = report["kinds"]
    text = json.dumps({**report, "kinds": "@kinds"}, ensure_ascii=False, indent=1)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(facts)}" for name, facts in kinds.items())
    return text.replace('"@kinds"', "{\n" + lines + "\n }")
