"""A small pool of keys, shared among invented people because making RSA keys is slow; certificates are never shared.

Keys are random, made once and kept as files of one directory (mode 0600); they guard nothing but a rehearsal.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from portal.rehearsal.identity import PrivateKey

RSA_NAMES = ("root", "issuer-public", "issuer-special", "person-0", "person-1", "person-2", "organisation-0",
             "organisation-1", "department")  # fmt: skip
EC_NAMES = ("person-ec-0", "person-ec-1", "foreign", "tls-ca", "tls-server", "tls-client")
WEAK_NAME = "weak"


def write_private(path: Path, data: bytes) -> None:
    """Writes a file that only its owner may read, complete or not at all."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    part.replace(path)


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_pool(directory: Path) -> dict[str, PrivateKey]:
    """Every key of the pool, made now where the directory does not hold it yet."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {name: _load_or_make(directory, name) for name in (*RSA_NAMES, *EC_NAMES, WEAK_NAME)}


def _load_or_make(directory: Path, name: str) -> PrivateKey:
    path = directory / f"{name}.key"
    if path.exists():
        # Our own file: the costly check of an RSA key (40 ms and more) proves nothing here.
        key = serialization.load_pem_private_key(path.read_bytes(), None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path}: khóa không thuộc loại mà bản diễn tập dùng")
        return key
    made = _make(name)
    write_private(path, private_pem(made))
    return made


def _make(name: str) -> PrivateKey:
    if name in EC_NAMES:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if name == WEAK_NAME else 2048)
