"""Sealing with a person present and without: a real PKCS#11 module, four eyes, refused PINs, authorities away."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection
from pydantic import SecretStr

from gateway import conf as gateway_conf
from gateway.exchange.envelope import unpack
from gateway.models import Document, Submission
from portal.audit.models import Entry
from portal.records import housekeeping, keyring, sealing
from portal.records.conf import sealing_setup
from portal.records.models import Record, SealingState
from portal.records.states import RecordState
from portal.rehearsal.batches import unsigned_batch
from portal.rehearsal.pki_files import DEPARTMENT_PASSPHRASE
from signing.errors import KeyUnavailable

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LATER = timedelta(minutes=5)
PIN = "73910546"
WRONG = "00000099"
PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((place for place in PLACES if Path(place).exists()), "")
needs_token = pytest.mark.skipif(
    not (MODULE and shutil.which("softhsm2-util")), reason="needs SoftHSM2 (Debian package softhsm2), which is not here"
)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory, pki_folder: Path) -> Iterator[Path]:
    """A token that holds the department's key under the label `so`."""
    import pkcs11

    folder = tmp_path_factory.mktemp("softhsm-product")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(conf))
    run = ["softhsm2-util", "--init-token", "--free", "--label", "so-gddt", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(run, check=True, capture_output=True, timeout=60)
    run = ["softhsm2-util", "--import", str(pki_folder / "department.key"), "--token", "so-gddt", "--label", "so"]
    subprocess.run([*run, "--id", "01", "--pin", PIN], check=True, capture_output=True, timeout=60)
    if MODULE in pkcs11._loaded:
        pkcs11.unload(MODULE)
    yield folder
    pkcs11.unload(MODULE)
    patch.undo()


@pytest.fixture
def attended(settings, pki_folder: Path, token: Path) -> None:
    import pkcs11

    pkcs11.lib(MODULE).reinitialize()
    settings.SIGNING_SEALING = "attended"
    settings.SIGNING_KEY_KIND = "hsm"
    settings.SIGNING_HSM_MODULE, settings.SIGNING_HSM_TOKEN, settings.SIGNING_HSM_KEY = MODULE, "so-gddt", "so"
    settings.SIGNING_KEY_CERTIFICATE = pki_folder / "department.pem"


@pytest.fixture
def waiting(cast, hand_in) -> int:
    for level, count in (("02", 3), ("03", 2)):
        hand_in(cast.made(level), unsigned_batch(cast.records(cast.made(level), count)).data)
    return 5


@pytest.fixture
def officers(cast, django_user_model):
    return list(django_user_model.objects.order_by("id")[:2])


@needs_token
def test_in_attended_mode_nothing_is_sealed_without_a_pin_and_the_need_is_visible(attended, waiting):
    assert sealing.run(now=NOW + LATER) == sealing.Sealed()
    assert housekeeping.drain(clock=lambda: NOW + LATER)["packages"] == 0
    found = sealing.need(now=NOW + LATER)
    assert (found.records, found.packages, found.since, found.is_needed) == (5, 2, NOW, True)
    assert not Submission.objects.exists()
    assert not SealingState.objects.exclude(cause_code="").exists()


@needs_token
def test_one_pin_releases_everything_and_the_key_is_closed_afterwards(attended, waiting, officers):
    done = sealing.release(pin=SecretStr(PIN), by=officers[0], now=NOW + LATER)
    assert (done.packages, done.records) == (2, 5)
    assert set(Record.objects.values_list("state", flat=True)) == {RecordState.DISPATCHED}
    entry = Entry.objects.get(action="sealing.released")
    assert (entry.actor, entry.detail["packages"]) == (officers[0], 2)
    for document in Document.objects.all():
        assert b"SignatureValue" in unpack(bytes(document.packed), max_bytes=20_000_000)
    with pytest.raises(KeyUnavailable, match="SEALING_ATTENDED"):
        keyring.key_for(sealing_setup())
    with pytest.raises(sealing.SealingRefused, match="NOTHING_WAITS"):
        sealing.release(pin=SecretStr(PIN), by=officers[0], now=NOW + LATER)


@needs_token
def test_a_wrong_pin_is_used_once_and_everything_keeps_waiting(attended, waiting, officers, monkeypatch):
    from signing.keys import hsm

    opened = []
    original = hsm.HsmKey._open
    monkeypatch.setattr(hsm.HsmKey, "_open", lambda self: (opened.append(1), original(self))[1])
    with pytest.raises(sealing.SealingRefused) as refused:
        sealing.release(pin=SecretStr(WRONG), by=officers[0], now=NOW + LATER)
    assert refused.value.code == "HSM_PIN_INCORRECT"
    assert opened == [1]
    sealing.run(now=NOW + LATER)
    assert opened == [1]
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 5
    assert Entry.objects.get(action="sealing.refused").detail["code"] == "HSM_PIN_INCORRECT"
    assert sealing.release(pin=SecretStr(PIN), by=officers[0], now=NOW + LATER).records == 5


@needs_token
def test_four_eyes_want_another_officer_first_and_for_half_an_hour(attended, waiting, officers, settings):
    settings.SIGNING_FOUR_EYES = True
    one, two = officers
    with pytest.raises(sealing.SealingRefused, match="FOUR_EYES"):
        sealing.release(pin=SecretStr(PIN), by=one, now=NOW)
    sealing.confirm(by=one, now=NOW)
    with pytest.raises(sealing.SealingRefused, match="FOUR_EYES"):
        sealing.release(pin=SecretStr(PIN), by=one, now=NOW + LATER)
    with pytest.raises(sealing.SealingRefused, match="FOUR_EYES"):
        sealing.release(pin=SecretStr(PIN), by=two, now=NOW + timedelta(minutes=31))
    assert sealing.release(pin=SecretStr(PIN), by=two, now=NOW + LATER).records == 5
    assert SealingState.objects.get().confirmed_by is None  # used up


@needs_token
def test_the_pin_stands_in_no_log_table_or_message(attended, waiting, officers, caplog):
    caplog.set_level(logging.DEBUG)
    messages = []
    for pin in (WRONG, PIN):
        try:
            sealing.release(pin=SecretStr(pin), by=officers[0], now=NOW + LATER)
        except sealing.SealingRefused as refusal:
            import traceback

            messages.append(refusal.message + "".join(traceback.format_exception(refusal)) + repr(refusal.__context__))
    everything = caplog.text + "".join(messages) + _all_tables()
    assert PIN not in everything
    assert WRONG not in everything
    assert not any(PIN in value or WRONG in value for value in os.environ.values())


def _all_tables() -> str:
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            if not table.startswith("records_content"):
                cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" AS t")
                found.append(cursor.fetchone()[0])
    return "".join(found)


