"""Scheduled work, nudges and commands: two beats at once, a broker that is away, Celery down."""

import contextlib
import itertools
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.utils import timezone
from kombu.exceptions import OperationalError

from gateway import checks, circuit, conf, failpoints, outbox, queries, reconciliation, session, sizes, sync, tasks
from gateway.models import Discrepancy, Endpoint, Item, Submission, SyncRun
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db


def ministry(request: Request) -> Reply:
    """Takes everything and judges nothing."""
    if request.path == "/api/token":
        return as_json({"token": "T", "expires_in": 600})
    if request.method == "GET":
        return as_json({"data": [{"ma": "USB_TOKEN", "ten": "USB"}]})
    found = request.json
    identity = found.get("authenticationRequest", found)
    assert isinstance(identity, dict)
    answer: dict[str, object] = {"MessageId": identity["messageid"], "Error": "", "ResponseCode": "00"}
    return as_json(answer)


@pytest.fixture
def served(peer: Peer, line: Callable[..., conf.EndpointDescription], endpoint: Endpoint) -> Peer:
    line()
    peer.answer = ministry
    return peer


@pytest.fixture
def put(enqueue: Callable[..., UUID]) -> Callable[..., UUID]:
    return lambda *keys: enqueue(*keys, now=outbox.database_now() - timedelta(minutes=1))


def test_a_run_works_off_what_is_due_and_leaves_a_row(served: Peer, put: Callable[..., UUID]) -> None:
    keys = {}

    def answer(request: Request) -> Reply:
        if request.path.endswith("ket-qua"):
            identity = request.json["messageid"]
            data = [{"ma_tra_cuu_uuid": key, "trang_thai": 1} for key in keys[identity]]
            return as_json({"MessageId": identity, "Error": "", "ResponseCode": "4", "data": data})
        return ministry(request)

    served.answer = answer
    for number in range(3):
        keys[str(put(f"a{number}", f"b{number}"))] = [f"a{number}", f"b{number}"]
    counts = sync.run(sync.FORWARD, budget=60.0)
    assert (counts["send"], counts["judged"]) == (3, 6)
    assert set(Submission.objects.values_list("state", flat=True)) == {"ANSWERED"}
    run = SyncRun.objects.get(kind="FORWARD")
    assert (run.result, run.counts["send"]) == ("DONE", 3)


def test_what_becomes_due_while_a_run_looks_around_is_not_left_for_the_next_tick(
    served: Peer, put: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a")
    start = outbox.database_now()
    Submission.objects.update(state="SENDING", next_attempt_at=None, lease_until=start + timedelta(hours=1))
    due = start + timedelta(seconds=1)
    Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=start, next_attempt_at=due, lease_until=None)
    clock = (start + timedelta(seconds=0.4 * step) for step in itertools.count())
    monkeypatch.setattr(outbox, "database_now", lambda: next(clock))
    assert sync.run(sync.COLLECT, budget=20.0)["collect"] >= 1


def test_a_run_with_nothing_to_do_leaves_no_row(served: Peer) -> None:
    sync.run(sync.FORWARD)
    assert not SyncRun.objects.exists()


def test_nothing_is_sent_while_the_line_is_paused(
    served: Peer, put: Callable[..., UUID], endpoint: Endpoint, description: conf.EndpointDescription
) -> None:
    put("a")
    now = outbox.database_now()
    circuit.pause(endpoint, "BY_OFFICER", "x", description=description, now=now, rng=random.Random(1))
    sync.run(sync.FORWARD)
    assert served.requests == []
    assert sync.FORWARD not in sync.due(now=now)


def test_what_is_due_is_named_and_nothing_else(served: Peer, put: Callable[..., UUID], noon: datetime) -> None:
    now = outbox.database_now()
    assert sync.FORWARD not in sync.due(now=now)
    put("a")
    assert sync.FORWARD in sync.due(now=now)
    assert sync.COLLECT not in sync.due(now=now)
    Submission.objects.update(state="SENDING", next_attempt_at=None, lease_until=now - timedelta(seconds=1))
    assert sync.FORWARD in sync.due(now=now), "a lost lease is work"


def test_a_scheduled_kind_runs_once_in_its_slot_however_many_beats_there_are(served: Peer, noon: datetime) -> None:
    assert "CATALOGUES" in sync.due(now=noon)
    assert sync.run("CATALOGUES", noon) == {"signature_kinds": 1, "certificate_providers": 1}
    assert sync.run("CATALOGUES", noon) == {}
    assert "CATALOGUES" not in sync.due(now=noon)
    assert Endpoint.objects.get().catalogues["signature_kinds"] == [{"ma": "USB_TOKEN", "ten": "USB"}]
    assert "CATALOGUES" not in sync.missed(now=noon)
    assert "RECONCILE" in sync.missed(now=noon)


