"""Certificates of the rehearsal: who issued them, whose they are, and what is wrong with those that went wrong."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from portal.rehearsal.pki import Flaw, Pki
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import Province


def test_certificates_are_the_same_when_issued_again(pki: Pki, pki_folder: Path, province: Province) -> None:
    school = province.schools[0]
    again = open_pki(pki_folder, seed="7", calendar=province.calendar)
    assert again.organisation(school).der == pki.organisation(school).der
    assert again.person(school.head, school).der == pki.person(school.head, school).der


def test_no_two_people_share_a_certificate(pki: Pki, province: Province) -> None:
    people = [(person, school) for school in province.schools for person in (school.head, *school.teachers)]
    serials = {pki.person(person, school).certificate.serial_number for person, school in people}
    assert len(serials) == len(people) == len({person.cccd for person, _ in people})


def test_a_persons_number_stands_in_the_subject(pki: Pki, province: Province) -> None:
    for school in province.schools:
        subject = pki.person(school.head, school).certificate.subject
        numbers = subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER) + subject.get_attributes_for_oid(
            NameOID.USER_ID
        )
        assert [number.value for number in numbers] == [f"CCCD:{school.head.cccd}"]


def test_some_people_have_elliptic_keys(pki: Pki, province: Province) -> None:
    school = province.schools[0]
    kinds = {pki.person(person, school).is_elliptic for person in school.teachers}
    assert kinds == {True, False}


@pytest.mark.parametrize("flaw", list(Flaw))
def test_a_flawed_certificate_is_not_the_good_one(pki: Pki, province: Province, flaw: Flaw) -> None:
    school = province.schools[0]
    assert pki.person(school.head, school, flaw).der != pki.person(school.head, school).der


def test_an_expired_certificate_had_expired_when_records_were_signed(pki: Pki, province: Province) -> None:
    school = province.schools[0]
    signed_at = province.calendar.moment(month=5, day=28)
    assert pki.organisation(school, Flaw.EXPIRED).certificate.not_valid_after_utc < signed_at
    assert pki.organisation(school, Flaw.NOT_YET_VALID).certificate.not_valid_before_utc > signed_at
    good = pki.organisation(school).certificate
    assert good.not_valid_before_utc < signed_at < good.not_valid_after_utc


def test_the_lists_name_the_revoked_certificates_with_their_dates(
    pki: Pki, pki_folder: Path, province: Province
) -> None:
    signed_at = province.calendar.moment(month=5, day=28)
    school = province.schools[5]
    lists = {path.stem: x509.load_der_x509_crl(path.read_bytes()) for path in (pki_folder / "trust/crl").iterdir()}
    issuer = "issuer-special" if school.is_public else "issuer-public"
    for identity in (pki.person(school.head, school, Flaw.REVOKED), pki.organisation(school, Flaw.REVOKED)):
        entry = lists[issuer].get_revoked_certificate_by_serial_number(identity.certificate.serial_number)
        assert entry is not None
        assert entry.revocation_date_utc < signed_at
    later = pki.organisation(school, Flaw.REVOKED_LATER).certificate.serial_number
    entry = lists[issuer].get_revoked_certificate_by_serial_number(later)
    assert entry is not None
    assert entry.revocation_date_utc > signed_at
    good = pki.organisation(school).certificate.serial_number
    assert lists[issuer].get_revoked_certificate_by_serial_number(good) is None


def test_openssl_builds_the_chains(pki_folder: Path) -> None:
    trust = pki_folder / "trust"
    for arguments in (
        ["-CAfile", trust / "root.pem", "-untrusted", trust / "issuer-special.pem", pki_folder / "department.pem"],
        [
            "-CAfile",
            pki_folder / "server-ca.pem",
            "-no_check_time",
            pki_folder / "server.pem",
            pki_folder / "client.pem",
        ],
    ):
        done = subprocess.run(["openssl", "verify", *map(str, arguments)], capture_output=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr


def test_the_departments_key_opens_with_its_passphrase_only(pki: Pki, pki_folder: Path) -> None:
    bundle = (pki_folder / "department.p12").read_bytes()
    key, certificate, chain = pkcs12.load_key_and_certificates(bundle, (pki_folder / "department.pass").read_bytes())
    assert key is not None
    assert certificate == pki.department.certificate
    assert len(chain) == 2
    with pytest.raises(ValueError):
        pkcs12.load_key_and_certificates(bundle, b"sai")


def test_secrets_are_for_their_owner_only(pki_folder: Path) -> None:
    secrets = [*pki_folder.rglob("*.key"), pki_folder / "department.p12", pki_folder / "department.pass"]
    assert secrets
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
