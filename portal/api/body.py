"""Reading the body of a request under a limit, and writing answers: the two ends of every view of the exchange door.

A body is never read beyond its limit, whatever its length claims; an answer is JSON in UTF-8 and never cached.
"""

from django.http import HttpRequest, HttpResponse

from gateway.exchange import fields
from gateway.exchange.errors import MessageRefused

# No database, no room: it passes, and software should wait a little before it sends the same again.
_TEMPORARY = frozenset({503, 507})
_RETRY_SECONDS = "5"

_PIECE = 1 << 16
_PATIENCE_BYTES = 64 << 20


def read_json(request: HttpRequest, *, max_bytes: int) -> object:
    """The JSON value of the body. Raises MessageRefused (MESSAGE_TOO_BIG, MESSAGE_NOT_JSON)."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdigit() or int(declared) > max_bytes:
        _read_away(request)
        raise MessageRefused("MESSAGE_TOO_BIG", f"Bản tin dài quá {max_bytes} byte. Hãy chia nhỏ rồi gửi lại.")
    return fields.loads(request.read(max_bytes + 1), max_bytes=max_bytes)


def _read_away(request: HttpRequest) -> None:
    """Take what a sender is still writing, a bounded amount of it: else it sees a broken line, not our answer."""
    left = _PATIENCE_BYTES
    while left > 0 and (piece := request.read(min(left, _PIECE))):
        left -= len(piece)


def json_answer(value: object, *, status: int = 200) -> HttpResponse:
    answer = HttpResponse(fields.dumps(value), status=status, content_type="application/json; charset=utf-8")
    answer["Cache-Control"] = "no-store"
    if status in _TEMPORARY:
        answer["Retry-After"] = _RETRY_SECONDS
    return answer


def bearer(request: HttpRequest) -> str:
    """The token of the Authorization header; empty when there is none."""
    kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def address(request: HttpRequest) -> str | None:
    """Where the request came from. A proxy in front must set REMOTE_ADDR (gunicorn's forwarded-allow-ips)."""
    return request.META.get("REMOTE_ADDR") or None
