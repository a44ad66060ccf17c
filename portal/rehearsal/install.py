"""Writes a province into the register: communes, schools, signatories, users, access keys, certificates, trust.

Running it again adds what is missing and changes nothing that is there. Records are never written here: they come in
through the doors.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from cryptography import x509
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Model

from portal.accounts.models import ApiToken, Membership, User
from portal.rehearsal.identity import Identity
from portal.rehearsal.names import VENDORS
from portal.rehearsal.pki import Authority, Pki
from portal.rehearsal.pki_files import revocation_list
from portal.rehearsal.province import PRIMARY, Province
from portal.rehearsal.province import School as MadeSchool
from portal.schools.models import Certificate, Commune, RevocationList, School, Signatory, TrustAnchor, Vendor

OFFICERS = (
    ("chuyenvien1", "Chuyên viên Mẫu Một", Membership.Role.OFFICER),
    ("chuyenvien2", "Chuyên viên Mẫu Hai", Membership.Role.OFFICER),
    ("thanhtra1", "Thanh tra Mẫu", Membership.Role.INSPECTOR),
)
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Installed:
    """What `install` leaves behind, by the codes of the synthetic province."""

    schools: Mapping[str, School]
    certificates: int
    signatories: int


def secret_digest(password: str) -> str:
    """What the register keeps of an access key: SHA-256 of the hex SHA-256 that travels."""
    inner = hashlib.sha256(password.encode()).hexdigest()
    return hashlib.sha256(inner.encode()).hexdigest()


def install(province: Province, pki: Pki, *, password: str, api_password: str, now: datetime) -> Installed:
    """Registers the whole province in one transaction; `password` opens every demonstration account."""
    with transaction.atomic():
        _trust(pki, now)
        schools = _schools(province)
        users = _users(province, schools, password, now)
        tokens = [_token(made, schools, api_password, users, now) for made in province.schools]
        ApiToken.objects.bulk_create(tokens, ignore_conflicts=True, batch_size=500)
        certificates = [_certificate(made, schools, pki, users, province) for made in province.schools]
        Certificate.objects.bulk_create(certificates, ignore_conflicts=True, batch_size=500)
        signatories = list(_signatories(province, schools))
        Signatory.objects.bulk_create(signatories, ignore_conflicts=True, batch_size=1000)
    return Installed(schools, len(certificates), len(signatories))


def _trust(pki: Pki, now: datetime) -> None:
    for authority in (pki.root, *pki.issuers):
        certificate = authority.identity.certificate
        TrustAnchor.objects.get_or_create(
            sha256=hashlib.sha256(authority.identity.der).hexdigest(),
            defaults={
                "kind": TrustAnchor.Kind.ANCHOR if authority is pki.root else TrustAnchor.Kind.INTERMEDIATE,
                "der": authority.identity.der,
                "subject": certificate.subject.rfc4514_string(),
                "not_after": certificate.not_valid_after_utc,
                "loaded_at": now,
            },
        )


def load_revocation_lists(pki: Pki, *, schools: int, now: datetime) -> None:
    """Files every issuer's CRL as if it had just been fetched, unless one in force is there."""
    present = set(RevocationList.objects.filter(next_update__gt=now).values_list("issuer_sha256", flat=True))
    rows = [_list_row(pki, authority, schools, now) for authority in (pki.root, *pki.issuers)]
    RevocationList.objects.bulk_create(row for row in rows if row.issuer_sha256 not in present)


def _list_row(pki: Pki, authority: Authority, schools: int, now: datetime) -> RevocationList:
    der = revocation_list(pki, authority, schools, now)
    parsed = x509.load_der_x509_crl(der)
    return RevocationList(
        issuer_sha256=hashlib.sha256(authority.identity.der).hexdigest(),
        der=der,
        sha256=hashlib.sha256(der).hexdigest(),
        this_update=parsed.last_update_utc,
        next_update=parsed.next_update_utc,
        fetched_at=now,
        source="diễn tập",
    )