@needs_token
def test_an_automatic_token_whose_pin_is_refused_waits_for_a_person(attended, waiting, officers, settings, tmp_path):
    settings.SIGNING_SEALING = "automatic"
    settings.SIGNING_PIN_FILE = tmp_path / "pin"
    settings.SIGNING_PIN_FILE.write_text(WRONG)
    keyring.forget()
    assert sealing.run(now=NOW + LATER).packages == 0
    state = SealingState.objects.get()
    assert (state.cause_code, state.needs_person, state.failures) == ("HSM_PIN_INCORRECT", True, 1)
    keyring.forget()  # as another process would find it
    for hours in range(1, 4):
        sealing.run(now=NOW + timedelta(hours=hours))
    assert SealingState.objects.get().failures == 1
    settings.SIGNING_PIN_FILE.write_text(PIN)
    sealing.resume(by=officers[0], reason="Đã sửa mã PIN", now=NOW + timedelta(hours=5))
    assert sealing.run(now=NOW + timedelta(hours=5)).records == 5
    keyring.forget()


def test_attended_sealing_works_with_a_key_file_whose_passphrase_nobody_stored(
    cast, waiting, officers, settings, tmp_path
):
    settings.SIGNING_SEALING = "attended"
    settings.SIGNING_KEY_PASSPHRASE_FILE = tmp_path / "none"
    with pytest.raises(sealing.SealingRefused, match="KEY_PASSPHRASE"):
        sealing.release(pin=SecretStr("sai"), by=officers[0], now=NOW + LATER)
    assert sealing.release(pin=SecretStr(DEPARTMENT_PASSPHRASE), by=officers[0], now=NOW + LATER).records == 5


