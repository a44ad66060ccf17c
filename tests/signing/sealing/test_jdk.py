"""Our seals verify in the JDK's own XML signature code, in every profile; a changed document does not."""

import base64
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.keys.software import SoftwareKey
from signing.sealing import SealProfile, seal

SOURCE = Path(__file__).parent / "java" / "VerifySeal.java"
AT = datetime(2026, 5, 30, 10, 15, 0, tzinfo=UTC)
DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<DANH_SACH_HOC_BA id="dataDanhSach" xmlns:xsi="urn:mau">'
    '<HOC_BA id="a">\n <HO_VA_TEN a="1">Đỗ Mẫu &amp; Thử</HO_VA_TEN></HOC_BA>\n</DANH_SACH_HOC_BA>'
).encode()
PROFILES = [
    SealProfile(kind=kind, c14n=c14n, reference=reference)
    for kind in ("XMLDSIG", "XADES_B", "XADES_T")
    for c14n in ("exclusive", "inclusive")
    for reference in ("id", "whole")
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("javac") and shutil.which("java")),
        reason="needs a JDK (Debian package openjdk-17-jdk-headless)",
    ),
]


def software_key(kind: str) -> SoftwareKey:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, 'Sở GDĐT "Mẫu" <thử> & nghiệm')])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(3).not_valid_before(AT).not_valid_after(AT + timedelta(days=400))
    return SoftwareKey(built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER), (), key)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("java")
    subprocess.run(["javac", "-d", str(folder), str(SOURCE)], check=True, capture_output=True, timeout=120)
    return folder


def verdicts(classes: Path, certificate: Path, files: list[Path]) -> list[str]:
    run = ["java", "-cp", str(classes), "VerifySeal", str(certificate), *map(str, files)]
    done = subprocess.run(run, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.split()


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_the_jdk_validates_every_profile_and_refuses_every_changed_document(
    kind: str, classes: Path, tmp_path: Path
) -> None:
    key = software_key(kind)
    certificate = tmp_path / "key.der"
    certificate.write_bytes(key.certificate)
    good, bad = [], []
    for number, profile in enumerate(PROFILES):
        # A stand-in token: what the authority says is outside core validation (see test_timestamp).
        sealed = seal(DOCUMENT, key=key, profile=profile, at=AT, stamper=lambda data: base64.b64encode(data)[:64])
        good.append(tmp_path / f"good-{number}.xml")
        good[-1].write_bytes(sealed)
        for what, changed in (
            ("name", sealed.replace("Thử<".encode(), "Thừ<".encode(), 1)),
            ("time", sealed.replace(b"2026-05-30", b"2026-05-29", 1)),
        ):
            assert changed != sealed
            bad.append(tmp_path / f"bad-{what}-{number}.xml")
            bad[-1].write_bytes(changed)
    assert verdicts(classes, certificate, good) == ["valid"] * len(good)
    assert verdicts(classes, certificate, bad) == ["invalid"] * len(bad)
