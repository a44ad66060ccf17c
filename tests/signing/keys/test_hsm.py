"""The HSM key against a real PKCS#11 module (SoftHSM2): sessions lost, PINs wrong, tokens gone, workers forked."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signing.errors import KeyUnavailable

PLACES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE = next((place for place in PLACES if Path(place).exists()), "")
pytestmark = pytest.mark.skipif(
    not (MODULE and shutil.which("softhsm2-util")), reason="needs SoftHSM2 (Debian package softhsm2), which is not here"
)
if MODULE:
    import pkcs11

    from signing.keys.hsm import HsmKey, HsmPlace

PIN = "739105"


def certificate_for(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Sở GDĐT tỉnh Mẫu")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(11).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """A token holding an RSA key `rsa` and an EC key `ec`; yields their certificates."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(conf))
    run = ["softhsm2-util", "--init-token", "--free", "--label", "so-gddt", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(run, check=True, capture_output=True, timeout=60)
    keys = {"rsa": rsa.generate_private_key(65537, 2048), "ec": ec.generate_private_key(ec.SECP256R1())}
    for number, (label, key) in enumerate(keys.items(), 1):
        pem = folder / f"{label}.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        run = ["softhsm2-util", "--import", str(pem), "--token", "so-gddt", "--label", label, "--id", f"0{number}"]
        subprocess.run([*run, "--pin", PIN], check=True, capture_output=True, timeout=60)
    if MODULE in pkcs11._loaded:
        pkcs11.unload(MODULE)
    yield {label: certificate_for(key) for label, key in keys.items()}
    pkcs11.unload(MODULE)
    patch.undo()


@pytest.fixture(autouse=True)
def logged_out(token: dict[str, bytes]) -> None:
    """A login belongs to the process, not to the key: each test starts without the one before."""
    pkcs11.lib(MODULE).reinitialize()


def key_of(token: dict[str, bytes], label: str, pin: str = PIN, token_label: str = "so-gddt") -> "HsmKey":
    return HsmKey(HsmPlace(MODULE, token_label, label), token[label if label in token else "rsa"], lambda: pin)


def verify_rsa(token: dict[str, bytes], value: bytes, data: bytes) -> None:
    public = x509.load_der_x509_certificate(token["rsa"]).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(value, data, padding.PKCS1v15(), hashes.SHA256())


def test_the_module_signs_what_the_certificate_verifies(token: dict[str, bytes]) -> None:
    key = key_of(token, "rsa")
    verify_rsa(token, key.sign(b"goi hoc ba"), b"goi hoc ba")
    key.close()
    value = key_of(token, "ec").sign(b"goi hoc ba")
    public = x509.load_der_x509_certificate(token["ec"]).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    r, s = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    public.verify(encode_dss_signature(r, s), b"goi hoc ba", ec.ECDSA(hashes.SHA256()))


def test_a_lost_session_is_opened_again(token: dict[str, bytes]) -> None:
    key = key_of(token, "rsa")
    key.sign(b"mot")
    key._session.close()
    verify_rsa(token, key.sign(b"hai"), b"hai")
    key.close()


def test_a_restarted_module_is_used_again(token: dict[str, bytes]) -> None:
    key = key_of(token, "rsa")
    key.sign(b"mot")
    pkcs11.lib(MODULE).reinitialize()
    verify_rsa(token, key.sign(b"hai"), b"hai")
    key.close()


def test_a_wrong_pin_is_named_and_never_tried_again_by_itself(token: dict[str, bytes]) -> None:
    asked: list[str] = []

    def pin() -> str:
        asked.append("x")
        return "000000"

    key = HsmKey(HsmPlace(MODULE, "so-gddt", "rsa"), token["rsa"], pin)
    with pytest.raises(KeyUnavailable) as first:
        key.sign(b"mot")
    assert first.value.code == "HSM_PIN_INCORRECT"
    with pytest.raises(KeyUnavailable) as second:
        key.sign(b"mot")
    assert second.value.code == "HSM_PIN_REFUSED_BEFORE"
    assert asked == ["x"]
    key.accept_new_pin()
    with pytest.raises(KeyUnavailable) as third:
        key.sign(b"mot")
    assert third.value.code == "HSM_PIN_INCORRECT"
    assert "000000" not in f"{first.value}{second.value!r}{key!r}"


def test_an_absent_token_key_or_module_is_named(token: dict[str, bytes]) -> None:
    with pytest.raises(KeyUnavailable) as absent:
        key_of(token, "rsa", token_label="khong-co").sign(b"x")
    assert absent.value.code == "HSM_TOKEN_ABSENT"
    with pytest.raises(KeyUnavailable) as no_key:
        key_of(token, "khong-co").sign(b"x")
    assert no_key.value.code == "HSM_KEY_ABSENT"
    with pytest.raises(KeyUnavailable) as no_module:
        HsmKey(HsmPlace("/khong/co.so", "so-gddt", "rsa"), token["rsa"], lambda: PIN).sign(b"x")
    assert no_module.value.code == "HSM_MODULE"


def test_a_forked_worker_signs_with_a_session_of_its_own(token: dict[str, bytes]) -> None:
    key = key_of(token, "rsa")
    key.sign(b"cha")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, key.sign(b"con"))
        finally:
            os._exit(0)
    os.close(writer)
    value = b""
    while piece := os.read(reader, 4096):
        value += piece
    os.close(reader)
    os.waitpid(child, 0)
    verify_rsa(token, value, b"con")
    verify_rsa(token, key.sign(b"cha lan nua"), b"cha lan nua")
    key.close()
