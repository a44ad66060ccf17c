"""Bytes of hand-ins: stored in pieces as they arrive, read back exactly as they were.

Each piece is its own small transaction, so a large upload holds nothing open; a content counts only once its last byte
and its digest are stored. What broke off on the way stays incomplete and is swept up later.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, cast
from uuid import UUID

import zstandard
from django.db import transaction

from gateway import failpoints
from portal.records.conf import spool_dir
from portal.records.models import Batch, Content, ContentChunk

PIECE_BYTES = 1 << 20
HEAD_BYTES = 4096
_IN_MEMORY_BYTES = 32 << 20


class ContentDamaged(Exception):
    """What is stored is not what came in: our disk's fault, never the school's. Code CONTENT_DAMAGED."""


def whole(data: bytes, sha256: bytes) -> bytes:
    """The bytes that were packed into `data`, known to be the ones of this digest. Raises ContentDamaged."""
    try:
        found = zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ContentDamaged("CONTENT_DAMAGED") from error
    if hashlib.sha256(found).digest() != sha256:
        raise ContentDamaged("CONTENT_DAMAGED")
    return found


class TooLarge(Exception):
    """More bytes came than the door allows."""


@dataclass(frozen=True)
class StoredFile:
    """A complete content: where it lies, what it measures, and its first bytes for a look at its kind."""

    content_id: UUID
    size: int
    sha256: str
    head: bytes


class ContentWriter:
    """Takes bytes as they arrive and stores them in pieces; memory stays flat whatever the size."""

    def __init__(self, *, now: datetime, max_bytes: int) -> None:
        self._content = Content(started_at=now)
        self._content.save(force_insert=True)
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._size = 0
        self._pieces = 0
        self._head = b""
        self._packer = zstandard.ZstdCompressor(level=3)

    def write(self, data: bytes) -> None:
        """Raises TooLarge as soon as the limit is passed; the caller then abandons."""
        failpoints.reach("P1")
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooLarge
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        self._digest.update(data)
        self._buffer += data
        while len(self._buffer) >= PIECE_BYTES:
            self._store(bytes(self._buffer[:PIECE_BYTES]))
            del self._buffer[:PIECE_BYTES]

    def finish(self) -> StoredFile:
        if self._buffer:
            self._store(bytes(self._buffer))
            self._buffer.clear()
        self._content.size = self._size
        self._content.sha256 = self._digest.hexdigest()
        self._content.is_complete = True
        self._content.save(update_fields=["size", "sha256", "is_complete"])
        failpoints.reach("P2")
        return StoredFile(self._content.id, self._size, self._content.sha256, self._head)

    def abandon(self) -> None:
        discard(self._content.id)

    def _store(self, piece: bytes) -> None:
        ContentChunk(content=self._content, index=self._pieces, data=self._packer.compress(piece)).save(
            force_insert=True
        )
        self._pieces += 1


def store(pieces: Iterable[bytes], *, now: datetime, max_bytes: int) -> StoredFile:
    """All of `pieces` as one content. Raises TooLarge; leaves nothing behind when it fails."""
    writer = ContentWriter(now=now, max_bytes=max_bytes)
    try:
        for piece in pieces:
            writer.write(piece)
    except BaseException:
        writer.abandon()
        raise
    return writer.finish()


@transaction.atomic
def discard(content_id: UUID) -> None:
    """Remove a content that no batch refers to. A batch that is just coming in either has it first, or cannot come."""
    Content.objects.select_for_update().filter(id=content_id).first()
    if Batch.objects.filter(content_id=content_id).exists():
        return
    ContentChunk.objects.filter(content_id=content_id).delete()
    Content.objects.filter(id=content_id).delete()


def sweep(*, now: datetime, older_than: timedelta) -> int:
    """Remove uploads that broke off long ago, and finished ones that never became a batch."""
    lost = Content.objects.filter(batch__isnull=True, started_at__lt=now - older_than)
    identities = list(lost.values_list("id", flat=True)[:500])
    for identity in identities:
        discard(identity)
    return len(identities)


def read(content_id: UUID) -> Iterator[bytes]:
    """The pieces of a content, in order; one query each, so that memory stays flat. Raises ContentDamaged."""
    unpacker = zstandard.ZstdDecompressor()
    index = 0
    while True:
        row = ContentChunk.objects.filter(content_id=content_id, index=index).values_list("data", flat=True).first()
        if row is None:
            return
        try:
            yield unpacker.decompress(bytes(row), max_output_size=PIECE_BYTES)
        except zstandard.ZstdError as error:
            raise ContentDamaged("CONTENT_DAMAGED") from error
        index += 1


@contextmanager
def laid_out(content: Content) -> Iterator[BinaryIO]:
    """The whole content as one readable file: in memory when small, else on disk without a name.

    Raises ContentDamaged when the digest is not the one taken at the door.
    """
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, dir=str(spool_dir() or "") or None) as spool:
        digest = hashlib.sha256()
        for piece in read(content.id):
            digest.update(piece)
            spool.write(piece)
        if digest.hexdigest() != content.sha256:
            raise ContentDamaged("CONTENT_DAMAGED")
        yield cast(BinaryIO, spool)
