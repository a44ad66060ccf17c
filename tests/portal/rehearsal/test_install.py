"""A prepared province stands in the register and on disk, and preparing it twice changes nothing."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import conf as gateway_conf
from gateway.simulator import config as simulator_config
from portal.accounts.models import ApiToken, Membership, User
from portal.rehearsal.bootstrap import Rehearsal, Sites, Wishes, open_rehearsal, prepare
from portal.rehearsal.install import secret_digest
from portal.schools.models import Certificate, RevocationList, School, Signatory, TrustAnchor

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
WISHES = Wishes(schools=9, communes=3, password="mot-mat-khau-dai", api_password="khoa", ministry_password="bo")


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    return Sites(
        var=tmp_path,
        endpoint_file=tmp_path / "endpoint.toml",
        key_file=tmp_path / "secrets/department.p12",
        passphrase_file=tmp_path / "secrets/department.pass",
        trust_dir=tmp_path / "secrets/trust",
    )


@pytest.fixture
def rehearsal(db: None, sites: Sites) -> Rehearsal:
    return prepare(sites, WISHES, now=NOW)


def test_every_school_has_its_people_and_its_approved_certificate(rehearsal: Rehearsal) -> None:
    assert School.objects.count() == 9
    for made in rehearsal.province.schools:
        school = School.objects.get(code=made.code)
        certificate = Certificate.objects.get(school=school, state="APPROVED")
        assert certificate.sha256 == hashlib.sha256(rehearsal.pki.organisation(made).der).hexdigest()
        assert Signatory.objects.filter(school=school, role="CBQL").get().cccd == made.head.cccd
        assert Membership.objects.filter(school=school, role="CLERK").count() == 1
    assert TrustAnchor.objects.filter(kind="ANCHOR").count() == 1
    assert RevocationList.objects.count() == 3


def test_a_clerk_signs_in_with_the_demonstration_password(rehearsal: Rehearsal) -> None:
    name = rehearsal.province.schools[0].clerk_user_name
    assert User.objects.get(username=name).check_password(WISHES.password)


def test_an_access_key_is_kept_only_as_a_digest_of_the_digest_that_travels(rehearsal: Rehearsal) -> None:
    sent = hashlib.sha256(WISHES.api_password.encode()).hexdigest()
    token = ApiToken.objects.get(user_name=rehearsal.province.schools[0].api_user_name)
    assert token.secret_digest == secret_digest(WISHES.api_password) == hashlib.sha256(sent.encode()).hexdigest()


def test_preparing_twice_changes_nothing(rehearsal: Rehearsal, sites: Sites) -> None:
    before = {path: path.read_bytes() for path in sites.var.rglob("*.toml")}
    rows = [model.objects.count() for model in (School, Certificate, Signatory, User, Membership, ApiToken)]
    again = prepare(sites, Wishes(password="khac", ministry_password="khac"), now=NOW)
    assert again.state == rehearsal.state == open_rehearsal(sites.folder).state
    assert {path: path.read_bytes() for path in sites.var.rglob("*.toml")} == before
    assert [model.objects.count() for model in (School, Certificate, Signatory, User, Membership, ApiToken)] == rows


def test_gateway_and_simulator_understand_their_descriptions(rehearsal: Rehearsal, sites: Sites) -> None:
    endpoint = gateway_conf.read_description(sites.endpoint_file)
    simulator = simulator_config.load(sites.simulator_file)
    assert endpoint.endpoint.unit_code == simulator.accounts[0].unit == rehearsal.province.code
    assert hashlib.sha256(endpoint.login.secret().encode()).hexdigest() == simulator.accounts[0].password_sha256
    assert simulator.paths["submit"] == endpoint.services.submit.path
    for path in (endpoint.connection.ca, endpoint.connection.client_certificate, simulator.tls.key):
        assert Path(path).is_file()


def test_files_with_secrets_are_for_their_owner_only(rehearsal: Rehearsal, sites: Sites) -> None:
    for path in (sites.key_file, sites.passphrase_file, sites.endpoint_file, sites.folder / "state.json"):
        assert path.stat().st_mode & 0o077 == 0
