"""The two doors as a school sees them: its software over the exchange format, its clerk's browser with a session.

Plain `http.client` on purpose: this is the other side of the wire, with a time-out on every call. It must never reach
into the portal's rooms to make a hand-in succeed.
"""

import hashlib
import http.client
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from gateway.exchange import fields as exchange_fields
from gateway.exchange.envelope import encode_content
from gateway.exchange.errors import MessageRefused
from gateway.exchange.messages import Authentication, QueryAnswer, QueryRequest, Receipt, SubmitRequest, Type

TIMEOUT_SECONDS = 60.0
_CSRF_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_MAX_ANSWER = 64 << 20


class DoorClosed(Exception):
    """A hand-in was not taken; `status` and the beginning of the answer say why."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(f"HTTP {status}: {answer[:400]}")
        self.status = status
        self.answer = answer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass
class Line:
    """One kept-alive connection to the portal."""

    base_url: str
    timeout: float = TIMEOUT_SECONDS
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def send(self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str]) -> Answer:
        """One request; a connection that the server closed meanwhile is opened anew, once."""
        for fresh in (False, True):
            connection = self._open(fresh=fresh)
            try:
                connection.request(method, path, body=body, headers=dict(headers))
                response = connection.getresponse()
                data = response.read(_MAX_ANSWER)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if fresh:
                    raise
                continue
            cookies: SimpleCookie = SimpleCookie()
            for value in response.headers.get_all("Set-Cookie") or []:
                cookies.load(value)
            return Answer(response.status, dict(response.headers), data, {k: v.value for k, v in cookies.items()})
        raise AssertionError("unreachable")

    def _open(self, *, fresh: bool) -> http.client.HTTPConnection:
        if self._connection is None or fresh:
            self.close()
            parts = urlsplit(self.base_url)
            self._connection = http.client.HTTPConnection(
                parts.hostname or "127.0.0.1", parts.port or 80, timeout=self.timeout
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class SoftwareDoor:
    """A school's software: token, types 1 and 2."""

    line: Line
    user_name: str
    password: str
    unit_code: str
    paths: Mapping[str, str]
    _token: str = field(default="", repr=False)

    def submit(self, document: bytes, *, message_id: str, school_year: int) -> Receipt:
        """Hands in a signed list. Raises DoorClosed when the receipt carries an error."""
        request = SubmitRequest(
            authentication=Authentication(
                token=self._sign_in(),
                user_name=self.user_name,
                password=self._digest,
                unit_code=self.unit_code,
                school_year=school_year,
                message_id=message_id,
                type=Type.SUBMIT,
                function="GUI_HOC_BA",
            ),
            content=encode_content(document),
        )
        answer = self._post(self.paths["submit"], request.to_json())
        receipt = Receipt.from_json(_read(answer))
        if answer.status != 200 or receipt.error:
            raise DoorClosed(answer.status, f"{receipt.error} {receipt.error_description}")
        return receipt

    def query(self, message_id: str) -> QueryAnswer:
        return QueryAnswer.from_json(self._ask(message_id))

    def query_lines(self, message_id: str) -> list[dict[str, object]]:
        """The lines as they are written, with the portal's own extension `trang_thai_bo`."""
        answer = self._ask(message_id)
        lines = answer.get("data") if isinstance(answer, dict) else None
        return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []

    def _ask(self, message_id: str) -> object:
        request = QueryRequest(message_id, self.unit_code, Type.QUERY, "TRA_CUU_HOC_BA")
        return _read(self._post(self.paths["query"], request.to_json()))

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.password.encode()).hexdigest()

    def _sign_in(self) -> str:
        if not self._token:
            wanted = {"user_name": self.user_name, "password": self._digest, "ma_don_vi": self.unit_code}
            body = exchange_fields.dumps(wanted)
            answer = self.line.send(
                "POST", self.paths["token"], body=body, headers={"Content-Type": "application/json"}
            )
            given = _read(answer)
            token = given.get("token") if isinstance(given, dict) else None
            if answer.status != 200 or not isinstance(token, str):
                raise DoorClosed(answer.status, answer.text)
            self._token = token
        return self._token

    def _post(self, path: str, value: object) -> Answer:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._sign_in()}"}
        return self.line.send("POST", path, body=exchange_fields.dumps(value), headers=headers)


@dataclass
class BrowserDoor:
    """A clerk's browser: signs in once, then uploads files."""

    line: Line
    user_name: str
    password: str
    login_path: str
    hand_in_path: str
    _cookies: dict[str, str] = field(default_factory=dict, repr=False)

    def upload(self, file_name: str, data: bytes) -> str:
        """Hands in a file; the address of the batch's page. Raises DoorClosed."""
        if "sessionid" not in self._cookies:
            self._sign_in()
        token = self._form_token(self.hand_in_path)
        boundary = f"----dien-tap-{secrets.token_hex(12)}"
        body = _multipart(boundary, {"csrfmiddlewaretoken": token}, file_name, data)
        answer = self._send("POST", self.hand_in_path, body, f"multipart/form-data; boundary={boundary}")
        location = answer.headers.get("Location", "")
        if answer.status not in (200, 201, 302, 303) or (answer.status in (302, 303) and self.login_path in location):
            raise DoorClosed(answer.status, answer.text)
        return location

    def _sign_in(self) -> None:
        form = {
            "csrfmiddlewaretoken": self._form_token(self.login_path),
            "username": self.user_name,
            "password": self.password,
        }
        answer = self._send("POST", self.login_path, urlencode(form).encode(), "application/x-www-form-urlencoded")
        if answer.status not in (302, 303) or "sessionid" not in self._cookies:
            raise DoorClosed(answer.status, f"đăng nhập của {self.user_name} bị từ chối")

    def _form_token(self, path: str) -> str:
        found = _CSRF_FIELD.search(self._send("GET", path).text)
        if found is None:
            raise DoorClosed(503, f"trang {path} không có biểu mẫu")
        return found[1]

    def _send(self, method: str, path: str, body: bytes | None = None, content_type: str = "") -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        # Browsers say where a form stands; Django checks it over HTTPS and some proxies over HTTP.
        headers |= {"Referer": self.line.base_url + path, "Origin": self.line.base_url}
        if content_type:
            headers["Content-Type"] = content_type
        answer = self.line.send(method, path, body=body, headers=headers)
        self._cookies.update(answer.cookies)
        return answer


def _read(answer: Answer) -> object:
    """The JSON of an answer; a page of a server in trouble is a closed door, whatever its status says."""
    try:
        return exchange_fields.loads(answer.body, max_bytes=_MAX_ANSWER)
    except MessageRefused:
        raise DoorClosed(max(answer.status, 500), answer.text) from None


def _multipart(boundary: str, values: Mapping[str, str], file_name: str, data: bytes) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in values.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
    parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode()
