"""The coding of `content`, both ways, and what is refused on the way in."""

import base64
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import envelope
from gateway.exchange.errors import ContentRefused

XML = '<A id="x">Nguyễn Văn "A" \\ &amp;</A>'.encode()


def wrap(text: bytes, *, length: int | None = None, tail: bytes = b"") -> str:
    stated = len(text) if length is None else length
    return base64.b64encode(stated.to_bytes(4, "little") + gzip.compress(text) + tail).decode()


def refusal(text: str, max_bytes: int = 1_000_000) -> str:
    with pytest.raises(ContentRefused) as problem:
        envelope.decode_content(text, max_bytes=max_bytes)
    return problem.value.code


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters='"\\&')))
def test_what_is_coded_comes_back_byte_for_byte(text: str) -> None:
    data = text.encode()
    assert envelope.decode_content(envelope.encode_content(data), max_bytes=len(data) + 1) == data


def test_the_form_is_length_little_endian_then_gzip_in_base64() -> None:
    raw = base64.b64decode(envelope.encode_content(XML))
    assert raw[:4] == len(XML).to_bytes(4, "little")
    assert gzip.decompress(raw[4:]) == XML


def test_the_same_document_always_packs_into_the_same_bytes() -> None:
    assert envelope.pack(XML) == envelope.pack(XML)


@pytest.mark.parametrize("escape", ["backslash", "entity"])
def test_an_escaped_document_is_undone_because_it_parses_only_so(escape: envelope.EscapeRule) -> None:
    plain = '<A id="x">Đ</A>'.encode()
    assert envelope.decode_content(envelope.encode_content(plain, escape=escape), max_bytes=1000) == plain


@pytest.mark.parametrize("text", [b'<A id="x">\\"quoted\\"</A>', b"<A>&quot;x&quot;</A>"])
def test_a_document_that_parses_as_it_is_keeps_its_backslashes_and_entities(text: bytes) -> None:
    assert envelope.decode_content(wrap(text), max_bytes=1000) == text


def test_base64_broken_into_lines_is_read() -> None:
    text = envelope.encode_content(XML)
    assert envelope.decode_content("\r\n".join(text[i : i + 8] for i in range(0, len(text), 8)), max_bytes=1000) == XML


def test_a_bomb_is_stopped_at_the_limit_whatever_length_it_states() -> None:
    bomb = b"\x00" * 50_000_000
    assert refusal(wrap(bomb), max_bytes=1000) == "CONTENT_TOO_BIG"
    assert refusal(wrap(bomb, length=10), max_bytes=1000) == "CONTENT_TOO_BIG"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("không phải", "CONTENT_NOT_BASE64"),
        ("AA==AA==!", "CONTENT_NOT_BASE64"),
        ("AAAA", "CONTENT_TOO_SHORT"),
        (base64.b64encode(b"\x05\x00\x00\x00hello").decode(), "CONTENT_NOT_GZIP"),
        (wrap(XML, length=5), "CONTENT_LENGTH_MISMATCH"),
        (wrap(XML, tail=b"x"), "CONTENT_TRAILING_DATA"),
        (wrap(XML, tail=gzip.compress(b"second")), "CONTENT_TRAILING_DATA"),
        (wrap(b"\xff\xfe<A/>"), "CONTENT_NOT_UTF8"),
    ],
    # gzip writes the time into its head: names made of the text would differ from one worker to the next.
    ids=["letters", "padding", "short", "plain", "length", "byte-behind", "member-behind", "not-utf8"],
)
def test_what_is_not_the_form_is_refused_by_name(text: str, code: str) -> None:
    assert refusal(text) == code


def test_a_truncated_text_is_refused() -> None:
    raw = base64.b64decode(wrap(XML))
    assert refusal(base64.b64encode(raw[:-6]).decode()) == "CONTENT_TRUNCATED"


@pytest.mark.parametrize(
    ("form", "digest"),
    [
        ("sha256-hex", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha256-hex-upper", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
        ("sha256-base64", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
    ],
)
def test_the_password_travels_as_its_hash_in_the_form_asked_for(form: envelope.PasswordForm, digest: str) -> None:
    assert envelope.hash_password("abc", form) == digest
