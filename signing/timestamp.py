"""RFC 3161 time-stamps: ask the configured authorities in order, believe only an answer that verifies.

A time-stamp that cannot be had is a named condition (`TimestampUnavailable`), never a seal without one passed off as
having one. This file knows the request and the check; the transport is handed in (`signing.online.post`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import rfc3161_client
from cryptography import x509
from rfc3161_client.errors import VerificationError

from signing.errors import SigningError, TimestampUnavailable

REQUEST_TYPE = "application/timestamp-query"


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority: what to call it, where it is, and whom its certificate must chain to."""

    name: str
    url: str
    roots: tuple[bytes, ...]
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A time-stamp that verified: its DER (CMS), the time it attests and who gave it."""

    der: bytes
    at: datetime
    authority: str


# Posts a body of a content type to an address; raises a SigningError when nothing usable came back.
Post = Callable[[str, bytes, str], bytes]


def obtain(message: bytes, authorities: Sequence[Authority], post: Post) -> Token:
    """A verified time-stamp over `message` from the first authority that gives one.

    Raises `TimestampUnavailable` naming what each authority did.
    """
    failures: list[str] = []
    for authority in authorities:
        try:
            return _ask(message, authority, post)
        except (SigningError, VerificationError, ValueError) as error:
            failures.append(f"{authority.name}: {type(error).__name__}")
    detail = "; ".join(failures) or "chưa cấu hình dịch vụ dấu thời gian"
    raise TimestampUnavailable("TSA_AWAY", f"Chưa lấy được dấu thời gian ({detail}); sẽ thử lại.")


def check(token: bytes, message: bytes, authority: Authority) -> datetime:
    """The time that a stored token attests for `message`. Raises `TimestampUnavailable` when it does not verify."""
    try:
        return _verified(read(token), message, authority, None)
    except (VerificationError, ValueError) as error:
        raise TimestampUnavailable("TSA_TOKEN_INVALID", "Dấu thời gian không hợp lệ với nội dung này.") from error


def read(token: bytes) -> rfc3161_client.TimeStampResponse:
    """A stored token (DER), taken apart. Raises ValueError."""
    return rfc3161_client.decode_timestamp_response(_granted(token))


def verify(answer: rfc3161_client.TimeStampResponse, message: bytes, chain: Sequence[bytes]) -> None:
    """That the authority whose chain (DER, anchor last) was judged stamped `message`. Raises VerificationError."""
    builder = rfc3161_client.VerifierBuilder(roots=[], intermediates=[])
    for one in chain:
        builder = builder.add_root_certificate(x509.load_der_x509_certificate(one))
    builder.tsa_certificate(x509.load_der_x509_certificate(chain[0])).build().verify_message(answer, message)


def _ask(message: bytes, authority: Authority, post: Post) -> Token:
    request = rfc3161_client.TimestampRequestBuilder().data(message).hash_algorithm(rfc3161_client.HashAlgorithm.SHA256)
    built = request.nonce(nonce=True).cert_request(cert_request=True).build()
    answer = rfc3161_client.decode_timestamp_response(post(authority.url, built.as_bytes(), REQUEST_TYPE))
    at = _verified(answer, message, authority, built.nonce)
    return Token(der=answer.time_stamp_token(), at=at, authority=authority.name)


def _verified(
    answer: rfc3161_client.TimeStampResponse, message: bytes, authority: Authority, nonce: int | None
) -> datetime:
    builder = rfc3161_client.VerifierBuilder(nonce=nonce, roots=[], intermediates=[])
    for root in authority.roots:
        builder = builder.add_root_certificate(x509.load_der_x509_certificate(root))
    if authority.certificate is not None:
        builder = builder.tsa_certificate(x509.load_der_x509_certificate(authority.certificate))
    builder.build().verify_message(answer, message)
    return answer.tst_info.gen_time


def _granted(token: bytes) -> bytes:
    """The token as the answer it came in (RFC 3161 § 2.4.2: status granted, then the token)."""
    body = bytes.fromhex("3003020100") + token
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    head = bytes([len(body)]) if len(body) < 128 else bytes([0x80 | len(size)]) + size
    return b"\x30" + head + body
