"""`manage.py rehearsal prepare | hand-in | accounts`: the synthetic province of this installation.

Translates arguments and prints; everything else is in `bootstrap`, `making` and `doors`.
"""

import argparse
import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.rehearsal.bootstrap import Rehearsal, Sites, Wishes, open_rehearsal, prepare
from portal.rehearsal.first import hand_in_first
from portal.rehearsal.state import NotPrepared


class Command(BaseCommand):
    help = "Chuẩn bị tỉnh mẫu để diễn tập, và nộp những lô học bạ đầu tiên."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        first = actions.add_parser("prepare", help="tạo PKI, mô tả kho mô phỏng, trường, tài khoản")
        first.add_argument("--seed", default="1")
        first.add_argument("--schools", type=int, default=40)
        first.add_argument("--communes", type=int, default=8)
        first.add_argument("--simulator-port", type=int, default=settings.SIMULATOR_PORT)
        first.add_argument("--control-port", type=int)
        first.add_argument("--json", action="store_true")
        second = actions.add_parser("hand-in", help="nộp vài lô học bạ qua hai cửa")
        second.add_argument("--records", type=int, default=300)
        second.add_argument("--planted", type=float, default=0.06)
        second.add_argument("--base-url", default=f"http://127.0.0.1:{settings.PORT}")
        actions.add_parser("accounts", help="in các tài khoản diễn tập").add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options["action"]:
                case "prepare":
                    self._accounts(prepare(_sites(options), _wishes(options), now=timezone.now()), options["json"])
                case "hand-in":
                    self._hand_in(options)
                case _:
                    self._accounts(open_rehearsal(_folder()), options["json"])
        except NotPrepared as problem:
            raise CommandError(str(problem)) from None

    def _hand_in(self, options: dict[str, Any]) -> None:
        done = hand_in_first(
            open_rehearsal(_folder()),
            base_url=options["base_url"],
            records=options["records"],
            share=options["planted"],
        )
        self.stdout.write(f"đã nộp {done.records} học bạ trong {done.batches} lô ({done.planted} học bạ cố ý sai)")

    def _accounts(self, rehearsal: Rehearsal, as_json: bool) -> None:
        school = rehearsal.province.schools[0]
        values = {
            "folder": str(rehearsal.folder),
            "schools": len(rehearsal.province.schools),
            "officer": "chuyenvien1",
            "clerk": school.clerk_user_name,
            "password": rehearsal.state.password,
            "api_user": school.api_user_name,
            "api_password": rehearsal.state.api_password,
        }
        if as_json:
            self.stdout.write(json.dumps(values, ensure_ascii=False))
            return
        self.stdout.write(f"tỉnh mẫu: {values['schools']} trường; thư mục {values['folder']}")
        self.stdout.write(
            f"chuyên viên Sở {values['officer']}, văn thư {values['clerk']}: mật khẩu {values['password']}"
        )


def _folder() -> Path:
    return Path(settings.VAR) / "rehearsal"


def _sites(options: dict[str, Any]) -> Sites:
    port = options["simulator_port"]
    return Sites(
        var=Path(settings.VAR),
        endpoint_file=Path(settings.GATEWAY_ENDPOINT_FILE),
        key_file=Path(settings.SIGNING_KEY_FILE),
        passphrase_file=Path(settings.SIGNING_KEY_PASSPHRASE_FILE),
        trust_dir=Path(settings.SIGNING_TRUST_DIR),
        simulator_port=port,
        control_port=options["control_port"] or port + 1,
    )


def _wishes(options: dict[str, Any]) -> Wishes:
    """Randomness enters here; a rehearsal that was prepared before keeps its own passwords."""
    return Wishes(
        seed=options["seed"],
        schools=options["schools"],
        communes=options["communes"],
        password=f"dien-tap-{secrets.token_hex(4)}",
        api_password=secrets.token_urlsafe(12),
        ministry_password=secrets.token_urlsafe(12),
    )
