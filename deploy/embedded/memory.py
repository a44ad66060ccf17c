"""Processes and their memory, read from /proc. Standard library only; where /proc is missing it knows nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

_PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """A process and all its descendants, oldest first."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        parent = _parent(entry)
        if parent is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for member in found:  # grows while it is read
        found += sorted(children.get(member, []))
    return found


def _parent(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything.
    return int(stat.rpartition(")")[2].split()[1])


def memory_of(pid: int) -> int:
    """Proportional set size in bytes: shared pages are counted once in all."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Memory:
    """The highest sums seen so far."""

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}

    def sample(self, pids: Mapping[str, Sequence[int]]) -> None:
        sums = {name: sum(memory_of(pid) for pid in group) for name, group in pids.items()}
        sums["total"] = sum(sums.values())
        for name, size in sums.items():
            self.peaks[name] = max(size, self.peaks.get(name, 0))
