"""The clocks of our own processes jump while they run, and come back: libfaketime in web and workers, nowhere else.

Database, broker and the Ministry keep the true time, so whatever must not depend on a worker's clock is seen: after
each jump no lease, no schedule and no waiting batch may lie beyond what the settings allow.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from random import Random

import psycopg

from deploy.embedded.environment import BASE
from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.process_faults import is_ready
from portal.rehearsal.campaign.site import Site, replace_file

_LANE = "clock"
_PATTERN = "*/faketime/libfaketimeMT.so.1"
_PROGRAMS = ("web", "worker-records", "worker-forwarding")
# name in the report → what libfaketime reads
_JUMPS = {
    "clock:moved-three-days-ahead": "+3d", "clock:moved-two-days-back": "-2d",
    "clock:moved-five-minutes-ahead": "+5m", "clock:moved-five-minutes-back": "-5m",
}  # fmt: skip
TRUE_TIME = "+0"
FILE = "clock"
_READY_SECONDS = 30.0
_NOTICED = 2.2  # libfaketime looks into its file when more than a whole second has passed
# Nothing that is open may be put off longer than this, whatever a worker took for the time (step back: 600 s at most).
_FAR = """
SELECT (SELECT count(*) FROM gateway_submission WHERE closed_at IS NULL
           AND greatest(lease_until, next_attempt_at) > clock_timestamp() + interval '15 minutes'),
       (SELECT count(*) FROM records_batch WHERE processed_at IS NULL
           AND greatest(lease_until, next_check_at) > clock_timestamp() + interval '15 minutes'),
       (SELECT count(*) FROM records_record WHERE state = 'RECEIVED'
           AND next_check_at > clock_timestamp() + interval '15 minutes')
"""


def kinds() -> list[Kind]:
    return [Kind(name, Stage.FORWARDING, _jump(words), _LANE, _no_clock, most=2) for name, words in _JUMPS.items()]


@cache
def library() -> str:
    """Where libfaketime lies, "" without it."""
    found = [str(path) for place in ("/usr/lib", "/usr/local/lib") for path in Path(place).glob(_PATTERN)]
    if not found or shutil.which("faketime") is None:
        return ""
    env = {**os.environ, "LD_PRELOAD": found[0], "FAKETIME": "+400d"}
    date = subprocess.run(["date", "+%s"], env=env, capture_output=True, text=True, timeout=10, check=False)
    true = subprocess.run(["date", "+%s"], capture_output=True, text=True, timeout=10, check=False)
    return found[0] if date.returncode == 0 and int(date.stdout) - int(true.stdout) > 1000 else ""


def program_env(folder: Path) -> Mapping[str, str]:
    """What web and workers are started with while their clocks are to move; nothing without libfaketime."""
    found = library()
    if not found:
        return {}
    file = folder / FILE
    replace_file(file, f"{TRUE_TIME}\n")
    return {
        "LD_PRELOAD": found,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        # Only the wall clock jumps, as it does where an administrator sets it: waits and times of files stay true.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "PYTHONPATH": f"{Path(__file__).parent / 'moved_clock'}{os.pathsep}{BASE}",
    }


def set_right(site: Site) -> None:
    """Back to the true time, whatever a fault that was broken off has left."""
    file = site.orders.parent / FILE
    if file.exists():
        replace_file(file, f"{TRUE_TIME}\n")


def _no_clock(_site: Site) -> str:
    return "" if library() else "libfaketime (package faketime) is not installed on this machine"


def _jump(words: str) -> Strike:
    def strike(site: Site, rng: Random) -> None:
        with _started_again(site, program_env(site.orders.parent)):
            replace_file(site.orders.parent / FILE, f"{words}\n")
            try:
                site.pause(_NOTICED + rng.uniform(2, 5))
            finally:
                set_right(site)
            site.pause(_NOTICED)
        _nothing_put_off(site, words)

    return strike


@contextmanager
def _started_again(site: Site, env: Mapping[str, str]) -> Iterator[None]:
    """Web and workers die and come back under libfaketime, and again without it behind the block: it halves their
    pace, so all other faults go without."""
    try:
        _start_again(site, env)
        end = time.monotonic() + _READY_SECONDS
        while not all(is_ready(site, name) for name in _PROGRAMS):
            if time.monotonic() > end or site.over.is_set():
                raise Missed
            site.pause(0.1)
        yield
    finally:
        _start_again(site, {})


def _start_again(site: Site, env: Mapping[str, str]) -> None:
    for name in _PROGRAMS:
        site.env.change_env(name, env)
        with suppress(ProcessLookupError):
            site.env.kill(name)


def _nothing_put_off(site: Site, words: str) -> None:
    """The times written while the clock was wrong: a lease or schedule days ahead would be work that nobody does."""
    try:
        with site.connect() as line:
            row = line.execute(_FAR).fetchone()
    except psycopg.Error:
        return  # the database is away by another fault: the checker finds at the end what nobody did
    if row and any(row):
        raise AssertionError(f"clock {words}: put off into the far future (packages, batches, records): {row}")
