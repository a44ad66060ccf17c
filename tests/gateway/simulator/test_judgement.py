"""What the repository refuses, record by record and package by package."""

from __future__ import annotations

import uuid
from typing import Any

import pytest


def _errors(world: Any, *records: bytes, messageid: str = "m-1") -> list[list[str]]:
    """The error codes of each record, in order."""
    world.caller.submit(world.list_of(*records), messageid=messageid)
    world.caller.verdicts(messageid)
    lines = world.simulator.store.lines(messageid)
    return [[error[0] for error in line.errors] for line in lines]


def test_one_bad_record_does_not_stop_the_others(world: Any) -> None:
    codes = _errors(world, world.record(), world.record(HO_VA_TEN=None), world.record())
    assert codes == [[], ["FIELD_MISSING"], []]
    totals = world.control.totals()
    assert (totals["accepted"], totals["rejected"], totals["held"]) == (2, 1, 2)


def test_every_error_of_a_record_is_told_in_a_line_of_its_own(world: Any) -> None:
    bad = world.record(HO_VA_TEN=None, SO_CCCD="123", MA_TRA_CUU_UUID="khong-phai-uuid")
    world.caller.submit(world.list_of(bad), messageid="m-1")
    data = world.caller.verdicts("m-1")["data"]
    assert {line["error"] for line in data} == {"FIELD_MISSING", "UUID_INVALID", "CCCD_INVALID"}
    assert {line["trang_thai"] for line in data} == {0}
    assert {line["error_field_title"] for line in data} == {"HO_VA_TEN", "MA_TRA_CUU_UUID", "SO_CCCD"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"MA_TRA_CUU_UUID": str(uuid.uuid1())}, "UUID_INVALID"),
        ({"TEN_NAM_HOC": "2024-2026"}, "YEAR_INVALID"),
        ({"MA_CAP_HOC": "03"}, "LEVEL_INVALID"),
        ({"sign_it": False}, "SIGNATURE_INVALID"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_with_its_code(world: Any, changes: Any, code: str) -> None:
    assert _errors(world, world.record(**changes)) == [[code]]


def test_a_record_of_no_known_layout_is_refused(world: Any) -> None:
    assert _errors(world, b"<HOC_BA><X/></HOC_BA>") == [["STRUCTURE_UNKNOWN"]]


def test_a_uuid_that_is_held_is_refused_in_another_message(world: Any) -> None:
    uid = str(uuid.uuid4())
    assert _errors(world, world.record(uid=uid)) == [[]]
    assert _errors(world, world.record(uid=uid.upper()), messageid="m-2") == [["UUID_HELD"]]
    entry = world.control.record(uid)
    assert (entry["effects"], entry["messageids"], len(entry["digests"])) == (1, ["m-1", "m-2"], 2)


def test_a_uuid_that_stands_twice_in_a_package_is_held_once(world: Any) -> None:
    uid = str(uuid.uuid4())
    assert _errors(world, world.record(uid=uid), world.record(uid=uid)) == [[], ["UUID_TWICE"]]


def test_a_lenient_repository_shows_the_double_effect(start: Any) -> None:
    world = start()
    world.control.change(refuse_held=False)
    uid = str(uuid.uuid4())
    _errors(world, world.record(uid=uid))
    _errors(world, world.record(uid=uid), messageid="m-2")
    assert world.control.totals()["double_effects"] == 1


def test_a_record_changed_after_signing_is_refused_when_its_signature_is_looked_at(world: Any) -> None:
    record = world.record().replace(b"gia tri NOI_SINH", b"gia tri khac")
    assert _errors(world, record) == [["SIGNATURE_INVALID"]]


def test_a_signature_by_an_unknown_issuer_is_refused(world: Any, pki: Any, helpers: Any) -> None:
    stranger = pki.issue("stranger", issuer=pki.line_ca, key=pki.school.key)
    assert _errors(world, helpers.record(stranger)) == [["SIGNATURE_INVALID"]]


def test_only_the_configured_share_of_signatures_is_looked_at(world: Any) -> None:
    world.control.change(signature_share=0.5)
    _errors(world, *[world.record() for _ in range(40)])
    assert 5 < world.control.totals()["signatures_verified"] < 35


@pytest.mark.parametrize("change", [(b"2024-2025", b"2023-2024"), (b"</DANH_SACH_HOC_BA>", b" </DANH_SACH_HOC_BA>")])
def test_a_list_changed_after_sealing_is_refused_as_a_whole(world: Any, change: tuple[bytes, bytes]) -> None:
    document = world.list_of(world.record()).replace(*change)
    world.caller.submit(document, messageid="m-1")
    answer = world.caller.verdicts("m-1")
    assert (answer["Error"], answer["data"]) == ("SEAL_INVALID", [])
    assert world.control.totals()["held"] == 0


def test_a_list_without_a_seal_is_refused(world: Any) -> None:
    document = b'<DANH_SACH_HOC_BA id="dataDanhSach">' + world.record() + b"</DANH_SACH_HOC_BA>"
    world.caller.submit(document, messageid="m-1")
    assert world.caller.verdicts("m-1")["Error"] == "SEAL_INVALID"


def test_a_record_hidden_in_a_comment_makes_the_list_refused(world: Any) -> None:
    world.caller.submit(world.list_of(world.record(), b"<!--" + world.record() + b"-->"), messageid="m-1")
    assert world.caller.verdicts("m-1")["Error"] == "STRUCTURE_INVALID"


def test_a_document_type_is_refused(world: Any) -> None:
    document = world.list_of(world.record()).replace(b"<DANH_SACH", b"<!DOCTYPE x []><DANH_SACH", 1)
    world.caller.submit(document, messageid="m-1")
    assert world.caller.verdicts("m-1")["Error"] == "CONTENT_UNREADABLE"


def test_a_seal_made_by_signxml_holds(world: Any, pki: Any) -> None:
    from lxml import etree
    from signxml import XMLSigner, methods

    root = etree.fromstring(b'<DANH_SACH_HOC_BA id="dataDanhSach">' + world.record() + b"</DANH_SACH_HOC_BA>")
    signer = XMLSigner(method=methods.enveloped, c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
    signed = signer.sign(root, key=pki.department.key, cert=[pki.department.certificate], reference_uri="dataDanhSach")
    world.caller.submit(etree.tostring(signed), messageid="m-1")
    assert [line["trang_thai"] for line in world.caller.verdicts("m-1")["data"]] == [1]
