"""What passes, what is refused, each with its own code."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

import signing
from portal.rehearsal.spelling import SPELLINGS
from signing import BindingProblem, Indication, RevocationAnswer, RevocationState, StepStatus, SubIndication
from signing.algorithms import EXC_C14N
from signing.verification.recognition import forget
from signing.verification.shortening import forget_spellings


@pytest.mark.parametrize("school", [0, 1, 3])
@pytest.mark.parametrize("spelling", [item.name for item in SPELLINGS])
def test_records_in_every_spelling_of_school_software_pass(cast, spelling, school):
    report = cast.verify(cast.record(school, spelling=spelling), school)
    assert (report.code, report.passed) == ("OK", True)
    assert report.content_digest is not None
    assert "DU_LIEU_HOC_BA" in report.covered
    assert all(signature.certificate_sha256 and signature.signing_time for signature in report.signatures)


def test_a_report_lists_every_step_and_says_which_did_not_run(cast):
    report = cast.verify(cast.record())
    assert [step.number for step in report.steps] == [1, 2, 3, 4, 11]
    for signature in report.signatures:
        assert {step.number for step in signature.steps} == set(range(5, 11))
        assert ("REVOCATION_NOT_ASKED", StepStatus.NOT_RUN) in {(step.code, step.status) for step in signature.steps}
    assert report.to_json()["indication"] == "TOTAL_PASSED"


def _edit(data: bytes, old: str, new: str, count: int = 1) -> bytes:
    text = data.decode()
    assert re.search(old, text), old
    return re.sub(old, new, text, count=count, flags=re.DOTALL).encode()


EDITS = [
    ("tampered", r"(<HO_VA_TEN>)[^<]+", r"\1Kẻ Giả Mạo", "DIGEST_MISMATCH"),
    ("wrong root", r"<HOC_BA ", r"<HOC_BE ", "NOT_WELL_FORMED"),
    ("second data", r"(<DU_LIEU_HOC_BA.*</DU_LIEU_HOC_BA>)", r"\1\1", "PART_TWICE"),
    ("no data", r"<DU_LIEU_HOC_BA.*</DU_LIEU_HOC_BA>", "", "CONTENT_MISSING"),
    ("unknown part", r"(<DANH_SACH_THONG_TIN_KY>)", r"<EVIL/>\1", "PART_UNEXPECTED"),
    ("unknown in region", r"(<DANH_SACH_THONG_TIN_KY>)", r"\1<EVIL/>", "PART_UNEXPECTED"),
    ("no head", r"<CBQL>.*</CBQL>", "", "SIGNATURE_MISSING"),
    ("no issuing signature", r"<KY_PHAT_HANH>.*</KY_PHAT_HANH>", "", "SIGNATURE_MISSING"),
    ("head twice", r"(<CBQL>.*</CBQL>)", r"\1\1", "SIGNATURE_TWICE"),
    ("comment", r"(<HO_VA_TEN>)", r"\1<!-- -->", "COMMENT"),
    ("instruction", r"(<HO_VA_TEN>)", r"\1<?a b?>", "PROCESSING_INSTRUCTION"),
    ("entity", r"(<HO_VA_TEN>)", r"\1&evil;", "NOT_WELL_FORMED"),
    ("nil", r"<HO_VA_TEN>", r'<HO_VA_TEN xmlns:xsi="urn:x" xsi:nil="true">', "ATTRIBUTE_NAMESPACED"),
    (
        "foreign namespace",
        r"<HO_VA_TEN>([^<]*)</HO_VA_TEN>",
        r'<HO_VA_TEN xmlns="urn:x">\1</HO_VA_TEN>',
        "NAMESPACE_IN_DATA",
    ),
    ("relative namespace", r"<HO_VA_TEN>", r'<HO_VA_TEN xmlns:a="x">', "NAMESPACE_RELATIVE"),
    ("same id twice", r"<HO_VA_TEN>", r'<HO_VA_TEN ID="data">', "ID_NOT_UNIQUE"),
]


@pytest.mark.parametrize(("what", "old", "new", "code"), EDITS, ids=[edit[0] for edit in EDITS])
def test_an_edited_record_is_refused_with_its_code(cast, what, old, new, code):
    report = cast.verify(_edit(cast.record(spelling="dotnet"), old, new))
    assert (report.code, report.passed) == (code, False)
    assert report.refused
    assert report.covered == {}
    assert report.message


DSIG_EDITS = [
    ("hmac", r"xmldsig-more#rsa-sha256", "xmldsig-more#hmac-sha256", "METHOD_HMAC"),
    (
        "sha1",
        r"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "METHOD_WEAK",
    ),
    ("dsa", r"xmldsig-more#rsa-sha256", "xmldsig-more#dsa-sha256", "METHOD_UNSUPPORTED"),
    ("wrong kind of key", r"xmldsig-more#rsa-sha256", "xmldsig-more#ecdsa-sha256", "KEY_MISMATCH"),
    (
        "md5 digest",
        r"http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "DIGEST_WEAK",
    ),
    ("unknown digest", r"http://www.w3.org/2001/04/xmlenc#sha256", "urn:x", "DIGEST_UNSUPPORTED"),
    ("external", r'URI="#data"', 'URI="http://127.0.0.1/"', "REFERENCE_EXTERNAL"),
    ("pointer", r'URI="#data"', 'URI="#xpointer(/)"', "REFERENCE_POINTER"),
    ("empty", r'URI="#data"', 'URI=""', "REFERENCE_EMPTY"),
    (
        "default namespace by name",
        r"<CanonicalizationMethod [^>]*?(/>|></CanonicalizationMethod>)",
        f'<CanonicalizationMethod Algorithm="{EXC_C14N}"><InclusiveNamespaces xmlns="{EXC_C14N}" '
        'PrefixList="a #default"/></CanonicalizationMethod>',
        "TRANSFORM_DEFAULT_PREFIX",
    ),
    ("unresolved", r'URI="#data"', 'URI="#nowhere"', "REFERENCE_UNRESOLVED"),
    ("no uri", r'URI="#data"', "", "REFERENCE_NO_URI"),
    ("key info gone", r"<KeyInfo.*?</KeyInfo>", "", "KEYINFO_MISSING"),
    ("no certificate", r"<X509Certificate>.*?</X509Certificate>", "", "CERTIFICATE_MISSING"),
    ("bad certificate", r"(<X509Certificate>).*?(</X509Certificate>)", r"\1QUJD\2", "CERTIFICATE_UNREADABLE"),
    (
        "retrieval method",
        r"<X509Data>.*?</X509Data>",
        '<RetrievalMethod URI="http://127.0.0.1/"/>',
        "KEYINFO_UNEXPECTED",
    ),
    ("two signed infos", r"(<SignedInfo.*?</SignedInfo>)", r"\1\1", "SIGNED_INFO"),
    ("no time", r"<Object.*?</Object>", "", "TIME_MISSING"),
    ("two times", r"(<SigningTime[^<]*</SigningTime>)", r"\1\1", "TIME_TWICE"),
    ("time changed", r"(<SigningTime[^>]*>)20\d\d", r"\g<1>2019", "DIGEST_MISMATCH"),
    ("time without zone", r"(<SigningTime[^>]*>)[^<]*", r"\g<1>2024-05-30T10:00:00", "TIME_MALFORMED"),
    ("time in no zone", r"(<SigningTime[^>]*>)[^<]*", r"\g<1>2024-05-30T10:00:00+15:00", "TIME_MALFORMED"),
    ("value of other length", r"(<SignatureValue>)[^<]*", r"\g<1>QUJD", "SIGNATURE_WRONG"),
    ("value no base64", r"(<SignatureValue>)[^<]*", r"\g<1>!!", "VALUE_MALFORMED"),
    ("attribute", r"<SignedInfo>", '<SignedInfo evil="1">', "SIGNATURE_ATTRIBUTE"),
    ("text", r"<SignedInfo>", "<SignedInfo>x", "SIGNATURE_TEXT"),
    ("extra object", r"</Signature>", "<Object><Manifest/></Object></Signature>", "MANIFEST"),
    ("payload object", r"</Signature>", "<Object><EVIL/></Object></Signature>", "OBJECT_UNEXPECTED"),
]


@pytest.mark.parametrize(("what", "old", "new", "code"), DSIG_EDITS, ids=[edit[0] for edit in DSIG_EDITS])
def test_an_edited_signature_is_refused_with_its_code(cast, what, old, new, code):
    report = cast.verify(_edit(cast.record(spelling="dotnet"), old, new))
    assert (report.code, report.passed) == (code, False)


FORBIDDEN = [
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
]


@pytest.mark.parametrize("uri", FORBIDDEN)
def test_a_transform_outside_the_list_is_refused(cast, uri):
    report = cast.verify(_edit(cast.record(spelling="java"), r"(Transform Algorithm=)\"[^\"]*\"", rf'\1"{uri}"'))
    assert report.code in ("TRANSFORM_FORBIDDEN", "TRANSFORM_ORDER")


class _Source:
    def __init__(self, state: RevocationState) -> None:
        self.state = state

    def status(self, certificate: bytes, issuer: bytes, *, at: datetime) -> RevocationAnswer:
        return RevocationAnswer(self.state, evidence=("ab",))


@pytest.mark.parametrize(
    ("state", "sub", "code"),
    [
        (RevocationState.GOOD, None, "OK"),
        (RevocationState.REVOKED, SubIndication.REVOKED, "CERTIFICATE_REVOKED"),
        (RevocationState.UNKNOWN, SubIndication.TRY_LATER, "REVOCATION_UNKNOWN"),
    ],
)
def test_revocation_decides_at_signing_time(cast, state, sub, code):
    policy = replace(cast.primary, revocation="required")
    report = signing.verify(cast.record(), policy, cast.trust, at=cast.now, revocation=_Source(state))
    assert (report.sub_indication, report.code) == (sub, code)
    assert report.try_later is (state is RevocationState.UNKNOWN)


def test_without_a_source_a_policy_that_requires_one_says_try_later(cast):
    report = signing.verify(cast.record(), replace(cast.primary, revocation="required"), cast.trust, at=cast.now)
    assert report.try_later
    assert not report.refused


def test_a_certificate_of_an_unknown_issuer_is_refused(cast):
    stranger = signing.TrustStore.from_certificates([])
    report = signing.verify(cast.record(), cast.primary, stranger, at=cast.now)
    assert report.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_a_signing_time_in_the_future_is_refused(cast):
    report = signing.verify(cast.record(), cast.primary, cast.trust, at=cast.now - timedelta(days=900))
    assert report.code == "TIME_IN_FUTURE"


def test_a_naive_time_is_the_callers_mistake(cast):
    with pytest.raises(ValueError, match="aware"):
        signing.verify(cast.record(), cast.primary, cast.trust, at=datetime(2026, 1, 1))  # noqa: DTZ001


class _Roster:
    def __init__(self, severity: str) -> None:
        self.severity = severity

    def check(self, *, role, certificate, claimed_cccd, signing_time):
        return [BindingProblem("LEFT_THE_SCHOOL", self.severity, "Đã chuyển trường.")] if role == "CBQL" else []


def test_the_rosters_error_refuses_and_its_warning_is_told(cast):
    refused = cast.verify(cast.record(), binding=_Roster("error"))
    assert refused.code == "LEFT_THE_SCHOOL"
    told = cast.verify(cast.record(), binding=_Roster("warning"))
    assert told.passed
    assert [warning.code for warning in told.warnings] == ["LEFT_THE_SCHOOL"]


def test_a_claimed_number_that_is_not_the_certificates_is_refused(cast):
    data = _edit(cast.record(spelling="dotnet"), r"(<CBQL>.*?<SO_CCCD>)\d+", r"\g<1>001099000001")
    assert cast.verify(data).code == "CCCD_DIFFERS"


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("school", [0, 1])
@pytest.mark.parametrize(
    "before", ["</HOC_BA>", "<DANH_SACH_THONG_TIN_KY", "</DANH_SACH_THONG_TIN_KY>", "<CBQL>", "</CBQL>", "<SO_CCCD>"]
)
def test_words_that_nobody_signed_have_no_place_around_the_signatures(cast, before, school, warm):
    forget()
    forget_spellings()
    record = cast.record(school).decode()
    assert before in record
    if warm:
        assert cast.verify(record.encode(), school).passed
    head, _, tail = record.rpartition(before)
    assert cast.verify(f"{head} \n{before}{tail}".encode(), school).passed
    report = cast.verify(f"{head}được lên lớp{before}{tail}".encode(), school)
    assert (report.code, report.passed) == ("TEXT_UNEXPECTED", False)


def test_a_secondary_record_pairs_rows_with_teachers(cast):
    data = cast.record(1, spelling="dotnet")
    first = re.search(rb'<DANH_SACH_GVBM>.*?<GVBM Id="([^"]+)"', data, re.DOTALL)
    assert first
    unknown = data.replace(b'<GVBM Id="' + first.group(1) + b'"', b'<GVBM Id="gv-none"', 1)
    assert cast.verify(unknown, 1).code in ("PAIR_UNKNOWN", "SIGNATURE_MISSING", "DIGEST_MISMATCH", "PAIR_TWICE")
    missing = re.sub(rb"(<DANH_SACH_GVBM>\s*)<GVBM.*?</GVBM>", rb"\1", data, count=1, flags=re.DOTALL)
    assert cast.verify(missing, 1).code == "SIGNATURE_MISSING"


def test_two_rows_with_exchanged_signatures_are_refused(cast):
    data = cast.record(1, spelling="dotnet").decode()
    head, region = data.split("<DANH_SACH_GVBM>")
    ids = re.findall(r'<GVBM Id="([^"]+)"', region)
    swapped = (
        region.replace(f'"{ids[0]}"', '"@"', 1)
        .replace(f'"{ids[1]}"', f'"{ids[0]}"', 1)
        .replace('"@"', f'"{ids[1]}"', 1)
    )
    report = cast.verify(f"{head}<DANH_SACH_GVBM>{swapped}".encode(), 1)
    assert report.code == "REFERENCE_WRONG_TARGET"


def test_the_sealed_list_passes_and_its_records_are_cut_untouched(cast):
    from signing.keys.software import SoftwareKey
    from signing.presets import LIST_POLICY
    from signing.sealing import SealProfile, seal

    department = cast.pki.department
    der = department.certificate.public_bytes(signing_encoding())
    key = SoftwareKey(certificate=der, chain=(), private_key=department.key)
    records = [cast.record(0, number) for number in range(3)]
    bodies = [re.sub(rb"^\s*<\?xml[^>]*\?>\s*", b"", data) for data in records]
    whole = (
        b'<?xml version="1.0" encoding="UTF-8"?><DANH_SACH_HOC_BA id="dataDanhSach">'
        + b"".join(bodies)
        + b"</DANH_SACH_HOC_BA>"
    )
    for profile in (SealProfile(), SealProfile(c14n="inclusive"), SealProfile(reference="whole")):
        sealed = seal(whole, key=key, profile=profile, at=cast.now)
        report = signing.verify(sealed, replace(LIST_POLICY, revocation="off"), cast.trust, at=cast.now)
        assert report.code == "OK", report.message
        parts = signing.cut(sealed)
        assert [sealed[c.start : c.end].strip() for c in parts.cuts] == [body.strip() for body in bodies]
        assert all(cast.verify(sealed[c.start : c.end]).passed for c in parts.cuts)
        assert not signing.verify(
            sealed.replace(b"<HO_VA_TEN>", b"<HO_VA_TEN>X", 1),
            replace(LIST_POLICY, revocation="off"),
            cast.trust,
            at=cast.now,
        ).passed


def signing_encoding():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def test_the_same_content_in_another_spelling_has_the_same_digest(cast):
    data = cast.record(spelling="dotnet")
    respelt = data.replace(b"<DU_LIEU_HOC_BA ", b"<DU_LIEU_HOC_BA  ", 1)
    assert respelt != data
    assert cast.verify(respelt).content_digest == cast.verify(data).content_digest


def test_ecdsa_value_of_wrong_length_is_refused(cast):
    for number in range(40):
        data = cast.record(1, number, spelling="dotnet")
        match = re.search(rb"ecdsa-sha256.*?<SignatureValue>([^<]+)<", data, re.DOTALL)
        if match:
            value = base64.b64decode(match.group(1))
            longer = base64.b64encode(b"\x00" + value[:32] + b"\x00" + value[32:])
            report = cast.verify(data.replace(match.group(1), longer), 1)
            assert report.code == "SIGNATURE_WRONG"
            return
    pytest.fail("no record with an elliptic signature")


def test_indications_follow_the_standard(cast):
    tampered = cast.verify(_edit(cast.record(spelling="dotnet"), r"(<HO_VA_TEN>)[^<]+", r"\1X"))
    assert (tampered.indication, tampered.sub_indication) == (Indication.TOTAL_FAILED, SubIndication.HASH_FAILURE)
    assert tampered.to_json()["sub_indication"] == "HASH_FAILURE"


def test_the_moment_is_aware_utc(cast):
    report = cast.verify(cast.record())
    assert all(signature.signing_time.tzinfo is UTC for signature in report.signatures)


@pytest.mark.parametrize("school", [0, 1])
def test_a_date_beside_a_signature_that_is_not_the_signed_day_refuses_the_record(cast, school):
    changed = re.sub(rb"<NGAY_KY>\d{4}-\d\d-\d\d", b"<NGAY_KY>2020-01-02", cast.record(school), count=1)
    assert cast.verify(changed, school).code == "SIGNED_DATE_DIFFERS"


def test_the_day_beside_a_signature_may_be_written_in_another_time_zone(cast):
    data = cast.record(0)
    written = re.search(rb"<NGAY_KY>([^<]*)<", data)[1].decode()
    moment = datetime.fromisoformat(written).astimezone(timezone(timedelta(hours=-11)))
    assert moment.date().isoformat() not in written
    respelt = data.replace(f"<NGAY_KY>{written}<".encode(), f"<NGAY_KY>{moment.isoformat()}<".encode(), 1)
    assert cast.verify(respelt).passed
