"""A suspicious record, or file, tried alone in a process of its own: guilt is witnessed, never guessed.

A worker may die over healthy work, too: killed by hand, with its machine, with its database. So an attempt in vain
only makes suspicious. Guilty is whoever kills the process of its own trial several times in a row while the worker
that looks on stays alive. A trial writes no verdict.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.conf import settings

from portal.records.admission import opening
from portal.records.admission.court import court_for
from portal.records.admission.judging import judge
from portal.records.admission.opening import Walk
from portal.records.conf import conf
from portal.records.content import laid_out
from portal.records.models import Batch
from portal.records.processing.unpacking import open_up
from portal.records.states import FileKind

# The trial ran out of the memory that it may use: as good as killed.
NO_MEMORY = 70
_LIMITS = {resource.RLIMIT_CPU: "trial_cpu_seconds", resource.RLIMIT_AS: "trial_bytes"}


def convicted(*, batch_id: UUID, position: int | None, renew: Callable[[], None]) -> bool:
    """Whether every one of several trials died. `position` None tries the opening of the file."""
    return all(_dies(batch_id, position, renew) for _ in range(conf().deaths_before_blame))


def command(batch_id: UUID, position: int | None) -> list[str]:
    where = [] if position is None else [f"--position={position}"]
    return [sys.executable, "-m", "django", "try_batch", str(batch_id), *where]


def run(*, batch_id: UUID, position: int | None, now: datetime) -> None:
    """The trial itself, in its own process."""
    batch = Batch.objects.select_related("school", "content").get(id=batch_id)
    with laid_out(batch.content) as file:
        if position is None:
            open_up(batch, file, Walk(), now=now)
            return
        raws = opening.raw_records(FileKind(batch.file_kind), file, Walk())
        suspect = next(islice(raws, position - 1, None))
        court = court_for(batch, now=now)
        limit()
        judge(suspect, court)


def _dies(batch_id: UUID, position: int | None, renew: Callable[[], None]) -> bool:
    renew()
    look_every = max(conf().lease_seconds / 4, 0.5)
    with subprocess.Popen(
        command(batch_id, position), cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(int(conf().trial_seconds / look_every) + 1):
                with suppress(subprocess.TimeoutExpired):
                    # Ended by a signal, or out of memory. Any other end (the database is away) proves nothing.
                    status = process.wait(look_every)
                    return status < 0 or status == NO_MEMORY
                renew()
            return False
        finally:
            process.kill()


def limit() -> None:
    """One record needs little; whoever wants more shall die here and not take the machine along."""
    for what, name in _LIMITS.items():
        _, hard = resource.getrlimit(what)
        most = getattr(conf(), name)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
