"""Step 2c: admitted records become sealed packages in the outbox.

Verify came before; here: pack → seal → one transaction (outbox row, items, DISPATCHED). A crash anywhere leaves the
records ADMITTED or the package complete, never half. One dispatcher per group at a time; nothing here talks to the
Ministry.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from zlib import crc32

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Length

from gateway import failpoints, outbox, sizes
from gateway.conf import endpoint
from gateway.discrepancies import is_held_there
from gateway.models import Document, Submission
from portal.records import content, disputes, nudge, packing
from portal.records.conf import conf, seal_profile, sealing_key, stamper
from portal.records.content import ContentDamaged
from portal.records.models import Recall, Record
from portal.records.packing import Weighed
from portal.records.states import RecallState, RecordState, Standing
from signing.errors import KeyUnavailable, TimestampUnavailable
from signing.sealing import seal

if TYPE_CHECKING:
    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

# Around `content` in the HTTP body: the authentication part and JSON's own characters, generously.
_BODY_RESERVE = 8_192
_LOCK = 0x5EA1
_OUR_SEAL = "SEAL"
# The trail of a bisection: each half names the package it came from.
_SPLIT_FROM = "split_from"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Group:
    """What may travel in one package: one school year, one level, and one school when sent on its behalf."""

    school_year: str
    level: str
    school_id: int | None
    school_code: str

    @property
    def first_year(self) -> int:
        return int(self.school_year[:4])

    @property
    def lock_key(self) -> int:
        return crc32(f"{self.school_year}|{self.level}|{self.school_id or ''}".encode()) - (1 << 31)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What one run has handed over."""

    packages: int = 0
    records: int = 0

    def __add__(self, other: "Dispatched") -> "Dispatched":
        return Dispatched(self.packages + other.packages, self.records + other.records)


def dispatch_due(*, now: datetime, max_packages: int = 100, at_once: bool = False) -> Dispatched:
    """Pack and hand over whatever is due. `at_once` does not wait for packages to fill up.

    A mistake of ours over one group is raised after the other groups have had their turn; a key that cannot sign, at
    once: it would be asked in vain, or locked, for each of them.
    """
    done, mistakes = Dispatched(), []
    for group in waiting_groups():
        try:
            while done.packages < max_packages:
                handed_over = _dispatch_one(group, now=now, at_once=at_once)
                if not handed_over:
                    break
                done += Dispatched(1, handed_over)
        except (KeyUnavailable, TimestampUnavailable, OperationalError, InterfaceError):
            raise
        except Exception as mistake:
            logger.exception("packing_failed year=%s level=%s", group.school_year, group.level)
            mistakes.append(mistake)
    if done.packages:
        nudge.send(nudge.FORWARD)
    if mistakes:
        raise mistakes[0]
    return done


def waiting_groups() -> list[Group]:
    """The groups in which something waits, oldest first."""
    own = conf().on_behalf_of_schools
    names = ["school_year", "level", *(["school_id", "school__code"] if own else [])]
    rows = _waiting().order_by(*names).values_list(*names).distinct()
    return [Group(row[0], row[1], row[2] if own else None, row[3] if own else "") for row in rows]


def _waiting() -> "QuerySet[Record]":
    """What may be packed. A pupil's next version waits until the Ministry has recalled the former one: sent at once it
    would overtake the recall, and sent after a recall that was refused it would be refused as a second version in force
    there. A refused recall is an officer's: asked for again, or settled with the Ministry."""
    holding = _unrecalled().filter(
        record__cccd=OuterRef("cccd"),
        record__school_year=OuterRef("school_year"),
        record__grade=OuterRef("grade"),
    )
    return Record.objects.filter(~Exists(holding), state=RecordState.ADMITTED, standing=Standing.IN_FORCE)


def _unrecalled() -> "QuerySet[Recall]":
    """Granted recalls of what the Ministry holds, or may come to hold, and has not recalled."""
    return Recall.objects.filter(
        Q(item__isnull=True) | Q(item__verdict__in=["PENDING", "REJECTED"]),
        state__in=[RecallState.APPROVED, RecallState.DISPATCHED],
        record__item__verdict__in=["PENDING", "ACCEPTED"],
    ).exclude(record__cccd="")


def held_back_by(record: Record) -> Recall | None:
    """The recall of the pupil's former version for which this record waits; None when nothing holds it back."""
    if record.state != RecordState.ADMITTED or record.standing != Standing.IN_FORCE or not record.cccd:
        return None
    same = _unrecalled().filter(
        record__cccd=record.cccd, record__school_year=record.school_year, record__grade=record.grade
    )
    return same.select_related("item").order_by("requested_at").first()


