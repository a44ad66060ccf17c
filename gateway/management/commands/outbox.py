"""`manage.py outbox status|drain|hold|release|requeue|restored`: the outbox by command, also with Celery down."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway import circuit, outbox, queries, session, sync
from gateway.states import SubmissionState


class Command(BaseCommand):
    help = "Hàng đợi gửi lên Bộ: xem, gửi hết (không cần Celery), giữ, thả, đẩy lên trước."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="số gói theo trạng thái, gói chờ lâu nhất, tình trạng đường truyền")
        drain = acts.add_parser("drain", help="gửi và lấy kết quả ngay tại đây cho tới khi hết việc tới hạn")
        drain.add_argument("--seconds", type=float, default=300.0, help="dừng sau chừng này giây")
        drain.add_argument("--until-answered", action="store_true", help="chờ tới khi mọi gói có kết quả")
        hold = acts.add_parser("hold", help="giữ một gói lại")
        hold.add_argument("submission", type=UUID)
        hold.add_argument("--reason", required=True)
        release = acts.add_parser("release", help="thả gói đang giữ")
        release.add_argument("submission", type=UUID)
        requeue = acts.add_parser("requeue", help="làm ngay bước kế tiếp của một gói")
        requeue.add_argument("submission", type=UUID)
        requeue.add_argument(
            "--resend", action="store_true", help="cho gửi lại gói chưa rõ số phận (cùng mã, cùng nội dung)"
        )
        acts.add_parser("restored", help="cơ sở dữ liệu vừa khôi phục từ bản sao: hỏi Bộ về mọi gói chờ trước khi gửi")
        for act in acts.choices.values():
            act.add_argument("--json", action="store_true", help="kết quả dạng JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        now = outbox.database_now()
        try:
            match options["act"]:
                case "status":
                    found = _status()
                case "drain":
                    found = _drain(options["seconds"], options["until_answered"])
                case "hold":
                    outbox.hold(options["submission"], reason=options["reason"], now=now)
                    found = {"held": str(options["submission"])}
                case "release":
                    outbox.release(options["submission"], now=now)
                    found = {"released": str(options["submission"])}
                case "restored":
                    found = {"asked_first": outbox.after_restore(now=now)}
                case _:
                    outbox.requeue(options["submission"], now=now, resend=options["resend"])
                    found = {"requeued": str(options["submission"])}
        except outbox.ActRefused as problem:
            raise CommandError(f"{problem.message} [{problem.code}]") from None
        self.stdout.write(json.dumps(found, ensure_ascii=False, default=str) if options["json"] else _table(found))


def _status() -> dict[str, object]:
    seen = queries.overview(now=outbox.database_now())
    return {
        **seen.by_state,
        "due": seen.due,
        "oldest_waiting_at": seen.oldest_waiting_at,
        "next_attempt_at": seen.next_attempt_at,
        "overdue": seen.overdue,
        "items": dict(seen.items_by_verdict),
        "endpoint": seen.endpoint.state,
        "cause": seen.endpoint.cause,
        "cause_message": seen.endpoint.cause_message,
        "missed_runs": sync.missed(now=outbox.database_now()),
    }


def _drain(seconds: float, until_answered: bool) -> dict[str, object]:
    """Work off what is due in this process; with `until_answered`, wait for the Ministry's last verdict."""
    deadline, total = time.monotonic() + seconds, dict[str, int]()
    while (left := deadline - time.monotonic()) > 0:
        circuit.probe(session.client(), now=outbox.database_now(), rng=sync.randomness())
        for key, number in sync.run(sync.FORWARD, budget=min(left, 20.0)).items():
            total[key] = total.get(key, 0) + number
        if not _work_left(until_answered):
            break
        time.sleep(0.2)
    return {**total, **outbox.status(now=outbox.database_now()).by_state}


def _work_left(until_answered: bool) -> bool:
    counts = outbox.status(now=outbox.database_now())
    open_states = (
        SubmissionState.QUEUED,
        SubmissionState.SENDING,
        SubmissionState.UNCERTAIN,
        SubmissionState.ACKNOWLEDGED,
    )
    if until_answered:
        return any(counts.by_state[state] for state in open_states)
    return counts.due > 0 and not queries.endpoint_state(now=outbox.database_now()).cause


def _table(found: dict[str, object]) -> str:
    """For eyes: the codes as they are, with their words beside them, times as the department's clock shows them."""
    width = max(len(key) for key in found)
    return "\n".join(f"{key:<{width}}  {_shown(key, value)}" for key, value in found.items())


def _shown(key: str, value: object) -> str:
    match value:
        case datetime():
            return f"{value.astimezone(timezone.get_current_timezone()):%d/%m/%Y %H:%M:%S}"
        case dict():
            return ", ".join(f"{name} {number}" for name, number in value.items())
        case None | "" | []:
            return "—"
        case list():
            return ", ".join(map(str, value))
        case int() if key in SubmissionState.values:
            return f"{value:<7}{SubmissionState(key).label}"
        case _:
            return str(value)
