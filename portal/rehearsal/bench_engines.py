"""The verifiers that the benchmark sets beside each other; each gives the CPU seconds of one record per turn.

All take the same files in turn. An engine that refuses a good record ends the run: a fast refusal is no figure.
"""

import resource
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from signxml.verifier import SignatureConfiguration, XMLVerifier

import signing
from portal.rehearsal.bench_corpora import Corpus, places_of_signatures
from portal.rehearsal.xmlsec_beside import FORMS, NotAvailable, beside
from signing.verification.floor import Floor
from signing.verification.second import verify_again

# From the number of the turn to the CPU seconds of one record.
Engine = Callable[[int], float]
_IDENTIFIED = ("DU_LIEU_HOC_BA", "THONG_TIN_HOC_BA", "DIEM_TONG_KET", "Object", "SignatureProperties",
               "SignatureProperty")  # fmt: skip
_SECONDS = 30


@contextmanager
def engines(
    corpus: Corpus, floor: Floor, folder: Path, *, packages: Path | None, documented: bool, not_run: dict[str, str]
) -> Iterator[dict[str, Engine]]:
    """Every engine that runs here, warmed up; those that do not are named in `not_run` with the reason.

    `packages` holds python-xmlsec; None where it could not be had.
    """
    found: dict[str, Engine] = {
        "floor": _inside(floor.verify, corpus),
        "ours": _inside(ours(corpus), corpus),
        "second_engine": _inside(second(corpus), corpus),
    }
    if documented:
        found["signxml_as_documented"] = _inside(as_documented(corpus, folder), corpus)
    for engine in found.values():
        engine(0)
    with ExitStack() as stack:
        if packages is not None:
            turns = stack.enter_context(beside(corpus, packages=packages))
            found |= _warm("python_xmlsec", {f"python_xmlsec_{form}": turns(form) for form in FORMS}, not_run)
        found |= _warm("xmlsec1_program", {"xmlsec1_program": _program(corpus, folder)}, not_run)
        yield found


def _warm(name: str, found: dict[str, Engine], not_run: dict[str, str]) -> dict[str, Engine]:
    """Another's engine in its forms after a first turn; nothing where it cannot work here."""
    try:
        for engine in found.values():
            engine(0)
    except NotAvailable as error:
        not_run[name] = str(error)
        return {}
    return found


def ours(corpus: Corpus) -> Callable[[bytes], None]:
    def verify(data: bytes) -> None:
        if not signing.verify(data, corpus.policy, corpus.trust, at=corpus.at).passed:
            raise RuntimeError("a good record was refused")

    return verify


def second(corpus: Corpus) -> Callable[[bytes], None]:
    def verify(data: bytes) -> None:
        if not verify_again(data, corpus.policy, corpus.trust, at=corpus.at).passed:
            raise RuntimeError("a good record was refused by the second engine")

    return verify


def as_documented(corpus: Corpus, folder: Path) -> Callable[[bytes], None]:
    """signxml as its documentation has it: bytes in, authorities from a file, schema checked; signatures by path."""
    authorities = folder / f"{corpus.name}.pem"
    authorities.write_text("".join(ssl.DER_cert_to_PEM_cert(der) for der in corpus.authorities))
    places = {data: places_of_signatures(data) for data in corpus.records}

    def verify(data: bytes) -> None:
        for place in places[data]:
            expect = SignatureConfiguration(location=place, expect_references=True)
            XMLVerifier().verify(data, ca_pem_file=str(authorities), expect_config=expect)

    return verify


def _inside(verify: Callable[[bytes], None], corpus: Corpus) -> Engine:
    """An engine of this process: a turn takes every record."""

    def turn(_: int) -> float:
        start = time.process_time()
        for data in corpus.records:
            verify(data)
        return (time.process_time() - start) / len(corpus.records)

    return turn


def _program(corpus: Corpus, folder: Path) -> Engine:
    """The xmlsec1 program, once per signature; a turn takes one signature of one record, counted for all of them."""
    command = ["xmlsec1", "--verify", "--enabled-key-data", "x509"]
    for number, der in enumerate(corpus.authorities):
        file = folder / f"{corpus.name}-{number}.der"
        file.write_bytes(der)
        command += ["--trusted-der", str(file)]
    for name in _IDENTIFIED:
        command += ["--id-attr:Id", name, "--id-attr:id", name]
    files = []
    for number, data in enumerate(corpus.records):
        files.append((folder / f"{corpus.name}-{number}.xml", len(places_of_signatures(data))))
        files[-1][0].write_bytes(data)

    def turn(number: int) -> float:
        file, signatures = files[number % len(files)]
        chosen = f"(//*[local-name()='Signature'])[{number % signatures + 1}]"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        line = [*command, "--node-xpath", chosen, str(file)]
        try:
            done = subprocess.run(line, capture_output=True, check=False, timeout=_SECONDS)
        except FileNotFoundError as error:
            raise NotAvailable("chương trình xmlsec1 chưa cài trên máy này") from error
        if done.returncode != 0:
            raise NotAvailable("chương trình xmlsec1 của máy này không nhận một học bạ hợp lệ")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * signatures

    return turn
