"""A comparison goes through the ledger package by package: bounded in time and memory, resumed where it stopped."""

import itertools
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import connections

from gateway import circuit, conf, duties, outbox, reconciliation, session, sync
from gateway.models import Comparison, Discrepancy, Endpoint, Item, Submission, SyncRun
from tests.gateway.peer import Peer, Reply, Request, as_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def served(peer: Peer, line: Callable[..., conf.EndpointDescription], endpoint: Endpoint) -> Peer:
    """A Ministry that agrees with whatever we have."""
    line()

    def agree(request: Request) -> Reply:
        if request.path == "/api/token":
            return as_json({"token": "T", "expires_in": 600})
        if request.method == "GET":
            return as_json({"data": []})
        identity = str(request.json["messageid"])
        data = [{"ma_tra_cuu_uuid": identity, "trang_thai": 1}]
        return as_json({"MessageId": identity, "Error": "", "ResponseCode": "4", "data": data})

    peer.answer = agree
    return peer


@pytest.fixture
def ledger(enqueue: Callable[..., UUID], noon: datetime) -> Callable[..., list[UUID]]:
    """So many packages of one accepted record each, three in a minute."""

    def fill(number: int, *, judged: bool = True) -> list[UUID]:
        made = [enqueue("x", now=noon + timedelta(minutes=place // 3)) for place in range(number)]
        Submission.objects.update(state="ACKNOWLEDGED", acknowledged_at=noon)
        if judged:
            Item.objects.update(verdict="ACCEPTED", judged_at=noon)
        return made

    return fill


def agreeing(peer: Peer, key: str = "x") -> None:
    known = peer.answer
    peer.answer = lambda request: renamed(known(request), key)


def renamed(reply: Reply, key: str) -> Reply:
    body = reply.body.decode()
    head, found, rest = body.partition('"ma_tra_cuu_uuid": "')
    return reply if not found else Reply(200, (head + found + key + rest[36:]).encode())


def asked_about(peer: Peer) -> list[UUID]:
    return [UUID(str(one.json["messageid"])) for one in peer.requests if one.path.endswith("ket-qua")]


def ask(noon: datetime) -> Comparison:
    return reconciliation.ask_for(since=noon, until=noon + timedelta(days=1), now=noon, asked_by="an")


def test_a_comparison_without_time_does_nothing_and_goes_on_until_all_is_asked_once(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreeing(served)
    ledger(7)
    asked = ask(noon)
    ticks = itertools.count()
    monkeypatch.setattr(reconciliation.time, "monotonic", lambda: float(next(ticks)))
    slices = 0
    while asked.ended_at is None:
        asked = reconciliation.work_on(asked, client=session.client(), clock=lambda: noon, budget=3.0)
        slices += 1
        assert slices < 10
    assert slices > 2
    order = list(Submission.objects.order_by("enqueued_at", "pk").values_list("pk", flat=True))
    assert asked_about(served) == order, "each package once, in the order in which it was enqueued"
    assert (asked.total, asked.asked, asked.unanswered, asked.opened) == (7, 7, 0, 0)


class Died(BaseException):
    """As a kill ends a worker: nothing of ours catches it."""


def test_a_worker_that_dies_costs_one_question(served: Peer, ledger: Callable[..., list[UUID]], noon: datetime) -> None:
    agreeing(served)
    ledger(5)
    asked, client = ask(noon), session.client()
    real = client.look_up

    def look_up(*words: object, **more: object) -> object:
        if len(asked_about(served)) == 3:
            raise Died
        return real(*words, **more)  # type: ignore[arg-type]

    client.look_up = look_up  # type: ignore[method-assign, assignment]
    with pytest.raises(Died):
        reconciliation.work_on(asked, client=client, clock=lambda: noon, budget=None)
    del client.look_up
    asked.refresh_from_db()
    assert asked.asked == 3
    assert not reconciliation.due(now=noon).exists(), "its lease still runs"
    later = noon + timedelta(hours=1)
    asked = reconciliation.work_on(asked, client=client, clock=lambda: later, budget=None)
    assert asked.ended_at == later
    assert (asked.asked, len(set(asked_about(served)))) == (5, 5)


@pytest.mark.parametrize(
    ("trouble", "waits"),
    [
        (as_json({"Error": "ADDRESS_REFUSED"}, 403), "ADDRESS_REFUSED"),
        (as_json({"Error": "BUSY"}, 429), "BUSY"),
        (Reply(502, b"x"), ""),
    ],
)
def test_trouble_of_the_line_makes_it_wait_and_trouble_of_one_package_does_not(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, trouble: Reply, waits: str
) -> None:
    agreeing(served)
    made, answer = ledger(4), served.answer
    bad = str(sorted(made)[0])
    served.answer = lambda request: (
        trouble if b"messageid" in request.body and request.json.get("messageid") == bad else answer(request)
    )
    asked = reconciliation.work_on(ask(noon), client=session.client(), clock=lambda: noon, budget=None)
    assert asked.waiting_for == waits
    if not waits:
        assert (asked.asked, asked.unanswered) == (3, 1)
        return
    assert asked.ended_at is None
    assert not reconciliation.due(now=noon).exists()
    served.answer, later = answer, noon + timedelta(minutes=2)
    asked = reconciliation.work_on(asked, client=session.client(), clock=lambda: later, budget=None)
    assert (asked.asked, asked.unanswered, asked.waiting_for) == (4, 0, "")


def hourly(asked: Comparison, noon: datetime, *, hours: int) -> Comparison:
    for hour in range(hours):
        now = noon + timedelta(hours=hour)
        asked = reconciliation.work_on(asked, client=session.client(), clock=lambda now=now: now, budget=None)
    return asked


@pytest.mark.parametrize("trouble", [("UNIT_REFUSED", 403), ("BUSY", 429)])
def test_packages_that_alone_are_always_refused_do_not_keep_the_comparison_of_all_others(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, trouble: tuple[str, int]
) -> None:
    agreeing(served)
    ledger(5)
    order = [str(one) for one in Submission.objects.order_by("enqueued_at", "pk").values_list("pk", flat=True)]
    answer, (error, status) = served.answer, trouble

    def refuse(request: Request) -> Reply:
        refused = request.path.endswith("ket-qua") and request.json["messageid"] in order[:2]
        return as_json({"Error": error}, status) if refused else answer(request)

    served.answer = refuse
    asked = hourly(ask(noon), noon, hours=6)
    assert (asked.asked, asked.unanswered, asked.ended_at is None) == (3, 2, False)
    questions = [str(one) for one in asked_about(served)]
    assert (questions.count(order[0]), questions.count(order[1])) == (4, 2), "waited for, but not for ever"


@pytest.mark.parametrize("closed", [False, True], ids=["refused", "paused"])
def test_a_comparison_waits_however_long_the_line_itself_is_away(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, endpoint: Endpoint, closed: bool
) -> None:
    ledger(3)
    answer, refusal = served.answer, as_json({"Error": "ADDRESS_REFUSED"}, 403)
    served.answer = lambda request: answer(request) if closed and "ket-qua" not in request.path else refusal
    if closed:
        circuit.pause(endpoint, "BY_OFFICER", "x", description=conf.endpoint(), now=noon, rng=sync.randomness())
    asked = hourly(ask(noon), noon, hours=12)
    assert (asked.asked, asked.unanswered, asked.waiting_for) == (0, 0, "ADDRESS_REFUSED")


def test_a_worker_whose_lease_was_taken_over_writes_nothing(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime
) -> None:
    ledger(2)  # every key is foreign: each answer is a difference
    asked, client = ask(noon), session.client()
    real = client.look_up

    def look_up(*words: object, **more: object) -> object:
        Comparison.objects.update(lease_until=noon + timedelta(days=1))
        return real(*words, **more)  # type: ignore[arg-type]

    client.look_up = look_up  # type: ignore[method-assign, assignment]
    asked = reconciliation.work_on(asked, client=client, clock=lambda: noon, budget=None)
    del client.look_up
    assert (asked.asked, asked.done_id, Discrepancy.objects.count()) == (0, None, 0)


def test_memory_stays_flat_however_many_packages_there_are(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime
) -> None:
    agreeing(served)
    ledger(120)
    asked, client = ask(noon), session.client()
    client.fresh_token()
    seen: list[int] = []
    real = client.look_up

    def look_up(*words: object, **more: object) -> object:
        served.requests.clear()
        seen.append(tracemalloc.get_traced_memory()[0])
        return real(*words, **more)  # type: ignore[arg-type]

    client.look_up = look_up  # type: ignore[method-assign, assignment]
    tracemalloc.start()
    try:
        reconciliation.work_on(asked, client=client, clock=lambda: noon, budget=None)
    finally:
        tracemalloc.stop()
        del client.look_up
    assert len(seen) == 120
    assert seen[-1] - seen[30] < 400_000, "ninety packages more, and nothing is kept of them"


def test_the_schedule_brings_one_slice_after_another_and_stops_while_the_line_is_paused(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, endpoint: Endpoint
) -> None:
    agreeing(served)
    ledger(3)
    ask(noon)
    now = noon + timedelta(minutes=1)
    assert sync.COMPARE in sync.due(now=now)
    circuit.pause(endpoint, "BY_OFFICER", "x", description=conf.endpoint(), now=now, rng=sync.randomness())
    assert sync.COMPARE not in sync.due(now=now)
    circuit.resume(endpoint, now=now)
    assert sync.run(sync.COMPARE, now)["asked"] == 3
    assert sync.COMPARE not in sync.due(now=now)
    assert SyncRun.objects.get(kind="COMPARE").counts["asked"] == 3
    assert sync.run(sync.COMPARE, now) == {}


def test_nights_that_were_missed_are_compared_too(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime
) -> None:
    client = session.client()
    duties.reconcile(client=client, now=noon)
    (first,) = Comparison.objects.all()
    duties.reconcile(client=client, now=noon + timedelta(days=5))
    newest = Comparison.objects.order_by("-pk")[0]
    assert newest.since == first.until


def test_the_same_comparison_asked_for_twice_runs_once(endpoint: Endpoint, noon: datetime) -> None:
    assert ask(noon).pk == ask(noon).pk


def test_a_record_accepted_in_a_package_we_hold_for_refused_is_found(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime
) -> None:
    agreeing(served)
    ledger(1, judged=False)
    Submission.objects.update(state="REFUSED", reason_code="PACKAGE_TOO_BIG", closed_at=noon, next_attempt_at=None)
    asked = reconciliation.work_on(ask(noon), client=session.client(), clock=lambda: noon, budget=None)
    assert asked.asked == 1
    found = Discrepancy.objects.get()
    assert (found.kind, found.ours, found.theirs, found.key) == ("TAKEN_THERE", "REFUSED", "ACCEPTED", "x")
    assert b"ma_tra_cuu_uuid" in zlib.decompress(bytes(found.evidence or b"")), "the answer is kept as it came"


@pytest.mark.parametrize("answer", ["MESSAGE_UNKNOWN", "STRUCTURE_INVALID"])
def test_a_package_refused_on_both_sides_is_no_difference(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime, answer: str
) -> None:
    ledger(1)
    Submission.objects.update(state="REFUSED", reason_code="X", closed_at=noon, next_attempt_at=None)
    known = served.answer

    def refuse(request: Request) -> Reply:
        if not request.path.endswith("ket-qua"):
            return known(request)
        return as_json({"MessageId": request.json["messageid"], "Error": answer, "ResponseCode": "4", "data": []})

    served.answer = refuse
    asked = reconciliation.work_on(ask(noon), client=session.client(), clock=lambda: noon, budget=None)
    assert (asked.asked, asked.opened) == (1, 0)


@pytest.mark.django_db(transaction=True)
def test_workers_that_take_one_comparison_at_the_same_moment_ask_each_question_once(
    served: Peer, ledger: Callable[..., list[UUID]], noon: datetime
) -> None:
    agreeing(served)
    ledger(6)
    asked, gate = ask(noon), threading.Barrier(4)
    description = conf.endpoint()

    def work() -> None:
        try:
            gate.wait()
            mine = Comparison.objects.get(pk=asked.pk)
            reconciliation.work_on(
                mine, client=session.MinistryClient(description), clock=outbox.database_now, budget=None
            )
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked.refresh_from_db()
    assert asked.ended_at is not None
    assert (asked.asked, len(asked_about(served))) == (6, 6)
