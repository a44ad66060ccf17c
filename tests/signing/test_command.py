"""The auditor's command line: exit codes, JSON, lists, and a folder of vectors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.command import _print_report, main
from signing.report import Indication, Report, SignatureReport


@pytest.fixture(scope="module")
def desk(cast, tmp_path_factory):
    """A folder with the authorities and a few files, as on an inspector's laptop."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "trust").mkdir()
    for number, authority in enumerate((cast.pki.root, cast.pki.public_issuer, cast.pki.special_issuer)):
        pem = authority.identity.certificate.public_bytes(Encoding.PEM)
        (folder / "trust" / f"{number}.pem").write_bytes(pem)
    good = cast.record(0)
    (folder / "good.xml").write_bytes(good)
    (folder / "secondary.xml").write_bytes(cast.record(1))
    (folder / "forged.xml").write_bytes(good.replace("Tiểu học".encode(), "Trung học".encode()))
    (folder / "list.xml").write_bytes(b"<DANH_SACH_HOC_BA>" + good + cast.record(0, 8) + b"</DANH_SACH_HOC_BA>")
    (folder / "note.xml").write_bytes(b"<NOTE/>")
    return folder


def verify(desk, *names, more=()):
    return main(["verify", *(str(desk / name) for name in names), "--trust", str(desk / "trust"), *more])


def test_good_records_of_both_layouts_leave_with_zero(desk, capsys):
    assert verify(desk, "good.xml", "secondary.xml") == 0
    assert capsys.readouterr().out.count("TOTAL_PASSED") > 2


def test_a_forged_record_leaves_with_one_and_says_why(desk, capsys):
    assert verify(desk, "good.xml", "forged.xml") == 1
    assert "DIGEST_MISMATCH" in capsys.readouterr().out


