"""The signed statement of one day: what was sent, what the Ministry said, what differs. CSV, PDF, and a sealed XML.

The XML carries the figures and the digests of both files under the department's seal, so that the three prove each
other. Holds no pupil: packages and opaque keys only. A statement is made again when asked, never rewritten.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

import typst
from django.conf import settings
from django.db.models import Count, Q
from django.utils.module_loading import import_string

from gateway.conf import EndpointDescription
from gateway.models import Discrepancy, Statement, Submission
from gateway.states import SubmissionState, Verdict

Seal = Callable[..., bytes]

_TEMPLATE: Final = Path(__file__).with_name("statement.typ")
# On paper; the CSV holds every line.
_ON_PAPER: Final = 400
_COLUMNS: Final = (
    "ma_giao_dich", "loai", "ma_don_vi", "nam_hoc", "vao_hang_doi_luc", "trang_thai", "so_muc", "chap_nhan",
    "tu_choi", "cho_ket_qua", "bien_nhan_luc", "ket_thuc_luc", "dau_vet_sha256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ledger:
    """One local day as our rows have it."""

    day: date
    submissions: Sequence[Submission]
    discrepancies: Sequence[Discrepancy]

    def counts(self) -> dict[str, int]:
        """The figures of the day by name."""
        rows = self.submissions
        closed = (SubmissionState.ANSWERED, SubmissionState.REFUSED)
        return {
            "submissions": len(rows),
            "items": sum(row.items_count for row in rows),
            "accepted": sum(_number(row, "accepted") for row in rows),
            "rejected": sum(_number(row, "rejected") for row in rows),
            "pending": sum(_number(row, "pending") for row in rows if row.state not in closed),
            "sent_back": sum(_number(row, "pending") for row in rows if row.state == SubmissionState.REFUSED),
            "discrepancies": len(self.discrepancies),
            "discrepancies_open": sum(one.closed_at is None for one in self.discrepancies),
        }


_WORDS: Final = {
    "submissions": "Số gói đã vào hàng đợi trong ngày",
    "items": "Số học bạ (mục) trong các gói",
    "accepted": "Bộ chấp nhận",
    "rejected": "Bộ từ chối",
    "pending": "Chờ kết quả",
    "sent_back": "Cả gói bị từ chối, đã chuyển sang gói khác",
    "discrepancies": "Điểm khác nhau phát hiện trong ngày",
    "discrepancies_open": "– trong đó chưa đóng",
}


def read(day: date, description: EndpointDescription) -> Ledger:
    """The day's packages and the differences found on it."""
    since = datetime.combine(day, time.min, ZoneInfo(description.sending.timezone))
    until = since + timedelta(days=1)
    rows = Submission.objects.filter(enqueued_at__gte=since, enqueued_at__lt=until).annotate(
        accepted=Count("items", filter=Q(items__verdict=Verdict.ACCEPTED)),
        rejected=Count("items", filter=Q(items__verdict=Verdict.REJECTED)),
        pending=Count("items", filter=Q(items__verdict=Verdict.PENDING)),
    )
    found = Discrepancy.objects.filter(found_at__gte=since, found_at__lt=until).order_by("found_at")
    return Ledger(day, list(rows.order_by("enqueued_at", "pk")), list(found))


def make(day: date, description: EndpointDescription, *, now: datetime, seal: Seal | None = None) -> Statement:
    """Read, write, seal and keep the statement of `day`. Without a key nothing is kept: KeyUnavailable goes up."""
    sign = seal or import_string(settings.GATEWAY_SEAL)
    ledger = read(day, description)
    table = as_csv(ledger)
    paper = as_pdf(ledger, description, table, now=now)
    sealed = sign(as_xml(ledger, description, table, paper, now=now), at=now)
    return Statement.objects.create(
        day_on=day, made_at=now, counts=ledger.counts(), csv=table, pdf=paper, sealed=sealed,
        sha256=hashlib.sha256(sealed).hexdigest(),
    )  # fmt: skip


