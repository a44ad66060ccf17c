"""Faults on demand: which kinds there are, and the board on which they are set and cleared.

A fault fires by count, probability (seeded, so a run can be repeated), duration and service. The board only decides
*that* a fault fires; what it does stands where the request is at that moment (listener, connection, services, replies).
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where in the life of a request a kind of fault strikes."""

    LISTEN = "LISTEN"  # nobody is at home: the listening socket is closed
    HANDSHAKE = "HANDSHAKE"  # while the TLS connection is made
    OPEN = "OPEN"  # the first byte of a request is there, nothing is read
    READ = "READ"  # in the middle of the request
    DELAY = "DELAY"  # before the service acts
    INSTEAD = "INSTEAD"  # an answer without any effect
    EFFECT = "EFFECT"  # changes what the service does
    AFTER = "AFTER"  # the effect is done, the reply is lost or spoilt
    REPLY = "REPLY"  # how the reply goes over the wire


KINDS: Mapping[str, Phase] = {
    "down": Phase.LISTEN,
    "wrong_server_certificate": Phase.HANDSHAKE,
    "client_certificate_rejected": Phase.HANDSHAKE,
    "handshake_silence": Phase.HANDSHAKE,
    "cut_before_request": Phase.OPEN,
    "cut_mid_request": Phase.READ,
    "slow": Phase.DELAY,
    "client_certificate_expired": Phase.INSTEAD,
    "address_refused": Phase.INSTEAD,
    "token_refused": Phase.INSTEAD,
    "status": Phase.INSTEAD,
    "http_500": Phase.INSTEAD,
    "html_502": Phase.INSTEAD,
    "html_200": Phase.INSTEAD,
    "http_429": Phase.INSTEAD,
    "http_503": Phase.INSTEAD,
    "http_413": Phase.INSTEAD,
    "http_400": Phase.INSTEAD,
    "http_409": Phase.INSTEAD,
    "redirect": Phase.INSTEAD,
    "ack_without_effect": Phase.INSTEAD,
    "unknown_to_me": Phase.INSTEAD,
    "token_short_life": Phase.EFFECT,
    "ack_then_silence": Phase.EFFECT,
    "late_verdicts": Phase.EFFECT,
    "reject_share": Phase.EFFECT,
    "refuse_package": Phase.EFFECT,
    "refuse_recall": Phase.EFFECT,
    "cut_after_processing": Phase.AFTER,
    "right_receipt_500": Phase.AFTER,
    "error_500_with_effect": Phase.AFTER,
    "html_502_with_effect": Phase.AFTER,
    "receipt_other_message": Phase.AFTER,
    "receipt_other_unit": Phase.AFTER,
    "receipt_unreadable": Phase.AFTER,
    "receipt_empty": Phase.AFTER,
    "receipt_wrong_counts": Phase.AFTER,
    "receipt_replay": Phase.AFTER,
    "slow_reply": Phase.REPLY,
    "endless_head": Phase.REPLY,
    "endless_reply": Phase.REPLY,
    "huge_reply": Phase.REPLY,
    "gzip_bomb_reply": Phase.REPLY,
    "cut_mid_reply": Phase.REPLY,
}

_BEFORE_SERVICE_IS_KNOWN = {Phase.LISTEN, Phase.HANDSHAKE, Phase.OPEN}


class FaultRefused(Exception):
    """The description of a fault makes no sense; nothing was set."""


@dataclass(slots=True)
class Fault:
    """One fault on the board. `remaining` None = until cleared or `until` (monotonic seconds) is past."""

    id: int
    kind: str
    service: str
    probability: float
    remaining: int | None
    skip: int
    until: float | None
    params: Mapping[str, Any]
    chance: random.Random
    fired: int = 0

    @property
    def phase(self) -> Phase:
        return KINDS[self.kind]

    def number(self, name: str, default: float) -> float:
        return float(self.params.get(name, default))

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "service": self.service,
            "probability": self.probability,
            "remaining": self.remaining,
            "fired": self.fired,
            "params": dict(self.params),
        }


@dataclass(slots=True)
class FaultBoard:
    """The faults in force, in the order in which they were set; safe for many threads."""

    monotonic: Callable[[], float]
    seed: int = 1
    _faults: list[Fault] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, description: Mapping[str, Any]) -> Fault:
        """Set a fault: kind, service="*", count, probability=1, duration (seconds), skip=0, seed, params."""
        known = {"kind", "service", "count", "probability", "duration", "skip", "seed", "params"}
        if set(description) - known:
            raise FaultRefused(f"unknown members: {sorted(set(description) - known)}")
        kind, service = str(description.get("kind")), str(description.get("service", "*"))
        if kind not in KINDS:
            raise FaultRefused(f"unknown kind of fault: {kind}")
        if service != "*" and KINDS[kind] in _BEFORE_SERVICE_IS_KNOWN:
            raise FaultRefused(f"{kind} strikes before the service is known; leave service out")
        count, duration = description.get("count"), description.get("duration")
        with self._lock:
            number = next(self._numbers)
            fault = Fault(
                id=number,
                kind=kind,
                service=service,
                probability=float(description.get("probability", 1.0)),
                remaining=None if count is None else int(count),
                skip=int(description.get("skip", 0)),
                until=None if duration is None else self.monotonic() + float(duration),
                params=dict(description.get("params", {})),
                chance=random.Random(f"{description.get('seed', self.seed)}:{number}:{kind}"),  # noqa: S311 repeatable, not secret
            )
            self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> None:
        with self._lock:
            self._faults = [f for f in self._faults if fault_id is not None and f.id != fault_id]

    def take(self, phase: Phase, service: str = "*") -> Fault | None:
        """The fault that strikes now, if one does; its count goes down by one."""
        with self._lock:
            for fault in self._living():
                if fault.phase is not phase or fault.service not in ("*", service):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.probability < 1.0 and fault.chance.random() >= fault.probability:
                    continue
                return self._strike(fault)
        return None

    def is_down(self) -> bool:
        """Whether nobody is at home now; a `down` fault lives by duration, its count does not matter."""
        with self._lock:
            down = [f for f in self._living() if f.phase is Phase.LISTEN]
            for fault in down:
                if fault.fired == 0:
                    self._strike(fault)
                    fault.remaining = None
            return bool(down)

    def listing(self) -> dict[str, Any]:
        with self._lock:
            return {"faults": [fault.as_json() for fault in self._living()], "fired": dict(self._counts)}

    def _strike(self, fault: Fault) -> Fault:
        fault.fired += 1
        self._counts[fault.kind] = self._counts.get(fault.kind, 0) + 1
        if fault.remaining is not None:
            fault.remaining -= 1
        return fault

    def _living(self) -> list[Fault]:
        now = self.monotonic()
        self._faults = [
            f for f in self._faults if (f.until is None or f.until > now) and (f.remaining is None or f.remaining > 0)
        ]
        return self._faults
