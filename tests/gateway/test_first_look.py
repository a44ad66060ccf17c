"""A worker that has just started looks for what the dead left behind, each for its own queue."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery import signals
from kombu.exceptions import OperationalError

import gateway.celery
import gateway.tasks
import portal.records.tasks


class _Application:
    def __init__(self, queue: str, problem: Exception | None = None) -> None:
        self.amqp = SimpleNamespace(queues=SimpleNamespace(consume_from={queue: None}))
        self.sent: list[str] = []
        self.problem = problem

    def send_task(self, name: str, **options: Any) -> None:
        if self.problem is not None:
            raise self.problem
        assert options["expires"] == 10
        self.sent.append(name)


@pytest.mark.parametrize(
    ("queue", "task"), [("records", portal.records.tasks.tick.name), ("forwarding", gateway.tasks.tick.name)]
)
def test_a_worker_that_is_ready_asks_for_a_tick_of_its_own_queue(queue: str, task: str) -> None:
    application = _Application(queue)
    gateway.celery._look_at_once(sender=SimpleNamespace(app=application))
    assert application.sent == [task]
    assert signals.worker_ready.has_listeners()


def test_a_broker_that_is_away_does_not_keep_a_worker_from_starting() -> None:
    gateway.celery._look_at_once(sender=SimpleNamespace(app=_Application("records", OperationalError("away"))))
