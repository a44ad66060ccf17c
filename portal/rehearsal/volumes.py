"""Great numbers of forged and mutated records against the parser and the verifier, seeded and bounded in time.

A forgery counts as accepted when the report passes and what a reader would get is not what was signed. A crash is any
exception out of `verify`, and any refusal that names no rule. Nothing is kept but figures and hashes of offenders.
"""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import signing
from portal.rehearsal.attacks import attacks
from portal.rehearsal.bench_corpora import Corpus, make_corpora
from portal.rehearsal.calendar import Calendar
from portal.rehearsal.pki import Pki
from portal.rehearsal.pki_files import open_pki
from portal.rehearsal.province import School, make_province
from portal.rehearsal.records import make_record
from portal.rehearsal.signer import Target, sign
from portal.rehearsal.spelling import SPELLINGS, Spelling
from signing.presets import FIRST_LAYOUT
from signing.verification.recognition import forget
from signing.xml import canonical_bytes

_SIGNED_AT = datetime(2026, 5, 30, 8, 0, tzinfo=UTC)


@dataclass
class Tally:
    """What came of a run."""

    tried: int = 0
    accepted_unchanged: int = 0
    accepted_forgeries: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    def to_json(self, *, seed: int, seconds: float) -> dict[str, object]:
        return {
            "seed": seed,
            "tried": self.tried,
            "accepted_forgeries": len(self.accepted_forgeries),
            "crashes": len(self.crashes),
            "accepted_with_the_signed_content": self.accepted_unchanged,
            "examples": (self.accepted_forgeries + self.crashes)[:20],
            "codes": dict(self.codes.most_common()),
            "cpu_seconds": round(seconds, 1),
        }


@dataclass(frozen=True)
class Case:
    """One genuine record and what a reader gets from it."""

    data: bytes
    corpus: Corpus
    content: dict[str, bytes]


def run_attacks(folder: Path, *, count: int, seed: int, seconds: float) -> dict[str, object]:
    """Every kind of forgery in `attacks`, from records of both layouts in every spelling, until `count` are tried."""
    share = {"primary": 0.18, "secondary": 0.012}

    def inputs() -> Iterator[tuple[Case, bytes]]:
        number = 0
        while True:
            for case in _genuine(folder, seed=seed, number=number):
                for _, data in attacks(case.data, seed=seed + number, share=share[case.corpus.name]):
                    yield case, data
            number += 1

    return _run(inputs(), count=count, seed=seed, seconds=seconds)


def run_mutations(folder: Path, *, count: int, seed: int, seconds: float) -> dict[str, object]:
    """Random damage to bytes and tags: mostly of small signed documents, every eighth of a whole record."""
    random = Random(seed)

    def inputs() -> Iterator[tuple[Case, bytes]]:
        whole = list(_genuine(folder, seed=seed, number=1))
        small = list(_small(folder))
        while True:
            case = random.choice(whole) if random.random() < 0.125 else random.choice(small)
            yield case, _damaged(case.data, random)

    return _run(inputs(), count=count, seed=seed, seconds=seconds)


def _run(inputs: Iterator[tuple[Case, bytes]], *, count: int, seed: int, seconds: float) -> dict[str, object]:
    forget()
    tally, start, end = Tally(), time.process_time(), time.monotonic() + seconds
    for case, data in inputs:
        _try(case, data, tally)
        if tally.tried >= count or time.monotonic() >= end:
            break
    return tally.to_json(seed=seed, seconds=time.process_time() - start)


def _try(case: Case, data: bytes, tally: Tally) -> None:
    tally.tried += 1
    mark = hashlib.sha256(data).hexdigest()[:16]
    try:
        report = signing.verify(data, case.corpus.policy, case.corpus.trust, at=case.corpus.at)
    except Exception as error:
        tally.crashes.append(f"{type(error).__name__} {mark}")
        return
    tally.codes[report.code] += 1
    if report.code == "UNFORESEEN":
        tally.crashes.append(f"UNFORESEEN {mark}")
    elif report.passed and _content(report) != case.content:
        tally.accepted_forgeries.append(mark)
    elif report.passed:
        tally.accepted_unchanged += 1


def _content(report: signing.Report) -> dict[str, bytes]:
    return {path: canonical_bytes(element) for path, element in report.covered.items()}


def _case(data: bytes, corpus: Corpus) -> Case:
    report = signing.verify(data, corpus.policy, corpus.trust, at=corpus.at)
    if not report.passed:
        raise RuntimeError(f"a genuine record was refused: {report.code}")
    return Case(data, corpus, _content(report))


