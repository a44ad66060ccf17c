"""The auditor's command line: exit codes, JSON, lists, and a folder of vectors."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.command import main


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
    assert [item["file"] for item in json.loads(capsys.readouterr().out)] == ["list.xml#1", "list.xml#2"]


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
