"""Keeps the notices of the circuit for a test."""

NOTICES: list[dict[str, str]] = []


def note(**notice: str) -> None:
    NOTICES.append(notice)
