"""What a step of the examination knows and what it may say: a finding, a doubt, a trouble. No network, no words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from gateway.conf import EndpointDescription
from gateway.ministry.client import MinistryClient

Outcome = Literal["OK", "WARNING", "FAILED", "NOT_RUN"]

WE: Final = "Quản trị hệ thống của Sở"
NETWORK: Final = "Bộ phận mạng của Sở hoặc nhà cung cấp đường truyền"
MINISTRY: Final = "Đầu mối kỹ thuật của Bộ"


@dataclass(frozen=True, slots=True)
class Finding:
    """One step: what was looked at, what came out, the likely cause and who can remove it."""

    step: str
    title: str
    outcome: Outcome
    detail: str
    cause: str = ""
    call: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "step": self.step,
            "title": self.title,
            "outcome": self.outcome,
            "detail": self.detail,
            "cause": self.cause,
            "call": self.call,
        }


@dataclass
class Visit:
    """What one examination knows so far. `host` and `port` are where our own connection goes: the proxy's, if any."""

    description: EndpointDescription
    client: MinistryClient
    now: datetime
    host: str
    port: int
    server: str
    server_port: int
    addresses: list[str] = field(default_factory=list)

    @property
    def through_proxy(self) -> bool:
        return bool(self.description.connection.proxy)


class Trouble(Exception):
    """The step failed."""

    def __init__(self, detail: str, cause: str, call: str) -> None:
        super().__init__(detail)
        self.detail, self.cause, self.call = detail, cause, call


class Doubt(Trouble):
    """Worth telling, but the line may still work."""
