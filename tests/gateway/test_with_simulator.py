"""The gateway against the shipped simulator over mutual TLS, real workers in threads: nothing lost or twice."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import close_old_connections, connections, transaction

from gateway import circuit, conf, outbox, session, sync
from gateway.models import Attempt, Endpoint, Item, Submission
from gateway.outbox import NewItem
from gateway.simulator.control import SimulatorControl
from gateway.simulator.process import Simulator
from tests.gateway.simulator.conftest import Pki, config_for, record, sealed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def ministry_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("ministry-pki"))


@pytest.fixture
def ministry(tmp_path: Path, ministry_pki: Pki, settings: object) -> Iterator[SimulatorControl]:
    """A running simulator, and an endpoint description that points at it."""
    simulator = Simulator(config_for(tmp_path / "simulator", ministry_pki))
    simulator.start()
    path = tmp_path / "endpoint.toml"
    values = {
        "client_certificate": str(ministry_pki.client.path),
        "client_key": str(ministry_pki.client.key_path),
        "ca": str(ministry_pki.line_ca.path),
        "total_timeout": 1.5,
        "read_timeout": 0.8,
    }
    line = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    path.write_text(
        f'extends = "simulator"\n[endpoint]\nbase_url = "https://127.0.0.1:{simulator.listener.port}"\n'
        f'[login]\nuser_name = "so79"\npassword = "mat khau"\n[connection]\n{line}\n'
        "[probe]\nfirst_delay_seconds = 0.2\nlongest_delay_seconds = 0.5\n"
        "[polling]\nfirst_delays_seconds = [0.1, 0.2, 0.3, 0.5]\nask_first_delay_seconds = 0.2\n"
        "longest_delay_seconds = 1.0\n"
        "[sending]\nlongest_delay_seconds = 1.0\nfirst_delay_seconds = 0.3\nlease_seconds = 10\n",
        "utf-8",
    )
    settings.GATEWAY_ENDPOINT_FILE = path  # type: ignore[attr-defined]
    yield SimulatorControl(f"http://127.0.0.1:{simulator.door.port}")
    simulator.stop()


def hand_over(pki: Pki, records: int = 1, *, broken: int = 0) -> tuple[UUID, list[str]]:
    keys = [str(uuid4()) for _ in range(records + broken)]
    parts = [record(pki.school, uid=key, MA_KHOI=None if number < broken else "03") for number, key in enumerate(keys)]
    submission_id = uuid4()
    with transaction.atomic():
        outbox.enqueue(
            submission_id=submission_id,
            kind="RECORDS",
            unit_code="79",
            school_year=2024,
            document=sealed(parts, pki.department),
            items=[NewItem(key, key.encode()) for key in keys],
            now=outbox.database_now(),
        )
    return submission_id, keys


def work_until_answered(workers: int = 2, seconds: float = 60.0) -> float:
    """Run workers like the real ones until every submission is closed; how long it took."""
    started, stop = time.monotonic(), threading.Event()

    def worker() -> None:
        try:
            while not stop.is_set():
                circuit.probe(session.client(), now=outbox.database_now(), rng=sync.randomness())
                sync.run(sync.FORWARD, budget=1.0)
                stop.wait(0.05)
        finally:
            close_old_connections()
            connections.close_all()

    threads = [threading.Thread(target=worker) for _ in range(workers)]
    for thread in threads:
        thread.start()
    while time.monotonic() - started < seconds and Submission.objects.filter(closed_at__isnull=True).exists():
        time.sleep(0.05)
    took = time.monotonic() - started
    stop.set()
    for thread in threads:
        thread.join()
    return took


def held_there(control: SimulatorControl) -> dict[str, int]:
    """How many effects each record had in the simulator's repository."""
    return {row["uuid"]: row["effects"] for row in control.ledger()}


def verdicts() -> dict[str, str]:
    return dict(Item.objects.values_list("key", "verdict"))


def test_a_single_record_is_accepted_within_seconds_when_the_queue_is_empty(
    ministry: SimulatorControl, ministry_pki: Pki
) -> None:
    _, (key,) = hand_over(ministry_pki)
    assert work_until_answered() < 15  # five seconds on an idle machine; others may be at work beside us
    assert verdicts() == {key: "ACCEPTED"}


def test_a_package_is_accepted_in_part_and_each_record_has_its_own_verdict(
    ministry: SimulatorControl, ministry_pki: Pki
) -> None:
    _, keys = hand_over(ministry_pki, 2, broken=1)
    work_until_answered()
    assert [verdicts()[key] for key in keys] == ["REJECTED", "ACCEPTED", "ACCEPTED"]
    assert Item.objects.get(key=keys[0]).errors


