"""A small PKI, signed lists of both layouts, and a real simulator on free ports, for the tests of this folder."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse, HTTPSConnection
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from gateway.simulator.config import Account, Judging, KnownCertificate, SimulatorConfig, Tls
from gateway.simulator.control import SimulatorControl
from gateway.simulator.process import Simulator

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = DS + "enveloped-signature"
PASSWORD = hashlib.sha256(b"mat khau").hexdigest()
PATHS = {
    "submit": "/api/hoc-ba/gui",
    "query": "/api/hoc-ba/ket-qua",
    "recall": "/api/thu-hoi/gui",
    "query_recall": "/api/thu-hoi/ket-qua",
    "register_certificate": "/api/chung-thu-so/dang-ky",
    "query_certificate": "/api/chung-thu-so/trang-thai",
}
_KEYS: list[rsa.RSAPrivateKey] = []


def _rsa_key() -> rsa.RSAPrivateKey:
    """One RSA key for the whole run: making one is slow, and the certificates differ."""
    if not _KEYS:
        _KEYS.append(rsa.generate_private_key(65537, 2048))
    return _KEYS[0]


@dataclass
class Identity:
    """A certificate with its key, as PEM files too."""

    certificate: x509.Certificate
    key: Any
    path: Path
    key_path: Path

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@dataclass
class Pki:
    """Two authorities (one for the line, one for schools) and whatever they issue."""

    folder: Path
    line_ca: Identity = field(init=False)
    school_ca: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.line_ca = self.issue("line-ca", issuer=None)
        self.school_ca = self.issue("school-ca", issuer=None)
        self.server = self.issue("server", issuer=self.line_ca, address="127.0.0.1")
        self.client = self.issue("client", issuer=self.line_ca)
        self.department = self.issue("department", issuer=self.line_ca, key=_rsa_key())
        self.school = self.issue("school", issuer=self.school_ca, key=_rsa_key())

    def issue(
        self,
        name: str,
        *,
        issuer: Identity | None,
        key: Any = None,
        address: str = "",
        days: tuple[int, int] = (-30, 300),
    ) -> Identity:
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        )
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
        identity = Identity(certificate, key, self.folder / f"{name}.pem", self.folder / f"{name}.key")
        identity.path.write_bytes(certificate.public_bytes(Encoding.PEM))
        identity.key_path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return identity


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


# -- signed documents --------------------------------------------------------------------------------------------------
def _c14n(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data), method="c14n", exclusive=True, with_comments=False)


def sign(covered: bytes, *, uri: str, identity: Identity, enveloped: bool) -> bytes:
    """A ds:Signature over `covered`, by hand: not the code under test, not the product's."""
    transforms = (f'<ds:Transform Algorithm="{ENVELOPED}"/>' if enveloped else "") + (
        f'<ds:Transform Algorithm="{EXCLUSIVE}"/>'
    )
    digest = base64.b64encode(hashlib.sha256(_c14n(covered)).digest()).decode()
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
        '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>'
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    value = identity.key.sign(_c14n(info.encode()), padding.PKCS1v15(), hashes.SHA256())
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f'<ds:Signature xmlns:ds="{DS}">{info}'
        f"<ds:SignatureValue>{base64.b64encode(value).decode()}</ds:SignatureValue>"
        f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{base64.b64encode(identity.der).decode()}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        f"<ds:Object><ds:SignatureProperties><ds:SignatureProperty><SigningTime>{time}</SigningTime>"
        "</ds:SignatureProperty></ds:SignatureProperties></ds:Object></ds:Signature>"
    ).encode()


_GENERAL = [
    "THONG_TU",
    "TEN_NAM_HOC",
    "MA_SO_GIAO_DUC",
    "TEN_SO_GD",
    "MA_TRUONG",
    "TEN_TRUONG",
    "TEN_XA_PHUONG",
    "TEN_TINH_THANH_PHO",
    "SO_SO_DANG_BO",
    "HO_VA_TEN",
    "MA_HOC_SINH",
    "GIOI_TINH",
    "NGAY_SINH",
    "CAN_NANG",
    "CHIEU_CAO",
    "NOI_SINH",
    "QUE_QUAN",
    "CHO_O_HIEN_NAY",
    "DAN_TOC",
    "QUOC_TICH",
    "TEN_GIAM_HIEU_KY_HOC_BA",
    "SO_CCCD_GIAM_HIEU_KY_HOC_BA",
    "NGAY_TAO_HOC_BA",
    "NGAY_KY_PHAT_HANH_HOC_BA",
    "MA_KHOI",
    "TEN_LOP",
]