@transaction.atomic
def _dispatch_one(group: Group, *, now: datetime, at_once: bool) -> int:
    """One package of one group; the number of records in it, 0 when nothing is due or another is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, group.lock_key])
        if not cursor.fetchone()[0]:
            return 0
    waiting, oldest = _weigh(group)
    chosen, full = packing.fill(waiting, max_bytes=document_room(), max_records=conf().package_records)
    if not chosen or not (full or at_once or _lingered(oldest, now)):
        return 0
    return _hand_over(group, [one.record_id for one in chosen], now=now)


def document_room() -> int:
    """Bytes that records may take up in one package, after the seal and after what the Ministry once found too big."""
    return sizes.limit(endpoint(), now=outbox.database_now()) - conf().seal_reserve_bytes


def _weigh(group: Group) -> tuple[list[Weighed], datetime | None]:
    """What waits in the group, from the front, without a lock: looking costs nothing and happens every few seconds."""
    rows = _waiting().filter(school_year=group.school_year, level=group.level).order_by("id")
    if group.school_id is not None:
        rows = rows.filter(school_id=group.school_id)
    found = list(rows.values_list("id", "data_size", "checked_at")[: conf().package_records + 1])
    moments = [checked_at for _, _, checked_at in found if checked_at is not None]
    return [Weighed(record_id, size) for record_id, size, _ in found], min(moments, default=None)


def _lingered(oldest: datetime | None, now: datetime) -> bool:
    return oldest is not None and oldest <= now - timedelta(seconds=conf().linger_seconds)


class _BodyTooBig(Exception):
    """The package fits as a document, but not as an HTTP body."""


def _hand_over(group: Group, ids: Sequence[int], *, now: datetime, split_from: UUID | None = None) -> int:
    while ids:
        rows = _load_locked(ids, now=now)
        if not rows:
            return 0
        document = seal(
            packing.pack(row.data for row in rows), key=sealing_key(), profile=seal_profile(), at=now, stamper=stamper()
        )
        failpoints.reach("P10")
        try:
            submission_id = _enqueue(group, rows, document, now=now, split_from=split_from)
        except _BodyTooBig:
            ids = [row.record_id for row in rows][: len(rows) // 2]
            continue
        logger.info("dispatched submission=%s records=%s bytes=%s", submission_id, len(rows), len(document))
        return len(rows)
    # A record is at most 2 MB and admission holds it against the same limit: only a wrong setting leads here.
    logger.error("package_limit_too_small_for_one_record level=%s", group.level)
    return 0


@transaction.atomic
def _enqueue(
    group: Group, rows: Sequence["_Load"], document: bytes, *, now: datetime, split_from: UUID | None = None
) -> UUID:
    limits = endpoint()
    submission_id = uuid4()
    items = outbox.enqueue(
        submission_id=submission_id,
        kind="RECORDS",
        unit_code=group.school_code or limits.unit_code,
        school_year=group.first_year,
        document=document,
        items=[outbox.NewItem(key=str(row.lookup_uuid), digest=row.sha256) for row in rows],
        now=now,
        details={_SPLIT_FROM: str(split_from)} if split_from else None,
    )
    if body_bytes(submission_id) > limits.max_body_bytes or len(document) > limits.max_document_bytes:
        raise _BodyTooBig
    _mark([row.record_id for row in rows], items, now)
    return submission_id


def body_bytes(submission_id: UUID) -> int:
    """Size of the HTTP body a submission will be: Base64 of what the outbox froze, and the words around it."""
    packed = int(Document.objects.filter(submission_id=submission_id).values_list(Length("packed"), flat=True).get())
    return (packed + 2) // 3 * 4 + _BODY_RESERVE


@dataclass(frozen=True, slots=True)
class _Load:
    """One record as it goes into a package."""

    record_id: int
    lookup_uuid: UUID | None  # an admitted record always has one
    data: bytes
    sha256: bytes


def _load_locked(ids: Sequence[int], *, now: datetime) -> list[_Load]:
    """The chosen records under lock: a recall waits for us, or was first and the record is left out. One whose bytes
    are no longer those that came in is held: not a byte of it leaves, and its neighbours do."""
    rows = _waiting().filter(id__in=ids).select_for_update(of=("self",)).order_by("id")
    loaded = []
    for pk, uuid, data, sha256 in rows.values_list("id", "lookup_uuid", "data", "sha256"):
        try:
            loaded.append(_Load(pk, uuid, content.whole(bytes(data), bytes(sha256)), bytes(sha256)))
        except ContentDamaged:
            logger.error("record_damaged record=%s", pk)
            disputes.hold_damaged(pk, now=now)
    return loaded


def _mark(ids: Sequence[int], items: Sequence[int], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE records_record AS r SET state = 'DISPATCHED', item_id = new.item, dispatched_at = %s
              FROM unnest(%s::bigint[], %s::bigint[]) AS new (id, item)
             WHERE r.id = new.id AND r.state = 'ADMITTED'
            """,
            [now, list(ids), list(items)],
        )
        if cursor.rowcount != len(ids):  # rolls everything back: the package would hold what is not ours to send
            raise RuntimeError("records changed state under their lock")