ON_THE_LINE = [
    "wrong_server_certificate",
    "client_certificate_rejected",
    "client_certificate_expired",
    "address_refused",
    "token_refused",
    "cut_before_request",
    "cut_mid_request",
]
ON_SENDING = [
    "http_500",
    "html_502",
    "html_200",
    "http_429",
    "http_503",
    "http_409",
    "redirect",
    "ack_without_effect",
    "ack_then_silence",
    "cut_after_processing",
    "right_receipt_500",
    "error_500_with_effect",
    "html_502_with_effect",
    "receipt_other_message",
    "receipt_unreadable",
    "receipt_empty",
    "receipt_replay",
    "slow_reply",
    "endless_head",
    "endless_reply",
    "huge_reply",
    "gzip_bomb_reply",
    "cut_mid_reply",
]
ON_ASKING = ["unknown_to_me", "html_200", "http_500", "cut_mid_reply", "receipt_other_message", "receipt_unreadable"]


@pytest.mark.parametrize(
    ("kind", "service"),
    [
        *((kind, "*") for kind in ON_THE_LINE),
        *((kind, "submit") for kind in ON_SENDING),
        *((kind, "query") for kind in ON_ASKING),
    ],
)
def test_after_a_fault_every_record_is_there_exactly_once(
    ministry: SimulatorControl, ministry_pki: Pki, kind: str, service: str
) -> None:
    ministry.set_fault(kind, service=service, count=2, seconds=2, retry_after=1)
    keys = [key for _ in range(2) for key in hand_over(ministry_pki)[1]]
    if kind == "ack_then_silence":
        work_until_answered(seconds=1.5)
        ministry.end_silence()
    work_until_answered()
    assert verdicts() == dict.fromkeys(keys, "ACCEPTED")
    assert held_there(ministry) == dict.fromkeys(keys, 1)


def test_a_refused_package_closes_with_the_culprit_named_and_spares_the_others(
    ministry: SimulatorControl, ministry_pki: Pki
) -> None:
    submission_id, keys = hand_over(ministry_pki, 3)
    ministry.set_fault("refuse_package", service="submit", count=1, uuids=keys[:1], named=True)
    work_until_answered()
    assert Submission.objects.get(pk=submission_id).state == "REFUSED"
    assert [verdicts()[key] for key in keys] == ["REJECTED", "PENDING", "PENDING"]
    assert not any(held_there(ministry).values())


def test_when_the_ministry_is_down_the_line_pauses_and_delivery_resumes_by_itself(
    ministry: SimulatorControl, ministry_pki: Pki
) -> None:
    keys = [key for _ in range(4) for key in hand_over(ministry_pki)[1]]
    # Set when everything waits: sealing may take longer than the fault lasts.
    ministry.set_fault("down", duration=2.0)
    work_until_answered()
    assert verdicts() == dict.fromkeys(keys, "ACCEPTED")
    assert Endpoint.objects.get().last_cause == "UNREACHABLE"
    assert held_there(ministry) == dict.fromkeys(keys, 1)


def test_a_worker_that_died_after_sending_leaves_no_second_effect(
    ministry: SimulatorControl, ministry_pki: Pki
) -> None:
    submission_id, keys = hand_over(ministry_pki, 2)
    description = conf.endpoint()
    endpoint = circuit.row(description)
    (claim,) = outbox.claim_due(
        purpose=outbox.Purpose.SEND,
        endpoint_id=endpoint.pk,
        now=outbox.database_now(),
        lease=timedelta(seconds=-1),
        worker="dead",
    )
    from gateway.forwarding import message_of

    session.client().submit(message_of(claim), outbox.load_content(submission_id))
    work_until_answered()
    assert verdicts() == dict.fromkeys(keys, "ACCEPTED")
    outcomes = list(Attempt.objects.filter(submission_id=submission_id).values_list("purpose", "outcome"))
    assert outcomes[0] == ("SEND", "LEASE_EXPIRED")
    assert [purpose for purpose, _ in outcomes].count("SEND") == 1


def test_many_workers_send_each_package_once(ministry: SimulatorControl, ministry_pki: Pki) -> None:
    keys = [key for _ in range(8) for key in hand_over(ministry_pki)[1]]
    work_until_answered(workers=4)
    assert verdicts() == dict.fromkeys(keys, "ACCEPTED")
    sends = Attempt.objects.filter(purpose="SEND").values_list("submission_id", flat=True)
    assert len(sends) == len(set(sends)) == 8
    assert Endpoint.objects.get().failures_in_a_row == 0
