"""A batch's live part and files, a record's faces: what the school signed, shown as text and nothing else."""

import csv
import io

import pytest
import zstandard
from django.urls import reverse

from portal.records.models import Record
from portal.web.export import harmless

HOSTILE = '=HYPERLINK("http://x")<img src=x onerror=alert(1)>'


def spoil(record):
    """Put hostile text wherever a record's own text reaches a page or a file."""
    finding = {
        "code": "F-TEST", "severity": "ERROR", "field": "A/B", "field_title": HOSTILE, "value": HOSTILE,
        "rule": "r", "message": HOSTILE, "advice": HOSTILE, "resign": ["CBQL"], "position": 3, "line": 1,
    }  # fmt: skip
    Record.objects.filter(pk=record.pk).update(findings=[finding], full_name=HOSTILE, class_name="+1A")


def test_the_live_part_says_nothing_new_with_204_and_stops_when_all_is_done(house, browser):
    client = browser(house.clerk)
    where = reverse("batch-progress", args=[house.batch.pk])
    first = client.get(where)
    assert first["HX-Trigger"] == "records-changed"
    mark = first.content.decode().split("?dau=")[1].split('"')[0]
    assert client.get(where, {"dau": mark}).status_code == 204
    item = house.admitted.item
    item.submission.items.update(verdict="ACCEPTED", judged_at=house.batch.received_at)
    last = client.get(where, {"dau": mark}).content.decode()
    assert "hx-trigger" not in last
    assert "Có học bạ phải sửa" in last


def test_a_finding_tells_what_where_value_why_and_who_signs_again(house, browser):
    text = browser(house.clerk).get(reverse("batch", args=[house.batch.pk]) + "?state=REFUSED").content.decode()
    assert "Nơi sinh" in text
    assert "DU_LIEU_HOC_BA/THONG_TIN_CHUNG/NOI_SINH" in text
    assert "Ký lại" in text
    assert house.admitted.full_name not in text


def test_hostile_text_stays_text_on_pages_and_in_files(house, browser):
    spoil(house.refused)
    client = browser(house.clerk)
    for name in ("batch", "record", "record-xml", "record-signatures"):
        about = house.batch.pk if name == "batch" else house.refused.pk
        assert "<img src=x" not in client.get(reverse(name, args=[about])).content.decode(), name
    text = client.get(reverse("batch-findings", args=[house.batch.pk, "csv"])).content.decode("utf-8-sig")
    row = list(csv.reader(io.StringIO(text)))[1]
    assert row[1:3] == ["'+1A", f"'{HOSTILE}"]
    sheet = client.get(reverse("batch-findings", args=[house.batch.pk, "xlsx"]))
    assert sheet.content[:2] == b"PK"
    assert b"<f>" not in unzipped(sheet.content)


def unzipped(data):
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist() if "sheet" in name)


def test_only_cells_that_could_become_formulas_are_touched():
    assert [harmless(cell) for cell in ("=1", "+1", "-1", "@x", "\t=1", "Toán", "1-2", "")] == [
        "'=1", "'+1", "'-1", "'@x", "'\t=1", "Toán", "1-2", "",
    ]  # fmt: skip


def test_the_file_is_given_back_byte_for_byte(house, browser):
    record = house.admitted
    answer = browser(house.clerk).get(reverse("record-file", args=[record.pk]))
    assert answer.content == zstandard.ZstdDecompressor().decompress(bytes(record.data))
    assert "attachment" in answer["Content-Disposition"]


def test_the_form_shows_the_marks_the_comments_and_every_signature(house, browser):
    text = browser(house.inspector).get(reverse("record", args=[house.admitted.pk])).content.decode()
    for expected in ("HỌC BẠ", "Bảng điểm", "Toán", "Nhận xét giáo viên chủ nhiệm", "Cán bộ quản lý", "Hợp lệ"):
        assert expected in text, expected
    assert "KHÔNG CÓ GIÁ TRỊ" not in text


def test_a_refused_record_is_marked_as_worthless(house, browser):
    text = browser(house.clerk).get(reverse("record", args=[house.refused.pk])).content.decode()
    assert "KHÔNG CÓ GIÁ TRỊ" in text
    assert "phải ký lại" in text


def test_a_search_finds_exact_numbers_only_and_the_journal_does_not_learn_them(house, browser):
    from portal.audit.models import Entry

    client = browser(house.officer)
    record = house.admitted
    for number in (record.cccd, record.pupil_code, str(record.lookup_uuid)):
        assert record.full_name in client.post(reverse("search"), {"number": number}).content.decode()
    assert "Không có học bạ nào" in client.post(reverse("search"), {"number": record.cccd[:11]}).content.decode()
    theirs = browser(house.other_clerk).post(reverse("search"), {"number": record.cccd}).content.decode()
    assert record.full_name not in theirs
    kept = str(list(Entry.objects.filter(action="record.searched").values()))
    assert record.cccd not in kept
    assert record.pupil_code not in kept


@pytest.mark.parametrize("rotten", [b"", zstandard.ZstdCompressor().compress(b"<HOC_BA>khac</HOC_BA>")])
def test_bytes_that_are_no_longer_the_schools_are_never_shown_as_its_own(house, browser, rotten):
    record = house.admitted
    Record.objects.filter(pk=record.pk).update(data=rotten)
    client = browser(house.clerk)
    assert client.get(reverse("record", args=[record.pk])).status_code == 200
    for name in ("record-xml", "record-file"):
        answer = client.get(reverse(name, args=[record.pk]), follow=True)
        assert answer.redirect_chain == [(reverse("record", args=[record.pk]), 302)]
        assert "không còn nguyên vẹn" in answer.content.decode()
        assert b"khac" not in answer.content
