"""What a school hands in at once: signed lists, single records, ZIPs of either.

A list carries the records' bytes unchanged; only the list's own signature is made here, over its canonical form.
"""

import hashlib
import io
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from random import Random
from typing import TypeVar

from lxml import etree

from portal.rehearsal.identity import Identity
from portal.rehearsal.records import MadeRecord
from portal.rehearsal.signer import Target, sign
from portal.rehearsal.spelling import DOTNET, EXCLUSIVE, Spelling

Item = TypeVar("Item")
DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>\n'
LIST_ID = "dataDanhSach"
# A fixed moment in archives, so that the same records give the same bytes.
_ZIP_MOMENT = (2026, 5, 28, 8, 0, 0)


@dataclass(frozen=True)
class MadeBatch:
    """One hand-in: `kind` is LIST, RECORD or ZIP; `message_id` is the sender's own."""

    kind: str
    file_name: str
    data: bytes
    records: tuple[MadeRecord, ...]
    message_id: uuid.UUID

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def school_code(self) -> str:
        return self.records[0].school.code

    @property
    def school_year(self) -> str:
        return self.records[0].school_year


def signed_list(
    records: Sequence[MadeRecord],
    *,
    identity: Identity,
    at: datetime,
    spelling: Spelling = DOTNET,
    list_id: str = LIST_ID,
    digest: str | None = None,
) -> bytes:
    """A `DANH_SACH_HOC_BA` with the sender's enveloped signature as its last child."""
    body, end = unsigned_list(records, list_id=list_id)
    spelling = replace(spelling, scope=(), id_name="id")
    root = etree.fromstring(body + end, _parser())
    canonical = etree.tostring(
        root, method="c14n", exclusive=spelling.transform == EXCLUSIVE, with_comments=False
    ).decode()
    signature = sign(
        [Target(list_id, canonical, enveloped=True)],
        identity=identity,
        at=at,
        spelling=spelling,
        signature_id="sig-danh-sach",
        digest=digest,
    )
    return body + signature.encode() + end


def unsigned_list(records: Sequence[MadeRecord], *, list_id: str = LIST_ID) -> tuple[bytes, bytes]:
    """The list up to the place of its signature, and its end tag."""
    start = DECLARATION + f'<DANH_SACH_HOC_BA id="{list_id}">\n'.encode()
    return start + b"\n".join(record.data for record in records) + b"\n", b"</DANH_SACH_HOC_BA>"


def list_batch(
    records: Sequence[MadeRecord], *, identity: Identity, at: datetime, spelling: Spelling = DOTNET
) -> MadeBatch:
    data = signed_list(records, identity=identity, at=at, spelling=spelling)
    return MadeBatch("LIST", f"{_stem(records)}.xml", data, tuple(records), _message_id(records, "list"))


def unsigned_batch(records: Sequence[MadeRecord]) -> MadeBatch:
    """A list without a signature of its own: the browser's door takes it, the signed-in clerk stands for it."""
    data = b"".join(unsigned_list(records))
    return MadeBatch("LIST", f"{_stem(records)}.xml", data, tuple(records), _message_id(records, "unsigned"))


def single_batch(record: MadeRecord) -> MadeBatch:
    data = DECLARATION + record.data
    return MadeBatch("RECORD", f"{record.pupil.code}.xml", data, (record,), _message_id([record], "one"))


def zip_batch(records: Sequence[MadeRecord], *, per_file: int = 1) -> MadeBatch:
    """A ZIP of single records, or of unsigned lists of `per_file` records."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, group in enumerate(chunks(records, per_file), start=1):
            data = DECLARATION + group[0].data if per_file == 1 else b"".join(unsigned_list(group))
            info = zipfile.ZipInfo(f"hoc-ba/{number:05d}.xml", date_time=_ZIP_MOMENT)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return MadeBatch("ZIP", f"{_stem(records)}.zip", stream.getvalue(), tuple(records), _message_id(records, "zip"))


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Groups of at most `size`."""
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group


def _stem(records: Sequence[MadeRecord]) -> str:
    first = records[0]
    return f"{first.school.code}_{first.school_year}_{first.pupil.code[-6:]}"


def _message_id(records: Sequence[MadeRecord], kind: str) -> uuid.UUID:
    """Derived from the records and the form, so that the same batch is recognised as the same."""
    seed = f"{kind}/{len(records)}/" + "/".join(str(record.lookup_uuid) for record in records)
    return uuid.UUID(int=Random(seed).getrandbits(128), version=4)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
