"""The Ministry's token: how it is read, kept, renewed and given up, over real TLS and from the endpoint's row."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from gateway import conf
from gateway.ministry.client import MemoryTokens, Message, MinistryClient, Token
from gateway.ministry.errors import FateUnknown, LinkRefused
from gateway.models import Endpoint
from gateway.session import RowTokens
from tests.gateway.peer import Peer, Reply, Request, as_json

Line = Callable[..., conf.EndpointDescription]
HOUR = timedelta(hours=1)


class Guard:
    """A Ministry for which only the token it issued last is good; `refusal` is what it answers to any other."""

    def __init__(self, refusal: Reply) -> None:
        self.refusal = refusal
        self.issued = 0
        self.forgotten = True  # nothing is good before the first log-in
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        if request.path == "/api/token":
            with self._lock:
                self.issued, self.forgotten = self.issued + 1, False
                return as_json({"token": f"T{self.issued}", "expires_in": 30 * 86_400})
        with self._lock:
            good = not self.forgotten and request.headers["authorization"] == f"Bearer T{self.issued}"
        return as_json({"data": []}) if good else self.refusal


def refused(code: object) -> Reply:
    return as_json({"Error": code}, 401)


@pytest.mark.django_db
def test_a_token_refused_by_a_bare_401_is_not_offered_again(peer: Peer, line: Line, endpoint: Endpoint) -> None:
    peer.answer = guard = Guard(Reply(401, b'{"message":"Unauthorized"}'))
    client = MinistryClient(line(), tokens=RowTokens("test"))
    client.probe()
    guard.forgotten = True
    peer.requests.clear()
    with pytest.raises(LinkRefused) as problem:
        client.look_up(Message(uuid4(), "79", 2025))
    assert (problem.value.code, problem.value.clear) == ("TOKEN_REFUSED", False)
    assert len(peer.requests) == 1, "a bare page proves nothing, so nothing is sent a second time"
    client.probe()
    assert guard.issued == 2


@pytest.mark.django_db
def test_a_refused_token_is_given_up_but_never_the_one_that_another_worker_shared_since(endpoint: Endpoint) -> None:
    until = datetime(2026, 6, 1, 12, tzinfo=UTC)
    mine, theirs = Token("mine", until), Token("theirs", until + HOUR)
    for store in (RowTokens("test"), MemoryTokens()):
        assert store.write(mine) is None
        assert store.write(theirs) == mine
        store.replace(["mine", ""], by=None)
        assert store.read() == theirs
        store.replace(["theirs"], by=mine)
        assert store.read() == mine
        store.replace(["mine"], by=None)
        assert store.read() is None


def test_of_two_workers_that_log_in_at_once_both_get_through(peer: Peer, line: Line) -> None:
    description, store, guard = line(), MemoryTokens(), Guard(refused("TOKEN_INVALID"))
    store.write(Token("T0", datetime.now(UTC) + HOUR))
    both = threading.Barrier(2)

    def answer(request: Request) -> Reply:
        reply = guard(request)
        if request.path == "/api/token":
            both.wait(5)
        return reply

    peer.answer = answer
    troubles: list[Exception] = []

    def work() -> None:
        try:
            MinistryClient(description, tokens=store).probe()
        except Exception as trouble:
            troubles.append(trouble)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    held = store.read()
    assert (troubles, guard.issued, held and held.text) == ([], 2, "T2")


class LateNews(MemoryTokens):
    """Another worker has logged in later, but wrote its token `first` or writes it only `after` ours was refused."""

    def __init__(self, other: Token, when: str) -> None:
        super().__init__()
        self._other, self._when, self._written = other, when, False

    def write(self, token: Token) -> Token | None:
        former = super().write(token)
        if token.text != "T1":
            return former
        self._written = True
        return self._other if self._when == "first" else former

    def read(self) -> Token | None:
        if self._written and self._when == "after":
            self._written = False
            threading.Timer(0.3, super().write, [self._other]).start()
        return super().read()


@pytest.mark.parametrize("when", ["first", "after"])
def test_the_token_of_a_later_log_in_is_found_whenever_it_was_written(peer: Peer, line: Line, when: str) -> None:
    later = Token("T2", datetime.now(UTC) + HOUR)
    store, guard = LateNews(later, when), Guard(refused("TOKEN_INVALID"))
    store.write(Token("T0", datetime.now(UTC) + HOUR))

    def answer(request: Request) -> Reply:
        reply = guard(request)
        if request.path == "/api/token":
            guard.issued += 1  # the other's log-in
        return reply

    peer.answer = answer
    MinistryClient(line(), tokens=store).probe()
    assert (guard.issued, store.read()) == (2, later)


@pytest.mark.parametrize("text", ["abc\n", "abc\ndef", "abc\r", "mã-phiên-Đ", " abc", "abc\x7f"])
def test_a_token_that_no_header_can_carry_is_never_kept(peer: Peer, line: Line, text: str) -> None:
    peer.answer = lambda _: as_json({"token": text, "expires_in": 600})
    store = MemoryTokens()
    with pytest.raises(FateUnknown) as problem:
        MinistryClient(line(), tokens=store).probe()
    assert (problem.value.code, store.read()) == ("TOKEN_UNREADABLE", None)


def test_a_token_that_travels_in_the_body_alone_may_be_any_text(peer: Peer, line: Line, description_file: Path) -> None:
    line()
    description_file.write_text(description_file.read_text("utf-8") + '[login]\ntoken_header = ""\n', "utf-8")
    peer.answer = lambda _: as_json({"token": "mã-phiên-Đ"})
    client = MinistryClient(conf.read_description(description_file))
    assert client.fresh_token().text == "mã-phiên-Đ"


def test_a_refusal_whose_code_is_a_number_is_known_by_it(peer: Peer, line: Line, description_file: Path) -> None:
    line()
    codes = '[answers.link]\n1001 = "TOKEN_REFUSED"\n'
    description_file.write_text(description_file.read_text("utf-8") + codes, "utf-8")
    peer.answer = guard = Guard(refused(1001))
    client = MinistryClient(conf.read_description(description_file))
    client.probe()
    guard.forgotten = True
    client.probe()
    assert guard.issued == 2


def test_a_password_that_cannot_be_read_is_called_so_while_a_token_lives(
    peer: Peer, line: Line, description_file: Path, tmp_path: Path
) -> None:
    line()
    secret = tmp_path / "password"
    secret.write_text("x", "utf-8")
    named = f'[login]\npassword_file = "{secret}"\n'
    description_file.write_text(description_file.read_text("utf-8") + named, "utf-8")
    peer.answer = Guard(refused("TOKEN_INVALID"))
    client = MinistryClient(conf.read_description(description_file))
    client.probe()
    peer.requests.clear()
    for spoil in (lambda: secret.write_bytes(b"m\xe3t kh\xff"), secret.unlink):
        spoil()
        with pytest.raises(LinkRefused) as problem:
            client.submit(Message(uuid4(), "79", 2025), "x")
        assert problem.value.code == "CLIENT_FILES"
    assert peer.requests == []


@pytest.mark.parametrize(
    "catalogue", [{"data": [{"ma": "", "ten": "?"}]}, {"data": [{"ma": "A", "ten": "x" * 301}]}, {"data": None}]
)
def test_a_probe_asks_nothing_of_the_catalogue(peer: Peer, line: Line, catalogue: object) -> None:
    peer.answer = lambda request: as_json({"token": "T"} if request.path == "/api/token" else catalogue)
    MinistryClient(line()).probe()


@pytest.mark.parametrize(
    "reply", [Reply(200, b"<html>OK</html>"), Reply(200, b""), Reply(404, b"{}"), Reply(302, b"{}"), Reply(200, b"1")]
)
def test_a_probe_that_no_application_has_answered_has_failed(peer: Peer, line: Line, reply: Reply) -> None:
    peer.answer = lambda request: as_json({"token": "T"}) if request.path == "/api/token" else reply
    with pytest.raises(FateUnknown):
        MinistryClient(line()).probe()
