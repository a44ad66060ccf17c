"""`manage.py simulator`: the Ministry's central repository, simulated, as a process of its own.

A thin door: the simulator itself knows neither Django nor this portal's database.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.simulator.config import ConfigurationRefused, load
from gateway.simulator.process import run


class Command(BaseCommand):
    help = "Chạy kho học bạ số của Bộ (mô phỏng) theo một tệp cấu hình"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--config", type=Path, help="mặc định: <VAR>/simulator/simulator.toml")
        parser.add_argument("--port", type=int)
        parser.add_argument("--control-port", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["config"] or Path(settings.VAR) / "simulator" / "simulator.toml"
        try:
            run(load(path, port=options["port"], control_port=options["control_port"]))
        except ConfigurationRefused as problem:
            raise CommandError(str(problem)) from problem
