"""All kinds of faults, by name. `--only` chooses by the beginning of a name."""

from portal.rehearsal.campaign import (
    address_faults,
    clock_faults,
    disk_errors,
    journal_faults,
    line_faults,
    lock_faults,
    process_faults,
    restore_faults,
    server_faults,
    slow_line,
    storage_faults,
    upgrade_faults,
)
from portal.rehearsal.campaign.kinds import Kind


def all_kinds() -> list[Kind]:
    return [
        *process_faults.kinds(),
        *server_faults.kinds(),
        *line_faults.kinds(),
        *address_faults.kinds(),
        *slow_line.kinds(),
        *lock_faults.kinds(),
        *clock_faults.kinds(),
        *storage_faults.kinds(),
        *journal_faults.kinds(),
        *disk_errors.kinds(),
        *upgrade_faults.kinds(),
        *restore_faults.kinds(),
    ]


def chosen(only: str) -> list[Kind]:
    """The kinds that `only` names (comma-separated beginnings), or all of them."""
    if not only:
        return all_kinds()
    wanted = tuple(part.strip() for part in only.split(",") if part.strip())
    return [kind for kind in all_kinds() if kind.name.startswith(wanted)]
