"""The Ministry's client of this process, with the token that all workers share through the endpoint's row.

One client per description: when the description's file changes, the next call gets a new one. Writes the token only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from gateway import conf
from gateway.ministry.client import MinistryClient, Token
from gateway.models import Endpoint


class RowTokens:
    """The token in the endpoint's row."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self) -> Token | None:
        return self._read(Endpoint.objects.all())

    def write(self, token: Token) -> Token | None:
        with transaction.atomic():
            # Of two workers that write at once, the later must see what the earlier wrote.
            former = self._read(Endpoint.objects.select_for_update())
            Endpoint.objects.filter(name=self._name).update(token=token.text, token_expires_at=token.expires_at)
        return former

    def replace(self, refused: Collection[str], by: Token | None) -> None:
        values = (
            {"token": by.text, "token_expires_at": by.expires_at} if by else {"token": "", "token_expires_at": None}
        )
        Endpoint.objects.filter(name=self._name, token__in=[text for text in refused if text]).update(**values)

    def _read(self, rows: QuerySet[Endpoint]) -> Token | None:
        row = rows.filter(name=self._name).values_list("token", "token_expires_at").first()
        return Token(row[0], row[1]) if row and row[0] and row[1] else None


def client() -> MinistryClient:
    """The client for the endpoint that the settings name; threads share it."""
    description = conf.endpoint()
    held = _held.get(_KEY)
    if held is None or held.description is not description:
        # Two threads may both make one; the second stays, and nothing is lost but a connection.
        held = _held[_KEY] = MinistryClient(description, tokens=RowTokens(description.name))
    return held


_KEY: Final = "client"
_held: Final[dict[str, MinistryClient]] = {}
