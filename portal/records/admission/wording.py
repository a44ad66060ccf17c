"""Verdicts of the signing storey and of admission itself, put into findings that a school can act on.

One finding per thing that is wrong, with its code, what was seen and what to do; never a value from a pupil's record in
a code, never a finding that only a programmer understands.
"""

from collections.abc import Iterator

from portal.records.profiles import Finding, Severity
from signing.errors import MalformedDocument
from signing.report import Indication, Report, SignatureReport

CHECK_KILLS = "CHECK_KILLS"
CHECK_CRASHED = "CHECK_CRASHED"
RECORD_DAMAGED = "RECORD_DAMAGED"
_SIGNATURES_TITLE = "Chữ ký"
_ROLE_NAMES = {
    "GVBM": "giáo viên bộ môn",
    "GVCN": "giáo viên chủ nhiệm",
    "CBQL": "cán bộ quản lý",
    "KY_PHAT_HANH": "nhà trường (ký phát hành)",
    "DANH_SACH": "nhà trường (ký danh sách)",
}


def finding(
    code: str,
    message: str,
    advice: str,
    *,
    severity: Severity = Severity.ERROR,
    field: str = "",
    title: str = "",
    value: str = "",
    rule: str = "",
    resign: tuple[str, ...] = (),
    line: int | None = None,
) -> Finding:
    return Finding(
        code=code, severity=severity, field=field, field_title=title, value=value[:80], rule=rule or code,
        message=message, advice=advice, resign=resign, line=line,
    )  # fmt: skip


def about_document(problem: MalformedDocument) -> Finding:
    """The record's bytes are no document that may be looked at."""
    return finding(
        problem.code,
        problem.message,
        "Xuất lại tệp từ phần mềm của trường, ký lại rồi gửi lại; không sửa tệp bằng tay.",
        title="Cấu trúc tệp XML",
        rule="XML: cấu trúc tệp",
        line=problem.line,
    )


def about_profile(level: str, version: str, circular: str) -> Finding:
    """No profile serves a record with these marks."""
    found = ", ".join(part or "(thiếu)" for part in (level, version, circular))
    return finding(
        "PROFILE_UNKNOWN",
        f"Cổng chưa nhận khuôn dạng học bạ này (cấp học, phiên bản, thông tư: {found}).",
        "Kiểm tra MA_CAP_HOC, PHIEN_BAN và THONG_TU; nếu đúng, hãy báo Sở để bổ sung khuôn dạng.",
        field="MA_CAP_HOC",
        title="Khuôn dạng học bạ",
        value=found,
    )


def about_signatures(report: Report) -> Iterator[Finding]:
    """Every signature that did not pass, and every warning on one that did."""
    told = False
    for signature in report.signatures:
        if not signature.passed:
            told = True
            yield _about_signature(signature)
        for warning in signature.warnings:
            yield finding(
                warning.code, warning.message, "Kiểm tra lại; nếu đúng như vậy thì không cần làm gì thêm.",
                severity=Severity.WARNING, field=signature.place, title=_title(signature), rule=warning.code,
            )  # fmt: skip
    if not report.passed and not told:
        yield finding(
            report.code or "SIGNATURE_FAILED",
            report.message or "Chữ ký của học bạ không hợp lệ.",
            "Xuất lại tệp, ký lại rồi gửi lại.",
            title=_SIGNATURES_TITLE,
        )


def crashed(where: str) -> Finding:
    """A check ended by a mistake of ours: the record is not let in, and the school need not search in vain."""
    return finding(
        CHECK_CRASHED,
        f"Bước kiểm tra {where} gặp lỗi của phần mềm cổng, nên học bạ chưa được nhận.",
        "Lỗi không do trường. Hãy báo Sở kèm mã lô; gửi lại sau khi Sở xử lý.",
        title="Phần mềm cổng",
    )


def killing() -> Finding:
    """The check of this record ends our own process each time: the department looks, the school has done nothing."""
    return finding(
        CHECK_KILLS,
        "Việc kiểm tra học bạ này làm dừng phần mềm cổng, nên học bạ được giữ riêng để Sở xem. Lỗi không do trường.",
        "Trường chưa cần làm gì; Sở sẽ kiểm tra và trả lời.",
        title="Phần mềm cổng",
    )


def damaged() -> Finding:
    """Our store no longer holds the bytes that came in: not one of them is sent, the school has done nothing."""
    return finding(
        RECORD_DAMAGED,
        "Bản lưu của học bạ trên máy chủ của Sở bị hỏng, nên học bạ được giữ lại, chưa gửi Bộ. Lỗi không do trường.",
        "Trường chưa cần làm gì; Sở lấy lại đúng từng byte từ tệp trường đã nộp.",
        title="Phần mềm cổng",
    )


def _about_signature(signature: SignatureReport) -> Finding:
    waiting = signature.indication is Indication.INDETERMINATE and str(signature.sub_indication) == "TRY_LATER"
    return finding(
        signature.code,
        _said(signature) or f"{_title(signature)} không hợp lệ.",
        "Cổng sẽ tự kiểm tra lại; trường chưa cần làm gì." if waiting else "Ký lại chữ ký này rồi gửi lại học bạ.",
        severity=Severity.WARNING if waiting else Severity.ERROR,
        field=signature.place,
        title=_title(signature),
        value=signature.signer or "",
        rule=f"{signature.code}: {signature.sub_indication or signature.indication}",
        resign=() if waiting else (signature.role,),
    )


def _said(signature: SignatureReport) -> str:
    """The verdict in words; role and place stand in the finding's own fields already."""
    return signature.message.removeprefix(f"Chữ ký {signature.role} ({signature.place}): ")


def _title(signature: SignatureReport) -> str:
    return f"{_SIGNATURES_TITLE} {_ROLE_NAMES.get(signature.role, signature.role)}"
