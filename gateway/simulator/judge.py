"""The judge: a thread that takes acknowledged messages when they are due and judges each in one transaction.

Everything it needs is on disk, so after a kill it finds the same messages due again; a message is judged once, and its
effects (records held, records recalled) are written together with its verdicts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cryptography import x509

from . import certificates
from .config import Judging
from .envelope import ContentUnreadable, inflate
from .judgement import Judged, PackageRefused, Standards, against_holdings, judge_recalls, judge_records, open_list
from .store import Holding, Line, Message, Stage, Store

log = logging.getLogger(__name__)

RECALL = 5
WAITING, AGREED, DISAGREED = 1, 2, 3


class Judge:
    """One worker thread; `clock` gives seconds since the epoch."""

    def __init__(self, store: Store, judging: Judging, *, max_bytes: int, clock: Callable[[], float]) -> None:
        self.judging = judging
        self._store, self._max_bytes, self._clock = store, max_bytes, clock
        self._changed = threading.Event()
        self._stopping = False
        self._authorities = _authorities(judging)
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._changed.set()
        self._thread.join(timeout=30)

    def wake(self) -> None:
        self._changed.set()

    def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            message = self._store.next_due()
            wait = None if message is None or message.due_at is None else message.due_at - self._clock()
            if message is None or wait is None or wait > 0:
                self._changed.wait(timeout=min(wait or 5.0, 5.0))
                continue
            self._judge_or_put_off(message)

    def _judge_or_put_off(self, message: Message) -> None:
        try:
            self.judge(message)
        except Exception:
            # Trouble of ours is no verdict: the message is taken up again later, the others go on.
            log.exception("judging put off: %s", message.messageid)
            with self._store.transaction() as connection:
                sql = "UPDATE message SET due_at = ? WHERE messageid = ?"
                connection.execute(sql, (self._clock() + 5.0, message.messageid))

    def judge(self, message: Message) -> None:
        """Bring one message a step further: to its verdicts, or a recall from waiting to decided."""
        if message.type == RECALL and message.stage >= Stage.PROCESSED:
            self._decide_recall(message)
            return
        self._set_stage(message.messageid, Stage.PROCESSING)
        plan = json.loads(message.plan)
        try:
            root, pieces = open_list(self._document(message), self._standards(message))
            if message.type == RECALL:
                self._write_waiting_recall(message, judge_recalls(root, pieces))
                return
            judged = judge_records(root, pieces, self._standards(message))
        except PackageRefused as refused:
            self._close_refused(message, refused.code, refused.description, [])
            return
        self._write_records(message, judged, plan)

    # -- records ---------------------------------------------------------------------------------------------------
    def _write_records(self, message: Message, judged: list[Judged], plan: Mapping[str, Any]) -> None:
        if self._close_if_planned(message, judged, plan):
            return
        with self._store.transaction() as connection:
            if self.judging.refuse_held:
                judged = against_holdings(judged, self._store.holdings([j.seen.uuid for j in judged]))
            judged = [_as_planned(j, plan) for j in judged]
            lines = [_line(j, verdict=0 if j.errors else 1, effect=not j.errors) for j in judged]
            self._store.hold((_holding(j, message) for j in judged if not j.errors), self._clock(), connection)
            self._store.add_lines(message.messageid, lines, connection)
            self._close(message, connection, records=len(lines))

    def _close_if_planned(self, message: Message, judged: list[Judged], plan: Mapping[str, Any]) -> bool:
        """A fault asked for the whole package to be refused, by name of the culprit or without it."""
        code, wanted = plan.get("refuse_code"), set(plan.get("refuse_uuids", ()))
        culprits = [j for j in judged if j.seen.uuid in wanted] if wanted else judged[:1]
        if not code or not culprits:
            return False
        named = culprits if plan.get("name_culprit") else []
        lines = [_line(j.with_error(str(code), "HOC_BA", "Học bạ làm hỏng cả gói tin"), verdict=0) for j in named]
        self._close_refused(message, str(code), "Gói tin bị từ chối toàn bộ", lines)
        return True

    def _close_refused(self, message: Message, code: str, description: str, lines: list[Line]) -> None:
        with self._store.transaction() as connection:
            self._store.add_lines(message.messageid, lines, connection)
            self._close(message, connection, error=code, description=description)

    # -- recalls ---------------------------------------------------------------------------------------------------
    def _write_waiting_recall(self, message: Message, judged: list[Judged]) -> None:
        lines = [_line(j, verdict=WAITING) for j in judged]
        due = self._clock() + self.judging.recall_delay_seconds
        with self._store.transaction() as connection:
            self._store.add_lines(message.messageid, lines, connection)
            self._close(message, connection, records=len(lines), due_at=due)

    def _decide_recall(self, message: Message) -> None:
        plan = json.loads(message.plan)
        lines = self._store.lines(message.messageid)
        with self._store.transaction() as connection:
            held = self._store.holdings([line.uuid for line in lines])
            decided = [_decide(line, held.get(line.uuid), plan) for line in lines]
            agreed = [(line.uuid,) for line in decided if line.verdict == AGREED]
            connection.executemany("UPDATE holding SET state = 'RECALLED' WHERE uuid = ?", agreed)
            self._store.add_lines(message.messageid, decided, connection)
            self._close(message, connection, records=len(lines))

    # -- shared ----------------------------------------------------------------------------------------------------
    def _document(self, message: Message) -> bytes:
        packed = self._store.document_path(message.document_sha256).read_bytes()
        try:
            document = inflate(packed, max_bytes=self._max_bytes)
        except ContentUnreadable as problem:
            raise PackageRefused("CONTENT_UNREADABLE", str(problem)) from None
        if hashlib.sha256(document).hexdigest() != message.document_sha256:
            raise OSError("a stored document has changed on disk")
        return document

    def _standards(self, message: Message) -> Standards:
        units = (message.unit, message.home_unit)
        return Standards(
            approved=certificates.approved_for(self._store, units, now=self._clock()),
            signature_share=self.judging.signature_share,
            seed=self.judging.seed,
            school_cas=self._authorities,
        )

    def _set_stage(self, messageid: str, stage: Stage) -> None:
        with self._store.transaction() as connection:
            connection.execute("UPDATE message SET stage = ? WHERE messageid = ?", (stage, messageid))

    def _close(
        self,
        message: Message,
        connection: sqlite3.Connection,
        *,
        records: int | None = None,
        error: str = "",
        description: str = "",
        due_at: float | None = None,
    ) -> None:
        connection.execute(
            "UPDATE message SET stage = ?, due_at = ?, error = ?, error_description = ?, records = ?, judged_at = ?"
            " WHERE messageid = ?",
            (Stage.REPLY_MADE, due_at, error, description, records, self._clock(), message.messageid),
        )


def _decide(line: Line, known: tuple[str, str, str] | None, plan: Mapping[str, Any]) -> Line:
    if line.errors:
        return replace(line, verdict=DISAGREED)
    if plan.get("refuse_recall"):
        return replace(line, verdict=DISAGREED, errors=(("RECALL_REFUSED", "", "Bộ không đồng ý thu hồi"),))
    if known is None:
        return replace(
            line, verdict=DISAGREED, errors=(("RECORD_UNKNOWN", "MA_TRA_CUU_UUID", "Kho không có học bạ này"),)
        )
    if known[0] == "RECALLED":
        return replace(line, verdict=DISAGREED, errors=(("ALREADY_RECALLED", "MA_TRA_CUU_UUID", "Học bạ đã thu hồi"),))
    return replace(line, verdict=AGREED, took_effect=True)


def _as_planned(judged: Judged, plan: Mapping[str, Any]) -> Judged:
    """A share of the records is refused on demand, always the same ones for the same UUIDs."""
    share = float(plan.get("reject_share", 0.0))
    draw = int.from_bytes(hashlib.sha256(f"reject:{judged.seen.uuid}".encode()).digest()[:4], "big") / 2**32
    if draw >= share:
        return judged
    for code in plan.get("reject_codes", ("TEST_REJECTED",)):
        judged = judged.with_error(str(code), "HOC_BA", "Bị từ chối theo kịch bản diễn tập")
    return judged


def _line(judged: Judged, *, verdict: int, effect: bool = False) -> Line:
    seen = judged.seen
    return Line(
        position=judged.position,
        uuid=seen.uuid,
        sha256=judged.sha256,
        size=judged.size,
        pupil_code=seen.field("MA_HOC_SINH"),
        pupil_name=seen.field("HO_VA_TEN"),
        pupil_cccd=seen.field("SO_CCCD"),
        verdict=verdict,
        errors=judged.errors,
        took_effect=effect,
    )


def _holding(judged: Judged, message: Message) -> Holding:
    return Holding(
        uuid=judged.seen.uuid,
        sha256=judged.sha256,
        size=judged.size,
        messageid=message.messageid,
        school=judged.seen.field("MA_TRUONG"),
        signature_verified=judged.signature_verified,
    )


def _authorities(judging: Judging) -> tuple[x509.Certificate, ...]:
    if judging.school_cas is None:
        return ()
    return tuple(x509.load_pem_x509_certificates(judging.school_cas.read_bytes()))