def test_a_scheduled_run_that_fails_says_so_in_its_row(served: Peer, noon: datetime) -> None:
    served.answer = lambda _: Reply(500)
    assert sync.run("CATALOGUES", noon) == {"failed": 1}
    run = SyncRun.objects.get()
    assert run.result == "FAILED"
    assert "HTTP_500" in run.error


@pytest.mark.parametrize("kind", ["WATCH", "CERTIFICATES", "HOUSEKEEPING", "RECONCILE"])
def test_every_scheduled_kind_runs(served: Peer, noon: datetime, kind: str) -> None:
    sync.run(kind, noon)
    assert SyncRun.objects.get(kind=kind).result == "DONE"


def test_an_overdue_answer_is_noted_once(served: Peer, enqueue: Callable[..., UUID], noon: datetime) -> None:
    enqueue("a")
    Submission.objects.update(state="SENDING", next_attempt_at=None, lease_until=noon)
    Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=noon, next_attempt_at=noon, lease_until=None)
    late = noon + timedelta(days=2)
    assert sync.run("WATCH", late)["overdue_noted"] == 1
    assert sync.run("WATCH", late + timedelta(hours=1))["overdue_noted"] == 0
    assert queries.overview(now=late).overdue == 1


def test_a_broker_that_is_away_does_not_fail_a_nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.forward, "apply_async", away)
    tasks.nudge()


def answered(peer: Peer, submission_id: UUID, lines: list[dict[str, object]], **fields: object) -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/api/token":
            return ministry(request)
        return as_json({"MessageId": str(submission_id), "Error": "", "ResponseCode": "4", "data": lines} | fields)

    peer.answer = answer


@pytest.fixture
def judged(enqueue: Callable[..., UUID], noon: datetime) -> UUID:
    """A package with one accepted and one refused item."""
    submission_id = enqueue("a", "b")
    Item.objects.filter(key="a").update(verdict="ACCEPTED", judged_at=noon)
    Item.objects.filter(key="b").update(verdict="REJECTED", judged_at=noon)
    Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=noon)
    return submission_id


def reconcile(noon: datetime) -> set[tuple[str, str]]:
    reconciliation.reconcile(client=session.client(), since=noon, until=noon + timedelta(days=1), now=noon)
    return set(Discrepancy.objects.values_list("kind", "key"))


def test_two_ledgers_that_agree_leave_no_discrepancy(served: Peer, judged: UUID, noon: datetime) -> None:
    answered(served, judged, [{"ma_tra_cuu_uuid": "a", "trang_thai": 1}, {"ma_tra_cuu_uuid": "b", "trang_thai": 0}])
    assert reconcile(noon) == set()


def test_each_kind_of_difference_is_found_once_and_closed_with_a_note(
    served: Peer, judged: UUID, noon: datetime
) -> None:
    answered(served, judged, [{"ma_tra_cuu_uuid": "a", "trang_thai": 0}, {"ma_tra_cuu_uuid": "c", "trang_thai": 1}])
    expected = {("VERDICT_DIFFERS", "a"), ("UNKNOWN_HERE", "c"), ("MISSING_THERE", "b")}
    assert reconcile(noon) == expected
    assert reconcile(noon) == expected
    assert Discrepancy.objects.count() == 3
    first = Discrepancy.objects.first()
    assert first is not None
    with pytest.raises(ValueError, match="note"):
        reconciliation.close(first.pk, by="an", closing_note=" ", now=noon)
    assert reconciliation.close(first.pk, by="an", closing_note="Bộ đã xác nhận", now=noon)
    assert queries.open_discrepancies().count() == 2


def test_a_package_the_ministry_no_longer_knows_is_a_discrepancy(served: Peer, judged: UUID, noon: datetime) -> None:
    answered(served, judged, [], Error="MESSAGE_UNKNOWN")
    assert reconcile(noon) == {("MISSING_THERE", "")}


def command(*words: str) -> dict[str, object]:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert isinstance(found, dict)
    return found


def test_the_outbox_is_drained_without_celery(served: Peer, put: Callable[..., UUID]) -> None:
    put("a")
    served.answer = lambda request: ministry(request) if request.path != "/api/hoc-ba/ket-qua" else Reply(500)
    found = command("outbox", "drain", "--seconds", "5")
    assert found["ACKNOWLEDGED"] == 1


def test_an_officer_holds_and_releases_from_the_command_line(served: Peer, put: Callable[..., UUID]) -> None:
    submission_id = put("a")
    command("outbox", "hold", str(submission_id), "--reason", "chờ")
    assert command("outbox", "status")["HELD"] == 1
    command("outbox", "release", str(submission_id))
    command("outbox", "requeue", str(submission_id))
    with pytest.raises(CommandError, match="NOT_HELD"):
        command("outbox", "release", str(submission_id))


