"""Two clocks beside each other: the application's, and the database's, which no machine of ours can set wrong alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from portal.audit import anchoring, journal, merkle
from portal.audit.models import Block, Entry

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def write(count: int = 1, *, off: timedelta = timedelta()) -> None:
    for number in range(count):
        journal.record(action="test.act", now=timezone.now() + off, subject=("thing", number))


def tamper(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def as_before_the_upgrade(count: int) -> Block:
    """Entries without the database's clock, sealed as the version before sealed them."""
    write(count)
    tamper("UPDATE audit_entry SET written_at = NULL")
    rows = list(Entry.objects.order_by("pk"))
    leaves = [
        merkle.leaf(
            number=one.pk, at=one.at, actor_id=None, actor_name=one.actor_name, action=one.action,
            subject_kind=one.subject_kind, subject_id=one.subject_id, school_id=None, reason="", detail={},
            address=None,
        )
        for one in rows
    ]  # fmt: skip
    root, previous = merkle.root(leaves), merkle.GENESIS
    first, last = 1, rows[-1].pk
    digest = merkle.block_digest(number=1, first=first, last=last, entries=count, root=root, previous=previous)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_block (number, first_entry, last_entry, entries, root, previous, digest, sealed_at)"
            " VALUES (1, %s, %s, %s, %s, %s, %s, %s)",
            [first, last, count, root, previous, digest, NOW],
        )
    return Block.objects.get()


def test_every_entry_carries_the_database_clock_whatever_the_application_says():
    before = timezone.now()
    write(off=timedelta(days=-3))
    entry = Entry.objects.get()
    assert entry.at < before - timedelta(days=2)
    assert before - timedelta(minutes=1) < entry.written_at < timezone.now() + timedelta(minutes=1)


def test_two_acts_of_one_transaction_are_told_apart():
    write(2)
    first, second = Entry.objects.order_by("pk").values_list("written_at", flat=True)
    assert first < second


def test_a_writer_that_knows_nothing_of_the_clock_gets_it_from_the_database():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_entry (at, actor_name, action, subject_kind, subject_id, reason, detail)"
            " VALUES (now(), 'x', 'test.old', '', '', '', '{}')"
        )
    assert Entry.objects.get().written_at is not None


def test_what_was_sealed_before_the_upgrade_stays_valid_and_new_blocks_chain_to_it():
    old = as_before_the_upgrade(3)
    write(2)
    new = anchoring.seal(now=NOW)
    assert (old.leaf_format, new.leaf_format, bytes(new.previous)) == (1, 2, bytes(old.digest))
    assert list(anchoring.verify(anchors=[anchoring.Anchor(1, bytes(old.digest).hex())])) == []


def test_entries_of_before_that_were_still_open_are_sealed_without_a_clock_they_never_had():
    write(2)
    tamper("UPDATE audit_entry SET written_at = NULL")
    anchoring.seal(now=NOW)
    assert list(anchoring.verify()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET written_at = written_at + interval '1 microsecond' WHERE subject_id = '2'",
        "UPDATE audit_entry SET written_at = NULL WHERE subject_id = '2'",
        "UPDATE audit_block SET leaf_format = 1",
    ],
)
def test_the_database_clock_is_covered_by_the_seal(sql):
    write(3)
    anchoring.seal(now=NOW)
    tamper(sql)
    assert [fault.code for fault in anchoring.verify()] == ["ENTRY_ALTERED"]


def test_an_unknown_kind_of_leaf_is_a_fault_and_no_crash():
    write(2)
    anchoring.seal(now=NOW)
    tamper("UPDATE audit_block SET leaf_format = 9")
    assert [fault.code for fault in anchoring.verify()] == ["BLOCK_ALTERED"]


def test_verify_shows_clocks_that_differ_and_calls_the_chain_intact(capsys):
    write(2)
    write(off=timedelta(minutes=20))
    write(off=-timedelta(hours=2))
    anchoring.seal(now=NOW)
    call_command("journal", "verify")
    said = capsys.readouterr().out
    assert "nguyên vẹn: 1 khối" in said
    assert "2 dòng" in said
    assert "+1200 giây" in said
    assert "-7200 giây" in said
    call_command("journal", "verify", clock_limit=8000)
    assert "giây" not in capsys.readouterr().out


def test_old_entries_without_the_database_clock_are_no_difference(capsys):
    as_before_the_upgrade(2)
    call_command("journal", "verify")
    assert "giây" not in capsys.readouterr().out


def test_a_limit_below_zero_is_refused():
    with pytest.raises(CommandError):
        call_command("journal", "verify", clock_limit=-1)


@pytest.mark.django_db(transaction=True)
def test_the_step_back_throws_no_clock_away_and_the_chain_holds_after_it():
    write(3)
    anchoring.seal(now=NOW)
    kept = list(Entry.objects.order_by("pk").values_list("written_at", flat=True))
    try:
        call_command("migrate", "audit", "0001", verbosity=0, skip_checks=True)
    finally:
        call_command("migrate", "audit", verbosity=0, skip_checks=True)
    assert list(Entry.objects.order_by("pk").values_list("written_at", flat=True)) == kept
    assert list(anchoring.verify()) == []
    write(1)
    assert Entry.objects.filter(written_at__isnull=True).count() == 0
