"""The journal: append-only for everybody, sealed in chained blocks, and every change after sealing is found."""

import hashlib
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from portal.audit import anchoring, journal, merkle
from portal.audit.models import Block, Entry

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def write(count: int) -> None:
    for number in range(count):
        journal.record(action="test.act", now=NOW, subject=("thing", number), detail={"n": number, "a": "ă"})


def tamper(sql: str) -> None:
    """As a superuser who switches the triggers off would."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.mark.parametrize(
    "sql", ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
def test_the_database_itself_refuses_to_change_an_entry(sql):
    write(1)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert Entry.objects.count() == 1


def test_blocks_take_every_entry_once_and_chain(db):
    write(5)
    first = anchoring.seal(now=NOW)
    write(3)
    second = anchoring.seal(now=NOW)
    assert anchoring.seal(now=NOW) is None
    assert (first.entries, second.entries) == (5, 3)
    assert bytes(second.previous) == bytes(first.digest)
    assert second.first_entry == first.last_entry + 1
    assert list(anchoring.verify()) == []


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE audit_entry SET reason = 'x' WHERE id = (SELECT min(id) + 1 FROM audit_entry)", "ENTRY_ALTERED"),
        ("DELETE FROM audit_entry WHERE id = (SELECT min(id) + 1 FROM audit_entry)", "ENTRIES_MISSING_OR_ADDED"),
        ("UPDATE audit_block SET entries = entries + 1 WHERE number = 1", "ENTRIES_MISSING_OR_ADDED"),
        ("UPDATE audit_block SET digest = previous WHERE number = 1", "BLOCK_ALTERED"),
        ("DELETE FROM audit_block WHERE number = 1", "BLOCK_MISSING"),
    ],
)
def test_whatever_is_changed_after_sealing_is_found_at_its_block(sql, code):
    write(4)
    anchoring.seal(now=NOW)
    write(2)
    anchoring.seal(now=NOW)
    tamper(sql)
    faults = list(anchoring.verify())
    assert code in {fault.code for fault in faults}
    assert faults[0].block == 1
    with pytest.raises(CommandError):
        call_command("journal", "verify")


def test_swapped_entries_are_found():
    write(3)
    anchoring.seal(now=NOW)
    tamper(
        "UPDATE audit_entry AS a SET subject_id = b.subject_id FROM audit_entry AS b"
        " WHERE a.id IN (SELECT min(id) FROM audit_entry) AND b.id IN (SELECT max(id) FROM audit_entry)"
    )
    assert [fault.code for fault in anchoring.verify()] == ["ENTRY_ALTERED"]


def test_the_merkle_root_is_that_of_rfc_6962():
    leaves = [hashlib.sha256(b"\x00" + bytes([n])).digest() for n in range(7)]

    def tree(part):
        if len(part) == 1:
            return part[0]
        split = 1
        while split * 2 < len(part):
            split *= 2
        return hashlib.sha256(b"\x01" + tree(part[:split]) + tree(part[split:])).digest()

    for count in range(1, 8):
        assert merkle.root(leaves[:count]) == tree(leaves[:count])


def test_the_command_tells_that_all_is_well(capsys):
    write(2)
    call_command("journal", "seal")
    call_command("journal", "verify")
    assert "nguyên vẹn: 1 khối" in capsys.readouterr().out
    assert Block.objects.count() == 1


def test_a_tail_that_was_cut_is_shown_only_by_a_note_kept_outside():
    write(3)
    anchoring.seal(now=NOW)
    write(2)
    anchoring.seal(now=NOW)
    noted = anchoring.head()
    tamper("DELETE FROM audit_entry WHERE id > (SELECT last_entry FROM audit_block WHERE number = 1)")
    tamper("DELETE FROM audit_block WHERE number = 2")
    assert list(anchoring.verify()) == []
    assert [(fault.block, fault.code) for fault in anchoring.verify(anchors=[noted])] == [(2, "ANCHOR_MISSING")]
    with pytest.raises(CommandError):
        call_command("journal", "verify", anchor=[[str(noted.number), noted.digest]])


def test_a_chain_written_anew_over_forged_entries_is_shown_only_by_a_note_kept_outside():
    write(3)
    end = anchoring.seal(now=NOW).last_entry
    noted = anchoring.head()
    tamper("UPDATE audit_entry SET reason = 'x'")
    tamper("DELETE FROM audit_block")
    anchoring.seal_up_to(end, now=NOW)
    assert list(anchoring.verify()) == []
    assert [(fault.block, fault.code) for fault in anchoring.verify(anchors=[noted])] == [(1, "ANCHOR_DIFFERS")]


def test_a_note_kept_outside_that_still_holds_is_no_fault(capsys):
    write(3)
    anchoring.seal(now=NOW)
    noted = anchoring.head()
    write(2)
    anchoring.seal(now=NOW)
    call_command("journal", "verify", anchor=[[str(noted.number), noted.digest.upper()]])
    assert "nguyên vẹn" in capsys.readouterr().out


def test_an_entry_slipped_in_below_the_first_number_is_found():
    write(3)
    anchoring.seal(now=NOW)
    tamper(
        "INSERT INTO audit_entry (id, at, actor_name, action, subject_kind, subject_id, reason, detail)"
        " SELECT 0, at, actor_name, action, subject_kind, subject_id, reason, detail FROM audit_entry LIMIT 1"
    )
    assert [fault.code for fault in anchoring.verify()] == ["ENTRY_OUTSIDE_BLOCKS"]
