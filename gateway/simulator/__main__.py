"""`python -m gateway.simulator --config FILE`: the simulator as a process of its own, without Django."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from .config import ConfigurationRefused, load
from .process import run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="gateway.simulator", description="Kho học bạ số của Bộ, mô phỏng")
    parser.add_argument("--config", type=Path, required=True, help="tệp TOML mô tả kho mô phỏng")
    parser.add_argument("--port", type=int, help="thay cổng HTTPS trong tệp")
    parser.add_argument("--control-port", type=int, help="thay cổng điều khiển trong tệp")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        run(load(options.config, port=options.port, control_port=options.control_port))
    except ConfigurationRefused as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
