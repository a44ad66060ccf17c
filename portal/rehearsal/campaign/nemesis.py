"""Injects the faults: every kind its share, in an order that follows from the seed, several lanes at the same time.

Faults overlap because the lanes do not wait for each other; with `pairs` two kinds are also struck at the same moment.
What found no occasion is tried again while there is time, and never counted as injected.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random

from portal.rehearsal.campaign.kinds import Kind, Missed, NotRun, Stage
from portal.rehearsal.campaign.site import Site

_TRIES = 4
_PAIR_SHARE = 0.25
_SPREAD = 0.75
# The line has by far the most kinds: several threads work on them.
_THREADS = {"line": 3}


@dataclass(frozen=True)
class Injected:
    """One fault that has struck."""

    kind: str
    stage: Stage
    started_at: float
    ended_at: float


@dataclass
class Nemesis:
    site: Site
    kinds: Sequence[Kind]
    faults: int
    seed: str
    deadline: float
    pairs: bool = False
    injected: list[Injected] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    not_run: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Until every fault has struck or the time is over."""
        able = []
        for kind in self.kinds:
            obstacle = kind.obstacle(self.site)
            if obstacle:
                self.not_run[kind.name] = obstacle
            else:
                able.append(kind)
        plan = self._plan(able)
        threads = [
            threading.Thread(target=self._work, args=(share, f"{lane}/{number}"), name=f"nemesis-{lane}", daemon=True)
            for lane, share, number in self._shares(plan)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(1.0, self.deadline - time.monotonic()) + 60)

    def counts(self) -> dict[str, int]:
        return dict(sorted(Counter(one.kind for one in self.injected).items()))

    def _plan(self, able: Sequence[Kind]) -> list[Kind]:
        """Every kind in turn until there are enough: no kind is left to chance, heavy ones only so often."""
        rng = Random(f"{self.seed}/plan")
        plan: list[Kind] = []
        limited = any(not kind.most for kind in able)
        turns = 0
        while able and len(plan) < self.faults:
            turn = [kind for kind in able if not (limited and kind.most and turns >= kind.most)]
            turns += 1
            rng.shuffle(turn)
            plan += turn[: self.faults - len(plan)]
        return plan

    def _shares(self, plan: Sequence[Kind]) -> list[tuple[str, list[Kind], int]]:
        shares: list[tuple[str, list[Kind], int]] = []
        for lane in sorted({kind.lane for kind in plan}):
            mine = [kind for kind in plan if kind.lane == lane]
            count = _THREADS.get(lane, 1)
            shares += [(lane, list(islice(mine, number, None, count)), number) for number in range(count)]
        return shares

    def _work(self, share: Sequence[Kind], name: str) -> None:
        rng = Random(f"{self.seed}/{name}")
        partners = cycle(share)
        waiting = deque((kind, 1) for kind in share)
        started, turns = time.monotonic(), 0
        step = _SPREAD * (self.deadline - started) / max(len(share), 1)
        while waiting and not self.site.over.is_set() and time.monotonic() < self.deadline:
            # Spread over the time there is: faults that come too thick would only hit a system that is down already.
            self.site.pause(max(0.0, started + turns * step * rng.uniform(0.8, 1.0) - time.monotonic()))
            turns += 1
            kind, tries = waiting.popleft()
            if self.pairs and rng.random() < _PAIR_SHARE:
                self._pair(kind, next(partners), rng)
            elif not self._strike(kind, rng) and tries < _TRIES:
                waiting.append((kind, tries + 1))

    def _pair(self, one: Kind, other: Kind, rng: Random) -> None:
        """The same moment for both; each has a generator of its own, so the order of threads changes nothing."""
        second = threading.Thread(target=self._strike, args=(other, Random(rng.random())), daemon=True)
        second.start()
        self._strike(one, rng)
        second.join(60)

    def _strike(self, kind: Kind, rng: Random) -> bool:
        started = time.monotonic()
        try:
            ended = kind.strike(self.site, rng)
        except Missed:
            with self._lock:
                self.missed[kind.name] += 1
            return False
        except NotRun as reason:
            with self._lock:
                self.not_run[kind.name] = str(reason)
            return True
        except OSError:
            # The simulator or the database is down by another fault: no occasion for this one.
            with self._lock:
                self.missed[kind.name] += 1
            self.site.pause(0.5)
            return False
        except Exception as problem:
            with self._lock:
                self.troubles.append(f"{kind.name}: {type(problem).__name__}: {problem}"[:400])
            return False
        with self._lock:
            self.injected.append(Injected(kind.name, kind.stage, started, time.monotonic() if ended is None else ended))
        return True
