"""The rehearsal's certification authorities: a root, two issuers, a foreign one, and certificates for everybody.

Given the key pool and the seed, every RSA-issued certificate comes out the same each time, so certificates of
people are not stored: they are issued again when first needed. `pki_files` writes what other programs read.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.rehearsal import names
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.identity import Identity, PrivateKey
from portal.rehearsal.province import Person, School

PUBLIC_ISSUER = "CA công cộng thử nghiệm"
SPECIAL_ISSUER = "CA chuyên dùng thử nghiệm"


class Flaw(StrEnum):
    """What is wrong with a certificate that is otherwise its owner's."""

    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    REVOKED = "REVOKED"  # before the records were signed
    REVOKED_LATER = "REVOKED_LATER"  # after: a signature made before stays good
    FOREIGN_ISSUER = "FOREIGN_ISSUER"
    WEAK_KEY = "WEAK_KEY"
    WRONG_USAGE = "WRONG_USAGE"  # key usage without digitalSignature and nonRepudiation
    OTHER_PERSON = "OTHER_PERSON"  # the subject's number is somebody else's


@dataclass(frozen=True)
class Authority:
    """A certification authority: its own identity and the name of its files."""

    slug: str
    identity: Identity

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.identity.certificate, *self.identity.chain)


@dataclass
class Pki:
    """Issues and remembers certificates; `people` and `schools` fill as records are made."""

    seed: str
    calendar: Calendar
    keys: dict[str, PrivateKey] = field(repr=False)
    _issued: dict[tuple[str, ...], Identity] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.root = Authority("root", self._authority("root", "CA gốc thử nghiệm", None))
        self.public_issuer = Authority("issuer-public", self._authority("issuer-public", PUBLIC_ISSUER, self.root))
        self.special_issuer = Authority("issuer-special", self._authority("issuer-special", SPECIAL_ISSUER, self.root))
        self.foreign = Authority("foreign", self._authority("foreign", "CA không quen biết", None))

    @property
    def issuers(self) -> tuple[Authority, Authority]:
        return self.public_issuer, self.special_issuer

    def person(self, person: Person, school: School, flaw: Flaw | None = None) -> Identity:
        """The certificate of somebody who signs for `school`."""
        return self._remember(("person", person.cccd, flaw or ""), lambda: self._person(person, school, flaw))

    def organisation(self, school: School, flaw: Flaw | None = None) -> Identity:
        """The school's organisation certificate, to be approved by the department."""
        return self._remember(("school", school.code, flaw or ""), lambda: self._organisation(school, flaw))

    @property
    def department(self) -> Identity:
        """The department's own organisation certificate, which seals packages."""
        subject = _subject(names.DEPARTMENT_NAME, ("MST:9900999999", False), organisation=None)
        return self._remember(
            ("department",), lambda: self._issue(self.special_issuer, self.keys["department"], subject, "department")
        )

    def revoked_serial(self, authority: Authority, index: int, flaw: Flaw, role: str) -> int:
        """Serials of revoked certificates follow from the school, so that a CRL can list them beforehand."""
        return self._serial(f"{authority.slug}/{flaw}/{role}/{index}")

    def _remember(self, key: tuple[str, ...], make: Callable[[], Identity]) -> Identity:
        found = self._issued.get(key)
        if found is None:
            found = self._issued[key] = make()
        return found

    def _person(self, person: Person, school: School, flaw: Flaw | None) -> Identity:
        number = int(person.cccd)
        # Every ninth person signs with an elliptic key; the numbers of a school differ by one.
        key = f"person-ec-{number % 2}" if number % 9 == 4 else f"person-{number % 3}"
        head_of_public = person.role == "CBQL" and school.is_public
        authority = self.special_issuer if head_of_public else self.public_issuer
        cccd = person.cccd if flaw is not Flaw.OTHER_PERSON else names.cccd(female=True, year=1970, serial=999_999)
        # Authorities write the number in serialNumber; some in UID.
        subject = _subject(person.name, (f"CCCD:{cccd}", number % 5 == 3), organisation=school.name)
        return self._issue(authority, self.keys[key], subject, f"person/{person.cccd}", flaw=flaw, index=school.index)

    def _organisation(self, school: School, flaw: Flaw | None) -> Identity:
        authority = self.special_issuer if school.is_public else self.public_issuer
        subject = _subject(school.name, (f"MST:{school.tax_code}", school.index % 5 == 3), organisation=None)
        key = self.keys[f"organisation-{school.index % 2}"]
        return self._issue(authority, key, subject, f"school/{school.code}", flaw=flaw, index=school.index)

    def _issue(
        self,
        authority: Authority,
        key: PrivateKey,
        subject: x509.Name,
        label: str,
        *,
        flaw: Flaw | None = None,
        index: int = 0,
    ) -> Identity:
        if flaw is Flaw.FOREIGN_ISSUER:
            authority = self.foreign
        if flaw is Flaw.WEAK_KEY:
            key = self.keys["weak"]
        if flaw in (Flaw.REVOKED, Flaw.REVOKED_LATER):
            serial = self.revoked_serial(authority, index, flaw, label.partition("/")[0])
        else:
            serial = self._serial(f"{authority.slug}/{label}/{flaw or ''}")
        usage = _AGREEMENT_ONLY if flaw is Flaw.WRONG_USAGE else _SIGNATURE
        builder = _builder(subject, authority.identity.certificate.subject, key, serial, self._validity(flaw))
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(_PURPOSES, critical=False)
            .add_extension(_authority_key(authority.identity), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_distribution(authority.slug), critical=False)
        )
        return Identity(key, builder.sign(authority.identity.key, hashes.SHA256()), authority.chain)

    def _validity(self, flaw: Flaw | None) -> tuple[datetime, datetime]:
        if flaw is Flaw.EXPIRED:
            return self.calendar.years_around(before=3, after=0)
        if flaw is Flaw.NOT_YET_VALID:
            return self.calendar.years_around(before=-1, after=3)
        return self.calendar.years_around(before=1, after=3)

    def _authority(self, slug: str, name: str, issuer: "Authority | None") -> Identity:
        key = self.keys[slug]
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Diễn tập cổng học bạ số"),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        issuer_name = issuer.identity.certificate.subject if issuer else subject
        validity = self.calendar.years_around(before=8, after=15)
        builder = (
            _builder(subject, issuer_name, key, self._serial(f"authority/{slug}"), validity)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else None), critical=True)
            .add_extension(_AUTHORITY, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if issuer:
            builder = builder.add_extension(_authority_key(issuer.identity), critical=False)
            builder = builder.add_extension(_distribution(issuer.slug), critical=False)
        signer = issuer.identity.key if issuer else key
        return Identity(key, builder.sign(signer, hashes.SHA256()), issuer.chain if issuer else ())

    def _serial(self, label: str) -> int:
        digest = hashlib.sha256(f"{self.seed}/{label}".encode()).digest()
        return int.from_bytes(digest[:15], "big") | 1 << 118


def _usage(*, sign: bool = False, commit: bool = False, certify: bool = False, agree: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=commit,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=agree,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


_SIGNATURE = _usage(sign=True, commit=True)
_AUTHORITY = _usage(certify=True)
_AGREEMENT_ONLY = _usage(agree=True)
_PURPOSES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, serial: int, validity: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )


def _subject(common_name: str, number: tuple[str, bool], *, organisation: str | None) -> x509.Name:
    """`number` is the owner's number and whether it stands in UID instead of serialNumber."""
    text, in_uid = number
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, names.PROVINCE_NAME),
    ]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    parts.append(x509.NameAttribute(NameOID.USER_ID if in_uid else NameOID.SERIAL_NUMBER, text))
    return x509.Name(parts)


def _authority_key(issuer: Identity) -> x509.AuthorityKeyIdentifier:
    key = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key)


def _distribution(slug: str) -> x509.CRLDistributionPoints:
    """An address that resolves nowhere: the lists are handed over as files (`trust/crl`)."""
    address = x509.UniformResourceIdentifier(f"http://crl.dien-tap.invalid/{slug}.crl")
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint(full_name=[address], relative_name=None, reasons=None, crl_issuer=None)]
    )
