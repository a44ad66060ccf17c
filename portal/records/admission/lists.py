"""The school's signature over a whole list, where the door or the policy asks for one.

The transaction counts only when the list is sealed by a certificate that the department approved for this very school;
otherwise the batch is refused as a whole and no record of it is looked at.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from portal.records.admission.court import binding_for
from portal.records.admission.opening import LIST_LIMITS, BatchUnreadable
from portal.records.conf import conf
from portal.schools.revocation import Witness
from portal.schools.trust import revocation_source, trust_store
from signing import verify, xml
from signing.errors import MalformedDocument
from signing.policy import SignaturePolicy, policy_from_mapping
from signing.report import Report

_ADVICE = "Hãy ký danh sách bằng chứng thư số của trường đã được Sở duyệt rồi gửi lại."

# The signing room speaks of records; what was sealed here is the list as a whole.
_OF_A_LIST = {
    "DIGEST_MISMATCH": "Danh sách đã bị sửa (thêm, bớt hoặc đổi học bạ) sau khi ký, nên dấu vết không khớp.",
}


def verify_lists(
    lists: Sequence[tuple[str, bytes]],
    *,
    school_id: int,
    received_at: datetime,
    now: datetime,
    missing: set[str] | None = None,
) -> Report:
    """The report on the last list looked at: all passed, or the first that is to be tried later.

    Whose evidence was away is added to `missing`. Raises BatchUnreadable (code LIST_SEAL_…) when one is not sealed as
    it must be.
    """
    if not lists:
        raise BatchUnreadable("LIST_SEAL_MISSING", f"Tệp không có danh sách DANH_SACH_HOC_BA nào được ký. {_ADVICE}")
    binding = binding_for(school_id, received_at)
    trust = trust_store()
    revocation = revocation_source(now=now) if conf().check_revocation else None
    policy = _policy() if conf().check_revocation else replace(_policy(), revocation="off")
    for source, data in lists:
        try:
            parsed = xml.parse_list(data, limits=LIST_LIMITS)
        except MalformedDocument as problem:
            raise BatchUnreadable(problem.code, problem.message) from None
        report = verify(parsed, policy, trust, at=received_at, binding=binding, revocation=revocation)
        if isinstance(revocation, Witness):
            revocation.keep(now=now)
            if missing is not None:
                missing |= revocation.missing
        if report.try_later:
            return report
        if not report.passed:
            raise _refusal(report, source)
    return report


def _refusal(report: Report, source: str) -> BatchUnreadable:
    failed = next((one for one in report.signatures if not one.passed), None)
    code, message = (failed.code, failed.message) if failed else (report.code, report.message)
    message = _OF_A_LIST.get(code, message)
    where = f" (tệp {source})" if source else ""
    return BatchUnreadable(f"LIST_SEAL_{code}"[:40], f"Chữ ký của trường trên danh sách{where}: {message} {_ADVICE}")


@cache
def _policy() -> SignaturePolicy:
    text = (Path(__file__).parent / "list_policy.toml").read_text(encoding="utf-8")
    return policy_from_mapping(tomllib.loads(text))