def _genuine(folder: Path, *, seed: int, number: int) -> Iterator[Case]:
    """One record of each layout in each spelling."""
    first, second = make_corpora(0, folder)
    calendar = Calendar.last_finished(first.at)
    province = make_province(seed="bench", calendar=calendar)
    pki = _pki(folder, calendar)
    schools = ((first, province.of_level("02")[0]), (second, province.of_level("03", "04")[0]))
    for spelling in SPELLINGS:
        for corpus, school in schools:
            yield _case(make_record(province, pki, school, seed % 50 + number, spelling=spelling).data, corpus)


def _pki(folder: Path, calendar: Calendar) -> Pki:
    return open_pki(folder / "pki", seed="bench", calendar=calendar)


SMALL_LAYOUT = replace(FIRST_LAYOUT, slots=(replace(FIRST_LAYOUT.slots[-1], after=()),), revocation="off")


def _small(folder: Path) -> Iterator[Case]:
    """One signature over two fields: the same parser and the same steps, several times as many a second."""
    first, _ = make_corpora(0, folder)
    corpus = replace(first, policy=SMALL_LAYOUT)
    calendar = Calendar.last_finished(first.at)
    province, pki = make_province(seed="bench", calendar=calendar), _pki(folder, calendar)
    for spelling in SPELLINGS:
        yield _case(small_record(spelling, pki, province.of_level("02")[0]), corpus)


def small_record(spelling: Spelling, pki: Pki, school: School, *, at: datetime = _SIGNED_AT) -> bytes:
    """One signature of the school over two fields."""
    name = spelling.id_name
    content = f'<DU_LIEU_HOC_BA {name}="data"><HO_VA_TEN>Học sinh Mẫu</HO_VA_TEN><LOP>3A</LOP></DU_LIEU_HOC_BA>'
    signature = sign(
        [Target("data", content)],
        identity=pki.organisation(school),
        at=at,
        spelling=spelling,
        signature_id="sig-truong",
    )
    scope = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in spelling.scope)
    return (
        f"<HOC_BA{scope}>{content}<DANH_SACH_THONG_TIN_KY><KY_PHAT_HANH>"
        f"{signature}</KY_PHAT_HANH></DANH_SACH_THONG_TIN_KY></HOC_BA>"
    ).encode()


_TAGS = re.compile(rb"<[^<>]{1,200}>")
_PIECES = (
    b"<!--x-->", b"<![CDATA[x]]>", b"<?x y?>", b"<!DOCTYPE a>", b"&amp;", b"&#13;", b"&#0;", b"&x;", b"<x/>", b"</x>",
    b"]]>", b' Id="data"', b' xml:lang="vi"', b' xmlns="urn:x"', b' xmlns:y="urn:y"', b' xmlns=""', b"\x00", b"\xff",
    b"\xef\xbb\xbf", b"\xc3", b"\r\n", b"\t", b" ", b"'", b'"', b"=", b"#", "ệ".encode(), b"A" * 300,
)  # fmt: skip


def _damaged(data: bytes, random: Random) -> bytes:
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        data = random.choice(_DAMAGES)(data, random)
    return data


def _flip(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _insert(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + random.choice(_PIECES) + data[place:]


def _cut(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data))
    return data[:place] + data[place + random.choice((1, 2, 8, 64, 1000)) :] or b" "


def _copy(data: bytes, random: Random) -> bytes:
    start, place = random.randrange(len(data)), random.randrange(len(data))
    return data[:place] + data[start : start + random.choice((1, 8, 64, 700))] + data[place:]


def _tag(data: bytes, random: Random) -> bytes:
    """Tags doubled, dropped, exchanged."""
    tags = list(_TAGS.finditer(data))
    if not tags:
        return data
    one, two = random.choice(tags), random.choice(tags)
    return data[: one.start()] + random.choice((b"", one.group() * 2, two.group())) + data[one.end() :]


def _element(data: bytes, random: Random) -> bytes:
    """A leaf moved or doubled."""
    leaves = list(re.finditer(rb"<([A-Za-z_:]+)[^<>]*>[^<>]*</\1>", data))
    if not leaves:
        return data
    one, two = random.choice(leaves), random.choice(leaves)
    return data[: two.start()] + one.group() + data[two.start() if random.random() < 0.5 else two.end() :]


_DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (_flip, _flip, _insert, _cut, _copy, _tag, _element)
