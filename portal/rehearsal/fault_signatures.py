"""Breaches of the signatures: altered after signing, wrong or bad certificates, signatures missing, moved, wrapped.

Every one of them must be refused, except signing in the wrong order, which is told to the school.
"""

import re
from dataclasses import replace
from datetime import timedelta

from portal.rehearsal.draft import Draft, Slot
from portal.rehearsal.faults import Edit, Fault, Mangle, Outcome, Scene
from portal.rehearsal.pki import Flaw
from portal.rehearsal.province import LOWER, UPPER

_SIGNATURE = re.compile(r"<(ds:)?Signature [^>]*>.*?</(?:ds:)?Signature>", re.DOTALL)
_DATA = re.compile(r"<DU_LIEU_HOC_BA .*?</DU_LIEU_HOC_BA>", re.DOTALL)
_CERTIFICATES = re.compile(r"<(ds:)?X509Certificate>.*?</(?:ds:)?X509Certificate>", re.DOTALL)
_TIME = re.compile(r"(SigningTime[^>]*>\d{4}-\d\d-)(\d\d)(T)")


def _slot(draft: Draft, role: str) -> Slot:
    return next(slot for slot in draft.slots if slot.role == role)


def _head_with(flaw: Flaw) -> Edit:
    def edit(draft: Draft, scene: Scene) -> None:
        _slot(draft, "CBQL").identity = scene.pki.person(draft.school.head, draft.school, flaw)

    return edit


def _school_with(flaw: Flaw) -> Edit:
    def edit(draft: Draft, scene: Scene) -> None:
        _slot(draft, "KY_PHAT_HANH").identity = scene.pki.organisation(draft.school, flaw)

    return edit


def _head_of_other_school(draft: Draft, scene: Scene) -> None:
    other = next(school for school in scene.province.schools if school.index != draft.school.index)
    _slot(draft, "CBQL").identity = scene.pki.person(other.head, other)


def _other_school(draft: Draft, scene: Scene) -> None:
    other = next(school for school in scene.province.schools if school.index != draft.school.index)
    _slot(draft, "KY_PHAT_HANH").identity = scene.pki.organisation(other)


def _without(role: str) -> Edit:
    """Leaves one signer out (the first of several)."""

    def edit(draft: Draft, scene: Scene) -> None:
        draft.slots.remove(_slot(draft, role))

    return edit


def _weak_digest(draft: Draft, scene: Scene) -> None:
    _slot(draft, "CBQL").digest = "sha1"


def _time_not_covered(draft: Draft, scene: Scene) -> None:
    _slot(draft, "CBQL").cover_time = False


def _in_the_future(draft: Draft, scene: Scene) -> None:
    _slot(draft, "KY_PHAT_HANH").at += timedelta(days=2 * 365)


def _head_before_teacher(draft: Draft, scene: Scene) -> None:
    _slot(draft, "CBQL").at -= timedelta(days=8)


def _altered(text: str, draft: Draft) -> str:
    mark = "DIEM_CA_NAM" if draft.is_secondary else "DIEM_KIEM_TRA_DINH_KY"
    # The first figure of the first mark becomes another one.
    return re.sub(rf"(<{mark}>)(\d)", lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}", text, count=1)


def _altered_name(text: str, draft: Draft) -> str:
    return text.replace(f"<HO_VA_TEN>{draft.general['HO_VA_TEN']}<", "<HO_VA_TEN>Nguyễn Văn Khác<", 1)


def _altered_time(text: str, draft: Draft) -> str:
    return _TIME.sub(lambda m: f"{m[1]}{int(m[2]) % 28 + 1:02d}{m[3]}", text, count=1)


def _without_certificate(text: str, draft: Draft) -> str:
    return _CERTIFICATES.sub("", text)


def _comment_in_value(text: str, draft: Draft) -> str:
    """C14N drops comments, so the signatures stay good: only the parser can notice."""
    return text.replace("<HO_VA_TEN>", "<HO_VA_TEN><!-- x -->", 1)


def _instruction_in_region(text: str, draft: Draft) -> str:
    return text.replace("<DANH_SACH_THONG_TIN_KY>", "<DANH_SACH_THONG_TIN_KY><?x y?>", 1)


def _swapped(text: str, draft: Draft) -> str:
    """Head's and school's signatures change places."""
    *_, head, school = _SIGNATURE.finditer(text)
    return text[: head.start()] + school[0] + text[head.end() : school.start()] + head[0] + text[school.end() :]


def _moved(text: str, draft: Draft) -> str:
    """The head's signature stands beside its place."""
    *_, head, _school = _SIGNATURE.finditer(text)
    without = text[: head.start()] + text[head.end() :]
    return without.replace("</DANH_SACH_THONG_TIN_KY>", head[0] + "</DANH_SACH_THONG_TIN_KY>", 1)