def as_csv(ledger: Ledger) -> bytes:
    """One line per package, UTF-8 with BOM so that a spreadsheet reads Vietnamese."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in ledger.submissions:
        writer.writerow(
            [
                row.pk, row.kind, row.unit_code, row.school_year, row.enqueued_at.isoformat(), row.state,
                row.items_count, _number(row, "accepted"), _number(row, "rejected"), _number(row, "pending"),
                _stamp(row.acknowledged_at), _stamp(row.closed_at), bytes(row.digest).hex(),
            ]
        )  # fmt: skip
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def as_pdf(ledger: Ledger, description: EndpointDescription, table: bytes, *, now: datetime) -> bytes:
    """The statement on paper; the same input gives the same bytes."""
    local = now.astimezone(ZoneInfo(description.sending.timezone))
    shown = ledger.submissions[:_ON_PAPER]
    left_out = len(ledger.submissions) - len(shown)
    counts = ledger.counts()
    data = {
        "title": "Bảng kê đối soát ngày",
        "unit": description.unit_code,
        "subtitle": f"Ngày {ledger.day:%d/%m/%Y} · đơn vị {description.unit_code} · {description.endpoint.title}",
        "counts": [[words, counts[name]] for name, words in _WORDS.items()],
        "fingerprint_label": "SHA-256 của tệp CSV kèm theo",
        "csv_sha256": hashlib.sha256(table).hexdigest(),
        "nothing": "Không có.",
        "discrepancies_title": "Điểm khác nhau",
        "discrepancy_head": ["Loại", "Học bạ hoặc gói", "Sở", "Bộ", "Người xử lý, ghi chú"],
        "discrepancies": [_discrepancy(one) for one in ledger.discrepancies[:_ON_PAPER]],
        "submissions_title": "Các gói trong ngày",
        "submission_head": ["Mã giao dịch", "Đơn vị", "Trạng thái", "Mục", "Nhận", "Từ chối", "Chờ"],
        "submissions": [_submission(one) for one in shown],
        "left_out": left_out,
        "left_out_text": f"Còn {left_out} gói khác: xem tệp CSV.",
        "seal_text": f"Lập lúc {local:%H:%M %d/%m/%Y}. Chữ ký số của Sở nằm trong tệp XML kèm theo; tệp đó mang "
        "dấu vết SHA-256 của bản PDF này và của tệp CSV.",
    }  # fmt: skip
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    found = typst.compile(
        _TEMPLATE.read_bytes(), sys_inputs=inputs, ignore_system_fonts=True, timestamp=int(now.timestamp())
    )
    if not isinstance(found, bytes):
        raise TypeError("one PDF was asked for")
    return found


def as_xml(ledger: Ledger, description: EndpointDescription, table: bytes, paper: bytes, *, now: datetime) -> bytes:
    """What is sealed: the figures, and the digests of the two files."""
    figures = "".join(f"<SO_LIEU ten={quoteattr(name)}>{value}</SO_LIEU>" for name, value in ledger.counts().items())
    files = "".join(
        f"<TEP loai={quoteattr(kind)} so_byte={quoteattr(str(len(data)))}>{hashlib.sha256(data).hexdigest()}</TEP>"
        for kind, data in (("CSV", table), ("PDF", paper))
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<BANG_KE_DOI_SOAT id="bangKe"><NGAY>{ledger.day.isoformat()}</NGAY>'
        f"<MA_DON_VI>{escape(description.unit_code)}</MA_DON_VI><LAP_LUC>{now.isoformat()}</LAP_LUC>"
        f"<SO_LIEU_NGAY>{figures}</SO_LIEU_NGAY><CAC_TEP>{files}</CAC_TEP></BANG_KE_DOI_SOAT>"
    ).encode()


def files(statement: Statement) -> Mapping[str, bytes]:
    """The three files by name, as they are downloaded and laid into a folder."""
    stem = f"doi-soat-{statement.day_on.isoformat()}"
    return {
        f"{stem}.csv": bytes(statement.csv),
        f"{stem}.pdf": bytes(statement.pdf),
        f"{stem}.xml": bytes(statement.sealed),
    }


def _number(row: Submission, name: str) -> int:
    return int(getattr(row, name))


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _discrepancy(one: Discrepancy) -> list[str]:
    note = one.closing_note or one.explanation
    about = one.key or f"Gói {one.submission_id}"
    owner = one.owner or "Chưa ai nhận"
    return [one.get_kind_display(), about, _in_words(one.ours), _in_words(one.theirs), f"{owner}. {note}"]


def _in_words(code: str) -> str:
    """A package's state or a record's verdict on paper."""
    named = {**dict(SubmissionState.choices), **dict(Verdict.choices)}
    return str(named.get(code, code or "–"))


def _submission(row: Submission) -> list[str]:
    numbers = [_number(row, name) for name in ("accepted", "rejected", "pending")]
    return [str(row.pk), row.unit_code, row.get_state_display(), str(row.items_count), *map(str, numbers)]