def record(
    identity: Identity, *, secondary: bool = False, uid: str = "", sign_it: bool = True, **changes: str | None
) -> bytes:
    """One `HOC_BA` of either layout with a real issuing signature (and a placeholder of the head's)."""
    fields: dict[str, str | None] = {name: f"gia tri {name}" for name in _GENERAL}
    fields |= {
        "PHIEN_BAN": "2.0" if secondary else "1.0",
        "MA_TRA_CUU_UUID": uid or str(uuid.uuid4()),
        "TEN_NAM_HOC": "2024-2025",
        "MA_TRUONG": "79000001",
        "MA_CAP_HOC": "03" if secondary else "02",
        "SO_CCCD": "079215000001",
        **changes,
    }
    general = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items() if value is not None)
    marks = '<DIEM_TONG_KET Id="mon-15"/>' if secondary else "<MON_HOC/>"
    inner = f"<THONG_TIN_CHUNG>{general}</THONG_TIN_CHUNG><TONG_KET><BANG_DIEM>{marks}</BANG_DIEM></TONG_KET>"
    if secondary:
        inner = f'<THONG_TIN_HOC_BA Id="thongtinhocba">{inner}</THONG_TIN_HOC_BA>'
    data = f'<DU_LIEU_HOC_BA Id="data">{inner}</DU_LIEU_HOC_BA>'.encode()
    signature = b"<ds:Signature xmlns:ds='" + DS.encode() + b"'/>"
    issuing = sign(data, uri="#data", identity=identity, enveloped=False) if sign_it else signature
    signers = b"<CBQL>" + signature + b"</CBQL><KY_PHAT_HANH>" + issuing + b"</KY_PHAT_HANH>"
    if secondary:
        signers = b"<PHAT_HANH_HOC_BA>" + signers + b"</PHAT_HANH_HOC_BA>"
    return b"<HOC_BA>" + data + b"<DANH_SACH_THONG_TIN_KY>" + signers + b"</DANH_SACH_THONG_TIN_KY></HOC_BA>"


def recall_entry(uid: str) -> bytes:
    names = ("HO_VA_TEN", "GIOI_TINH", "NGAY_SINH", "SO_CCCD", "TEN_TRUONG", "MA_TRUONG", "TEN_NAM_HOC")
    fields = "".join(f"<{name}>x</{name}>" for name in names)
    return f"<HOC_BA><MA_TRA_CUU_UUID>{uid}</MA_TRA_CUU_UUID>{fields}</HOC_BA>".encode()


def sealed(records: list[bytes], identity: Identity) -> bytes:
    """A `DANH_SACH_HOC_BA` with the sender's seal as the root's last child."""
    opening = b'<?xml version="1.0" encoding="UTF-8"?>\n<DANH_SACH_HOC_BA id="dataDanhSach">\n'
    body = opening + b"\n".join(records) + b"\n"
    whole = body + b"</DANH_SACH_HOC_BA>"
    return body + sign(whole, uri="#dataDanhSach", identity=identity, enveloped=True) + b"</DANH_SACH_HOC_BA>"


