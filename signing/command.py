"""The command line for auditors: `verify FILE… --trust DIR` and `vectors DIR`.

Translates arguments into one call and values into lines; decides nothing. Revocation is not asked unless a policy file
says "required", and the output says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from signing.errors import MalformedDocument, SigningError
from signing.policy import SignaturePolicy, policy_from_mapping
from signing.presets import guess_policy
from signing.report import Report
from signing.trust import TrustStore
from signing.vectors import Outcome, run_vectors
from signing.verification import verify
from signing.xml import LIST_LIMITS, cut


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (SigningError, OSError, ValueError) as error:
        print(error.message if isinstance(error, SigningError) else error, file=sys.stderr)  # noqa: T201
        return 2


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
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("thiếu múi giờ, ví dụ +07:00")
    return moment


def _now(options: argparse.Namespace) -> datetime:
    return options.at or datetime.now(UTC)


def _verify(options: argparse.Namespace) -> int:
    trust = TrustStore.from_directory(options.trust)
    policy = None if options.policy is None else policy_from_mapping(tomllib.loads(options.policy.read_text("utf-8")))
    passed = True
    results = []
    for file in options.files:
        for name, report in _verify_file(file, trust, policy, _now(options), second=options.second):
            passed = passed and report.passed
            results.append({"file": name, **report.to_json()})
            if not options.json:
                _print_report(name, report)
    if options.json:
        print(json.dumps(results, ensure_ascii=False, indent=1))  # noqa: T201
    return 0 if passed and results else 1


def _verify_file(
    file: Path, trust: TrustStore, policy: SignaturePolicy | None, at: datetime, *, second: bool
) -> list[tuple[str, Report]]:
    """A record gives one report; a list gives one of its own seal, if any, and one per record."""
    data = file.read_bytes()
    found = []
    for name, piece in _pieces(file.name, data, policy):
        chosen = policy or replace(guess_policy(piece), revocation="off")
        found.append((name, verify(piece, chosen, trust, at=at)))
        if second:
            from signing.verification.second import verify_again

            found.append((f"{name} (2)", verify_again(piece, chosen, trust, at=at)))
    return found


def _pieces(name: str, data: bytes, policy: SignaturePolicy | None) -> list[tuple[str, bytes]]:
    if policy is not None and policy.root == "DANH_SACH_HOC_BA":
        return [(name, data)]
    try:
        parts = cut(data, limits=LIST_LIMITS)
    except MalformedDocument as error:
        if error.code in ("LIST_ROOT", "EMPTY", "NOT_WELL_FORMED"):
            return [(name, data)]
        raise
    records = [(f"{name}#{number}", data[c.start : c.end]) for number, c in enumerate(parts.cuts, 1)]
    sealed = policy is None and b"Signature" in parts.shell
    return [(name, data), *records] if sealed else records


def _print_report(name: str, report: Report) -> None:
    print(f"{name}: {report.indication}" + (f" / {report.sub_indication}" if report.sub_indication else ""))  # noqa: T201
    if not report.passed:
        print(f"  {report.code}: {report.message}")  # noqa: T201
    for signature in report.signatures:
        when = signature.signing_time.isoformat() if signature.signing_time else "?"
        print(f"  {signature.role}: {signature.indication} {signature.code}, {signature.signer or '?'}, {when}")  # noqa: T201
        for warning in signature.warnings:
            print(f"    lưu ý {warning.code}: {warning.message}")  # noqa: T201
        for step in signature.steps:
            print(f"    ({step.number}) {step.name}: {step.status} {step.code}")  # noqa: T201


def _vectors(options: argparse.Namespace) -> int:
    outcomes = list(run_vectors(options.folder, at=_now(options)))
    if options.json:
        print(json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=False, indent=1))  # noqa: T201
    else:
        for outcome in outcomes:
            mark = "" if outcome.agrees else "  <-- !"
            print(f"{outcome.path}\t{outcome.expected}\t{outcome.got}\t{outcome.code}{mark}")  # noqa: T201
        _print_summary(outcomes)
    return 0 if outcomes and all(outcome.agrees for outcome in outcomes) else 1


def _print_summary(outcomes: Sequence[Outcome]) -> None:
    counts: dict[tuple[str, str], int] = {}
    for outcome in outcomes:
        counts[outcome.expected, outcome.got] = counts.get((outcome.expected, outcome.got), 0) + 1
    for (expected, got), number in sorted(counts.items()):
        print(f"# {expected} -> {got}: {number}")  # noqa: T201
    print(f"# disagree: {sum(not outcome.agrees for outcome in outcomes)}")  # noqa: T201