def _twice(text: str, draft: Draft) -> str:
    block = re.search(r"<CBQL>.*?</CBQL>", text, re.DOTALL)
    assert block is not None
    return text[: block.end()] + block[0] + text[block.end() :]


def _wrapped(text: str, draft: Draft) -> str:
    """Signature wrapping: the signed data moves into the signatures' region, a forged copy takes its place."""
    data = _DATA.search(text)
    assert data is not None
    forged = _altered(data[0], draft).replace('="data"', '="data-2"', 1)
    out = text[: data.start()] + forged + text[data.end() :]
    return out.replace("</DANH_SACH_THONG_TIN_KY>", data[0] + "</DANH_SACH_THONG_TIN_KY>", 1)


def _data_twice(text: str, draft: Draft) -> str:
    data = _DATA.search(text)
    assert data is not None
    return text[: data.start()] + _altered(data[0], draft) + text[data.start() :]


def _id_twice(text: str, draft: Draft) -> str:
    return text.replace("<DANH_SACH_THONG_TIN_KY>", '<DANH_SACH_THONG_TIN_KY Id="data">', 1)


def _bad(
    name: str, says: str, *, edit: Edit | None = None, mangle: Mangle | None = None, levels: str = "02 03 04"
) -> Fault:
    return Fault(name, Outcome.REFUSED, frozenset(says.split()), tuple(levels.split()), edit, mangle)


FAULTS = (
    _bad("altered-mark", "DIGEST_MISMATCH", mangle=_altered),
    _bad("altered-name", "DIGEST_MISMATCH", mangle=_altered_name),
    _bad("altered-time", "DIGEST_MISMATCH", mangle=_altered_time),
    _bad("without-certificate", "CERTIFICATE_MISSING", mangle=_without_certificate),
    replace(_bad("comment-in-value", "COMMENT", mangle=_comment_in_value), spoils_file=True),
    replace(_bad("instruction-in-region", "PROCESSING_INSTRUCTION", mangle=_instruction_in_region), spoils_file=True),
    _bad("signatures-swapped", "", mangle=_swapped),
    _bad("signature-moved", "SIGNATURE_MISSING", mangle=_moved),
    _bad("signature-twice", "SIGNATURE_TWICE", mangle=_twice),
    _bad("wrapped", "PART_UNEXPECTED", mangle=_wrapped),
    _bad("data-twice", "PART_TWICE", mangle=_data_twice),
    _bad("id-twice", "ID_NOT_UNIQUE", mangle=_id_twice),
    _bad("missing-head", "SIGNATURE_MISSING", edit=_without("CBQL")),
    _bad("missing-issue", "SIGNATURE_MISSING", edit=_without("KY_PHAT_HANH")),
    _bad("missing-subject-teacher", "SIGNATURE_MISSING", edit=_without("GVBM"), levels=f"{LOWER} {UPPER}"),
    _bad("missing-homeroom-teacher", "SIGNATURE_MISSING", edit=_without("GVCN"), levels=f"{LOWER} {UPPER}"),
    _bad("sha1", "METHOD_WEAK", edit=_weak_digest),
    _bad("time-not-covered", "TIME_NOT_COVERED", edit=_time_not_covered),
    _bad("signed-in-the-future", "TIME_IN_FUTURE", edit=_in_the_future),
    _bad("head-expired", "CERTIFICATE_EXPIRED", edit=_head_with(Flaw.EXPIRED)),
    _bad("head-not-yet-valid", "CERTIFICATE_NOT_YET_VALID", edit=_head_with(Flaw.NOT_YET_VALID)),
    _bad("head-foreign-issuer", "CHAIN_NOT_FOUND", edit=_head_with(Flaw.FOREIGN_ISSUER)),
    _bad("head-weak-key", "KEY_WEAK", edit=_head_with(Flaw.WEAK_KEY)),
    _bad("head-wrong-usage", "CERTIFICATE_USAGE", edit=_head_with(Flaw.WRONG_USAGE)),
    _bad("head-other-person", "CCCD_DIFFERS", edit=_head_with(Flaw.OTHER_PERSON)),
    _bad("head-of-other-school", "CCCD_DIFFERS", edit=_head_of_other_school),
    _bad("issued-by-other-school", "", edit=_other_school),
    _bad("issued-with-unapproved", "", edit=_school_with(Flaw.REVOKED_LATER)),
    _bad("issued-with-expired", "CERTIFICATE_EXPIRED", edit=_school_with(Flaw.EXPIRED)),
    Fault("head-revoked", Outcome.REFUSED, frozenset(), edit=_head_with(Flaw.REVOKED), needs_revocation=True),
    Fault(
        "head-before-teacher",
        Outcome.WARNED,
        frozenset({"F-SIGNING-ORDER", "ORDER_WRONG"}),
        (LOWER, UPPER),
        _head_before_teacher,
    ),
)
