"""The findings of a batch as files: a work list in XLSX, and CSV for other programs.

Text from a school's file is only ever text here: no cell can become a formula or a link (CWE-1236).
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import xlsxwriter
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.records.models import Batch, Record
from portal.web.read.findings import Complaint, complaints_of

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDTHS = (6, 8, 24, 14, 15, 11, 10, 22, 20, 46, 46, 24, 30, 14, 38, 10)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _headings() -> list[str]:
    return [
        _("TT"), _("Lớp"), _("Họ và tên"), _("Mã học sinh"), _("Số định danh"), _("Nguồn"), _("Mức"),
        _("Mục sai"), _("Giá trị trong tệp"), _("Vì sao"), _("Cần làm gì"), _("Ai phải ký lại"), _("Vị trí trong tệp"),
        _("Mã lỗi"), _("Mã tra cứu học bạ"), _("Đã sửa"),
    ]  # fmt: skip


def _rows(records: Iterable[Record]) -> Iterator[list[str]]:
    for record in records:
        for complaint in complaints_of(record):
            yield _row(record, complaint)


def _row(record: Record, one: Complaint) -> list[str]:
    return [
        str(record.position),
        record.class_name,
        record.full_name,
        record.pupil_code,
        record.cccd,
        _("Bộ GDĐT") if one.source == "MINISTRY" else _("Cổng"),
        _("Lỗi") if one.severity == "error" else _("Cảnh báo"),
        one.what,
        one.value,
        one.why,
        one.advice,
        ", ".join(one.signers),
        one.where,
        one.code,
        str(record.lookup_uuid or ""),
        "",
    ]


def _answer(body: bytes, *, kind: str, batch: Batch, suffix: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    name = f"ket-qua-{batch.school.code}-{timezone.localtime(batch.received_at):%Y%m%d-%H%M}.{suffix}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def findings_csv(batch: Batch, records: QuerySet[Record]) -> HttpResponse:
    """CSV in UTF-8 with a mark, so that a spreadsheet reads the Vietnamese letters."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(_headings())
    for row in _rows(records.iterator(chunk_size=500)):
        writer.writerow([harmless(cell) for cell in row])
    return _answer(text.getvalue().encode("utf-8-sig"), kind="text/csv; charset=utf-8", batch=batch, suffix="csv")


def harmless(cell: str) -> str:
    """A cell that a spreadsheet takes as text, whatever it starts with."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def findings_xlsx(batch: Batch, records: QuerySet[Record]) -> HttpResponse:
    """A work list: one line per thing to do, filters on, a column to tick off, and a page of totals."""
    body = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(body, options) as book:
        totals = _work_list(book, batch, records)
        _totals(book, totals)
    return _answer(body.getvalue(), kind=_XLSX, batch=batch, suffix="xlsx")


def _work_list(book: Any, batch: Batch, records: QuerySet[Record]) -> Counter[tuple[str, str, str]]:
    head = book.add_format(
        {
            "bold": True,
            "bg_color": "#7A1A1F",
            "font_color": "#FFFFFF",
            "border": 1,
            "text_wrap": True,
            "valign": "vcenter",
        }
    )
    cell = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "border_color": "#C9CED6"})
    wrong = book.add_format(
        {"text_wrap": True, "valign": "top", "border": 1, "border_color": "#C9CED6", "bg_color": "#FBE9E7"}
    )
    title = book.add_format({"bold": True, "font_size": 14})
    sheet = book.add_worksheet(_("Việc cần sửa"))
    sheet.write_string(0, 0, f"{batch.school.name} ({batch.school.code})", title)
    received = timezone.localtime(batch.received_at).strftime("%d/%m/%Y %H:%M")
    sheet.write_string(1, 0, _("Lô %(id)s, nộp lúc %(at)s") % {"id": batch.message_id, "at": received})
    totals: Counter[tuple[str, str, str]] = Counter()
    for column, (heading, width) in enumerate(zip(_headings(), _WIDTHS, strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(3, column, heading, head)
    line = 3
    for line, row in enumerate(_rows(records.iterator(chunk_size=500)), start=4):
        totals[(row[13], row[6], row[7])] += 1
        for column, text in enumerate(row):
            sheet.write_string(line, column, text, wrong if column == 6 and row[6] == _("Lỗi") else cell)
    last = len(_WIDTHS) - 1
    sheet.autofilter(3, 0, max(line, 4), last)
    sheet.freeze_panes(4, 3)
    sheet.data_validation(4, last, max(line, 4), last, {"validate": "list", "source": ["x"], "ignore_blank": True})
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(3)
    return totals


def _totals(book: Any, totals: Counter[tuple[str, str, str]]) -> None:
    sheet = book.add_worksheet(_("Tổng hợp"))
    bold = book.add_format({"bold": True, "bottom": 1})
    for column, (heading, width) in enumerate(
        [(_("Mã lỗi"), 24), (_("Mức"), 12), (_("Mục sai"), 40), (_("Số lần"), 10)]
    ):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, heading, bold)
    for line, ((code, severity, what), number) in enumerate(totals.most_common(), start=1):
        sheet.write_string(line, 0, code)
        sheet.write_string(line, 1, severity)
        sheet.write_string(line, 2, what)
        sheet.write_number(line, 3, number)