@transaction.atomic
def take_back(*, submission_id: UUID) -> int:
    """Records of a package that was refused as a whole wait for another one; those refused by name stay with it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE records_record AS r SET state = 'ADMITTED', item_id = NULL, dispatched_at = NULL
              FROM gateway_item AS i JOIN gateway_submission AS s ON s.id = i.submission_id
             WHERE r.item_id = i.id AND s.id = %s AND s.state = 'REFUSED' AND s.kind = 'RECORDS'
               AND i.verdict = 'PENDING' AND r.state = 'DISPATCHED'
            """,
            [submission_id],
        )
        return int(cursor.rowcount)


def take_back_due(*, limit: int = 20) -> int:
    """Packages that may be packed anew by themselves: too big, with the culprit named, or sealed anew.

    Without a named culprit the package is bisected (below). One refused for our own seal has paused the line; its
    records wait until a person has removed the cause and let the line go on; so do those of one that the Ministry
    turns out to hold.
    """
    refused = Submission.objects.filter(
        ~is_held_there(), state="REFUSED", kind="RECORDS", items__verdict="PENDING", items__record__isnull=False
    )
    named = refused.filter(items__verdict="REJECTED")
    too_big = refused.filter(reason_code__in=endpoint().answers.too_big)
    resumed = refused.filter(
        reason_code__startswith=_OUR_SEAL, endpoint__state="OPEN", endpoint__resumed_at__gt=F("closed_at")
    )
    due = {
        found for rows in (named, too_big, resumed) for found in rows.values_list("id", flat=True).distinct()[:limit]
    }
    return sum(take_back(submission_id=submission_id) for submission_id in due)


def bisect_due(*, now: datetime, limit: int = 10) -> int:
    """Packages refused for their content without a word about the culprit go again in two halves, until a package of
    one is left, whose refusal is that record's own. One refused for our seal would be refused again: it waits.

    A refusal that has nothing to do with any record would split a whole year into packages of one: so many refusals an
    hour are enough, and what is left waits, seen on the endpoint page."""
    blamed = (
        Submission.objects.filter(~is_held_there(), state="REFUSED", kind="RECORDS")
        .exclude(reason_code__in=endpoint().answers.too_big)
        .exclude(reason_code__startswith=_OUR_SEAL)
    )
    of_late = blamed.filter(closed_at__gt=now - _HOUR, details__has_key=_SPLIT_FROM).count()
    # One condition on one item: an accepted record stays with its package, and is nothing that still waits.
    waiting = blamed.filter(items_count__gt=1, items__verdict="PENDING", items__record__isnull=False)
    refused = waiting.exclude(items__verdict="REJECTED").distinct().order_by("closed_at", "id")
    left = endpoint().sending.bisections_an_hour - of_late
    due = refused.values_list("id", flat=True)[: max(0, min(limit, left))]
    halved = sum(_bisect(submission_id, now=now) for submission_id in due)
    if halved:
        nudge.send(nudge.FORWARD)
    return halved


@transaction.atomic
def _bisect(submission_id: UUID, *, now: datetime) -> int:
    """The records of one refused package in two new ones; 0 when another worker was first."""
    held = Record.objects.filter(item__submission_id=submission_id, item__verdict="PENDING").order_by("id")
    rows = list(held.values_list("id", "school_year", "level", "school_id", "school__code"))
    if not rows or not take_back(submission_id=submission_id):
        return 0
    own = conf().on_behalf_of_schools
    _, school_year, level, school_id, school_code = rows[0]
    group = Group(school_year, level, school_id if own else None, school_code if own else "")
    ids = [row[0] for row in rows]
    middle = (len(ids) + 1) // 2
    for half in filter(None, (ids[:middle], ids[middle:])):
        _hand_over(group, half, now=now, split_from=submission_id)
    return len(ids)
