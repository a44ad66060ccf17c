"""Writes the rehearsal's PKI where other programs read it: trust anchors, CRLs, the department's key, the TLS files.

Secrets are mode 0600. The layout is the one in this room's README; only this file knows how names are formed.
"""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.rehearsal.calendar import Calendar
from portal.rehearsal.identity import Identity, PrivateKey
from portal.rehearsal.keys import load_pool, private_pem, write_private
from portal.rehearsal.pki import Authority, Flaw, Pki

# Guards a rehearsal's key only; it stands in the file beside it.
DEPARTMENT_PASSPHRASE = "dien-tap-hoc-ba-so"  # noqa: S105
CRL_LIFE = timedelta(days=400)


def open_pki(directory: Path, *, seed: str, calendar: Calendar) -> Pki:
    """The PKI of a directory and a seed; makes the keys on first use."""
    return Pki(seed=seed, calendar=calendar, keys=load_pool(directory / "keys"))


def write_pki(pki: Pki, directory: Path, *, schools: int, now: datetime) -> None:
    """All files of a PKI for a province of `schools` schools; CRLs are dated `now`."""
    trust = directory / "trust"
    (trust / "crl").mkdir(parents=True, exist_ok=True)
    for authority in (pki.root, *pki.issuers):
        (trust / f"{authority.slug}.pem").write_bytes(authority.identity.pem)
        (trust / "crl" / f"{authority.slug}.crl").write_bytes(revocation_list(pki, authority, schools, now))
    (directory / "school-cas.pem").write_bytes(
        b"".join(authority.identity.pem for authority in (pki.root, *pki.issuers))
    )
    (directory / "foreign.pem").write_bytes(pki.foreign.identity.pem)
    _write_department(pki, directory)
    _write_tls(pki.keys, directory, now)


def revocation_list(pki: Pki, authority: Authority, schools: int, now: datetime) -> bytes:
    """The CRL of an authority, DER: it lists the certificates that `Flaw` calls revoked."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.identity.certificate.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + CRL_LIFE)
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    if authority is not pki.root:
        for flaw, month, day in ((Flaw.REVOKED, 3, 1), (Flaw.REVOKED_LATER, 7, 20)):
            revoked_at = min(pki.calendar.moment(month=month, day=day), now - timedelta(hours=2))
            for index in range(schools):
                for role in ("person", "school"):
                    entry = x509.RevokedCertificateBuilder(
                        serial_number=pki.revoked_serial(authority, index, flaw, role), revocation_date=revoked_at
                    )
                    builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.identity.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _write_department(pki: Pki, directory: Path) -> None:
    department = pki.department
    (directory / "department.pem").write_bytes(department.pem)
    write_private(directory / "department.key", private_pem(department.key))
    bundle = pkcs12.serialize_key_and_certificates(
        b"So GDDT",
        department.key,
        department.certificate,
        list(department.chain),
        serialization.BestAvailableEncryption(DEPARTMENT_PASSPHRASE.encode()),
    )
    write_private(directory / "department.p12", bundle)
    write_private(directory / "department.pass", DEPARTMENT_PASSPHRASE.encode())


def _write_tls(keys: dict[str, PrivateKey], directory: Path, now: datetime) -> None:
    """The line's own PKI, apart from the one that signs: one CA for the simulator's server and for its clients."""
    validity = (now - timedelta(days=2), now + timedelta(days=730))
    authority = _tls_certificate(keys["tls-ca"], None, "CA kết nối thử nghiệm", validity)
    (directory / "server-ca.pem").write_bytes(authority.pem)
    (directory / "client-ca.pem").write_bytes(authority.pem)
    hosts: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("localhost"),
    ]
    for name, hosts_of_it in (("server", hosts), ("client", [])):
        title = "127.0.0.1" if name == "server" else "so-gddt.tinh-mau"
        leaf = _tls_certificate(keys[f"tls-{name}"], authority, title, validity, hosts_of_it)
        (directory / f"{name}.pem").write_bytes(leaf.pem)
        write_private(directory / f"{name}.key", private_pem(leaf.key))
    expired = (now - timedelta(days=90), now - timedelta(days=1))
    (directory / "client-expired.pem").write_bytes(
        _tls_certificate(keys["tls-client"], authority, "so-gddt.tinh-mau", expired).pem
    )


def write_client_certificate(keys: dict[str, PrivateKey], directory: Path, name: str, *, now: datetime) -> Path:
    """One more client certificate of the line's CA, same key: what an administrator puts in before one expires."""
    validity = (now - timedelta(days=2), now + timedelta(days=730))
    authority = _tls_certificate(keys["tls-ca"], None, "CA kết nối thử nghiệm", validity)
    path = directory / f"{name}.pem"
    path.write_bytes(_tls_certificate(keys["tls-client"], authority, "so-gddt.tinh-mau", validity).pem)
    return path


def _tls_certificate(
    key: PrivateKey,
    issuer: Identity | None,
    common_name: str,
    validity: tuple[datetime, datetime],
    hosts: Sequence[x509.GeneralName] = (),
) -> Identity:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_tls_usage(certify=issuer is None), critical=True)
    )
    if issuer:
        identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        ).add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(hosts)), critical=False)
    return Identity(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def _tls_usage(*, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certify,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )
