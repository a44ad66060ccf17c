"""The strict ZIP reader: what a school's desktop makes is read, tricks are refused."""

from __future__ import annotations

import io
import zipfile

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
