"""The views of this room: read under a limit, one call, write the answer. Every failure speaks the caller's language.

The exchange door is exempt from CSRF: it knows no cookie, only tokens. It answers in the exchange format's own fields
whatever happens; a stack trace never leaves.
"""

from collections.abc import Callable
from uuid import UUID

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from gateway import failpoints
from gateway.exchange.messages import CertificateAnswer, CertificateReceipt, Receipt
from portal.accounts import policy
from portal.accounts.policy import Permission
from portal.api import certificates, exchange, recalls
from portal.api.body import address, bearer, json_answer, read_json
from portal.api.exchange import Caller
from portal.api.refusals import INTERNAL_ERROR, Refusal, refusal_of
from portal.records import queries
from portal.records.conf import conf
from portal.records.models import Batch

_Service = Callable[[object, Caller], dict[str, object]]
_Words = Callable[[str, Refusal], object]
_SMALL = 64_000
_DOOR = "/api/trao-doi"


def _receipt(message_id: str, refusal: Refusal) -> object:
    return Receipt(message_id, refusal.code, refusal.message, "REFUSED", "").to_json()


def _query(message_id: str, refusal: Refusal) -> object:
    return {**Receipt(message_id, refusal.code, refusal.message, "REFUSED", "").to_json(), "data": []}


def _certificate_receipt(message_id: str, refusal: Refusal) -> object:
    return CertificateReceipt(message_id, refusal.code, refusal.field, refusal.message).to_json()


def _certificate_answer(message_id: str, refusal: Refusal) -> object:
    return CertificateAnswer(message_id, "", "", None, refusal.code, refusal.field, refusal.message).to_json()


def _door(service: _Service, words: _Words, *, large: bool = False) -> Callable[[HttpRequest], HttpResponse]:
    """A view of the exchange door around one service."""

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        value: object = None
        try:
            if request.method != "POST":
                return _method_not_allowed(words)
            value = read_json(request, max_bytes=conf().max_exchange_body_bytes if large else _SMALL)
            caller = Caller(bearer(request), address(request), timezone.now())
            answer = json_answer(service(value, caller))
            if large:
                failpoints.reach("P4")
            return answer
        except Exception as problem:  # the table decides; what it does not know is logged there
            refusal = refusal_of(problem)
            return json_answer(words(_message_id(value), refusal), status=refusal.status)

    return view


def _method_not_allowed(words: _Words) -> HttpResponse:
    answer = json_answer(words("", Refusal(405, "METHOD_NOT_ALLOWED", "Hãy dùng phương thức POST.")), status=405)
    answer["Allow"] = "POST"
    return answer


def _message_id(value: object) -> str:
    """The id that the sender gave, for the answer that refuses it; empty when there is none to be read."""
    if not isinstance(value, dict):
        return ""
    inner = value.get("authenticationRequest")
    found = (inner if isinstance(inner, dict) else value).get("messageid")
    return found[:100] if isinstance(found, str) else ""


token = _door(exchange.give_token, _receipt)
submit = _door(exchange.submit, _receipt, large=True)
query = _door(exchange.query, _query)
register_certificate = _door(certificates.register, _certificate_receipt)
query_certificate = _door(certificates.query, _certificate_answer)
request_recall = _door(recalls.request, _receipt, large=True)
query_recall = _door(recalls.query, _query)


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Whatever else is asked below this door, a slash too much included: said in the door's own words."""
    told = "Cổng không có địa chỉ này dưới /api/trao-doi/. Hãy xem lại địa chỉ trong tài liệu (không có dấu / ở cuối)."
    return json_answer(_receipt("", Refusal(404, "ADDRESS_UNKNOWN", told)), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What was refused before any view: software gets its own fields, people their page."""
    if not request.path.startswith(_DOOR):
        return defaults.bad_request(request, exception)
    refusal = Refusal(400, "REQUEST_BAD", "Yêu cầu HTTP không hợp lệ (tên máy chủ hoặc đầu mục). Hãy kiểm tra địa chỉ.")
    return json_answer(_receipt("", refusal), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """What broke outside any view; the log has the rest."""
    if not request.path.startswith(_DOOR):
        return defaults.server_error(request)
    return json_answer(_receipt("", INTERNAL_ERROR), status=500)


@require_GET
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Progress of one batch, for the people who may see it."""
    rows = policy.for_user(Batch.objects.all(), request.user, Permission.SEE_BATCHES)
    found = rows.filter(id=batch_id).first()
    if found is None:
        return json_answer({"code": "NOT_FOUND", "title": "Không có lô này."}, status=404)
    progress = queries.progress(found)
    return json_answer(
        {
            "id": str(found.id),
            "message_id": found.message_id,
            "state": found.state,
            "state_title": str(found.get_state_display()),
            "refusal_code": found.refusal_code,
            "refusal": found.refusal,
            "total": progress.total,
            "checked": progress.checked,
            "admitted": progress.admitted,
            "refused": progress.refused,
            "waiting_for_evidence": progress.waiting_for_evidence,
            "dispatched": progress.dispatched,
            "accepted": progress.accepted,
            "rejected": progress.rejected,
            "is_over": progress.is_over or found.state == "REFUSED",
        }
    )


@require_GET
def health(request: HttpRequest) -> HttpResponse:
    """Alive, and the database answers. Says nothing else to anybody."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return json_answer({"status": "database"}, status=503)
    return json_answer({"status": "ok"})
