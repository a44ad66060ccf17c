"""The steps below HTTP: files, our certificate, name, route, TCP, TLS; through the proxy where one is described.

Each step returns what it saw or raises Doubt or Trouble. Sends nothing but handshakes (and CONNECT to a proxy).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from pathlib import Path
from typing import Final

from gateway.doctor import causes
from gateway.doctor.finding import MINISTRY, NETWORK, WE, Doubt, Trouble, Visit
from signing.errors import SigningError
from signing.trust import read_certificate

# Under TLS 1.3 the other side refuses our certificate only after our handshake is over.
_ALERT_WAIT: Final = 0.4
_WORDS: Final = {
    errno.ECONNREFUSED: "cổng đóng",
    errno.ETIMEDOUT: "quá hạn chờ",
    errno.EHOSTUNREACH: "không tới được máy",
    errno.ENETUNREACH: "không có đường đi",
    errno.EADDRNOTAVAIL: "máy này không có địa chỉ nguồn đó",
    errno.ECONNRESET: "bên kia ngắt",
    errno.EACCES: "tường lửa của máy này cấm",
    errno.EPERM: "tường lửa của máy này cấm",
}


def files(visit: Visit) -> str:
    line, login = visit.description.connection, visit.description.login
    if bool(line.client_certificate) != bool(line.client_key):
        text = "Chứng thư kết nối và khoá (client_certificate, client_key) phải khai cả hai."
        raise Trouble(text, "Tệp mô tả điểm kết nối thiếu một trong hai dòng.", WE)
    named = [line.client_certificate, line.client_key, line.ca, login.password_file]
    missing = [path for path in named if path and not Path(path).is_file()]
    if missing:
        raise Trouble(
            f"Không có tệp: {', '.join(missing)}.", "Tệp chưa được đặt vào máy hoặc đường dẫn trong tệp mô tả sai.", WE
        )
    try:
        secret = login.secret()
    except (OSError, UnicodeDecodeError):
        raise Trouble("Không đọc được tệp mật khẩu.", *causes.of_code("CLIENT_FILES")) from None
    if not secret:
        raise Trouble("Tệp mật khẩu trống.", "Mật khẩu Bộ cấp chưa được ghi vào tệp.", WE)
    if not line.ca:
        raise Doubt("Chưa ghim CA của Bộ (connection.ca).", "Bất kỳ CA công cộng nào cũng được tin.", WE)
    return "Đủ các tệp đã khai."


def certificate(visit: Visit) -> str:
    path = visit.description.connection.client_certificate
    if not path:
        raise Doubt("Không dùng chứng thư kết nối (mTLS).", "Bộ có thể không đòi; nếu đòi thì phải khai.", WE)
    try:
        facts = read_certificate(Path(path).read_bytes())
    except (OSError, SigningError):
        text = f"Tệp {Path(path).name} không phải chứng thư X.509."
        raise Trouble(text, *causes.of_code("CLIENT_FILES")) from None
    left = (facts.not_after - visit.now).days
    mark = f"{facts.subject}, dấu vết SHA-256 {facts.sha256}"
    if left < 0:
        text = f"{mark}: đã hết hạn ngày {facts.not_after:%d/%m/%Y}."
        raise Trouble(text, "Chứng thư kết nối đã hết hạn.", f"{WE}; đăng ký chứng thư mới với {MINISTRY}")
    if facts.not_before > visit.now:
        text = f"{mark}: tới ngày {facts.not_before:%d/%m/%Y} mới có hiệu lực."
        raise Trouble(text, "Đồng hồ máy này chạy chậm, hoặc chứng thư được dùng quá sớm.", WE)
    text = f"{mark}: còn {left} ngày (đến {facts.not_after:%d/%m/%Y})."
    if left <= 30:
        raise Doubt(text, "Chứng thư kết nối sắp hết hạn; xin gia hạn ngay.", WE)
    return text


def name(visit: Visit) -> str:
    try:
        found = socket.getaddrinfo(visit.host, visit.port, type=socket.SOCK_STREAM)
    except OSError as problem:
        what = "tên proxy" if visit.through_proxy else "tên"
        text = f"Không phân giải được {what} {visit.host} ({problem.strerror})."
        raise Trouble(text, *causes.of_code("DNS")) from None
    visit.addresses = sorted({str(entry[4][0]) for entry in found})
    found_at = f"{visit.host} → {', '.join(visit.addresses)}"
    return f"Proxy {found_at}; tên máy chủ của Bộ do proxy phân giải." if visit.through_proxy else found_at


def route(visit: Visit) -> str:
    wanted = visit.description.connection.source_address
    family = socket.AF_INET6 if ":" in visit.addresses[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            if wanted:
                probe.bind((wanted, 0))
            probe.connect((visit.addresses[0], visit.port))
        except OSError as problem:
            raise Trouble(
                f"Không đi được từ địa chỉ {wanted or '(tự chọn)'}: {_in_words(problem)}.",
                "Máy không có địa chỉ nguồn đã khai, hoặc không có đường đi tới máy chủ của Bộ.",
                NETWORK,
            ) from None
        source = str(probe.getsockname()[0])
    return f"Đi từ địa chỉ {source}" + (" (đúng địa chỉ đã khai)." if wanted else ".")


def tcp(visit: Visit) -> str:
    try:
        _connected(visit).close()
    except OSError as problem:
        refused = isinstance(problem, ConnectionRefusedError)
        where = f"{'proxy ' if visit.through_proxy else ''}{visit.host}:{visit.port}"
        if visit.through_proxy:
            cause, call = causes.of_code("PROXY")
        elif refused:
            cause, call = "Máy chủ của Bộ đang tắt dịch vụ hoặc chặn địa chỉ của ta.", MINISTRY
        else:
            cause, call = causes.of_code("CONNECT_TIMEOUT")
        raise Trouble(f"Không nối được TCP tới {where}: {_in_words(problem)}.", cause, call) from None
    return f"Nối được TCP tới {'proxy ' if visit.through_proxy else ''}{visit.host}:{visit.port}."


def tls(visit: Visit) -> str:
    line = visit.description.connection
    context = _context(visit)
    expected = line.server_name or visit.server
    try:
        with _tunnel(visit) as plain, context.wrap_socket(plain, server_hostname=expected) as secured:
            secured.settimeout(_ALERT_WAIT)
            with contextlib.suppress(TimeoutError):
                secured.recv(1)
            return f"{secured.version()}, chứng thư máy chủ hợp lệ và đúng tên {expected}."
    except ssl.SSLCertVerificationError as problem:
        raise Trouble(*causes.of_chain(problem)) from None
    except ssl.SSLError as problem:
        raise _handshake_trouble(visit, problem) from None
    except OSError as problem:
        text = f"Bắt tay TLS không thành: {_in_words(problem)}."
        raise Trouble(text, "Cổng này không phải dịch vụ HTTPS, hoặc thiết bị giữa đường cắt.", NETWORK) from None


def _handshake_trouble(visit: Visit, problem: ssl.SSLError) -> Trouble:
    reason = str(problem.reason or problem).upper()
    if "ALERT" in reason and "PROTOCOL_VERSION" not in reason:
        said = "từ chối chứng thư kết nối" if visit.description.connection.client_certificate else "đòi chứng thư"
        return Trouble(f"Bộ {said} của ta ({problem.reason}).", *causes.of_code("CERTIFICATE_REFUSED"))
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason:
        text = f"Cổng {visit.server_port} không nói TLS ({problem.reason})."
        return Trouble(
            text, "Số cổng trong base_url sai, hoặc một thiết bị giữa đường trả lời thay.", f"{WE}; {NETWORK}"
        )
    text = f"Bắt tay TLS không thành ({problem.reason or 'quá hạn chờ'})."
    return Trouble(
        text, "Hai bên không có phiên bản TLS chung, hoặc thiết bị giữa đường cắt.", f"{NETWORK}; {MINISTRY}"
    )


def _context(visit: Visit) -> ssl.SSLContext:
    line = visit.description.connection
    try:
        context = ssl.create_default_context(cafile=line.ca or None)
    except (OSError, ssl.SSLError):
        text = f"Tệp CA {Path(line.ca).name} không phải chứng thư PEM."
        raise Trouble(text, "Tệp CA của Bộ bị hỏng hoặc là tệp khác; xin lại tệp PEM.", WE) from None
    if line.client_certificate:
        try:
            context.load_cert_chain(line.client_certificate, line.client_key)
        except (OSError, ssl.SSLError) as problem:
            reason = getattr(problem, "reason", "") or "PEM"
            cause = "Khoá không khớp chứng thư, hoặc tệp không phải PEM."
            raise Trouble(f"Không dùng được chứng thư kết nối ({reason}).", cause, WE) from None
    return context


def _connected(visit: Visit) -> socket.socket:
    line = visit.description.connection
    source = (line.source_address, 0) if line.source_address else None
    return socket.create_connection((visit.host, visit.port), line.connect_timeout, source_address=source)


def _tunnel(visit: Visit) -> socket.socket:
    """A connection on which TLS with the Ministry may begin: straight, or through the proxy."""
    plain = _connected(visit)
    if not visit.through_proxy:
        return plain
    target = f"{visit.server}:{visit.server_port}"
    try:
        plain.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
        head = b""
        while b"\r\n\r\n" not in head and len(head) < 16_384 and (piece := plain.recv(1)):
            head += piece
    except OSError:
        plain.close()
        raise
    status = head.split(b" ")[1:2]
    if status != [b"200"]:
        plain.close()
        said = head.split(b"\r\n", 1)[0][:80].decode("ascii", "replace") or "không trả lời"
        raise Trouble(f"Proxy không mở đường tới {target} ({said}).", *causes.of_code("PROXY"))
    return plain


def _in_words(problem: OSError) -> str:
    if isinstance(problem, TimeoutError):
        return "quá hạn chờ"
    return _WORDS.get(problem.errno or 0, problem.strerror or type(problem).__name__)
