"""A real time-stamp authority for tests: the openssl program answers requests under a root of its own."""

import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.timestamp import Authority

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {cn}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[stamp]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
[tsa]
default_tsa = tsa1
[tsa1]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(*words: str, folder: Path, give: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *words], cwd=folder, input=give, capture_output=True, check=True, timeout=60
    ).stdout


class LocalAuthority:
    """A root, a time-stamp certificate under it, and an answer to each request."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.answered = folder, 0
        folder.mkdir()
        (folder / "serial").write_text("01\n")
        for name, cn in (("ca.cnf", "CA dau thoi gian Mau"), ("tsa.cnf", "Dau thoi gian Mau")):
            (folder / name).write_text(CONFIG.format(cn=cn, folder=folder))
        new = ("-newkey", "rsa:2048", "-nodes")
        out = ("-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", "-x509", *new, *out, "-config", "ca.cnf", "-extensions", "ca", "-days", "30", folder=folder)
        openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-config", "tsa.cnf", folder=folder)
        by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "2", "-days", "30")
        ext = ("-extfile", "tsa.cnf", "-extensions", "stamp")
        openssl("x509", "-req", "-in", "tsa.csr", *by, *ext, "-out", "tsa.pem", folder=folder)
        root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        self.authority = Authority("TSA mẫu", "http://tsa.mau", (root.public_bytes(Encoding.DER),))

    @property
    def root(self) -> bytes:
        return self.authority.roots[0]

    def post(self, url: str, body: bytes, content_type: str) -> bytes:
        assert content_type == "application/timestamp-query"
        self.answered += 1
        (self.folder / "query.tsq").write_bytes(body)
        openssl(
            "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr", folder=self.folder
        )
        return (self.folder / "reply.tsr").read_bytes()


class StampServer(ThreadingHTTPServer):
    """The authority over HTTP on loopback, as RFC 3161 § 3.4 has it."""

    daemon_threads = True

    def __init__(self, tsa: LocalAuthority, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.tsa = tsa

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Conversation(BaseHTTPRequestHandler):
    server: StampServer

    def log_message(self, *args: object) -> None:
        return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        data = self.server.tsa.post(self.path, body, self.headers["Content-Type"])
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
