"""Packages whose seal needs somebody else: a time-stamp authority (RFC 3161), a remote signing service (CSC API v2).

Real signed records, the openssl program as authority, a small real signing server, the shipped simulator as Ministry.
Whoever is away leaves the package waiting with a stable code; it goes later, once.
"""

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.db import connection
from django.utils import timezone
from pydantic import SecretStr

from gateway import outbox, sync
from gateway.models import Item, Submission
from gateway.simulator.control import SimulatorControl
from portal.records import keyring, sealing
from portal.records.models import Record, SealingState
from portal.records.states import RecordState
from portal.rehearsal.batches import unsigned_batch
from signing import SignaturePolicy, TrustStore, policy_from_mapping, verify
from signing.report import Report, StampStatus
from tests.journeys.ministry import ministry_at
from tests.signing.authority import LocalAuthority, StampServer
from tests.signing.keys.signing_server import TOKEN, Held, SigningServer, serving

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]
PIN = "ma-pin-73910546"
WRONG = "ma-pin-00000099"
EARLIER = timedelta(minutes=5)
PACKAGE: SignaturePolicy = policy_from_mapping(
    {
        "name": "package",
        "root": "DANH_SACH_HOC_BA",
        "revocation": "off",
        "nested": ["HOC_BA"],
        "slots": [{"role": "SENDER", "place": "Signature", "covers": ".", "signer": "organisation"}],
    }
)
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl program, which is not here")


@pytest.fixture
def three(cast, hand_in) -> list[str]:
    """Three admitted records of one school, by lookup uuid."""
    hand_in(cast.made("02"), unsigned_batch(cast.records(cast.made("02"), 3)).data)
    return [str(one) for one in Record.objects.order_by("id").values_list("lookup_uuid", flat=True)]


@pytest.fixture(autouse=True)
def fresh_keys() -> Iterator[None]:
    keyring.forget()
    yield
    keyring.forget()


def assert_waits(three: list[str], code: str) -> None:
    """All or nothing: no package, every record still admitted, the cause by name."""
    assert not Submission.objects.exists()
    assert Record.objects.filter(state=RecordState.ADMITTED).count() == len(three)
    found = sealing.need(now=timezone.now())
    assert (found.cause_code, found.records, found.is_needed) == (code, len(three), True)


def assert_arrives(three: list[str], control: SimulatorControl) -> bytes:
    """The Ministry accepts every record, each once; the document that stands in the outbox."""
    for _ in range(12):
        sync.run(sync.FORWARD, budget=8)
        if not Item.objects.filter(verdict="PENDING").exists():
            break
    assert dict(Item.objects.values_list("key", "verdict")) == dict.fromkeys(three, "ACCEPTED")
    assert {row["uuid"]: row["effects"] for row in control.ledger() if row["effects"]} == dict.fromkeys(three, 1)
    return outbox.load_document(Submission.objects.get().id)


def judged(document: bytes, pki_folder: Path, folder: Path, *anchors: bytes) -> Report:
    """Our verifier's word on the package, with the authority's root loaded beside the issuers'."""
    trust = shutil.copytree(pki_folder / "trust", folder / "trust")
    for number, anchor in enumerate(anchors):
        (trust / f"tsa-{number}.pem").write_bytes(anchor)
    return verify(document, PACKAGE, TrustStore.from_directory(trust), at=timezone.now() + timedelta(seconds=5))


