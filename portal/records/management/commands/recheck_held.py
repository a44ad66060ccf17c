"""`manage.py recheck_held`: one held record checked again, alone in this process, which it may kill.

Started by `manage.py records recheck` and by the officers' page, which watch how it ends; its last line is the outcome.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.records.processing import rechecking, trial


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Kiểm tra lại một học bạ bị giữ trong tiến trình riêng này (dùng qua records recheck hoặc trang Bị giữ)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("record", type=int)
        parser.add_argument("--actor", type=int)
        parser.add_argument("--address")

    def handle(self, *args: Any, record: int, actor: int | None, address: str | None, **options: Any) -> None:
        try:
            outcome = rechecking.run(record_id=record, actor_id=actor, address=address, now=timezone.now())
        except MemoryError:
            sys.exit(trial.NO_MEMORY)
        self.stdout.write(str(outcome))
