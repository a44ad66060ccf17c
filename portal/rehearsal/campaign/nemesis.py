"""Injects the faults: every kind its share, in an order that follows from the seed, several lanes at the same time.

Faults overlap because the lanes do not wait for each other; with `pairs` two kinds of different lanes are also struck
at the same moment. What found no occasion is tried again while there is time, and never counted as injected.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from portal.rehearsal.campaign.kinds import Kind, Missed, NotRun, Stage
from portal.rehearsal.campaign.site import Site

_TRIES = 4
_PAIR_SHARE = 0.15
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
    pairs: bool = True
    paired: int = 0
    injected: list[Injected] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    not_run: dict[str, str] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)
    _partners: list[Kind] = field(default_factory=list)
    _lanes: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
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
        self._partners = [kind for kind in able if not kind.most]
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
        waiting = deque((kind, 1) for kind in share)
        started, turns = time.monotonic(), 0
        step = _SPREAD * (self.deadline - started) / max(len(share), 1)
        while waiting and not self.site.over.is_set() and time.monotonic() < self.deadline:
            # Spread over the time there is: faults that come too thick would only hit a system that is down already.
            self.site.pause(max(0.0, started + turns * step * rng.uniform(0.8, 1.0) - time.monotonic()))
            turns += 1
            kind, tries = waiting.popleft()
            if not self._turn(kind, rng) and tries < _TRIES:
                waiting.append((kind, tries + 1))

    def _turn(self, kind: Kind, rng: Random) -> bool:
        """One fault, or two at the same moment, each of them the only one of its lane."""
        with self._lane(kind, wait=True) as mine:
            assert mine
            # What stops everything for seconds comes alone, and as often as it says.
            if not self.pairs or kind.most or rng.random() >= _PAIR_SHARE:
                return self._strike(kind, rng)
            others = [other for other in self._partners if other is not kind and other.lane != kind.lane]
            if not others:
                return self._strike(kind, rng)
            other = rng.choice(others)
            with self._lane(other, wait=False) as free:
                return self._pair(kind, other, rng) if free else self._strike(kind, rng)

    def _pair(self, one: Kind, other: Kind, rng: Random) -> bool:
        """Each has a generator of its own: the order of threads changes nothing."""
        struck, chance = [False], Random(rng.random())

        def strike_other() -> None:
            struck[0] = self._strike(other, chance)

        second = threading.Thread(target=strike_other, name="nemesis-pair", daemon=True)
        second.start()
        done = self._strike(one, rng)
        second.join(60)
        with self._lock:
            self.paired += done and struck[0]
        return done

    @contextmanager
    def _lane(self, kind: Kind, *, wait: bool) -> Iterator[bool]:
        """Whether the kind's lane is free for it; several may be under way in a lane that has threads for them."""
        if kind.lane in _THREADS:
            yield True
            return
        lock = self._lanes[kind.lane]
        free = lock.acquire(blocking=wait)
        try:
            yield free
        finally:
            if free:
                lock.release()

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