def _schools(province: Province) -> dict[str, School]:
    communes = _present(Commune, [Commune(code=one.code, name=one.name) for one in province.communes], _code)
    vendors = _present(Vendor, [Vendor(code=code, name=name) for code, name in VENDORS], _code)
    rows = [
        School(
            code=made.code,
            former_code=made.former_code,
            name=made.name,
            commune=communes[made.commune.code],
            levels=[made.level],
            is_public=made.is_public,
            vendor=vendors[made.vendor_code],
            expected_records=320 if made.level == PRIMARY else 480,
        )
        for made in province.schools
    ]
    return _present(School, rows, _code)


def _code(row: Commune | Vendor | School) -> str:
    return row.code


def _user_name(row: User) -> str:
    return row.username


def _present(model: type[Row], rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, Row]:
    """The rows as the database has them, created where they were missing."""
    wanted = list(rows)
    model._default_manager.bulk_create(wanted, ignore_conflicts=True, batch_size=1000)
    keys = {key(row) for row in wanted}
    return {key(row): row for row in model._default_manager.all() if key(row) in keys}


def _users(province: Province, schools: Mapping[str, School], password: str, now: datetime) -> dict[str, User]:
    # One hash for all of them: argon2 costs what it should, and these accounts share their password anyway.
    hashed = make_password(password)
    names = {name: full_name for name, full_name, _ in OFFICERS}
    names |= {made.clerk_user_name: f"Văn thư {made.name}" for made in province.schools}
    rows = [User(username=name, full_name=full, password=hashed, date_joined=now) for name, full in names.items()]
    users = _present(User, rows, _user_name)
    memberships = [Membership(user=users[name], role=role) for name, _, role in OFFICERS]
    memberships += [
        Membership(user=users[made.clerk_user_name], role=Membership.Role.CLERK, school=schools[made.code])
        for made in province.schools
    ]
    Membership.objects.bulk_create(memberships, ignore_conflicts=True, batch_size=1000)
    return users


def _token(
    made: MadeSchool, schools: Mapping[str, School], password: str, users: Mapping[str, User], now: datetime
) -> ApiToken:
    school = schools[made.code]
    return ApiToken(
        school=school,
        vendor_id=school.vendor_id,
        user_name=made.api_user_name,
        secret_digest=secret_digest(password),
        created_at=now,
        expires_at=now + timedelta(days=730),
        created_by=users[OFFICERS[0][0]],
    )


def _certificate(
    made: MadeSchool, schools: Mapping[str, School], pki: Pki, users: Mapping[str, User], province: Province
) -> Certificate:
    """The organisation certificate, asked for by the clerk and approved by an officer when the year opened."""
    identity = pki.organisation(made)
    decided_at = datetime.combine(province.calendar.opened_on, datetime.min.time(), tzinfo=UTC)
    return Certificate(
        school=schools[made.code],
        **certificate_columns(identity),
        signature_kind="USB_TOKEN" if made.index % 2 else "REMOTE_SIGNING",
        provider="BAN_CO_YEU" if made.is_public else ("VNPT", "VIETTEL")[made.index % 2],
        state=Certificate.State.APPROVED,
        requested_by=users[made.clerk_user_name],
        requested_at=decided_at - timedelta(days=3),
        decided_by=users[OFFICERS[0][0]],
        decided_at=decided_at,
        approved_from=decided_at,
    )


def certificate_columns(identity: Identity) -> dict[str, object]:
    """The columns that only repeat what the certificate says."""
    certificate = identity.certificate
    return {
        "der": identity.der,
        "sha256": hashlib.sha256(identity.der).hexdigest(),
        "serial": format(certificate.serial_number, "x"),
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc,
        "not_after": certificate.not_valid_after_utc,
    }


def _signatories(province: Province, schools: Mapping[str, School]) -> Iterable[Signatory]:
    from_on = province.calendar.opened_on.replace(year=province.calendar.start - 2)
    for made in province.schools:
        roles = [(made.head, Signatory.Role.HEAD)]
        roles += [(teacher, Signatory.Role.HOMEROOM_TEACHER) for teacher in made.teachers]
        if made.level != PRIMARY:
            roles += [(teacher, Signatory.Role.SUBJECT_TEACHER) for teacher in made.teachers]
        for person, role in roles:
            yield Signatory(
                school=schools[made.code], role=role, full_name=person.name, cccd=person.cccd, from_on=from_on
            )
