"""Benchmark of the verification: our engine beside the floor, signxml and the xmlsec1 program, on the same files.

The floor does the same mathematics in C and nothing else: parse, canonical form and digest of every reference,
SignedInfo, public-key check with keys loaded before. All engines take turns in slices; medians of CPU time count.
"""

import hashlib
import importlib.util
import resource
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

import signing
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import make_province
from portal.rehearsal.records import make_record
from portal.rehearsal.spelling import DSS, Spelling
from signing.algorithms import DS
from signing.presets import FIRST_LAYOUT, SECOND_LAYOUT
from signing.verification.floor import Floor
from signing.verification.second import verify_again

SLICES = 15
READABLE = replace(
    DSS, name="readable", digest="sha256", with_issuer=False, time_namespace="http://example.org/#signatureProperties"
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Records of one layout with all that verifying them needs."""

    name: str
    records: tuple[bytes, ...]
    policy: signing.SignaturePolicy
    trust: signing.TrustStore
    at: datetime


def bench(*, records: int = 20, slices: int = SLICES) -> dict[str, object]:
    """Figures of both layouts; ratios are to the floor measured in the same run.

    signxml as documented refuses the forms of the schools' programs (inclusive C14N below a default namespace,
    SigningTime in the signature's namespace), so it is timed on records spelt as it wants them, and all others too.
    """
    with tempfile.TemporaryDirectory(prefix="hocba-bench-") as name:
        folder = Path(name)
        result: dict[str, object] = {
            corpus.name: _measure(corpus, slices, folder, documented=False) for corpus in make_corpora(records, folder)
        }
        for corpus in make_corpora(max(records // 3, 2), folder, spelling=READABLE):
            result[f"{corpus.name}_as_signxml_wants_it"] = _measure(corpus, slices, folder, documented=True)
    return {**result, "not_run": _not_run()}


def make_corpora(count: int, folder: Path, *, spelling: Spelling | None = None) -> list[Corpus]:
    """Records of both layouts, as the schools' programs spell them or all in one spelling."""
    now = datetime.now(UTC)
    calendar = Calendar.last_finished(now)
    province = make_province(seed="bench", calendar=calendar)
    pki = open_pki(folder / "pki", seed="bench", calendar=calendar)
    authorities = (pki.root, pki.public_issuer, pki.special_issuer)
    trust = signing.TrustStore.from_certificates(
        item.identity.certificate.public_bytes(Encoding.DER) for item in authorities
    )
    found = []
    for name, levels, policy in (("primary", ("02",), FIRST_LAYOUT), ("secondary", ("03", "04"), SECOND_LAYOUT)):
        school = province.of_level(*levels)[0]
        made = tuple(make_record(province, pki, school, number, spelling=spelling).data for number in range(count))
        found.append(Corpus(name, made, replace(policy, revocation="off"), trust, now))
    return found


def _measure(corpus: Corpus, slices: int, folder: Path, *, documented: bool) -> dict[str, object]:
    floor = Floor(corpus.records)

    def ours(data: bytes) -> None:
        if not signing.verify(data, corpus.policy, corpus.trust, at=corpus.at).passed:
            raise RuntimeError("a good record was refused")

    def second(data: bytes) -> None:
        if not verify_again(data, corpus.policy, corpus.trust, at=corpus.at).passed:
            raise RuntimeError("a good record was refused by the second engine")

    engines: dict[str, tuple[Callable[[bytes], None], int]] = {
        "floor": (floor.verify, len(corpus.records)),
        "ours": (ours, len(corpus.records)),
        "second_engine": (second, 2),
    }
    if documented:
        engines["signxml_as_documented"] = (as_documented(corpus, folder), 1)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for engine, _ in engines.values():
        for data in corpus.records[:2]:
            engine(data)
    for _ in range(slices):
        for name, (engine, number) in engines.items():
            times[name].append(_slice(engine, corpus.records[:number]))
    median = {name: statistics.median(values) for name, values in times.items()}
    program = _xmlsec1(corpus.records[0], floor.signatures(corpus.records[0]), folder)
    if program:
        median["xmlsec1_program"] = program
    return {
        "records": len(corpus.records),
        "bytes_median": int(statistics.median(len(data) for data in corpus.records)),
        "signatures": floor.signatures(corpus.records[0]),
        "microseconds": {name: round(value * 1e6) for name, value in median.items()},
        "records_per_second_per_core": {name: round(1 / value, 1) for name, value in median.items() if value},
        "times_floor": {name: round(value / median["floor"], 2) for name, value in median.items()},
        "ours_is_faster_by": {name: round(value / median["ours"], 2) for name, value in median.items()},
        "slices": slices,
        "digest_of_files": hashlib.sha256(b"".join(corpus.records)).hexdigest(),
    }


def as_documented(corpus: Corpus, folder: Path) -> Callable[[bytes], None]:
    """signxml as its documentation has it: bytes in, authorities from a file, schema checked; signatures by path."""
    authorities = folder / f"{corpus.name}.pem"
    certificates = (*corpus.trust.anchors, *corpus.trust.intermediates)
    authorities.write_text("".join(ssl.DER_cert_to_PEM_cert(item.der) for item in certificates))
    places = {data: _places(data) for data in corpus.records}

    def verify(data: bytes) -> None:
        for place in places[data]:
            expect = SignatureConfiguration(location=place, expect_references=True)
            XMLVerifier().verify(data, ca_pem_file=str(authorities), expect_config=expect)

    return verify


def _places(data: bytes) -> list[str]:
    tree = etree.fromstring(data).getroottree()
    holders = [signature.getparent() for signature in tree.iter(f"{{{DS}}}Signature")]
    return [f"./{tree.getelementpath(holder)}/" for holder in holders if holder is not None]


def _not_run() -> dict[str, str]:
    """Which engines were left out, and why."""
    missing = {}
    if shutil.which("xmlsec1") is None:
        missing["xmlsec1_program"] = "chương trình xmlsec1 chưa cài trên máy này"
    if importlib.util.find_spec("xmlsec") is None:
        missing["python_xmlsec"] = "gói xmlsec không có trong tệp khoá phiên bản và chưa cài"
    else:
        missing["python_xmlsec"] = "đã cài, nhưng lượt đo này không gọi"
    return missing


def _slice(engine: Callable[[bytes], None], records: Sequence[bytes]) -> float:
    start = time.process_time()
    for data in records:
        engine(data)
    return (time.process_time() - start) / len(records)


def _xmlsec1(record: bytes, signatures: int, folder: Path) -> float:
    """CPU seconds of the xmlsec1 program for all signatures of one record; 0 when it is not installed."""
    file = folder / "record.xml"
    file.write_bytes(record)
    ids = ("DU_LIEU_HOC_BA", "THONG_TIN_HOC_BA", "DIEM_TONG_KET", "SignatureProperties", "SignatureProperty")
    command = ["xmlsec1", "--verify", "--enabled-key-data", "x509", "--insecure"]
    for name in ids:
        for attribute in ("Id", "id"):
            command += [f"--id-attr:{attribute}", name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        for _ in range(signatures):
            subprocess.run([*command, str(file)], capture_output=True, check=False, timeout=30)
    except FileNotFoundError:
        return 0.0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
