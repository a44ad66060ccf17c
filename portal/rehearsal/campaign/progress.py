"""Watches how far the system is, so that recovery can be told in seconds: counts, a few times a second, by plain SQL.

A database that is away gives no sample; that is part of the time to recover.
"""

import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

import psycopg

from portal.rehearsal.campaign.kinds import Stage
from portal.rehearsal.campaign.site import Site

_EVERY = 0.2
_COUNT = """
SELECT (SELECT count(*) FROM records_batch),
       (SELECT count(*) FROM records_record),
       (SELECT count(*) FILTER (WHERE acknowledged_at IS NOT NULL) + count(closed_at) + coalesce(sum(polls), 0)
          FROM gateway_submission),
       (SELECT count(*) FROM records_batch WHERE state IN ('RECEIVED', 'OPENED'))
"""
_ORDER = (Stage.INTAKE, Stage.RECORDS, Stage.FORWARDING)


@dataclass
class Progress:
    """Samples (monotonic moment, counts) in the order of time."""

    site: Site
    samples: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(10)

    @property
    def backlog(self) -> int:
        """Batches taken in and not yet checked, when last seen."""
        return self.samples[-1][1][-1] if self.samples else 0

    def recovery(self, stage: Stage, ended_at: float) -> float | None:
        """Seconds from the end of a fault until its stage moved on again; None when the campaign ended before."""
        place = _ORDER.index(stage)
        first = bisect_right(self.samples, ended_at, key=lambda sample: sample[0])
        before = self.samples[first - 1][1][place] if first else 0
        for at, counts in self.samples[first:]:
            if counts[place] > before:
                return at - ended_at
        return None

    def _watch(self) -> None:
        line: psycopg.Connection[Any] | None = None
        while not self._over.wait(_EVERY):
            try:
                line = line or self.site.connect(timeout=2)
                row = line.execute(_COUNT).fetchone()
                if row is not None:
                    self.samples.append((time.monotonic(), tuple(int(count) for count in row)))
            except psycopg.Error:
                if line is not None:
                    line.close()
                line = None
