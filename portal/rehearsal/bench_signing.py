"""Benchmark of the verification: our engine beside the floor, signxml and the xmlsec1 program, on the same files.

The floor does the same mathematics in C and nothing else: parse, canonical form and digest of every reference,
SignedInfo, public-key check with keys loaded before. All engines take turns in slices; medians of CPU time count.
"""

import hashlib
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

import signing
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import make_province
from portal.rehearsal.records import make_record
from signing.presets import FIRST_LAYOUT, SECOND_LAYOUT
from signing.verification.floor import Floor
from signing.verification.second import verify_again

SLICES = 15


@dataclass(frozen=True, slots=True)
class Corpus:
    """Records of one layout with all that verifying them needs."""

    name: str
    records: tuple[bytes, ...]
    policy: signing.SignaturePolicy
    trust: signing.TrustStore
    at: datetime


def bench(*, records: int = 20, slices: int = SLICES) -> dict[str, object]:
    """Figures of both layouts; ratios are to the floor measured in the same run."""
    with tempfile.TemporaryDirectory(prefix="hocba-bench-") as folder:
        return {corpus.name: _measure(corpus, slices, Path(folder)) for corpus in make_corpora(records, Path(folder))}


def make_corpora(count: int, folder: Path) -> list[Corpus]:
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
        made = tuple(make_record(province, pki, school, number).data for number in range(count))
        found.append(Corpus(name, made, replace(policy, revocation="off"), trust, now))
    return found


def _measure(corpus: Corpus, slices: int, folder: Path) -> dict[str, object]:
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
        "signxml": (second, 2),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    for engine, _ in engines.values():
        for data in corpus.records[:2]:
            engine(data)
    for _ in range(slices):
        for name, (engine, number) in engines.items():
            times[name].append(_slice(engine, corpus.records[:number]))
    median = {name: statistics.median(values) for name, values in times.items()}
    median["xmlsec1"] = _xmlsec1(corpus.records[0], floor.signatures(corpus.records[0]), folder)
    return {
        "records": len(corpus.records),
        "bytes_median": int(statistics.median(len(data) for data in corpus.records)),
        "signatures": floor.signatures(corpus.records[0]),
        "microseconds": {name: round(value * 1e6) for name, value in median.items()},
        "records_per_second_per_core": {name: round(1 / value, 1) for name, value in median.items() if value},
        "times_floor": {name: round(value / median["floor"], 2) for name, value in median.items()},
        "digest_of_files": hashlib.sha256(b"".join(corpus.records)).hexdigest(),
    }


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
