"""python-xmlsec for the benchmark: its packages in a folder of their own, its work in a process of its own.

The wheel must bring the same libxml2 as its lxml, which need not be ours: both come from deploy/bench.lock by hash,
into var/bench, on first use. Without them the benchmark says so; nothing else in the house may lean on this.
"""

import base64
import hashlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portal.rehearsal.bench_corpora import Corpus

LOCK = Path(__file__).resolve().parents[2] / "deploy" / "bench.lock"
WORKER = Path(__file__).with_name("xmlsec_worker.py")
# With the chain up to the trusted certificates each time, or with the key known by the certificate's text.
FORMS = ("with_chain", "with_cached_key")
_INSTALL_SECONDS = 90
_ANSWER_SECONDS = 60


class NotAvailable(Exception):
    """A verifier cannot be measured here; the text is for people."""


@contextmanager
def beside(corpus: Corpus, *, packages: Path) -> Iterator[Callable[[str], Callable[[int], float]]]:
    """For a form, the turns of a python-xmlsec process that holds the corpus; a turn may raise NotAvailable."""
    # Without site-packages: the worker must see the folder's lxml and never ours.
    command = [sys.executable, "-I", "-S", str(WORKER), str(packages)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            task = {"records": _texts(corpus.records), "authorities": _texts(corpus.authorities)}
            _ask(process, json.dumps(task))

            def turns(form: str) -> Callable[[int], float]:
                return lambda _: float(_ask(process, form)["seconds"])

            yield turns
        finally:
            process.kill()


def packages_of_lock(parent: Path) -> Path:
    """The folder with exactly what the lock names; made once per lock, complete or not at all."""
    folder = parent / f"xmlsec-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="part-", dir=parent))
    try:
        _install(part)
        # Another run may have been faster: its folder holds the same files.
        if not folder.exists():
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _install(target: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--retries", "1", "--timeout", "15", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile",
        "--target", str(target), "-r", str(LOCK),
    ]  # fmt: skip
    env = {**os.environ, "PYTHONNOUSERSITE": "1"}
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_INSTALL_SECONDS, env=env)
    except subprocess.TimeoutExpired as error:
        raise NotAvailable(f"tải các gói của deploy/bench.lock quá {_INSTALL_SECONDS} giây") from error
    if done.returncode != 0:
        raise NotAvailable("không tải được các gói của deploy/bench.lock (không có mạng hoặc không có bản cho máy này)")


def _texts(items: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(item).decode() for item in items]


def _ask(process: subprocess.Popen[bytes], line: str) -> dict[str, Any]:
    """One line there, one line back."""
    if process.stdin is None or process.stdout is None:
        raise NotAvailable("tiến trình python-xmlsec không có đường ống")
    try:
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError as error:
        raise NotAvailable("tiến trình python-xmlsec không khởi động được trên máy này") from error
    if not select.select([process.stdout], [], [], _ANSWER_SECONDS)[0]:
        raise NotAvailable(f"tiến trình python-xmlsec không trả lời trong {_ANSWER_SECONDS} giây")
    answer = process.stdout.readline()
    if not answer:
        raise NotAvailable("tiến trình python-xmlsec dừng giữa chừng hoặc không nhận một học bạ hợp lệ")
    found: dict[str, Any] = json.loads(answer)
    return found
