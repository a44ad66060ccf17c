"""Acts that pages pass on to the domain, with the domain's refusals as one kind of error for the views."""

from __future__ import annotations

from django.http import HttpRequest

from portal.records.models import Recall, Record


class Refused(Exception):
    """The domain said no; `message` says why, in Vietnamese."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def request_recall(request: HttpRequest, record: Record, *, reason: str) -> str:
    raise Refused("Chưa mở.")


def decide_recall(request: HttpRequest, recall: Recall, *, approve: bool, decision: str) -> None:
    raise Refused("Chưa mở.")
