"""Officers who, now and then, grant the recall of an accepted record, after which the school hands in another version.
What the Ministry refuses to recall they ask for again: until it is recalled, the next version has to wait.

They act through the domain's own use cases, as the pages do; a database that is away just makes them wait.
"""

import threading
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import psycopg
from django.db import Error, connection
from django.utils import timezone

from portal.accounts.models import User
from portal.records import recall
from portal.records.models import Record
from portal.rehearsal.campaign.load import Crowd
from portal.rehearsal.campaign.site import Site

_REASON = "Diễn tập: học bạ có sai sót, trường đề nghị thu hồi."


@dataclass
class Officers:
    site: Site
    crowd: Crowd
    every: float
    rng: Random
    granted: int = 0
    asked_again: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _done: set[str] = field(default_factory=set)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="officers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(30)

    def _work(self) -> None:
        while not self._over.wait(self.every):
            try:
                with self.site.gate.passing():
                    self._answer_refused()
                    self._grant_one()
            except (Error, psycopg.Error, recall.RecallRefused, OSError):
                connection.close()  # the database is away, or the record has changed meanwhile: the next one then
        connection.close()

    def answer_refused(self) -> None:
        """The same from another thread, after `stop`; trouble leaves it for the next call."""
        try:
            self._answer_refused()
        except (Error, psycopg.Error, recall.RecallRefused, OSError):
            connection.close()

    def _answer_refused(self) -> None:
        officer = User.objects.filter(username__startswith="chuyenvien").order_by("username").first()
        for refused in recall.refused_there()[:10]:
            recall.ask_again(recall=refused, decided_by=officer, now=timezone.now(), reason=_REASON)
            self.asked_again += 1

    def _grant_one(self) -> None:
        ready = Record.objects.filter(state="DISPATCHED", standing="IN_FORCE", item__verdict="ACCEPTED")
        found = list(ready.order_by("-id").values_list("pk", "lookup_uuid")[:30])
        known = [(pk, str(uuid)) for pk, uuid in found if str(uuid) in self.crowd.pupils]
        if not known:
            return
        pk, old = self.rng.choice(known)
        if old in self._done:
            return
        asked, decided = User.objects.filter(username__startswith="chuyenvien").order_by("username")[:2]
        now = timezone.now()
        row = recall.request(record=Record.objects.get(pk=pk), reason=_REASON, requested_by=asked, now=now)
        recall.approve(recall=row, decided_by=decided, now=now, decision="Đồng ý.")
        self._done.add(old)
        new = UUID(int=self.rng.getrandbits(128), version=4)
        school, number = self.crowd.pupils[old]
        self.crowd.ledger.recalled(old, str(new))
        self.crowd.replacements.append((school, number, new))
        self.granted += 1
