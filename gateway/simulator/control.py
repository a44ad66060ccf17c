"""A client of the control door, for tests, rehearsals and the fault campaign. Standard library only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit


class ControlRefused(Exception):
    """The control door did not do what was asked; the message is its answer."""


class SimulatorControl:
    """Talks to one simulator; `base_url` like `http://127.0.0.1:8767`."""

    def __init__(self, base_url: str, *, token: str = "", timeout: float = 30.0) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 8767
        self._headers = {"X-Control-Token": token} if token else {}
        self._timeout = timeout

    # -- state -----------------------------------------------------------------------------------------------------
    def health(self) -> dict[str, Any]:
        return dict(self._ask("GET", "/health"))

    def wait_ready(self, *, seconds: float = 15.0) -> None:
        """Until the simulator answers; raises ControlRefused when it does not in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.health()["ready"]:
                    return
            except (OSError, HTTPException):
                pass  # not up yet: that is what is waited for
            time.sleep(0.05)
        raise ControlRefused("the simulator did not become ready")

    def totals(self) -> dict[str, Any]:
        return dict(self._ask("GET", "/totals"))

    def ledger(self) -> Iterator[dict[str, Any]]:
        """Every UUID: sha256, digests, effects, state, verdict, messageids, errors."""
        yield from self._lines("/ledger")

    def record(self, uuid: str) -> dict[str, Any] | None:
        return next(self._lines(f"/ledger?uuid={quote(uuid)}"), None)

    def messages(self) -> Iterator[dict[str, Any]]:
        yield from self._lines("/messages")

    def journal(self, *, after: int = 0) -> Iterator[dict[str, Any]]:
        yield from self._lines(f"/journal?after={after}")

    def certificates(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/certificates"))

    # -- faults ----------------------------------------------------------------------------------------------------
    def set_fault(
        self,
        kind: str,
        *,
        service: str = "*",
        count: int | None = None,
        probability: float = 1.0,
        duration: float | None = None,
        skip: int = 0,
        seed: int | None = None,
        **params: Any,
    ) -> int:
        """Set a fault and give its number. Everything else by keyword goes into its `params`."""
        wish: dict[str, Any] = {"kind": kind, "service": service, "probability": probability, "skip": skip}
        optional = {"count": count, "duration": duration, "seed": seed}
        wish |= {name: value for name, value in optional.items() if value is not None}
        return int(self._ask("POST", "/faults", {**wish, "params": params})["id"])

    def clear_faults(self, fault_id: int | None = None) -> None:
        self._ask("DELETE", "/faults" if fault_id is None else f"/faults/{fault_id}")

    def faults(self) -> dict[str, Any]:
        """`faults` in force, and how often each kind has `fired` since the start."""
        return dict(self._ask("GET", "/faults"))

    def kinds(self) -> dict[str, str]:
        return dict(self._ask("GET", "/kinds"))

    # -- changes ---------------------------------------------------------------------------------------------------
    def change(self, **settings: Any) -> None:
        """delay_seconds, signature_share, recall_delay_seconds, token_seconds, addresses, … while running."""
        self._ask("POST", "/settings", settings)

    def judge_now(self) -> int:
        return int(self._ask("POST", "/judge-now")["brought_forward"])

    def end_silence(self) -> int:
        return int(self._ask("POST", "/end-silence")["woken"])

    def forget(self, messageid: str) -> bool:
        return bool(self._ask("POST", "/forget", {"messageid": messageid})["forgotten"])

    def renew_certificates(self) -> None:
        self._ask("POST", "/renew-certificates")

    # -- wire ------------------------------------------------------------------------------------------------------
    def _ask(self, method: str, path: str, value: Mapping[str, Any] | None = None) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            body = None if value is None else json.dumps(value)
            connection.request(method, path, body=body, headers=self._headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlRefused(str(answer.get("error", answer)))
        return answer

    def _lines(self, path: str) -> Iterator[dict[str, Any]]:
        connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            if response.status != 200:
                raise ControlRefused(response.read().decode())
            for line in response:
                yield json.loads(line)
        finally:
            connection.close()
