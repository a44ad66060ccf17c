"""Keeps the notices of the circuit for a test."""

from datetime import UTC, datetime

NOTICES: list[dict[str, str]] = []


def note(**notice: str) -> None:
    NOTICES.append(notice)


def certificates() -> list[tuple[str, str, str, datetime]]:
    """What a portal would name."""
    return [("SCHOOL", "Chứng thư số của trường", "ef" * 32, datetime(2040, 1, 1, tzinfo=UTC))]
