"""Stories of delivery with something broken in the middle: in the end every witness says the same.

One throwaway environment for all of them, with the campaign's fail-points, ledger and checker.
"""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.rehearsal.bootstrap import open_rehearsal
from portal.rehearsal.campaign import quiet
from portal.rehearsal.campaign.campaign import environment, make_site, settle_in
from portal.rehearsal.campaign.checker import Checker, Findings
from portal.rehearsal.campaign.ledger import SchoolLedger
from portal.rehearsal.campaign.site import LEASE_SECONDS, Site
from portal.rehearsal.campaign.testimony import Witnesses, read
from portal.rehearsal.doors import Line, SoftwareDoor
from portal.rehearsal.making import Maker, Wish
from portal.rehearsal.parcels import API
from portal.rehearsal.paths import door_paths

pytestmark = [pytest.mark.journey, pytest.mark.slow]


class Story:
    """A province whose schools hand in through the exchange door, and the three witnesses of what becomes of it."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.rehearsal = open_rehearsal(site.env.var / "rehearsal")
        self.ledger = SchoolLedger(folder / "ledger.jsonl")
        self.maker = Maker(self.rehearsal.province, self.rehearsal.pki, {})
        self.records = 0

    def hand_in(self, records: int) -> None:
        """Every batch is acknowledged, whatever is broken behind the door."""
        for parcel in self.maker.parcels(Wish(records, mix=1.0, batch_size=5, doors=(API,))):
            line = Line(self.site.env.url.rstrip("/"), timeout=30)
            school, password = parcel.school, self.rehearsal.state.api_password
            door = SoftwareDoor(line, school.api_user_name, password, school.code, door_paths((API,)))
            self.ledger.made(parcel)
            receipt = door.submit(parcel.data, message_id=parcel.message_id, school_year=parcel.school_year)
            self.ledger.acknowledged(parcel, receipt.to_json())
            self.records += len(parcel.entries)
            line.close()

    def end(self) -> Findings:
        """Quiet, then the checker's word; nothing may be left open."""
        left = quiet.wait(self.site, seconds=90)["left_open"]
        assert left == {"batches": 0, "records": 0, "submissions": 0, "recalls": 0}
        names = self.site.env.env
        witnesses = Witnesses(
            self.ledger.path,
            {"host": names["HOCBA_PG_HOST"], "dbname": names["HOCBA_PG_NAME"], "user": names["HOCBA_PG_USER"]},
            self.site.env.installation.places.simulator,
        )
        findings = Checker(read(witnesses)).judge()
        assert findings.is_clean, dict(findings.examples)
        assert findings.counts["accepted"] == self.records
        return findings

    def sql(self, words: str) -> int:
        with self.site.connect() as line:
            row = line.execute(words.encode()).fetchone()
        return int(row[0]) if row else 0

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    var, orders = folder / "v", folder / "orders"
    var.mkdir()
    orders.mkdir()
    with environment(var, orders, lambda _line: None) as env:
        settle_in(env)
        yield Story(make_site(env, orders, isolated=False, ballast=None), folder)


@pytest.mark.parametrize("step", ["P12", "P13", "P14", "P15", "P16"])
def test_worker_killed_mid_send(story: Story, step: str) -> None:
    (story.site.orders / step).write_text("kill")
    story.hand_in(5)
    story.until(lambda: not (story.site.orders / step).exists())

    story.end()


@pytest.mark.parametrize("step", ["P5", "P6", "P7", "P8", "P10"])
def test_worker_killed_while_it_checks_or_packs(story: Story, step: str) -> None:
    (story.site.orders / step).write_text("kill")
    story.hand_in(5)
    story.until(lambda: not (story.site.orders / step).exists())

    story.end()


def test_a_worker_frozen_past_its_lease_wakes_up_and_changes_nothing(story: Story) -> None:
    (story.site.orders / "P13").write_text("stop")
    story.hand_in(5)
    story.until(lambda: any(story.site.orders.glob("P13.taken-*-*")) and not (story.site.orders / "P13").exists())
    time.sleep(LEASE_SECONDS + 1)

    story.end()  # wakes everybody first


def test_broker_flushed_and_killed_with_work_in_its_queues(story: Story) -> None:
    story.hand_in(5)
    story.site.env.flush_broker()
    story.hand_in(5)
    story.site.env.kill("valkey", signal.SIGKILL)

    story.end()


def test_reply_lost_after_the_ministry_has_taken_the_package(story: Story) -> None:
    number = story.site.control.set_fault("cut_after_processing", service="submit", count=2)
    story.hand_in(5)
    story.until(lambda: story.site.control.faults()["fired"].get("cut_after_processing", 0) >= 1)
    story.site.control.clear_faults(number)

    story.end()


def test_ministry_down_for_three_days(story: Story) -> None:
    story.site.control.set_fault("down")
    story.hand_in(15)
    story.until(lambda: story.sql("SELECT count(*) FROM gateway_endpoint WHERE state = 'PAUSED'") == 1)
    before = story.sql("SELECT count(*) FROM gateway_attempt")
    for _ in range(72):  # hour by hour, with real probes in between
        story.sql(
            "WITH hour AS (UPDATE gateway_submission SET next_attempt_at = next_attempt_at - interval '1 hour'"
            " WHERE next_attempt_at IS NOT NULL RETURNING 1), line AS (UPDATE gateway_endpoint"
            " SET next_probe_at = next_probe_at - interval '1 hour' RETURNING 1) SELECT count(*) FROM hour"
        )
        time.sleep(0.05)
    assert story.sql("SELECT count(*) FROM gateway_submission WHERE state = 'REFUSED'") == 0
    assert story.sql("SELECT count(*) FROM gateway_attempt") - before <= 15, "a paused line makes no storm of attempts"
    story.site.control.clear_faults()

    story.end()


def test_everything_killed_at_once(story: Story) -> None:
    story.hand_in(10)
    for name in ("web", "worker-records", "worker-forwarding", "beat", "simulator", "valkey", "postgres"):
        story.site.env.kill(name, signal.SIGKILL)

    story.end()
