"""Programs of the operating system that some tests need. As root on Debian they are installed, else named.

A failure here never fails the checks: the tests that miss a program skip and say which one. Standard library only.
"""

import os
import shutil
import subprocess
from pathlib import Path

from deploy.embedded.terminal import say

# What proves that a package is there, and the package.
_WANTED = {
    "chromium": "chromium",
    "nginx": "nginx-light",
    "faketime": "faketime",
    "nft": "nftables",
    "strace": "strace",
    "softhsm2-util": "softhsm2",
    "pkcs11-tool": "opensc",
    "xmlsec1": "xmlsec1",
    "pdftotext": "poppler-utils",
    "msgfmt": "gettext",
    "/usr/share/fonts/truetype/noto": "fonts-noto-core",
}
_APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-q", "-y"]
_SECONDS = 900


def missing() -> list[str]:
    """Packages whose proof is absent."""
    return [package for proof, package in _WANTED.items() if not _is_there(proof)]


def _is_there(proof: str) -> bool:
    if proof.startswith("/"):
        return Path(proof).exists()
    return shutil.which(proof, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def install_missing() -> None:
    packages = missing()
    if not packages:
        return
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists() or shutil.which("apt-get") is None:
        say(f"thiếu {', '.join(packages)}: các phép thử cần chúng sẽ bỏ qua (cài bằng apt-get dưới quyền root)")
        return
    say(f"cài chương trình hệ thống cho phép thử: {', '.join(packages)}")
    installed = _apt("update") and (_apt("install", "--no-install-recommends", *packages) or _one_by_one(packages))
    if not installed or missing():
        say(f"chưa cài được: {', '.join(missing()) or 'không rõ'}; các phép thử cần chúng sẽ bỏ qua")


def _one_by_one(packages: list[str]) -> bool:
    """One package that this release does not have shall not cost the others."""
    done = [_apt("install", "--no-install-recommends", package) for package in packages]
    return all(done)


def _apt(*words: str) -> bool:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            [*_APT, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
