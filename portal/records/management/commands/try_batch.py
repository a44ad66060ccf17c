"""`manage.py try_batch`: one record, or the opening of a file, tried alone. A worker starts it when it suspects one.

Harmless by hand, too: it writes no verdict. How it ends is all that is asked.
"""

import sys
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand
from django.utils import timezone

from portal.records.admission.opening import BatchUnreadable
from portal.records.processing import trial


class Command(BaseCommand):
    requires_system_checks = ()
    help = "Thử kiểm tra riêng một học bạ (hoặc mở riêng một tệp) đang bị nghi làm dừng tiến trình; không ghi kết luận."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", type=UUID)
        parser.add_argument("--position", type=int)

    def handle(self, *args: Any, batch: UUID, position: int | None, **options: Any) -> None:
        try:
            trial.run(batch_id=batch, position=position, now=timezone.now())
        except BatchUnreadable:
            self.stdout.write("Tệp không đọc được, nhưng mở xong.")  # a verdict, and a living process
        except MemoryError:
            sys.exit(trial.NO_MEMORY)
