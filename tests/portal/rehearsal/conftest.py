"""One province and one PKI for all tests of this room; the clock stands still in November 2026."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from portal.rehearsal.calendar import Calendar
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import open_pki, write_pki
from portal.rehearsal.province import Province, make_province

DS = "http://www.w3.org/2000/09/xmldsig#"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
Verify = Callable[[bytes], list[str]]


@pytest.fixture(scope="session")
def province() -> Province:
    return make_province(seed=7, calendar=Calendar.last_finished(NOW), schools=12, communes=3)


@pytest.fixture(scope="session")
def pki_folder(tmp_path_factory: pytest.TempPathFactory, province: Province) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    pki = open_pki(folder, seed="7", calendar=province.calendar)
    write_pki(pki, folder, schools=len(province.schools), now=NOW)
    return folder


@pytest.fixture(scope="session")
def pki(pki_folder: Path, province: Province) -> Pki:
    return open_pki(pki_folder, seed="7", calendar=province.calendar)


@pytest.fixture
def xmlsec1(tmp_path: Path) -> Verify:
    """Verifies every signature of a document with the `xmlsec1` program; the complaints, none when all is well."""
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("the program xmlsec1 is not installed")

    def verify(document: bytes) -> list[str]:
        path = tmp_path / "document.xml"
        path.write_bytes(document)
        complaints = []
        for signature in etree.fromstring(document).iter(f"{{{DS}}}Signature"):
            command = [program, "--verify", "--enabled-key-data", "x509", "--insecure"]
            for name in ("DANH_SACH_HOC_BA", "DU_LIEU_HOC_BA", "THONG_TIN_HOC_BA", "DIEM_TONG_KET"):
                command += ["--id-attr:Id", name, "--id-attr:id", name]
            for name in ("Signature", "Object", "SignatureProperties", "SignatureProperty"):
                command += ["--id-attr:Id", f"{DS}:{name}"]
            command += ["--node-id", str(signature.get("Id")), str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            if done.returncode:
                complaints.append(f"{signature.get('Id')}: {done.stderr[:300]}")
        return complaints

    return verify
