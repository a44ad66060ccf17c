"""The Ministry's client of this process, with the token that all workers share through the endpoint's row.

One client per description: when the description's file changes, the next call gets a new one. Writes the token only.
"""

from __future__ import annotations

from functools import lru_cache

from gateway import conf
from gateway.ministry.client import MinistryClient, Token
from gateway.models import Endpoint


class RowTokens:
    """The token in the endpoint's row."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self) -> Token | None:
        row = Endpoint.objects.filter(name=self._name).values_list("token", "token_expires_at").first()
        return Token(row[0], row[1]) if row and row[0] and row[1] else None

    def write(self, token: Token) -> None:
        Endpoint.objects.filter(name=self._name).update(token=token.text, token_expires_at=token.expires_at)


def client() -> MinistryClient:
    """The client for the endpoint that the settings name."""
    return _client(conf.endpoint().model_dump_json())


@lru_cache(maxsize=4)
def _client(_stamp: str) -> MinistryClient:
    description = conf.endpoint()
    return MinistryClient(description, tokens=RowTokens(description.name))