def test_the_line_is_paused_resumed_and_examined_from_the_command_line(served: Peer) -> None:
    assert command("endpoint", "pause", "--reason", "bảo trì")["state"] == "PAUSED"
    assert queries.endpoint_state(now=outbox.database_now()).cause == "BY_OFFICER"
    assert command("endpoint", "resume")["state"] == "OPEN"
    assert command("endpoint", "check")["healthy"] is True
    sheet = command("endpoint", "sheet")
    assert sheet["certificate_sha256"] in [one["sha256"] for one in sheet["certificates"]]


def test_the_queue_on_a_terminal_is_in_words_with_the_department_s_clock(
    served: Peer, put: Callable[..., UUID]
) -> None:
    put("a")
    printed = StringIO()
    call_command("outbox", "status", stdout=printed)
    text = printed.getvalue()
    assert "Chờ gửi" in text
    assert f"{outbox.database_now().astimezone(timezone.get_current_timezone()):%d/%m/%Y}" in text
    assert "+00:00" not in text
    assert "{'" not in text


def examined() -> str:
    printed = StringIO()
    with contextlib.suppress(SystemExit):
        call_command("endpoint", "check", stdout=printed, stderr=printed)
    return printed.getvalue()


def test_the_examination_ends_with_what_is_broken_and_whom_to_call(served: Peer) -> None:
    assert examined().rstrip().splitlines()[-1].startswith("Kết luận: đường truyền thông")
    served.answer = lambda request: as_json({"Error": "ADDRESS_REFUSED"}, 403)
    conclusion = examined().split("Kết luận: ")[1]
    assert conclusion.startswith("HỎNG ở “Địa chỉ Bộ nhìn thấy”.")
    assert "Gọi: Bộ phận mạng của Sở" in conclusion
    assert "Đầu mối của Bộ: " in conclusion


def test_the_line_can_be_examined_while_the_database_is_away(served: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> datetime:
        raise DatabaseError("away")

    monkeypatch.setattr(outbox, "database_now", away)
    text = examined()
    assert "Cơ sở dữ liệu không trả lời" in text
    assert "Kết luận: đường truyền thông" in text


def test_the_sheet_to_be_registered_is_printed_in_vietnamese(served: Peer) -> None:
    printed = StringIO()
    call_command("endpoint", "sheet", stdout=printed)
    text = printed.getvalue()
    for words in ("Địa chỉ IP đăng ký với Bộ", "Chứng thư kết nối của Sở", "Dấu vết SHA-256", "Đầu mối của Bộ"):
        assert words in text
    assert "certificate_sha256" not in text
    assert "+00:00" not in text


def test_a_page_gets_the_queue_and_one_package_with_its_history(served: Peer, put: Callable[..., UUID]) -> None:
    submission_id = put("a", "b")
    served.answer = lambda request: ministry(request) if request.path != "/api/hoc-ba/ket-qua" else Reply(500)
    sync.run(sync.FORWARD, budget=3.0)
    seen = queries.overview(now=outbox.database_now())
    assert (seen.by_state["ACKNOWLEDGED"], seen.items_by_verdict["PENDING"], seen.endpoint.state) == (1, 2, "OPEN")
    detail = queries.submission_detail(submission_id)
    assert detail is not None
    assert detail.attempts[0].outcome == "ACKNOWLEDGED"
    body = queries.receipt_body(detail.receipts[0].pk)
    assert body is not None
    assert str(submission_id).encode() in body
    assert queries.submissions(state="ACKNOWLEDGED")[0].accepted == 0
    assert queries.submission_detail(UUID(int=0)) is None


def test_the_size_limit_learns_from_a_refusal(served: Peer, endpoint: Endpoint) -> None:
    assert queries.size_limit() == conf.endpoint().max_document_bytes
    sizes.remember(endpoint, 1_000_000, description=conf.endpoint(), now=outbox.database_now())
    assert queries.size_limit() == 900_000


def test_checks_find_a_missing_file_and_an_armed_failpoint(
    line: Callable[..., conf.EndpointDescription], settings: object, tmp_path: Path
) -> None:
    line(client_key=str(tmp_path / "khong-co"))
    assert [found.id for found in checks.endpoint_description()] == ["gateway.W002"]
    settings.MODE = "production"  # type: ignore[attr-defined]
    failpoints.arm("P9:kill")
    try:
        assert [found.id for found in checks.failpoints_are_not_armed()] == ["gateway.E004"]
    finally:
        failpoints.arm("")
    settings.GATEWAY_ENDPOINT_FILE = tmp_path / "khong-co.toml"  # type: ignore[attr-defined]
    assert [found.id for found in checks.endpoint_description()] == ["gateway.W001"]


def test_a_failpoint_strikes_as_often_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCBA_FAILPOINT_DIR", str(tmp_path))
    struck = 0
    try:
        for _ in range(2):
            failpoints.arm("P13:raise::1")  # two processes that share the folder
            for _ in range(3):
                try:
                    failpoints.reach("P13")
                except failpoints.FailpointReached:
                    struck += 1
    finally:
        failpoints.arm("")
    assert struck == 1
