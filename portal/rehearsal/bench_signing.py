"""Benchmark of the verification: our engine beside the floor, signxml, python-xmlsec and the xmlsec1 program.

The floor does the same mathematics in C and nothing else: parse, canonical form and digest of every reference,
SignedInfo, public-key check with keys loaded before. All engines take turns in slices on the same files; medians of
CPU time count, and the goals are judged on them. The process looks for garbage as rarely as a worker does.
"""

import hashlib
import statistics
import tempfile
from pathlib import Path
from typing import Any

from gateway.collection import collect_rarely
from portal.rehearsal.bench_corpora import READABLE, Corpus, make_corpora, make_design_sample
from portal.rehearsal.bench_engines import engines
from portal.rehearsal.xmlsec_beside import NotAvailable, packages_of_lock
from signing.verification.floor import Floor

SLICES = 15
# Our time against the floor's may be at most this; the others' times against ours must be at least that.
AT_MOST_TIMES_FLOOR = 1.3
AT_LEAST = {"signxml_as_documented": 10.0, "python_xmlsec_with_chain": 2.5, "python_xmlsec_with_cached_key": 2.5}


def bench(*, var: Path, records: int = 20, slices: int = SLICES) -> dict[str, object]:
    """Figures of every kind of file, the goals with what was reached, and who did not run and why.

    signxml as documented refuses the forms of the schools' programs (inclusive C14N below a default namespace,
    SigningTime in the signature's namespace), so it is timed on records spelt as it wants them, and all others too.
    """
    collect_rarely()
    not_run: dict[str, str] = {}
    packages = _packages(var, not_run)
    few = max(records // 3, 2)
    with tempfile.TemporaryDirectory(prefix="hocba-bench-") as name:
        folder = Path(name)
        kinds = {corpus.name: (corpus, False) for corpus in make_corpora(records, folder)}
        for corpus in make_corpora(few, folder, spelling=READABLE):
            kinds[f"{corpus.name}_as_signxml_wants_it"] = (corpus, True)
        kinds["design_sample"] = (make_design_sample(few, folder), True)
        figures = {
            name: _measure(corpus, slices, folder, packages=packages, documented=documented, not_run=not_run)
            for name, (corpus, documented) in kinds.items()
        }
    reached = [line for name, found in figures.items() for line in goals(name, found)]
    return {**figures, "goals": reached, "not_run": not_run}


def _packages(var: Path, not_run: dict[str, str]) -> Path | None:
    try:
        return packages_of_lock(var / "bench")
    except NotAvailable as error:
        not_run["python_xmlsec"] = str(error)
        return None


def goals(name: str, figures: dict[str, Any]) -> list[dict[str, object]]:
    """Every goal that this kind of file can speak to: what is wanted, what was measured, whether it is reached."""
    faster, floor = figures["ours_is_faster_by"], figures["times_floor"]["ours"]
    lines = [
        _goal(name, f"faster_than_{engine}", f">= {least:g}", faster[engine], reached=faster[engine] >= least)
        for engine, least in AT_LEAST.items()
        if engine in faster
    ]
    wanted = f"<= {AT_MOST_TIMES_FLOOR:g}"
    return [*lines, _goal(name, "times_floor", wanted, floor, reached=floor <= AT_MOST_TIMES_FLOOR)]


def _goal(files: str, goal: str, wanted: str, measured: float, *, reached: bool) -> dict[str, object]:
    return {"files": files, "goal": goal, "wanted": wanted, "measured": measured, "reached": reached}


def _measure(
    corpus: Corpus, slices: int, folder: Path, *, packages: Path | None, documented: bool, not_run: dict[str, str]
) -> dict[str, Any]:
    floor = Floor(corpus.records)
    with engines(corpus, floor, folder, packages=packages, documented=documented, not_run=not_run) as found:
        times: dict[str, list[float]] = {name: [] for name in found}
        for number in range(slices):
            for name, engine in found.items():
                times[name].append(engine(number))
    median = {name: statistics.median(values) for name, values in times.items()}
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
