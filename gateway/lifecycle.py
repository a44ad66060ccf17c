"""A table of legal moves between states: one value that code checks, the database triggers obey and tests read.

Knows no state by name and touches no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


class IllegalMove(Exception):
    """A move that the table does not hold: a mistake in our code, never a condition of the outside world."""

    code = "ILLEGAL_MOVE"


@dataclass(frozen=True)
class Lifecycle:
    """`moves[state]` = the states that may follow it."""

    moves: Mapping[str, frozenset[str]]

    def allows(self, source: str, target: str) -> bool:
        return source == target or target in self.moves.get(source, frozenset())

    def check(self, source: str, target: str) -> str:
        """The target, or IllegalMove."""
        if not self.allows(source, target):
            raise IllegalMove(f"{source} → {target}")
        return target

    def sources_of(self, target: str) -> list[str]:
        """The states from which `target` may be reached."""
        return [source for source, targets in self.moves.items() if target in targets]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every legal move, for the trigger."""
        for source, targets in self.moves.items():
            for target in sorted(targets):
                yield source, target
