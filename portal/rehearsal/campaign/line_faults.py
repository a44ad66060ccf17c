"""Faults of the line and of the Ministry's answers: everything the simulator can do to us on demand.

A fault is set by count and a short duration and taken back afterwards; it counts as injected only when it has struck.
"""

import time
from collections.abc import Mapping
from random import Random
from typing import Any

from gateway.simulator.control import SimulatorControl
from portal.rehearsal.campaign.kinds import Kind, Missed, Stage, Strike
from portal.rehearsal.campaign.site import TOTAL_TIMEOUT, Site

_LANE = "line"
_PATIENCE = 3.0
# Seconds until somebody passes by: recalls are few, and a token is asked for when the line is tried again.
_RARE = {"recall": 12.0, "token": 9.0}
_CONTENT = "submit"  # most receipts that can be forged answer a submission
# name in the report → kind of the simulator, service, times, parameters
_FAULTS: Mapping[str, tuple[str, str, int, Mapping[str, Any]]] = {
    "line:down": ("down", "*", 1, {}),
    "line:server-certificate-wrong": ("wrong_server_certificate", "*", 2, {}),
    "line:client-certificate-rejected": ("client_certificate_rejected", "*", 2, {}),
    "line:client-certificate-expired-page": ("client_certificate_expired", "*", 1, {}),
    "line:handshake-silence": ("handshake_silence", "*", 1, {"seconds": 4}),
    "line:address-refused": ("address_refused", "*", 1, {}),
    "line:token-refused": ("token_refused", "*", 1, {}),
    # The old token and the new one: what is kept of a token that is known to be refused must open the line again.
    "line:token-refused-twice": ("status", _CONTENT, 4, {"status": 401, "code": "TOKEN_INVALID"}),
    "line:token-short": ("token_short_life", "token", 1, {"seconds": 1}),
    "cut:before-body": ("cut_before_request", "*", 1, {}),
    "cut:in-body": ("cut_mid_request", _CONTENT, 1, {}),
    "cut:after-body": ("cut_after_processing", _CONTENT, 1, {}),
    "cut:in-reply": ("cut_mid_reply", "*", 2, {}),
    "reply-lost:with-effect-500": ("error_500_with_effect", _CONTENT, 1, {}),
    "reply-lost:with-effect-502-page": ("html_502_with_effect", _CONTENT, 1, {}),
    "reply-lost:right-receipt-500": ("right_receipt_500", _CONTENT, 1, {}),
    "reply-false:no-effect": ("ack_without_effect", _CONTENT, 1, {}),
    "reply-false:unknown-to-me": ("unknown_to_me", "query", 1, {}),
    "reply:slow-bytes": ("slow_reply", "*", 1, {"interval": 0.2, "seconds": 4}),
    "reply:late": ("slow", "*", 1, {"seconds": 3}),
    "reply:endless-head": ("endless_head", "*", 1, {"seconds": 5}),
    "reply:endless-body": ("endless_reply", "*", 1, {"seconds": 5}),
    "reply:huge": ("huge_reply", "*", 1, {"bytes": 64 << 20}),
    "reply:gzip-bomb": ("gzip_bomb_reply", "*", 1, {"bytes": 64 << 20}),
    "storm:500": ("http_500", "*", 3, {}),
    "storm:502-page": ("html_502", "*", 3, {}),
    "storm:503-seconds": ("http_503", "*", 2, {"retry_after": 1}),
    "storm:503-date": ("http_503", "*", 2, {"retry_after": "date", "seconds": 1}),
    "storm:503-absurd": ("http_503", "*", 1, {"retry_after": "absurd"}),
    "storm:429": ("http_429", "*", 2, {"retry_after": 1}),
    "storm:409": ("http_409", _CONTENT, 1, {}),
    "storm:413": ("http_413", _CONTENT, 1, {}),
    "storm:401": ("status", "*", 2, {"status": 401, "code": "TOKEN_EXPIRED"}),
    "storm:403": ("status", "*", 2, {"status": 403, "code": "UNIT_REFUSED"}),
    "storm:400": ("http_400", _CONTENT, 1, {"code": "STRUCTURE_INVALID"}),
    "storm:400-query": ("http_400", "query", 2, {"code": "REQUEST_UNREADABLE"}),
    "storm:302": ("redirect", "*", 2, {}),
    "forged:other-message": ("receipt_other_message", "*", 2, {}),
    "forged:other-unit": ("receipt_other_unit", "*", 2, {}),
    "forged:replay": ("receipt_replay", _CONTENT, 1, {}),
    "forged:unreadable": ("receipt_unreadable", "*", 2, {}),
    "forged:empty": ("receipt_empty", "*", 2, {}),
    "forged:page-200": ("html_200", "*", 2, {}),
    "forged:line-missing": ("receipt_wrong_counts", "query", 2, {"how": "drop"}),
    "forged:line-twice": ("receipt_wrong_counts", "query", 2, {"how": "twice"}),
    "forged:line-foreign": ("receipt_wrong_counts", "query", 2, {"how": "foreign"}),
    "verdict:late": ("late_verdicts", _CONTENT, 1, {"seconds": 4}),
    "verdict:silence": ("ack_then_silence", _CONTENT, 1, {}),
    "verdict:share-refused": ("reject_share", _CONTENT, 1, {"share": 0.3}),
    "verdict:package-refused": ("refuse_package", _CONTENT, 1, {}),
    "verdict:recall-refused": ("refuse_recall", "recall", 1, {}),
}  # fmt: skip


def kinds() -> list[Kind]:
    return [Kind(name, Stage.FORWARDING, _strike(*fault), _LANE) for name, fault in _FAULTS.items()]


def _strike(kind: str, service: str, times: int, params: Mapping[str, Any]) -> Strike:
    def strike(site: Site, rng: Random) -> None:
        patience = _RARE.get(service, _PATIENCE)
        seconds = rng.uniform(0.5, 2.5) if kind == "down" else patience
        before = _fired(site.control, kind)
        numbers = [
            site.control.set_fault(
                kind, service=service, count=times, duration=seconds + 1.0, seed=rng.randrange(1 << 30), **params
            )
        ]
        if kind in _COMPANIONS:
            # A companion of a token fault refuses content only: it must not meet the request for the new token itself.
            on = _CONTENT if service == "token" else "*"
            numbers.append(site.control.set_fault(_COMPANIONS[kind], service=on, count=2, duration=seconds + 1.0))
        try:
            struck = _until_struck(site, kind, before + (1 if kind == "down" else times), seconds)
        finally:
            for number in numbers:
                site.control.clear_faults(number)
        if not struck and _fired(site.control, kind) == before:
            raise Missed
        if kind in _LASTING:
            site.pause(TOTAL_TIMEOUT)

    return strike


# What strikes at the start of a line needs a line that is opened anew; a short token, somebody who asks for one.
_COMPANIONS = {
    "wrong_server_certificate": "cut_before_request",
    "client_certificate_rejected": "cut_before_request",
    "handshake_silence": "cut_before_request",
    "token_short_life": "token_refused",
}
# These still hold a worker's call when the board says that they have struck.
_LASTING = {"slow", "slow_reply", "endless_head", "endless_reply", "handshake_silence"}


def _until_struck(site: Site, kind: str, wanted: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not site.over.is_set():
        if kind != "down" and _fired(site.control, kind) >= wanted:
            return True
        site.pause(0.1)
    return _fired(site.control, kind) >= wanted


def _fired(control: SimulatorControl, kind: str) -> int:
    return int(control.faults()["fired"].get(kind, 0))