def test_json_names_every_step_of_every_signature(desk, capsys):
    assert verify(desk, "good.xml", more=["--json", "--second"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["engine"], second["engine"]) == ("fast", "second")
    for signature in first["signatures"]:
        assert {step["number"] for step in signature["steps"]} == set(range(5, 11))


def test_a_list_gives_one_verdict_per_record(desk, capsys):
    assert verify(desk, "list.xml", more=["--json"]) == 0
    printed = capsys.readouterr()
    assert [item["file"] for item in json.loads(printed.out)] == ["list.xml#1", "list.xml#2"]
    assert "list.xml: danh sách không mang chữ ký" in printed.err


def test_a_document_of_another_kind_is_refused(desk):
    assert verify(desk, "note.xml") == 1


@pytest.mark.parametrize("arguments", [["nowhere.xml"], ["good.xml", "--policy", "nowhere.toml"]])
def test_what_cannot_be_read_leaves_with_two(desk, arguments, capsys):
    paths = [item if item.startswith("--") else str(desk / item) for item in arguments]
    assert main(["verify", *paths, "--trust", str(desk / "trust")]) == 2
    assert capsys.readouterr().err.strip()


def test_an_empty_trust_folder_leaves_with_two(desk, tmp_path, capsys):
    assert main(["verify", str(desk / "good.xml"), "--trust", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip()


def test_vectors_are_compared_with_their_index(desk, tmp_path, capsys):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "good.xml").write_bytes(b"<A><B>1</B></A>")
    (tmp_path / "set" / "bomb.xml").write_bytes(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
    head = "path\texpected\treason\torigin\tlicence\n"
    (tmp_path / "INDEX.tsv").write_text(head + "set/good.xml\tvalid\t\t\t\nset/bomb.xml\tinvalid\t\t\t\n")
    assert main(["vectors", str(tmp_path), "--json"]) == 0
    assert {item["agrees"] for item in json.loads(capsys.readouterr().out)} == {True}
    (tmp_path / "INDEX.tsv").write_text(head + "set/good.xml\tinvalid\t\t\t\n")
    assert main(["vectors", str(tmp_path)]) == 1
    assert main(["vectors", str(tmp_path / "nowhere")]) == 2


def test_a_broken_or_missing_file_hides_no_other(desk, capsys):
    (desk / "comment.xml").write_bytes(
        (desk / "good.xml").read_bytes().replace(b"<THONG_TIN_CHUNG", b"<!--x--><THONG_TIN_CHUNG")
    )
    (desk / "dtd.xml").write_bytes(b"<!DOCTYPE a [<!ENTITY b 'c'>]><HOC_BA>&b;</HOC_BA>")
    (desk / "empty.xml").write_bytes(b"")
    (desk / "binary.xml").write_bytes(bytes(range(256)))
    (desk / "large.xml").write_bytes((desk / "good.xml").read_bytes() + b" " * 3_000_000)
    broken = ["comment.xml", "dtd.xml", "empty.xml", "binary.xml", "large.xml"]
    assert verify(desk, *broken, "good.xml", more=["--json"]) == 1
    found = {item["file"]: item["code"] for item in json.loads(capsys.readouterr().out)}
    assert found == {
        "comment.xml": "COMMENT", "dtd.xml": "DTD", "empty.xml": "EMPTY", "binary.xml": "ENCODING",
        "large.xml": "TOO_LARGE", "good.xml": "OK",
    }  # fmt: skip
    assert verify(desk, "nowhere.xml", "trust", "good.xml", more=["--json"]) == 2
    printed = capsys.readouterr()
    assert [item["code"] for item in json.loads(printed.out)] == ["FILE_UNREADABLE", "FILE_UNREADABLE", "OK"]
    assert "nowhere.xml" in printed.err


def test_one_bad_record_of_a_list_is_told_beside_the_good_ones(desk, capsys):
    good = (desk / "good.xml").read_bytes()
    bad = good.replace(b"<THONG_TIN_CHUNG", b"<!--x--><THONG_TIN_CHUNG")
    (desk / "mixed.xml").write_bytes(b"<DANH_SACH_HOC_BA>" + good + bad + good + b"</DANH_SACH_HOC_BA>")
    assert verify(desk, "mixed.xml", more=["--json"]) == 1
    assert [item["code"] for item in json.loads(capsys.readouterr().out)] == ["OK", "COMMENT", "OK"]


def test_a_list_without_records_says_so(desk, capsys):
    (desk / "bare.xml").write_bytes(b"<DANH_SACH_HOC_BA/>")
    assert verify(desk, "bare.xml") == 1
    assert "LIST_EMPTY" in capsys.readouterr().out


def test_files_of_the_same_name_are_told_apart(desk, tmp_path, capsys):
    (tmp_path / "good.xml").write_bytes(b"<NOTE/>")
    assert (
        main(["verify", str(desk / "good.xml"), str(tmp_path / "good.xml"), "--trust", str(desk / "trust"), "--json"])
        == 1
    )
    names = [item["file"] for item in json.loads(capsys.readouterr().out)]
    assert names == [str(desk / "good.xml"), str(tmp_path / "good.xml")]


@pytest.mark.parametrize(
    "moment", ["", "hôm qua", "2026-06-01", "2026-06-01T00:00:00", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_a_moment_without_meaning_leaves_with_two_and_shows_how_to_write_it(desk, moment, capsys):
    with pytest.raises(SystemExit) as left:
        verify(desk, "good.xml", more=["--at", moment])
    assert left.value.code == 2
    assert "invalid _moment" not in capsys.readouterr().err


def test_what_a_certificate_says_moves_no_cursor_and_starts_no_line(capsys):
    report = Report(
        "p", Indication.TOTAL_FAILED, None, "X", "a\x1b[2Jb\nforged.xml: TOTAL_PASSED\u202e",
        (SignatureReport("GVCN", "p", Indication.TOTAL_FAILED, signer="A\ngood.xml: TOTAL_PASSED"),),
    )  # fmt: skip
    _print_report("name\n.xml", report)
    out = capsys.readouterr().out
    assert not [line for line in out.splitlines() if line.startswith(("forged", "good"))]
    assert out.replace("\n", "").isprintable()


def test_the_program_survives_a_closed_pipe_and_a_foreign_code_page(desk, tmp_path):
    def run(more: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "signing", "verify", *more, "--trust", str(desk / "trust")]
        root = str(Path(__file__).parents[2])
        closed, writing = os.pipe()
        os.close(closed)
        out = writing if "CLOSED" in environment else subprocess.PIPE
        try:
            return subprocess.run(
                command, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, timeout=60, check=False,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": root, **environment},
            )  # fmt: skip
        finally:
            os.close(writing)

    good = str(desk / "good.xml")
    ended = run([good], CLOSED="1")
    assert (ended.returncode, ended.stderr) == (2, b"")
    ended = run([str(desk / "forged.xml")], PYTHONIOENCODING="ascii")
    assert ended.returncode == 1
    assert "Nội dung học bạ đã bị sửa".encode() in ended.stdout


def test_an_unreadable_policy_is_named(desk, tmp_path, capsys):
    (tmp_path / "policy.toml").write_text("name = ")
    assert verify(desk, "good.xml", more=["--policy", str(tmp_path / "policy.toml")]) == 2
    assert "policy.toml" in capsys.readouterr().err
