"""`manage.py campaign`: faults of every kind against a throwaway portal, a verdict in figures, exit status 1 if bad.

As root it goes into network and mount namespaces of its own first, so that packet filters and a small disk can be
used without touching the machine. Everything else is in `portal.rehearsal.campaign`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from deploy.embedded.environment import BASE
from deploy.embedded.failure import Trouble
from deploy.embedded.throwaway import Environment
from portal.rehearsal.campaign import outage
from portal.rehearsal.campaign.campaign import Campaign, Wish, as_text, environment, make_site, settle_in
from portal.rehearsal.campaign.catalogue import all_kinds

_DISK_MB, _DISK_MB_PER_FAULT = 1400, 2.2
_MINUTES, _MINUTES_PER_FAULT = 11.5, 0.025
_BALLAST = "ballast"


class Command(BaseCommand):
    # The checks are about this installation; a campaign has one of its own, which checks itself.
    requires_system_checks = ()
    help = "Chiến dịch gây lỗi: phá mọi thứ theo mọi cách, rồi đối chiếu ba bên."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--faults", type=int, default=60)
        parser.add_argument("--seed", default="1")
        parser.add_argument("--only", default="", help="chỉ những loại lỗi có tên bắt đầu như vậy, cách nhau dấu phẩy")
        parser.add_argument(
            "--pairs", action=argparse.BooleanOptionalAction, default=True, help="có từng cặp lỗi cùng một lúc"
        )
        parser.add_argument("--minutes", type=float, help="thời hạn gây lỗi; không nêu thì theo số lỗi, ít nhất 11,5")
        parser.add_argument("--quiet", type=float, default=120.0, help="thời hạn yên lặng, giây")
        parser.add_argument("--outage", action="store_true", help="Bộ ngừng ba ngày, rồi trở lại")
        parser.add_argument("--records", type=int, default=200_000, help="số học bạ chờ khi --outage")
        parser.add_argument("--keep", type=Path, help="thư mục giữ lại cả môi trường và sổ của các trường")
        parser.add_argument("--kinds", action="store_true", help="chỉ liệt kê các loại lỗi")
        parser.add_argument("--no-isolation", action="store_true", help="không vào không gian tên riêng")
        parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["kinds"]:
            self.stdout.write("\n".join(kind.name for kind in all_kinds()))
            return
        if not options["inside"] and not options["no_isolation"] and can_isolate():
            _go_inside()
        try:
            report = _outage(options, self._tell) if options["outage"] else _campaign(options, self._tell)
        except Trouble as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(as_text(report if options["json"] else _short(report)))
        if not report["clean"]:
            sys.exit(1)

    def _tell(self, line: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(line)


def can_isolate() -> bool:
    """Whether this machine lets us have namespaces of our own, with a packet filter and a small disk in them."""
    tools = all(shutil.which(name) for name in ("unshare", "ip", "nft", "mount"))
    if os.geteuid() != 0 or not tools:
        return False
    trial = "ip link set lo up && nft add table inet hocba && mount -t tmpfs -o size=1m tmpfs /mnt"
    command = ["unshare", "--net", "--mount", "sh", "-c", trial]
    done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def _go_inside() -> None:
    """Become the same command inside namespaces of its own; does not return."""
    again = [sys.executable, str(BASE / "manage.py"), *sys.argv[1:], "--inside"]
    os.execvp("unshare", ["unshare", "--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *again])  # noqa: S606


def _campaign(options: Mapping[str, Any], tell: Any) -> dict[str, Any]:
    minutes = options["minutes"] or max(_MINUTES, options["faults"] * _MINUTES_PER_FAULT)
    wish = Wish(
        faults=options["faults"], seed=options["seed"], only=options["only"], pairs=options["pairs"],
        minutes=minutes, quiet_seconds=options["quiet"], isolated=options["inside"],
    )  # fmt: skip
    with _folders(options["keep"]) as (folder, workshop):
        if wish.isolated:
            small_disk(folder, max(_DISK_MB, int(options["faults"] * _DISK_MB_PER_FAULT)))
        orders = workshop / "orders"
        orders.mkdir(exist_ok=True)
        with environment(folder, orders, tell) as env:
            look_into(env)
            settle_in(env)
            ballast = folder / _BALLAST if wish.isolated else None
            site = make_site(env, orders, isolated=wish.isolated, ballast=ballast)
            try:
                report = Campaign(site, wish, workshop, tell).play()
                if options["keep"] and not report["clean"]:
                    keep_evidence(env, workshop)
                return report
            finally:
                shutil.copytree(env.installation.places.log, workshop / "log", dirs_exist_ok=True)


def _outage(options: Mapping[str, Any], tell: Any) -> dict[str, Any]:
    """With the settings and the endpoint's times of every day: what is measured is what a province would see."""
    with _folders(options["keep"]) as (folder, workshop):
        orders = workshop / "orders"
        orders.mkdir(exist_ok=True)
        with environment(folder, orders, tell, settings="portal.settings.embedded") as env:
            look_into(env)
            site = make_site(env, orders, isolated=options["inside"], ballast=None)
            try:
                return outage.play(site, records=options["records"], seed=options["seed"], tell=tell)
            finally:
                shutil.copytree(env.installation.places.log, workshop / "log", dirs_exist_ok=True)


@contextmanager
def _folders(keep: Path | None) -> Iterator[tuple[Path, Path]]:
    """The installation's folder (short: it holds sockets) and the witnesses' folder beside it."""
    if keep is not None:
        for name in ("var", "workshop"):
            (keep / name).mkdir(parents=True, exist_ok=True)
        yield keep / "var", keep / "workshop"
        return
    with tempfile.TemporaryDirectory(prefix="hocba-cd-", ignore_cleanup_errors=True) as base:
        for name in ("v", "w"):
            Path(base, name).mkdir()
        yield Path(base, "v"), Path(base, "w")


def keep_evidence(env: Environment, workshop: Path) -> None:
    """The database and the Ministry's books, for whoever must find the cause: the small disks go with the namespace."""
    program = env.installation.postgres().programs.bindir / "pg_dump"
    dump = [str(program), "-Fc", "-f", str(workshop / "database.dump")]
    subprocess.run(dump, env={**os.environ, **_line_of(env)}, check=True, timeout=300)
    shutil.copytree(env.installation.places.simulator, workshop / "simulator", dirs_exist_ok=True)


def _line_of(env: Environment) -> dict[str, str]:
    names = {"PGHOST": "HOCBA_PG_HOST", "PGDATABASE": "HOCBA_PG_NAME", "PGUSER": "HOCBA_PG_USER"}
    return {theirs: env.env[ours] for theirs, ours in names.items()}


def small_disk(folder: Path, megabytes: int) -> None:
    """A small file system for the installation, and another one for the Ministry: its disk is not ours to fill."""
    there = folder / "simulator"
    for place in (folder, there):
        place.mkdir(mode=0o700, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(place)]
        subprocess.run(mount, check=True, timeout=10)


def look_into(env: Environment) -> None:
    """Points this process's database connection at the environment's server."""
    connections["default"].close()
    connections.databases["default"] |= {
        "HOST": env.env["HOCBA_PG_HOST"],
        "NAME": env.env["HOCBA_PG_NAME"],
        "USER": env.env["HOCBA_PG_USER"],
    }


def _short(report: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("figures", "peak_memory_mb")}
