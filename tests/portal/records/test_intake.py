"""What the doors take in, what they give the first answer for, and what they refuse at once."""

import io
import zipfile
from datetime import UTC, datetime

import pytest
from django.test import RequestFactory

from portal.audit.models import Entry
from portal.records import content, intake
from portal.records.intake import IntakeRefused
from portal.records.models import Batch, Content, ContentChunk
from portal.records.states import Door, FileKind
from portal.records.uploading import StoringUploadHandler

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LIST = b'<?xml version="1.0"?><DANH_SACH_HOC_BA id="x">%s</DANH_SACH_HOC_BA>'


def receive(cast, data: bytes, made=None, **more):
    school = cast.row(made or cast.made("02"))
    return intake.receive_batch(school=school, file=[data], now=NOW, **more)


def encrypted_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.xml", "<HOC_BA/>")
    data = bytearray(stream.getvalue())
    data[6] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "FILE_EMPTY"),
        (b"%PDF-1.7", "NOT_XML_OR_ZIP"),
        (b"Rar!\x1a\x07", "NOT_XML_OR_ZIP"),
        (b"xin chao", "NOT_XML_OR_ZIP"),
        (b"<html></html>", "NOT_XML_OR_ZIP"),
        ("<HOC_BA/>".encode("utf-16"), "XML_NOT_UTF8"),
        (encrypted_zip(), "ZIP_ENCRYPTED"),
        (b"PK\x05\x06" + bytes(18), "ZIP_EMPTY"),
    ],
)
def test_what_a_first_look_shows_is_refused_at_once_and_leaves_nothing(cast, data, code):
    with pytest.raises(IntakeRefused) as refused:
        receive(cast, data)
    assert refused.value.code == code
    assert refused.value.message
    assert not Batch.objects.exists()
    assert not Content.objects.exists()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (LIST % b"", FileKind.LIST),
        (b"\xef\xbb\xbf" + LIST % b"", FileKind.LIST),
        (b"  <!-- a <HOC_BA> --> <DANH_SACH_HOC_BA/>", FileKind.LIST),
        (b"<HOC_BA/>", FileKind.RECORD),
        (b"PK\x03\x04" + bytes(26), FileKind.ZIP),
    ],
)
def test_the_kind_is_told_by_content_and_never_by_name(cast, data, kind):
    assert receive(cast, data, file_name="anh.png").batch.file_kind == kind


def test_a_hand_in_leaves_a_row_in_the_journal(cast):
    batch = receive(cast, LIST % b"1").batch
    entry = Entry.objects.get(action="batch.received")
    assert (entry.subject_id, entry.school_id) == (str(batch.id), batch.school_id)


def test_the_same_bytes_from_the_same_school_are_the_same_batch(cast):
    first, second = receive(cast, LIST % b"1"), receive(cast, LIST % b"1")
    assert (first.repeated, second.repeated) == (False, True)
    assert first.batch == second.batch
    assert Content.objects.count() == 1


def test_the_same_bytes_from_two_schools_are_two_batches(cast):
    receive(cast, LIST % b"1")
    receive(cast, LIST % b"1", made=cast.made("03"))
    assert Batch.objects.count() == 2


def test_a_refused_batch_may_be_handed_in_again(cast):
    first = receive(cast, LIST % b"1").batch
    Batch.objects.update(state="REFUSED")
    assert receive(cast, LIST % b"1").batch != first


def test_a_closed_school_hands_in_nothing(cast):
    school = cast.row(cast.made("02"))
    school.is_active = False
    with pytest.raises(IntakeRefused) as refused:
        intake.receive_batch(school=school, file=[LIST % b""], now=NOW)
    assert refused.value.status == 403


def test_a_full_disk_refuses_before_the_first_byte(cast, settings):
    settings.RECORDS = {"min_free_bytes": 1 << 60}
    with pytest.raises(IntakeRefused) as refused:
        receive(cast, LIST % b"")
    assert (refused.value.code, refused.value.status) == ("NO_SPACE", 507)


def test_a_file_beyond_the_limit_is_refused_while_it_streams(cast, settings):
    settings.RECORDS = {"max_upload_bytes": 3_000_000}
    taken = []

    def pieces():
        for number in range(100):
            taken.append(number)
            yield LIST + b" " * 500_000

    with pytest.raises(IntakeRefused) as refused:
        intake.receive_batch(school=cast.row(cast.made("02")), file=pieces(), now=NOW)
    assert refused.value.status == 413
    assert len(taken) < 8
    assert not ContentChunk.objects.exists()


def test_bytes_come_back_exactly_as_they_went_in(db):
    data = bytes(range(256)) * 20_000
    stored = content.store([data[:7], data[7:3_000_000], data[3_000_000:]], now=NOW, max_bytes=1 << 30)
    assert b"".join(content.read(stored.content_id)) == data
    assert ContentChunk.objects.count() == 5
    with content.laid_out(Content.objects.get()) as file:
        file.seek(0)
        assert file.read() == data


def test_an_altered_store_is_noticed_and_never_blamed_on_the_school(db):
    stored = content.store([b"<HOC_BA/>"], now=NOW, max_bytes=100)
    Content.objects.update(sha256="0" * 64)
    with pytest.raises(content.ContentDamaged), content.laid_out(Content.objects.get(id=stored.content_id)):
        pass


def test_uploads_that_broke_off_are_swept_up_and_batches_are_not(cast):
    batch = receive(cast, LIST % b"1").batch
    content.ContentWriter(now=NOW, max_bytes=100).write(b"abc")
    from datetime import timedelta

    assert content.sweep(now=NOW + timedelta(hours=25), older_than=timedelta(hours=24)) == 1
    assert list(Content.objects.values_list("id", flat=True)) == [batch.content_id]


def test_a_form_upload_streams_into_the_store_and_becomes_a_batch(cast):
    from django.core.files.uploadedfile import SimpleUploadedFile

    data = LIST % (b" " * 3_000_000)
    request = RequestFactory().post("/", {"file": SimpleUploadedFile("tep.xml", data)})
    request.upload_handlers = [StoringUploadHandler(request)]
    upload = request.FILES["file"]
    received = intake.receive_batch(
        school=cast.row(cast.made("02")), file=upload.stored, now=NOW, file_name=upload.name
    )
    assert b"".join(content.read(received.batch.content_id)) == data
    assert received.batch.door == Door.BROWSER


def test_an_upload_beyond_the_limit_stops_and_says_why(cast, settings):
    from django.core.files.uploadedfile import SimpleUploadedFile

    settings.RECORDS = {"max_upload_bytes": 1_000_000}
    request = RequestFactory().post("/", {"file": SimpleUploadedFile("tep.xml", b" " * 2_000_000)})
    handler = StoringUploadHandler(request)
    request.upload_handlers = [handler]
    assert "file" not in request.FILES
    assert handler.refused is not None
    assert handler.refused.status == 413
    assert not Content.objects.exists()
