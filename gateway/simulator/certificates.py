"""Registration of sealing certificates (types 3 and 4), the two catalogues, and who is approved to seal for whom."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .config import Judging, KnownCertificate
from .store import Store
from .wire import Reply, json_reply

CATALOGUES: Mapping[str, list[dict[str, str]]] = {
    "signature_kinds": [
        {"ma": "USB_TOKEN", "ten": "Thiết bị USB token"},
        {"ma": "REMOTE_SIGNING", "ten": "Ký số từ xa"},
    ],
    "certificate_providers": [
        {"ma": "BAN_CO_YEU", "ten": "Ban Cơ yếu Chính phủ"},
        {"ma": "VNPT", "ten": "VNPT"},
        {"ma": "VIETTEL", "ten": "Viettel"},
        {"ma": "BKAV", "ten": "BKAV"},
    ],
}


def approve_from_start(store: Store, known: Iterable[KnownCertificate]) -> None:
    """Enter the certificates of the description as registered and approved."""
    for item in known:
        for certificate in x509.load_pem_x509_certificates(item.path.read_bytes())[:1]:
            _enter(store, certificate, unit=item.unit, approved=1)


def approved_for(store: Store, units: Iterable[str], *, now: float) -> frozenset[bytes]:
    """DER of every certificate that is approved for one of the units."""
    wanted = set(units)
    rows = store.rows("SELECT unit, der, approved, decide_at FROM certificate")
    return frozenset(der for unit, der, approved, at in rows if unit in wanted and approved == 1 and (at or 0) <= now)


def register(store: Store, body: Mapping[str, Any], messageid: str, judging: Judging, *, now: float) -> Reply:
    """Type 3: enter a certificate; the decision comes after the configured delay."""
    problem = next((name for name in ("serial_number", "ma_kieu_chu_ky", "nha_phat_hanh") if not body.get(name)), None)
    certificate = None if problem else _read(str(body.get("content", "")))
    if problem is None and certificate is None:
        problem = "content"
    if problem is not None or certificate is None:
        return _answer(
            messageid, "CERTIFICATE_UNREADABLE", str(problem), "Thiếu hoặc không đọc được thông tin chứng thư số"
        )
    _enter(
        store,
        certificate,
        unit=str(body.get("ma_don_vi", "")),
        approved=int(judging.approve_certificates),
        messageid=messageid,
        kind=str(body["ma_kieu_chu_ky"]),
        provider=str(body["nha_phat_hanh"]),
        decide_at=now + judging.certificate_delay_seconds,
    )
    return _answer(messageid, "", "", "")


def answer_query(store: Store, body: Mapping[str, Any], *, now: float) -> Reply:
    """Type 4: 1 approved, 0 refused, absent while nobody has decided."""
    messageid, unit = str(body.get("messageid", "")), str(body.get("ma_don_vi", ""))
    sql = "SELECT serial, approved, decide_at FROM certificate WHERE messageid = ? AND unit = ?"
    rows = store.rows(sql, (messageid, unit))
    base: dict[str, Any] = {"messageid": messageid, "ma_don_vi": unit, "serial_number": rows[0][0] if rows else ""}
    if rows and (rows[0][2] or 0) <= now:
        base["trang_thai_phe_duyet"] = rows[0][1]
    unknown = ("MESSAGE_UNKNOWN", "messageid", "Không có đăng ký mang mã này")
    error, title, text = ("", "", "") if rows else unknown
    return json_reply({**base, "error": error, "error_field_title": title, "error_description": text})


def _answer(messageid: str, error: str, title: str, text: str) -> Reply:
    receipt = {
        "MessageId": messageid,
        "Error": error,
        "ErrorDescription": text,
        "ResponseCode": "REFUSED" if error else "RECEIVED",
        "ResponseDescription": "" if error else "Đã nhận đăng ký chứng thư số",
    }
    line = {"messageid": messageid, "error": error, "error_filed_title": title, "error_description": text}
    return json_reply({**receipt, **line})


def _read(content: str) -> x509.Certificate | None:
    text = content.strip()
    try:
        if text.startswith("-----BEGIN"):
            return x509.load_pem_x509_certificate(text.encode())
        return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, binascii.Error):
        return None


def _enter(
    store: Store,
    certificate: x509.Certificate,
    *,
    unit: str,
    approved: int,
    messageid: str | None = None,
    kind: str = "",
    provider: str = "",
    decide_at: float | None = None,
) -> None:
    der = certificate.public_bytes(Encoding.DER)
    row = (hashlib.sha256(der).hexdigest(), unit, f"{certificate.serial_number:X}", der, messageid, kind, provider)
    # A certificate of the description never takes the place of a registration that came over the wire.
    verb = "INSERT OR IGNORE" if messageid is None else "INSERT OR REPLACE"
    with store.transaction() as connection:
        sql = f"{verb} INTO certificate VALUES (?,?,?,?,?,?,?,?,?)"
        connection.execute(sql, (*row, approved, decide_at))


def listing(store: Store) -> bytes:
    """What is registered, for the control door."""
    names = ("sha256", "unit", "serial", "messageid", "approved", "decide_at")
    rows = store.rows(f"SELECT {', '.join(names)} FROM certificate ORDER BY unit, serial")  # noqa: S608
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode()
