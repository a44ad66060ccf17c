"""Handing in through the page: with and without the script, twice, and everything that is refused with its reason."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from portal.records.models import Batch, ContentChunk
from portal.rehearsal.batches import single_batch, zip_batch

HAND_IN = "/nop-hoc-ba/"


@pytest.fixture
def clerk(cast, browser):
    """The clerk of a primary school that has handed in nothing yet."""
    from portal.accounts.models import User

    made = cast.made("02")
    return made, browser(User.objects.get(username=made.clerk_user_name))


def send(client, data, name="hoc-ba.xml", **headers):
    return client.post(HAND_IN, {"file": SimpleUploadedFile(name, data)}, headers=headers)


def test_a_record_handed_in_leads_to_its_batch(cast, clerk):
    made, client = clerk
    answer = send(client, single_batch(cast.records(made, 1)[0]).data)
    batch = Batch.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, reverse("batch", args=[batch.pk]))
    assert (batch.school, batch.sender.username) == (cast.row(made), made.clerk_user_name)


def test_the_script_is_answered_in_json_and_the_same_file_leads_to_the_first_batch(cast, clerk):
    made, client = clerk
    data = zip_batch(cast.records(made, 2)).data
    first = send(client, data, name="lop-1a.zip", accept="application/json")
    second = send(client, data, name="lop-1a-lan-2.zip", accept="application/json")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == {"next": reverse("batch", args=[Batch.objects.get().pk])}
    assert "đã được nộp trước đây" in client.get(first.json()["next"]).content.decode()


def encrypted_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.xml", b"<HOC_BA/>")
    data = bytearray(stream.getvalue())
    data[6] |= 1
    return bytes(data)


REFUSED = [
    (b"%PDF-1.7 ...", "NOT_XML_OR_ZIP", 415),
    (b"khong phai xml", "NOT_XML_OR_ZIP", 415),
    (encrypted_zip(), "ZIP_ENCRYPTED", 422),
    (b"\xff\xfe<\x00", "XML_NOT_UTF8", 415),
]


def test_what_cannot_be_taken_in_is_refused_with_a_reason_and_leaves_nothing(clerk):
    _made, client = clerk
    for data, code, status in REFUSED:
        by_script = send(client, data, accept="application/json")
        by_form = send(client, data)
        assert (by_script.status_code, by_script.json()["code"]) == (status, code)
        assert by_form.status_code == status
        assert code in by_form.content.decode()
    assert not Batch.objects.exists()
    assert not ContentChunk.objects.exists()


def test_no_file_and_an_empty_file_are_explained(clerk):
    _made, client = clerk
    for form in ({}, {"file": SimpleUploadedFile("a.xml", b"")}):
        answer = client.post(HAND_IN, form)
        assert answer.status_code == 422
        assert "notice-error" in answer.content.decode()


def test_a_file_that_is_announced_as_too_large_is_refused_before_it_is_read(clerk, settings):
    _made, client = clerk
    settings.RECORDS = {"max_upload_bytes": 1000}
    answer = client.post(HAND_IN, {"file": SimpleUploadedFile("a.xml", b"<" * 2_100_000)})
    assert answer.status_code == 413
    assert "FILE_TOO_LARGE" in answer.content.decode()
    assert not ContentChunk.objects.exists()


def test_a_file_over_the_limit_is_stopped_on_the_way(clerk, settings):
    _made, client = clerk
    settings.RECORDS = {"max_upload_bytes": 1000}
    answer = send(client, b"<HOC_BA>" + b"x" * 200_000, accept="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "FILE_TOO_LARGE")
    assert not ContentChunk.objects.exists()
