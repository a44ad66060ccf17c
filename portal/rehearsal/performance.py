"""A whole rehearsal in an environment that is already running: make, hand in, wait for the last verdict, compare.

Bounded in time: without progress for a while it ends with a sentence (`Stalled`) instead of hanging.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db import InterfaceError, OperationalError, connection

from portal.rehearsal.bootstrap import Rehearsal
from portal.rehearsal.comparison import Comparison, compare
from portal.rehearsal.handing_in import Counter, Ledger
from portal.rehearsal.making import Maker, Wish
from portal.rehearsal.paths import door_paths
from portal.rehearsal.witnesses import Progress, Repository, portal_view, progress, refused_batches, spans

PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.25


class Stalled(Exception):
    """Nothing moved for too long; the message says where it stands."""


@dataclass(frozen=True)
class Step:
    """How far a leg is, for whoever shows it."""

    leg: str
    done: int
    total: int


Show = Callable[[Step], None]


@dataclass
class Outcome:
    """What came of it; `legs` in seconds."""

    comparison: Comparison
    ledger: Ledger
    legs: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        counts = asdict(self.comparison)
        examples = counts.pop("examples")
        records = self.comparison.handed_in
        return {
            **counts,
            "batches": self.ledger.batches,
            "batches_refused": len(self.ledger.refused_batches),
            "handed_in_again": self.ledger.repeats,
            "seconds": {name: round(seconds, 2) for name, seconds in self.legs.items()},
            "records_per_second": {name: round(records / s, 1) for name, s in self.legs.items() if s > 0},
            "clean": self.comparison.is_clean,
            "examples": {**examples, "batches_refused": self.ledger.refused_batches[:3]},
        }


@dataclass
class Performance:
    """One rehearsal; troubles may come between `disturb` and `calm`, that is while anything is under way."""

    rehearsal: Rehearsal
    base_url: str
    repository: Repository
    workshop: Path
    show: Show
    patience: float = PATIENCE_SECONDS
    disturb: Callable[[], None] = lambda: None
    calm: Callable[[], None] = lambda: None
    legs: dict[str, float] = field(default_factory=dict)

    def play(self, wish: Wish) -> Outcome:
        """Raises Stalled."""
        maker = Maker(self.rehearsal.province, self.rehearsal.pki, dict(self.rehearsal.state.next_number))
        with self._leg("generate"):
            parcels = []
            made = 0
            for one in maker.parcels(wish):
                parcels.append(one.stashed(self.workshop))
                made += len(one.entries)
                self.show(Step("generate", made, wish.records))
        start = time.monotonic()
        self.disturb()
        counter = Counter(self.rehearsal, self.base_url, door_paths(wish.doors))
        with self._leg("hand_in"):
            for one in parcels:
                counter.hand_in(one)
                self.show(Step("hand_in", counter.ledger.records, wish.records))
        counter.close()
        self._wait(counter.ledger)
        self.calm()
        self.legs["total"] = time.monotonic() - start
        self.legs |= {name: (end - begin).total_seconds() for name, (begin, end) in spans().items()}
        counter.ledger.refused_batches += refused_batches()
        return Outcome(self.compare(counter.ledger), counter.ledger, self.legs)

    def compare(self, ledger: Ledger) -> Comparison:
        return compare(ledger.entries, portal_view(), self.repository.holdings())

    def _wait(self, ledger: Ledger) -> None:
        """Until every batch that was taken is checked and every record of it has its verdict."""
        wanted = ledger.batches - len(ledger.refused_batches)
        last: Progress | None = None
        moved_at = time.monotonic()
        while True:
            now = _look()
            if now is not None:
                self.show(Step("verdict", now.settled, ledger.records))
                if now.is_done and now.batches >= wanted:
                    return
                if now != last:
                    last, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > self.patience:
                raise Stalled(f"không có gì nhúc nhích trong {self.patience:.0f} giây; đang ở: {last}")
            time.sleep(POLL_SECONDS)

    @contextmanager
    def _leg(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.legs[name] = time.monotonic() - start


def _look() -> Progress | None:
    """Progress, or nothing while the database is away (it may have been killed on purpose)."""
    try:
        return progress()
    except (OperationalError, InterfaceError):
        connection.close()
        return None
