"""An expired client certificate behind nginx: the handshake goes well, and the web server answers in place of the
Ministry. It is named as what it is; that nothing arrived is not believed on the word of a page."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from gateway.conf import EndpointDescription
from gateway.ministry.client import Message, MinistryClient
from gateway.ministry.errors import FateUnknown, LinkRefused
from tests.gateway.peer import Peer, Reply, Request, as_json


@pytest.fixture
def submit(peer: Peer, line: Callable[..., EndpointDescription]) -> Callable[[Reply], None]:
    def make(reply: Reply) -> None:
        def answer(request: Request) -> Reply:
            return as_json({"token": "T", "expires_in": 600}) if request.path == "/api/token" else reply

        peer.answer = answer
        MinistryClient(line()).submit(Message(uuid4(), "79", 2026), "content")

    return make


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b"<html><title>400 The SSL certificate error</title></html>"),
        Reply(400, b"<html><title>400 No required SSL certificate was sent</title></html>"),
        Reply(495, b""),
        Reply(496, b""),
    ],
)
def test_a_web_server_s_page_about_our_certificate_refuses_the_line_with_that_cause(
    submit: Callable[[Reply], None], reply: Reply
) -> None:
    with pytest.raises(LinkRefused) as refused:
        submit(reply)
    assert (refused.value.code, refused.value.clear) == ("CERTIFICATE_REFUSED", False)


def test_any_other_400_page_says_nothing_about_our_certificate(submit: Callable[[Reply], None]) -> None:
    with pytest.raises(FateUnknown):
        submit(Reply(400, b"<html><title>400 Bad Request</title></html>"))
