"""The strict ZIP reader: what a school's desktop makes is read, tricks are refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from signing.archive import ArchiveLimits, read_archive
from signing.errors import ArchiveRefused


def made(*files: tuple[str, bytes], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
        archive.comment = comment
    return out.getvalue()


def code_of(data: bytes, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        read_all(data, limits or ArchiveLimits())
    return caught.value.code


def read_all(data: bytes, limits: ArchiveLimits) -> list[bytes]:
    return [member.read() for member in read_archive(data, limits) if member.skipped is None]


def test_members_come_out_with_names_and_bytes():
    data = made(("lớp 1A/học bạ.xml", b"<a/>" * 9000), ("b.xml", b""), comment="Trường".encode())
    assert [(m.name, m.read()) for m in read_archive(data)] == [("lớp 1A/học bạ.xml", b"<a/>" * 9000), ("b.xml", b"")]


def test_desktop_litter_and_folders_are_skipped_and_told():
    data = made(("__MACOSX/._a.xml", b"x"), (".DS_Store", b"x"), ("f/", b""), ("f/a.xml", b"<a/>"))
    assert [(m.name, m.skipped) for m in read_archive(data)] == [
        ("__MACOSX/._a.xml", "litter"), (".DS_Store", "litter"), ("f/", "folder"), ("f/a.xml", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04", "Z1_NOT_ZIP"),
        (b"x" + made(("a", b"1")), "Z3_GAP"),
        (made(("a", b"1")) + b"x", "Z1_TRAILING"),
        (made(("../a", b"1")), "Z6_PATH"),
        (made(("/a", b"1")), "Z6_PATH"),
        (made(("a.xml", b"1"), ("A.XML", b"2")), "Z6_DUPLICATE"),
        (made(("a.zip", b"1")), "Z7_NESTED"),
        (made(("a.xml", made(("b", b"1")))), "Z7_NESTED"),
        (made(("a.xml", b"0" * 3_000_000)), "Z7_RATIO"),
    ],
)
def test_a_trick_is_refused_with_its_code(data, code):
    assert code_of(data) == code


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a.xml", "./a.xml"), ("d/a.xml", "d//a.xml"), ("d/a.xml", "d\\a.xml"), ("a.xml", "a.xml."),
        ("a.xml", "a.xml "), ("\u00e9.xml", "e\u0301.xml"), ("a", "a/b.xml"),
        ("a.xml", "a.xml::$DATA"), ("d /a.xml", "D/a.xml"),
    ],
)  # fmt: skip
def test_two_names_that_are_one_file_on_some_disk_are_refused(first, second):
    assert code_of(made((first, b"1"), (second, b"2"))) == "Z6_DUPLICATE"


@pytest.mark.parametrize(
    "name", [".. /a", "... /a", ".", "a\nb.xml", "a\x1b[2J.xml", "a\u202egpj.xml", "x/" * 99 + "a"]
)
def test_a_name_that_reads_otherwise_than_it_looks_is_refused(name):
    assert code_of(made((name, b"1"))) == "Z6_NAME"


def test_a_name_said_to_be_utf8_that_is_not_is_refused():
    assert code_of(made(("aé.xml", b"1")).replace("é".encode(), b"\xc3\x28")) == "Z6_NAME"


def with_copy(*names: tuple[str, str], stale: bool = False) -> bytes:
    """Entries with Info-ZIP's UTF-8 copy of their names beside them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for raw, copy in names:
            entry = zipfile.ZipInfo(raw)
            body = b"\1" + struct.pack("<I", zlib.crc32(raw.encode()) ^ stale) + copy.encode()
            entry.extra = struct.pack("<HH", 0x7075, len(body)) + body
            archive.writestr(entry, b"<a/>")
    return out.getvalue()


def test_the_copy_of_a_name_is_judged_like_the_name():
    assert [m.name for m in read_archive(with_copy(("hoc ba.xml", "học bạ.xml")))] == ["hoc ba.xml"]
    assert code_of(with_copy(("a.xml", "../../etc/x"))) == "Z6_PATH"
    assert code_of(with_copy(("a.xml", "/etc/x"))) == "Z6_PATH"
    assert code_of(with_copy(("a.xml", "c.xml"), ("b.xml", "c.xml"))) == "Z6_DUPLICATE"
    assert code_of(with_copy(("a.xml", "b.xml"), ("b.xml", "c.xml"))) == "Z6_DUPLICATE"
    assert code_of(with_copy(("a.xml", "b.zip"))) == "Z7_NESTED"
    assert code_of(with_copy(("a.xml", "b.xml"), stale=True)) == "Z4_UNICODE"


@pytest.mark.parametrize("system", [0, 3, 10, 19, 30])
def test_a_link_is_one_whoever_claims_to_have_made_it(system):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("a.xml")
        entry.create_system, entry.external_attr = system, 0o120777 << 16
        archive.writestr(entry, b"/etc/passwd")
    assert code_of(out.getvalue()) == "Z6_KIND"


@pytest.mark.parametrize(("name", "at", "bits"), [("a.xml", 10, 1), ("é.xml", 7, 8)], ids=["time", "utf8 flag"])
def test_headers_that_differ_where_no_content_hangs_on_it_have_a_code_of_their_own(name, at, bits):
    data = bytearray(made((name, b"1")))
    data[at] ^= bits
    assert code_of(bytes(data)) == "Z4_HEADER"


def test_limits_hold():
    data = made(("a", b"1" * 100), ("b", b"2" * 100))
    assert code_of(data, ArchiveLimits(max_entries=1)) == "Z7_TOO_MANY"
    assert code_of(data, ArchiveLimits(max_entry=99)) == "Z7_ENTRY"
    assert code_of(data, ArchiveLimits(max_total=150)) == "Z7_TOTAL"


def test_no_mutated_byte_gives_other_content():
    good = made(("a.xml", b"<a>1</a>"), ("b.xml", b"<b>2</b>"))
    genuine = [m.read() for m in read_archive(good)]
    for at in range(len(good)):
        for flip in (1, 0x80, 0xFF):
            data = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
            try:
                got = [m.read() for m in read_archive(data)]
            except ArchiveRefused:
                continue
            assert got == genuine
