"""Signing's only way to the network: remote signing, revocation sources and time-stamp authorities over HTTP.

Every call has a time-out for each wait and one in all, a cap on what it reads, follows no redirect and reads no proxy
from the environment. Nothing here decides anything: bytes go out, bytes come back, and others judge them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from signing import deadline
from signing.errors import KeyUnavailable, SigningError

MAX_ANSWER = 20 * 1024 * 1024
MAX_CONVERSATION = 1024 * 1024  # an answer of a remote signing service: certificates, a token, a signature
# CSC API: the authorisation data are wrong. Named apart, because trying again by itself would lock the key.
_PIN_REFUSED = frozenset({"invalid_pin", "invalid_otp"})


class SourceAway(SigningError):
    """The other side could not be reached or gave no usable answer; try later."""


@dataclass(frozen=True, slots=True)
class Link:
    """How to reach an outside service."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    # The whole call: a source that drips must not hold whoever asks. A list of 20 MB comes in time at 1.5 Mbit/s.
    total_seconds: float = 120.0
    ca_file: Path | None = None
    client_certificate: tuple[Path, Path] | None = None
    proxy: str | None = None


def _session(link: Link) -> requests.Session:
    session = deadline.session()
    session.verify = str(link.ca_file) if link.ca_file else True
    if link.client_certificate:
        session.cert = (str(link.client_certificate[0]), str(link.client_certificate[1]))
    if link.proxy:
        session.proxies = {"http": link.proxy, "https": link.proxy}
    return session


def _read(response: requests.Response, limit: int) -> bytes:
    body = bytearray()
    for piece in response.iter_content(64 * 1024):
        body += piece
        if len(body) > limit:
            raise SourceAway("ANSWER_TOO_LARGE", "Câu trả lời lớn quá mức cho phép.")
    return bytes(body)


def fetch(url: str, link: Link = Link(), *, limit: int = MAX_ANSWER) -> bytes:
    """The bytes at `url` (a CRL, an issuer's certificate). Raises `SourceAway`."""
    return _exchange("GET", url, link, limit=limit)


def post(url: str, body: bytes, content_type: str, link: Link = Link(), *, limit: int = MAX_ANSWER) -> bytes:
    """The answer to `body` posted to `url` (OCSP, RFC 3161). Raises `SourceAway`."""
    return _exchange("POST", url, link, limit=limit, data=body, headers={"Content-Type": content_type})


def _exchange(verb: str, url: str, link: Link, *, limit: int, **extra: Any) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise SourceAway("ADDRESS_KIND", "Chỉ dùng địa chỉ http hoặc https.")
    try:
        with deadline.within(link.total_seconds) as limited, _session(link) as session:
            timeout = (link.connect_seconds, link.read_seconds)
            with session.request(verb, url, timeout=timeout, allow_redirects=False, stream=True, **extra) as response:
                if response.status_code != requests.codes.ok:
                    raise SourceAway("SOURCE_STATUS", f"Nguồn trả lời mã HTTP {response.status_code}.")
                body = _read(response, limit)
            if limited.passed:
                raise SourceAway("SOURCE_SLOW", f"Nguồn trả lời quá chậm (quá {link.total_seconds:g} giây).")
            return body
    except requests.RequestException as error:
        raise SourceAway("SOURCE_AWAY", f"Không liên lạc được với nguồn ({type(error).__name__}).") from error


class RemoteSigningService:
    """`signing.keys.remote.Transport` over HTTPS, with an access token obtained by client credentials."""

    def __init__(self, base_url: str, access_token: str, link: Link = Link()) -> None:
        """`base_url` ends before `/csc/v2`; the token is the bearer token of the service's OAuth 2 server."""
        self._base = base_url.rstrip("/")
        self._token = access_token
        self._link = link

    def __repr__(self) -> str:
        return f"RemoteSigningService({self._base!r})"

    def call(self, method: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """One call; raises `KeyUnavailable` with the service's own error code when it refuses."""
        link = self._link
        try:
            with (
                deadline.within(link.total_seconds) as limited,
                _session(link) as session,
                session.post(
                    f"{self._base}/csc/v2/{method}",
                    json=dict(body),
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=(link.connect_seconds, link.read_seconds),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                said = _read(response, MAX_CONVERSATION)
                if limited.passed:
                    raise SourceAway("SOURCE_SLOW", "Dịch vụ ký từ xa trả lời quá chậm.")
                answer = json.loads(said)
        except (requests.RequestException, SourceAway, ValueError, RecursionError) as error:
            message = f"Không liên lạc được với dịch vụ ký từ xa ({type(error).__name__}); sẽ thử lại."
            raise KeyUnavailable("REMOTE_AWAY", message) from None
        if not isinstance(answer, dict):
            raise KeyUnavailable("REMOTE_ANSWER", "Dịch vụ ký từ xa trả lời không đúng dạng.")
        if response.status_code != requests.codes.ok:
            cause = str(answer.get("error", response.status_code))[:60]
            if cause in _PIN_REFUSED:
                raise KeyUnavailable("REMOTE_PIN_INCORRECT", f"Dịch vụ ký từ xa không nhận mã PIN của khoá ({cause}).")
            raise KeyUnavailable("REMOTE_REFUSED", f"Dịch vụ ký từ xa từ chối: {cause}.")
        return answer
