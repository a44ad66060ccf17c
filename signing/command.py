"""The command line for auditors: `verify FILE… --trust DIR` and `vectors DIR`.

Translates arguments into one call and values into lines; decides nothing. Every file gets its own answer: one that is
broken, hostile or unreadable never hides the others. Revocation is not asked unless a policy file says "required", and
the output says so. What a file or certificate says is printed without control characters.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from signing.errors import MalformedDocument, PolicyUnreadable, SigningError
from signing.policy import SignaturePolicy, policy_from_mapping
from signing.presets import LIST_POLICY, guess_policy
from signing.report import Indication, Report, SubIndication
from signing.trust import TrustStore
from signing.vectors import Outcome, run_vectors
from signing.verification import verify
from signing.xml import LIST_LIMITS, Document, cut, parse_list

_UNREADABLE = "FILE_UNREADABLE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        if sys.stdout is not None:  # closed by whoever started us
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away; nothing more can be said, not even when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    except (SigningError, OSError, ValueError) as error:
        print(_plain(_sentence(error)), file=sys.stderr)  # noqa: T201
        return 2
    return status


def _sentence(error: Exception) -> str:
    if isinstance(error, SigningError):
        return error.message
    if isinstance(error, OSError) and error.filename is not None:
        return f"Không đọc được {error.filename}: {error.strerror}."
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m signing", description="Kiểm tra chữ ký của học bạ số")
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("verify", help="kiểm tra từng tệp học bạ hoặc danh sách học bạ")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument("--trust", type=Path, required=True, metavar="DIR", help="thư mục chứng thư gốc và trung gian")
    check.add_argument("--policy", type=Path, metavar="FILE", help="policy.toml; mặc định đoán theo cấu trúc tệp")
    check.add_argument("--at", type=_moment, metavar="TIME", help="thời điểm kiểm tra, ví dụ 2026-06-01T00:00:00+07:00")
    check.add_argument("--second", action="store_true", help="kiểm tra thêm bằng bộ kiểm tra thứ hai")
    check.add_argument("--json", action="store_true")
    check.set_defaults(run=_verify)
    vectors = commands.add_parser("vectors", help="chạy một thư mục tệp mẫu có INDEX.tsv")
    vectors.add_argument("folder", type=Path, metavar="DIR")
    vectors.add_argument("--at", type=_moment, metavar="TIME")
    vectors.add_argument("--json", action="store_true")
    vectors.set_defaults(run=_vectors)
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("không phải ngày giờ; viết như 2026-06-01T00:00:00+07:00") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("thiếu múi giờ, ví dụ 2026-06-01T00:00:00+07:00")
    if not 1970 <= moment.year <= 9000:
        raise argparse.ArgumentTypeError("năm phải từ 1970 đến 9000")
    return moment


def _now(options: argparse.Namespace) -> datetime:
    return options.at or datetime.now(UTC)


def _verify(options: argparse.Namespace) -> int:
    trust = TrustStore.from_directory(options.trust)
    policy = None if options.policy is None else _read_policy(options.policy)
    at = _now(options)
    names = [file.name for file in options.files]
    status = 0
    results = []
    for file in options.files:
        label = file.name if names.count(file.name) == 1 else str(file)
        for name, report in _verify_file(file, label, trust, policy, at, second=options.second):
            status = max(status, _status(report))
            results.append({"file": name, **report.to_json()})
            if report.code == _UNREADABLE:
                print(_plain(f"{name}: {report.message}"), file=sys.stderr)  # noqa: T201
            elif not options.json:
                _print_report(name, report)
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))  # noqa: T201
    return status


def _status(report: Report) -> int:
    return 2 if report.code == _UNREADABLE else int(not report.passed)


def _read_policy(file: Path) -> SignaturePolicy:
    try:
        return policy_from_mapping(tomllib.loads(file.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyUnreadable("POLICY_UNREADABLE", f"{file.name} không phải TOML ở mã UTF-8: {error}.") from None


def _verify_file(
    file: Path, label: str, trust: TrustStore, policy: SignaturePolicy | None, at: datetime, *, second: bool
) -> Iterator[tuple[str, Report]]:
    """A record gives one report; a list gives one of its own seal, if any, and one per record."""
    try:
        data = _read(file)
    except OSError as error:
        message = f"Không đọc được tệp: {error.strerror or error}."
        yield label, Report("", Indication.INDETERMINATE, None, _UNREADABLE, message)
        return
    try:
        pieces = _pieces(label, data, policy)
    except MalformedDocument as error:
        yield label, _malformed(error)
        return
    for name, piece, known in pieces:
        try:
            chosen = known or replace(guess_policy(piece), revocation="off")
            # As the portal does: what one record may not hold is that record's fault, not its neighbours'.
            document: bytes | Document = parse_list(piece) if chosen.root == LIST_POLICY.root else piece
        except MalformedDocument as error:
            yield name, _malformed(error)
            continue
        yield name, verify(document, chosen, trust, at=at)
        if second:
            from signing.verification.second import verify_again

            yield f"{name} (2)", verify_again(piece, chosen, trust, at=at)


def _read(file: Path) -> bytes:
    """All of a file, or as much as shows that it is larger than anything that may be a list."""
    with file.open("rb") as stream:
        return stream.read(LIST_LIMITS.max_bytes + 1)


def _malformed(error: MalformedDocument) -> Report:
    return Report("", Indication.TOTAL_FAILED, SubIndication.FORMAT_FAILURE, error.code, error.message)


def _pieces(name: str, data: bytes, policy: SignaturePolicy | None) -> list[tuple[str, bytes, SignaturePolicy | None]]:
    """What is verified on its own, with its policy where that is not guessed. Raises `MalformedDocument`."""
    if policy is not None and policy.root == LIST_POLICY.root:
        return [(name, data, policy)]
    try:
        parts = cut(data, limits=LIST_LIMITS)
    except MalformedDocument as error:
        if error.code == "LIST_ROOT":
            return [(name, data, policy)]
        raise
    records = [(f"{name}#{number}", data[c.start : c.end], policy) for number, c in enumerate(parts.cuts, 1)]
    if b"Signature" in parts.shell:
        return [(name, data, replace(LIST_POLICY, revocation="off")), *records]
    if not records:
        raise MalformedDocument("LIST_EMPTY", "Danh sách không có học bạ nào. Hãy chọn đúng tệp.")
    unsealed = f"{name}: danh sách không mang chữ ký của nơi gửi; chỉ kiểm tra được từng học bạ."
    print(_plain(unsealed), file=sys.stderr)  # noqa: T201
    return records


def _plain(text: str) -> str:
    """What came from a file, certificate or file name on one line, unable to move a terminal's cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _say(text: str) -> None:
    print(_plain(text))  # noqa: T201


