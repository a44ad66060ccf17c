"""A real HTTPS peer in a thread that does exactly what a test tells it, wrong things included.

Not a simulator: no logic of the Ministry. Each request is handed to the test's `answer` function, which returns the
raw bytes to write, and may ask for a cut, a pause or drop.
"""

import datetime
import ipaddress
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_YEAR = datetime.timedelta(days=365)


@dataclass
class Pki:
    """One CA, a server's and a client's certificate, as PEM files."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def make(self, name: str = "ca") -> "Pki":
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {name}")])
        certificate = self._build(self._ca_name, self._ca_key.public_key(), is_ca=True)
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.issue("server")
        self.issue("client")
        return self

    def issue(self, name: str, days: int = 365) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._build(subject, key.public_key(), is_ca=False, days=days)
        path, key_path = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path, key_path

    def _build(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool, days: int = 365
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca_name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .sign(self._ca_key, hashes.SHA256())
        )


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: str

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to write. `raw` wins; `drip` seconds between single bytes; `reset` cuts with RST instead of answering."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drip: float = 0.0
    wait: float = 0.0
    reset: bool = False
    cut_after: int | None = None

    def bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = {"Content-Length": str(len(self.body)), "Content-Type": "application/json", **self.headers}
        head = f"HTTP/1.1 {self.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return head.encode() + b"\r\n" + self.body


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


class Peer:
    """Serves on 127.0.0.1 until closed; `answer` may be changed at any time."""

    def __init__(self, pki: Pki, *, client_ca: Path | None = None, tls13: bool = True) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: Reply()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.folder / "server.pem", pki.folder / "server.key")
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        if not tls13:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        # A thread stands in accept(): closing alone would leave the port open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            try:
                plain, address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain, address[0]), daemon=True).start()

    def _serve(self, plain: socket.socket, peer: str) -> None:
        try:
            with self._context.wrap_socket(plain, server_side=True) as stream:
                reader = stream.makefile("rb")
                while self._one(stream, reader, peer):
                    pass
        except (OSError, ValueError):
            plain.close()

    def _one(self, stream: ssl.SSLSocket, reader: object, peer: str) -> bool:
        line = reader.readline().decode()  # type: ignore[attr-defined]
        if not line.strip():
            return False
        method, path, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        while row := reader.readline().decode().strip():  # type: ignore[attr-defined]
            name, _, value = row.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
        request = Request(method, path, headers, body, peer)
        self.requests.append(request)
        reply = self.answer(request)
        return self._write(stream, reply)

    @staticmethod
    def _write(stream: ssl.SSLSocket, reply: Reply) -> bool:
        time.sleep(reply.wait)
        if reply.reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
            return False
        data = reply.bytes()[: reply.cut_after]
        if reply.drip:
            for number in range(len(data)):
                stream.sendall(data[number : number + 1])
                time.sleep(reply.drip)
        else:
            stream.sendall(data)
        return reply.cut_after is None
