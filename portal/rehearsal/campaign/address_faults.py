"""Who we are on the line: source address lost, packets dropped, certificates expired or rotated, requests replayed.

The endpoint's description is changed while everything runs, as an administrator would change it; packet filters are
only ever touched inside a network namespace of the campaign's own.
"""

import hashlib
import http.client
import json
import ssl
import subprocess
import time
import tomllib
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg

from gateway.exchange import envelope
from gateway.exchange.messages import Authentication, SubmitRequest, Type
from portal.rehearsal.bootstrap import open_rehearsal
from portal.rehearsal.campaign.kinds import Kind, Missed, NotRun, Stage, Strike
from portal.rehearsal.campaign.site import Site
from portal.rehearsal.pki_files import write_client_certificate

_LANE = "address"
_RIGHT, _WRONG = "127.0.0.1", "127.0.0.2"
_SECONDS = 6.0


def kinds() -> list[Kind]:
    forward = Stage.FORWARDING
    return [
        Kind("address:lost", forward, _lose_address, _LANE),
        Kind("address:packets-dropped", forward, _filter("drop"), _LANE, _needs_namespace),
        Kind("address:packets-reset", forward, _filter("reject with tcp reset"), _LANE, _needs_namespace),
        Kind("certificate:client-expired", forward, _expire_client, _LANE),
        Kind("certificate:client-rotated", forward, _rotate_client, _LANE),
        Kind("certificate:server-renewed", forward, _renew_server, _LANE),
        Kind("replay:request", forward, _replay, _LANE),
        Kind("beat:two-at-once", forward, _second_beat, _LANE),
    ]


def _lose_address(site: Site, rng: Random) -> None:
    """The Ministry allows one address only; we come from another one, until the first is back."""
    site.control.change(addresses=[f"{_RIGHT}/32"])
    site.describe(source_address=_WRONG)
    try:
        if not _paused_for(site, "ADDRESS_REFUSED"):
            raise Missed
    finally:
        site.describe(source_address=_RIGHT)


def _expire_client(site: Site, rng: Random) -> None:
    pki = site.env.var / "rehearsal" / "pki"
    before = tomllib.loads(site.endpoint_file.read_text("utf-8"))["connection"]["client_certificate"]
    site.describe(client_certificate=str(pki / "client-expired.pem"))
    try:
        if not _paused_for(site, "CERTIFICATE_REFUSED"):
            raise Missed
    finally:
        site.describe(client_certificate=before)


def _paused_for(site: Site, cause: str) -> bool:
    """Whether the endpoint pauses and says this cause by name."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and not site.over.is_set():
        try:
            with site.connect() as line:
                row = line.execute("SELECT state, cause FROM gateway_endpoint").fetchone()
        except psycopg.Error:
            row = None
        if row == ("PAUSED", cause):
            return True
        site.pause(0.1)
    return False


def _rotate_client(site: Site, rng: Random) -> None:
    rehearsal = open_rehearsal(site.env.var / "rehearsal")
    name = f"client-{rng.randrange(1 << 32):08x}"
    path = write_client_certificate(rehearsal.pki.keys, rehearsal.folder / "pki", name, now=datetime.now(UTC))
    site.describe(client_certificate=str(path))
    site.pause(1.0)


def _renew_server(site: Site, rng: Random) -> None:
    site.control.renew_certificates()
    site.pause(0.5)


def _needs_namespace(site: Site) -> str:
    return "" if site.isolated else "needs root and a network namespace of its own (unshare, ip, nft)"


def _filter(verdict: str) -> Strike:
    def strike(site: Site, rng: Random) -> None:
        port = site.env.installation.simulator_port
        _nft("add table inet hocba")
        try:
            _nft("add chain inet hocba line { type filter hook output priority 0; }")
            _nft(f"add rule inet hocba line tcp dport {port} {verdict}")
            site.pause(rng.uniform(1.5, 4))
        finally:
            _nft("delete table inet hocba")

    return strike


def _nft(words: str) -> None:
    done = subprocess.run(["nft", words], capture_output=True, text=True, timeout=10, check=False)
    if done.returncode:
        raise NotRun(f"nft: {done.stderr.strip()[:200]}")


def _second_beat(site: Site, rng: Random) -> None:
    """Another beat beside ours, for longer than two of its ticks."""
    command = list(site.env.installation.beat().command)
    beat = subprocess.Popen(
        command, env=dict(site.env.installation.beat().env), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        site.pause(8.0)
    finally:
        beat.kill()
        beat.wait(10)


def _replay(site: Site, rng: Random) -> None:
    """Somebody repeats, byte for byte, the content of a package that was acknowledged; twice."""
    found = _acknowledged_package(site, rng)
    if found is None:
        raise Missed
    body, message_id = found
    said = tomllib.loads(site.endpoint_file.read_text("utf-8"))
    for _ in range(2):
        try:
            status, answer = _post(said, site, body)
        except (OSError, http.client.HTTPException, ValueError):
            raise Missed from None
        if status == 200 and answer.get("MessageId") not in (message_id, None):
            raise AssertionError(f"replay of {message_id} was answered for {answer.get('MessageId')}")


def _acknowledged_package(site: Site, rng: Random) -> tuple[bytes, str] | None:
    said = tomllib.loads(site.endpoint_file.read_text("utf-8"))
    try:
        with site.connect() as line:
            token = line.execute("SELECT token FROM gateway_endpoint").fetchone()
            rows = line.execute(
                "SELECT s.id, s.unit_code, s.school_year, d.packed FROM gateway_submission s"
                " JOIN gateway_document d ON d.submission_id = s.id"
                " WHERE s.kind = 'RECORDS' AND s.acknowledged_at IS NOT NULL ORDER BY s.acknowledged_at DESC LIMIT 20"
            ).fetchall()
    except psycopg.Error:
        return None
    if not rows or not token or not token[0]:
        return None
    identity, unit, year, packed = rng.choice(rows)
    secret = hashlib.sha256(said["login"]["password"].encode()).hexdigest()
    authentication = Authentication(
        token=token[0], user_name=said["login"]["user_name"], password=secret, unit_code=unit, school_year=year,
        message_id=str(identity), type=Type.SUBMIT, function="GUI_HOC_BA",
    )  # fmt: skip
    request = SubmitRequest(authentication=authentication, content=envelope.content_of(bytes(packed)))
    return json.dumps(request.to_json(), ensure_ascii=False).encode(), str(identity)


def _post(said: dict[str, Any], site: Site, body: bytes) -> tuple[int, dict[str, Any]]:
    line = said["connection"]
    context = ssl.create_default_context(cafile=line["ca"])
    context.load_cert_chain(line["client_certificate"], line["client_key"])
    port = site.env.installation.simulator_port
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    try:
        connection.request("POST", "/api/hoc-ba/gui", body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read(1 << 20))
        return response.status, answer if isinstance(answer, dict) else {}
    finally:
        connection.close()
