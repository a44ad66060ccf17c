"""Compares the witnesses of a rehearsal: what schools made, what the portal says, what the repository holds.

Pure: values in, a value out. Every zero in the report is decided here, and nowhere else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from portal.rehearsal.parcels import Entry
from portal.rehearsal.planting import of_code
from portal.rehearsal.witnesses import Held, Seen

_EXAMPLES = 5


@dataclass
class Comparison:
    """Counts, and a few examples of everything that should not be."""

    handed_in: int = 0
    planted: int = 0
    admitted: int = 0
    refused: int = 0
    refused_unplanned: int = 0
    planted_not_refused: int = 0
    planted_not_warned: int = 0
    unknown_to_portal: int = 0
    dispatched: int = 0
    accepted: int = 0
    rejected: int = 0
    missing_at_simulator: int = 0
    twice_at_simulator: int = 0
    altered: int = 0
    foreign_at_simulator: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing twice, nothing altered, and only what was planted was refused."""
        return not (
            self.refused_unplanned
            or self.planted_not_refused
            or self.unknown_to_portal
            or self.missing_at_simulator
            or self.twice_at_simulator
            or self.altered
            or self.foreign_at_simulator
            or self.accepted != self.admitted
        )

    def blame(self, name: str, example: str) -> None:
        setattr(self, name, getattr(self, name) + 1)
        shown = self.examples.setdefault(name, [])
        if len(shown) < _EXAMPLES:
            shown.append(example)


def compare(entries: Iterable[Entry], seen: Iterable[tuple[str, Seen]], held: Mapping[str, Held]) -> Comparison:
    """The verdict over one rehearsal."""
    result = Comparison()
    by_bytes: dict[str, list[Seen]] = {}
    for sha256, one in seen:
        by_bytes.setdefault(sha256, []).append(one)
    made_for: Counter[str] = Counter()
    known: set[tuple[str, str]] = set()
    for entry in entries:
        result.handed_in += 1
        result.planted += entry.fault is not None
        made_for[entry.lookup_uuid] += 1
        known.add((entry.lookup_uuid, entry.sha256))
        found = by_bytes.get(entry.sha256)
        if not found and entry.must_be_refused:
            # The file it came in was refused as a whole; good records in such a file are blamed below.
            result.refused += 1
            continue
        if not found:
            result.blame("unknown_to_portal", f"{entry.lookup_uuid} {entry.fault or ''}")
            continue
        _judge(result, entry, found[-1])
        if found[-1].state != "REFUSED":
            _at_simulator(result, entry, held.get(entry.lookup_uuid))
    for lookup_uuid, holding in held.items():
        if holding.effects > 1:
            result.blame("twice_at_simulator", lookup_uuid)
        if not made_for[lookup_uuid]:
            result.blame("foreign_at_simulator", lookup_uuid)
        elif (lookup_uuid, holding.sha256) not in known:
            result.blame("altered", lookup_uuid)
    return result


def _judge(result: Comparison, entry: Entry, seen: Seen) -> None:
    """Was it refused exactly when it had to be?"""
    if seen.state == "REFUSED":
        result.refused += 1
        if not entry.must_be_refused:
            result.blame(
                "refused_unplanned", f"{entry.lookup_uuid} {entry.fault or 'valid'}: {', '.join(seen.codes[:4])}"
            )
        return
    result.admitted += seen.state in ("ADMITTED", "DISPATCHED")
    result.dispatched += seen.state == "DISPATCHED"
    result.accepted += seen.verdict == "ACCEPTED"
    if seen.verdict == "REJECTED":
        result.blame("rejected", f"{entry.lookup_uuid} {entry.fault or 'valid'}")
    if entry.must_be_refused:
        result.blame("planted_not_refused", f"{entry.lookup_uuid} {entry.fault}")
    elif entry.fault and not (of_code(entry.fault).says & set(seen.codes)):
        result.blame("planted_not_warned", f"{entry.lookup_uuid} {entry.fault}: {', '.join(seen.codes[:4])}")


def _at_simulator(result: Comparison, entry: Entry, held: Held | None) -> None:
    if held is None or not held.accepted:
        result.blame("missing_at_simulator", f"{entry.lookup_uuid} {entry.fault or 'valid'}")
