"""The cast of the portal's tests, and a school's software that speaks the exchange format."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from gateway.exchange import fields
from gateway.exchange.envelope import encode_content, hash_password

PASSWORD = "khoa-truy-cap"


@pytest.fixture
def post(client: Client) -> Callable[..., tuple[int, Any]]:
    def go(name: str, value: object, *, token: str = "", raw: bytes | None = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        body = raw if raw is not None else fields.dumps(value)
        answer = client.post(reverse(name), body, content_type="application/json", headers=headers)
        return answer.status_code, fields.loads(answer.content, max_bytes=50_000_000)

    return go


class Software:
    """A school's software: it signs in once and then hands in and asks."""

    def __init__(self, post: Callable[..., tuple[int, Any]], made: Any) -> None:
        self._post = post
        self.made = made
        _, answer = post("exchange-token", {**self.login, "ma_don_vi": made.code})
        self.token = answer["token"]

    @property
    def login(self) -> dict[str, str]:
        return {"user_name": self.made.api_user_name, "password": hash_password(PASSWORD)}

    def authentication(self, message_id: str, type_: int = 1, **more: object) -> dict[str, object]:
        return {
            "token": self.token, **self.login, "ma_don_vi": self.made.code, "nam_hoc": 2025, "messageid": message_id,
            "type": type_, "function": "", **more,
        }  # fmt: skip

    def submit(self, document: bytes, message_id: str = "", **more: object) -> tuple[int, Any]:
        authentication = self.authentication(message_id or str(uuid4()), **more)
        return self._post(
            "exchange-submit", {"authenticationRequest": authentication, "content": encode_content(document)}
        )

    def query(self, message_id: str, *, unit: str = "", token: str | None = None) -> tuple[int, Any]:
        asked = {"messageid": message_id, "ma_don_vi": unit or self.made.code, "type": 2, "function": ""}
        return self._post("exchange-query", asked, token=self.token if token is None else token)


@pytest.fixture
def software(cast: Any, post: Callable[..., tuple[int, Any]]) -> Callable[..., Software]:
    return lambda made: Software(post, made)