# -- a school's-eye view of the simulator  ---
@dataclass
class Caller:
    """Calls the simulator over HTTPS with a client certificate, one connection a call."""

    port: int
    pki: Pki
    token: str = ""

    def context(self, identity: Identity | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.pki.line_ca.path))
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if identity is not None:
            context.load_cert_chain(identity.path, identity.key_path)
        return context

    def open(self, *, timeout: float = 10, identity: Identity | None = None) -> HTTPSConnection:
        context = self.context(identity or self.pki.client)
        return HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def raw(self, path: str, value: Any, *, method: str = "POST", timeout: float = 10) -> tuple[HTTPResponse, bytes]:
        connection = self.open(timeout=timeout)
        try:
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, body=None if value is None else json.dumps(value), headers=headers)
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def call(self, path: str, value: Any, *, method: str = "POST") -> tuple[int, dict[str, Any]]:
        response, body = self.raw(path, value, method=method)
        return response.status, json.loads(body)

    def log_in(self) -> Caller:
        status, answer = self.call("/api/token", {"user_name": "so79", "password": PASSWORD, "ma_don_vi": "79"})
        assert status == 200, answer
        self.token = answer["token"]
        return self

    def message(self, document: bytes, *, kind: int = 1, messageid: str = "", unit: str = "79") -> dict[str, Any]:
        packed = len(document).to_bytes(4, "little") + gzip.compress(document, mtime=0)
        return {
            "authenticationRequest": {
                "token": self.token,
                "user_name": "so79",
                "password": PASSWORD,
                "ma_don_vi": unit,
                "nam_hoc": 2024,
                "messageid": messageid or str(uuid.uuid4()),
                "type": kind,
                "function": "X",
            },
            "content": base64.b64encode(packed).decode(),
        }

    def submit(self, document: bytes, *, messageid: str = "", recall: bool = False) -> tuple[int, dict[str, Any]]:
        message = self.message(document, kind=5 if recall else 1, messageid=messageid)
        return self.call(PATHS["recall" if recall else "submit"], message)

    def query(self, messageid: str, *, recall: bool = False) -> dict[str, Any]:
        value = {"messageid": messageid, "ma_don_vi": "79", "type": 6 if recall else 2, "function": "X"}
        return self.call(PATHS["query_recall" if recall else "query"], value)[1]

    def verdicts(
        self, messageid: str, *, recall: bool = False, until: Callable[[dict[str, Any]], bool] | None = None
    ) -> Any:
        """Ask until the reply is made (the judge is another thread), at most ten seconds."""
        done = until or (lambda answer: int(answer["ResponseCode"]) >= 4)
        pause = threading.Event()
        for _ in range(500):
            answer = self.query(messageid, recall=recall)
            if done(answer):
                return answer
            pause.wait(0.02)
        raise AssertionError(f"no verdicts: {answer}")


@dataclass
class World:
    """A running simulator with its control client and a caller that is logged in."""

    simulator: Simulator
    config: SimulatorConfig
    control: SimulatorControl
    caller: Caller
    pki: Pki

    def list_of(self, *records: bytes) -> bytes:
        return sealed(list(records), self.pki.department)

    def record(self, **changes: Any) -> bytes:
        return record(self.pki.school, **changes)


def config_for(folder: Path, pki: Pki, **changes: Any) -> SimulatorConfig:
    judging = Judging(delay_seconds=0, recall_delay_seconds=0, signature_share=1.0, school_cas=pki.school_ca.path)
    values: dict[str, Any] = {
        "folder": folder,
        "tls": Tls(pki.server.path, pki.server.key_path, pki.line_ca.path),
        "port": 0,
        "control_port": 0,
        "accounts": (Account("so79", PASSWORD, "79"), Account("so01", PASSWORD, "01", units=("01",))),
        "certificates": (KnownCertificate("79", pki.department.path),),
        "judging": judging,
        **changes,
    }
    return SimulatorConfig(**values)


@pytest.fixture
def start(tmp_path: Path, pki: Pki) -> Iterator[Callable[..., World]]:
    """Starts a simulator with changed settings; everything started is stopped at the end."""
    running: list[Simulator] = []

    def begin(folder: Path | None = None, **changes: Any) -> World:
        config = config_for(folder or tmp_path / "simulator", pki, **changes)
        simulator = Simulator(config)
        simulator.start()
        running.append(simulator)
        control = SimulatorControl(f"http://127.0.0.1:{simulator.door.port}")
        return World(simulator, config, control, Caller(simulator.listener.port, pki).log_in(), pki)

    yield begin
    for simulator in running:
        if not simulator.counter.stopping.is_set():
            simulator.stop()


@pytest.fixture
def world(start: Callable[..., World]) -> World:
    return start()


@pytest.fixture
def helpers() -> Any:
    """The builders of this file for tests, which cannot import a conftest."""
    return SimpleNamespace(record=record, recall_entry=recall_entry, sealed=sealed, sign=sign, config_for=config_for)