def test_a_key_that_is_away_is_named_tried_with_pauses_and_forgotten_when_it_is_back(cast, waiting, settings, tmp_path):
    path = settings.SIGNING_KEY_FILE
    settings.SIGNING_KEY_FILE = tmp_path / "gone.p12"
    assert sealing.run(now=NOW + LATER).packages == 0
    found = sealing.need(now=NOW + LATER)
    assert (found.cause_code, found.needs_person, found.is_needed) == ("KEY_FILE_UNREADABLE", False, True)
    assert found.next_try_at == NOW + LATER + timedelta(seconds=15)
    settings.SIGNING_KEY_FILE = path
    assert sealing.run(now=NOW + LATER + timedelta(seconds=1)).packages == 0  # the pause
    assert sealing.run(now=NOW + LATER + timedelta(seconds=16)).records == 5
    assert not sealing.need(now=NOW + LATER).cause_code


def test_an_endpoint_may_ask_for_xades_and_for_time_stamps_which_may_be_away(cast, waiting, monkeypatch):
    plain = gateway_conf.endpoint()

    def wants(kind: str, *authorities: gateway_conf.TimestampAuthority) -> None:
        rules = plain.document.model_copy(update={"seal_kind": kind, "timestamp_authorities": authorities})
        changed = plain.model_copy(update={"document": rules})
        for module in ("portal.records.conf", "portal.records.dispatch"):
            monkeypatch.setattr(f"{module}.endpoint", lambda: changed)

    away = gateway_conf.TimestampAuthority(name="TSA mẫu", url="http://127.0.0.1:9/tsa", roots="/nowhere.pem")
    wants("XADES_T", away)
    assert sealing.run(now=NOW + LATER).packages == 0
    assert SealingState.objects.get().cause_code == "TSA_ROOTS_UNREADABLE"
    wants("XADES_T")
    assert sealing.run(now=NOW + LATER * 2).packages == 0
    assert SealingState.objects.get().cause_code == "TSA_AWAY"
    assert not Submission.objects.exists()
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == 5
    wants("XADES_B")
    assert sealing.run(now=NOW + LATER * 3).records == 5
    document = unpack(bytes(Document.objects.all()[0].packed), max_bytes=20_000_000)
    assert b"SigningCertificateV2" in document


def test_production_refuses_a_key_in_a_file_and_says_what_to_set(settings):
    settings.SIGNING_ALLOW_KEY_FILE = False
    found = {message.id: message for message in run_checks(tags=["records"])}
    assert "HOCBA_KEY_KIND" in found["records.E001"].hint
    settings.SIGNING_KEY_KIND = "hsm"
    assert "records.E002" in {message.id for message in run_checks(tags=["records"])}
    settings.SIGNING_KEY_KIND = "remote"
    assert "records.E003" in {message.id for message in run_checks(tags=["records"])}
    settings.SIGNING_ALLOW_KEY_FILE, settings.SIGNING_KEY_KIND = True, "software"
    assert not {message.id for message in run_checks(tags=["records"])}
    settings.MODE, settings.RECORDS, settings.TRUST = "production", {"check_revocation": False}, {}
    assert {message.id for message in run_checks(tags=["records"])} == {"records.E004"}
    settings.RECORDS, settings.TRUST = {"check_revocation": True}, {"evidence_max_age_hours": 25}
    assert {message.id for message in run_checks(tags=["records"])} == {"records.W003"}