def _print_report(name: str, report: Report) -> None:
    _say(f"{name}: {report.indication}" + (f" / {report.sub_indication}" if report.sub_indication else ""))
    if not report.passed:
        _say(f"  {report.code}: {report.message}")
    for signature in report.signatures:
        when = signature.signing_time.isoformat() if signature.signing_time else "?"
        _say(f"  {signature.role}: {signature.indication} {signature.code}, {signature.signer or '?'}, {when}")
        for warning in signature.warnings:
            _say(f"    lưu ý {warning.code}: {warning.message}")
        for step in signature.steps:
            _say(f"    ({step.number}) {step.name}: {step.status} {step.code}")


def _vectors(options: argparse.Namespace) -> int:
    outcomes = list(run_vectors(options.folder, at=_now(options)))
    if options.json:
        print(json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=False, indent=1))  # noqa: T201
    else:
        for outcome in outcomes:
            mark = "" if outcome.agrees else f"  <-- ! {outcome.reason}"
            cells = (outcome.path, outcome.expected, outcome.got, f"{outcome.code}{mark}")
            print("\t".join(map(_plain, cells)))  # noqa: T201
        _print_summary(outcomes)
    return 0 if outcomes and all(outcome.agrees for outcome in outcomes) else 1


def _print_summary(outcomes: Sequence[Outcome]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for outcome in outcomes:
        counts[outcome.expected, outcome.got] = counts.get((outcome.expected, outcome.got), 0) + 1
    for (expected, got), number in sorted(counts.items()):
        print(f"# {expected} -> {got}: {number}")  # noqa: T201
    print(f"# disagree: {sum(not outcome.agrees for outcome in outcomes)}")  # noqa: T201
