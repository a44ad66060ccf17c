"""`manage.py bench signing | attacks | mutations [--json]`: how fast the verifier is, and how well it holds.

Translates arguments and prints; the measuring is in `portal.rehearsal.bench_signing` and `portal.rehearsal.volumes`.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.rehearsal.bench_signing import SLICES, bench
from portal.rehearsal.volumes import run_attacks, run_mutations


class Command(BaseCommand):
    help = "Đo tốc độ kiểm tra chữ ký và thử nó bằng tệp giả mạo, tệp hỏng."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        speed = actions.add_parser("signing", help="học bạ mỗi giây mỗi lõi, cạnh mức sàn và các công cụ khác")
        speed.add_argument("--records", type=int, default=12)
        speed.add_argument("--slices", type=int, default=SLICES)
        for name, text, count in (
            ("attacks", "học bạ giả mạo", 20_000),
            ("mutations", "tệp bị làm hỏng ngẫu nhiên", 100_000),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("--count", type=int, default=count)
            action.add_argument("--seed", type=int, default=1)
            action.add_argument("--seconds", type=float, default=600.0, help="dừng sau chừng này giây")
        for action in actions.choices.values():
            action.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with tempfile.TemporaryDirectory(prefix="hocba-bench-") as name:
            folder = Path(name)
            given = {key: options.get(key) for key in ("count", "seed", "seconds")}
            match options["action"]:
                case "signing":
                    result = bench(var=settings.VAR, records=options["records"], slices=options["slices"])
                case "attacks":
                    result = run_attacks(folder, **given)  # type: ignore[arg-type]
                case _:
                    result = run_mutations(folder, **given)  # type: ignore[arg-type]
        print(json.dumps(result, ensure_ascii=False, indent=1) if options["json"] else _lines(result))
        if result.get("accepted_forgeries") or result.get("crashes"):
            raise CommandError("Có tệp giả mạo được nhận, hoặc bộ kiểm tra gặp lỗi không có tên.")


def _lines(result: object, indent: str = "") -> str:
    if not isinstance(result, dict):
        return f" {result}"
    return "".join(f"\n{indent}{key}:{_lines(value, indent + '  ')}" for key, value in result.items())