def assert_xmlsec1_agrees(document: bytes, pki_folder: Path, folder: Path) -> None:
    if not shutil.which("xmlsec1"):
        sys.stderr.write("xmlsec1 is not here: the package was verified by our engine and the simulator's only\n")
        return
    (folder / "package.xml").write_bytes(document)
    ids = ["--id-attr:id", "DANH_SACH_HOC_BA", "--id-attr:Id", "SignatureProperties"]
    ids += ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties"]
    where = ["--node-xpath", "/DANH_SACH_HOC_BA/*[local-name()='Signature']"]
    command = ["xmlsec1", "--verify", *ids, "--pubkey-cert-pem", str(pki_folder / "department.pem"), *where]
    done = subprocess.run(
        [*command, "package.xml"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_openssl
def test_a_package_waits_for_its_time_stamp_and_arrives_with_it(
    cast, three: list[str], settings, pki_folder: Path, tmp_path: Path
) -> None:
    tsa = LocalAuthority(tmp_path / "tsa")
    with serving(StampServer(tsa)) as first:
        port = first.port
    roots = tsa.folder / "ca.pem"
    authority = f'{{ name = "TSA mẫu", url = "http://127.0.0.1:{port}/tsa", roots = "{roots}" }}'
    more = f'[document]\nseal_kind = "XADES_T"\ntimestamp_authorities = [{authority}]\n'
    with ministry_at(tmp_path, pki_folder, more=more) as (description, control):
        settings.GATEWAY_ENDPOINT_FILE = description
        assert sealing.run(now=timezone.now() - EARLIER, at_once=True) == sealing.Sealed()
        assert_waits(three, "TSA_AWAY")
        assert "TSA mẫu" in sealing.need(now=timezone.now()).cause
        with serving(StampServer(tsa, port)):
            done = sealing.run(now=timezone.now(), at_once=True)
        assert (done.packages, done.records, tsa.answered) == (1, 3, 1)
        assert SealingState.objects.get().cause_code == ""
        document = assert_arrives(three, control)
    report = judged(document, pki_folder, tmp_path, roots.read_bytes())
    assert report.passed, report.message
    stamp = report.signatures[0].stamp
    assert stamp is not None
    assert (stamp.status, stamp.code) == (StampStatus.VALID, "OK")
    assert stamp.at is not None
    assert abs(stamp.at - timezone.now()) < timedelta(minutes=2)
    assert_xmlsec1_agrees(document, pki_folder, tmp_path)


@pytest.fixture
def held(pki_folder: Path, cast) -> Held:
    """The department's key, as the remote service holds it."""
    key = load_pem_private_key((pki_folder / "department.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key, cast.pki.department.der


@pytest.fixture
def remote(settings, tmp_path: Path) -> None:
    """The department's key lies in a remote service; no key file is left to fall back on."""
    (tmp_path / "token").write_text(TOKEN)
    settings.SIGNING_KEY_KIND, settings.SIGNING_REMOTE_CREDENTIAL = "remote", "so-gddt"
    settings.SIGNING_REMOTE_TOKEN_FILE, settings.SIGNING_PIN_FILE = tmp_path / "token", tmp_path / "pin"
    settings.SIGNING_KEY_FILE = tmp_path / "no-key-file.p12"


def everything_stored() -> str:
    """Every row of every table as text."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM \"{table}\" AS t")
            found.append(cursor.fetchone()[0])
    return "".join(found)


def assert_nowhere(logged: str) -> None:
    everything = logged + everything_stored()
    for secret in (PIN, WRONG, TOKEN):
        assert secret not in everything
        assert secret.encode().hex() not in everything


def test_a_package_is_sealed_by_a_remote_service_or_waits_for_it(
    cast, three: list[str], remote: None, held: Held, settings, pki_folder: Path, tmp_path: Path, caplog
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.SIGNING_PIN_FILE.write_text(WRONG)
    with ministry_at(tmp_path, pki_folder) as (description, control):
        settings.GATEWAY_ENDPOINT_FILE = description
        with serving(SigningServer(held, pin=PIN)) as service:
            settings.SIGNING_REMOTE_URL, port = service.url, service.server_address[1]
            for hours in (3, 2, 1):  # a refused PIN is not tried again by itself: the service would lock the key
                assert sealing.run(now=timezone.now() - timedelta(hours=hours), at_once=True) == sealing.Sealed()
            assert_waits(three, "REMOTE_PIN_INCORRECT")
            assert sealing.need(now=timezone.now()).needs_person
            assert service.calls.count("credentials/authorize") == 1
        settings.SIGNING_PIN_FILE.write_text(PIN)
        sealing.resume(by=None, reason="Đã sửa mã PIN", now=timezone.now() - EARLIER)
        sealing.run(now=timezone.now() - EARLIER, at_once=True)
        assert_waits(three, "REMOTE_AWAY")
        assert not sealing.need(now=timezone.now()).needs_person
        with serving(SigningServer(held, pin=PIN, port=port)) as service:
            assert sealing.run(now=timezone.now(), at_once=True).records == 3
            assert service.calls == ["credentials/info", "credentials/authorize", "signatures/signHash"]
        document = assert_arrives(three, control)
    report = judged(document, pki_folder, tmp_path)
    assert report.passed, report.message
    assert_xmlsec1_agrees(document, pki_folder, tmp_path)
    assert_nowhere(caplog.text)


def test_an_officer_releases_the_queue_with_the_pin_of_the_remote_key(
    cast,
    three: list[str],
    remote: None,
    held: Held,
    settings,
    django_user_model,
    pki_folder: Path,
    tmp_path: Path,
    caplog,
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.SIGNING_SEALING, settings.SIGNING_PIN_FILE = "attended", None
    officer = django_user_model.objects.order_by("id")[0]
    with ministry_at(tmp_path, pki_folder) as (description, control), serving(SigningServer(held, pin=PIN)) as service:
        settings.GATEWAY_ENDPOINT_FILE, settings.SIGNING_REMOTE_URL = description, service.url
        with pytest.raises(sealing.SealingRefused) as refused:
            sealing.release(pin=SecretStr(WRONG), by=officer, now=timezone.now())
        assert refused.value.code == "REMOTE_PIN_INCORRECT"
        assert service.calls.count("credentials/authorize") == 1
        assert not Submission.objects.exists()
        assert not SealingState.objects.exclude(cause_code="").exists(), "a mistyped PIN is the officer's matter"
        assert sealing.release(pin=SecretStr(PIN), by=officer, now=timezone.now()).records == 3
        assert_arrives(three, control)
    assert_nowhere(caplog.text)
