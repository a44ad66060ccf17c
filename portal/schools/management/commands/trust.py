"""`manage.py trust list|load|refresh`: whom we trust and what is known of revocations, without broker or browser."""

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.schools import refresh as refreshing
from portal.schools import trust
from portal.schools.models import EvidenceSource, RevocationList, TrustAnchor
from signing import distribution
from signing.errors import SigningError


class Command(BaseCommand):
    help = "Chứng thư tin cậy và thu hồi: xem (list), nạp chứng thư CA hoặc CRL từ tệp (load), lấy về ngay (refresh)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="chứng thư tin cậy, danh sách thu hồi và các nguồn")
        load = acts.add_parser("load", help="nạp chứng thư CA hoặc danh sách thu hồi (PEM, DER)")
        load.add_argument("files", nargs="+", type=Path)
        refresh = acts.add_parser("refresh", help="hỏi các nguồn đến hạn")
        refresh.add_argument("--all", action="store_true", help="hỏi mọi nguồn, cả nguồn chưa đến hạn")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        now = timezone.now()
        match act:
            case "list":
                self._list(now)
            case "load":
                for path in options["files"]:
                    self._load(path, now)
            case _:
                self._refresh(now, everything=options["all"])

    def _list(self, now: datetime) -> None:
        for anchor in TrustAnchor.objects.filter(is_active=True):
            self.stdout.write(f"{anchor.get_kind_display()}: {anchor.subject}")
            newest = RevocationList.objects.filter(issuer_sha256=anchor.sha256).order_by("-this_update").first()
            until = newest.next_update if newest else None
            state = "chưa có danh sách thu hồi" if newest is None else f"CRL có giá trị đến {_moment(until)}"
            self.stdout.write(f"   {state}{' (ĐÃ HẾT HẠN)' if until and until <= now else ''}")
        for source in EvidenceSource.objects.order_by("kind", "url"):
            trouble = f"  {source.failure_code} từ {_moment(source.failing_since)}" if source.failing_since else ""
            self.stdout.write(f"{source.kind} {source.url}  hỏi lại {_moment(source.next_check_at)}{trouble}")

    def _load(self, path: Path, now: datetime) -> None:
        try:
            data = path.read_bytes()
            if distribution.is_list(data):
                new = refreshing.load_list(data=data, source=f"tệp {path.name}", now=now)
                self.stdout.write(f"{path.name}: {'đã nạp danh sách thu hồi' if new else 'danh sách này đã có'}")
            else:
                anchor = trust.load(data=data, actor=None, now=now)
                self.stdout.write(f"{path.name}: {anchor.get_kind_display()} {anchor.subject}")
        except OSError as problem:
            raise CommandError(f"{path}: {problem.strerror}") from None
        except SigningError as problem:
            raise CommandError(f"{path.name}: {problem.message} ({problem.code})") from None

    def _refresh(self, now: datetime, *, everything: bool) -> None:
        refreshing.note_registered(now=now)
        if everything:
            EvidenceSource.objects.filter(next_check_at__isnull=False).update(next_check_at=now)
        done = refreshing.refresh(now=now)
        self.stdout.write(f"Đã hỏi {done.asked} nguồn, {done.stored} câu trả lời mới, {done.failed} nguồn không được.")
        for source in refreshing.away(now=now):
            self.stdout.write(f"   {source.kind} {source.url}: {source.code} từ {_moment(source.since)}")


def _moment(value: datetime | None) -> str:
    return timezone.localtime(value).strftime("%d/%m/%Y %H:%M") if value else "–"
