from __future__ import annotations

import pytest

from backend.audit.checkpoint import open_checkpoint
from backend.audit.errors import LogForked, LogRolledBack
from backend.audit.log import AuditLog
from backend.audit.note import Ed25519Verifier
from backend.backup.errors import BackupUnwritable
from backend.errors import LedgerUnavailable
from tests.support.audit_world import World
from tests.support.memory_audit import ORIGIN, read_event


def append(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.append(read_event(number=number))


def test_empty_log_is_not_anchored(world: World, log: AuditLog) -> None:
    assert world.anchorer(log).run_once() is None
    assert world.anchor.records == []


def test_run_anchors_a_signed_checkpoint_with_a_consistency_proof(world: World, log: AuditLog) -> None:
    anchorer = world.anchorer(log)
    for count in (3, 1, 9):
        append(log, count)
        record = anchorer.run_once()
        assert record is not None
        assert (record.size, record.root) == log.state.head()
    assert [r.size for r in world.anchor.records] == [3, 4, 13]
    newest = world.store.newest_checkpoint(anchored=True)
    assert newest is not None
    assert newest.anchor == world.anchor.records[-1]
    verifiers = [Ed25519Verifier(world.signer.verifier_key)]
    signed = open_checkpoint(newest.note, origin=ORIGIN, verifiers=verifiers)
    assert (signed.size, signed.root) == log.state.head()


def test_run_with_nothing_new_anchors_nothing(world: World, log: AuditLog) -> None:
    append(log, 2)
    anchorer = world.anchorer(log)
    anchorer.run_once()
    anchorer.run_once()
    assert len(world.anchor.records) == 1


def test_crash_after_the_transaction_only_records_what_is_on_the_chain(world: World, log: AuditLog) -> None:
    append(log, 4)
    checkpoint = world.checkpointer(log).now()
    world.anchor.anchor(checkpoint.size, checkpoint.root, [])
    record = world.anchorer(log).run_once()
    assert len(world.anchor.records) == 1
    assert record is not None
    stored = world.store.newest_checkpoint(anchored=True)
    assert stored is not None
    assert stored.anchor == record


def test_alarm_rises_after_three_periods_and_falls_when_anchored(world: World, log: AuditLog) -> None:
    append(log, 1)
    anchorer = world.anchorer(log, interval_seconds=60)
    world.anchor.failing = LedgerUnavailable()
    world.clock.seconds += 180
    anchorer.close()  # what the thread would do at its end: try once, report
    assert not anchorer.status().overdue
    world.clock.seconds += 1
    status = anchorer.status()
    assert (status.overdue, status.last_error, status.anchored_size) == (True, "ledger_unavailable", 0)
    world.anchor.failing = None
    anchorer.run_once()
    status = anchorer.status()
    assert (status.overdue, status.last_error, status.anchored_size) == (False, None, 1)


def test_log_that_only_has_nothing_new_raises_no_alarm(world: World, log: AuditLog) -> None:
    append(log, 1)
    anchorer = world.anchorer(log)
    anchorer.run_once()
    world.clock.seconds += 10_000
    anchorer.run_once()
    assert not anchorer.status().overdue


def test_close_anchors_what_is_left(world: World, log: AuditLog) -> None:
    anchorer = world.anchorer(log)
    anchorer.start()
    append(log, 5)
    anchorer.close()
    assert world.anchor.records[-1].size == 5


def test_history_that_differs_from_the_chain_is_never_anchored(world: World, log: AuditLog) -> None:
    other = World(anchor=world.anchor)
    theirs = other.open()
    append(theirs, 3)
    append(log, 2)
    world.anchorer(log).run_once()
    with pytest.raises(LogForked):
        other.anchorer(theirs).run_once()
    append(log, 5)
    world.anchorer(log).run_once()
    with pytest.raises(LogRolledBack):
        other.anchorer(theirs).run_once()
    theirs.close()


def test_defect_in_the_anchor_is_reported_not_raised_by_close(world: World, log: AuditLog) -> None:
    append(log, 1)
    anchorer = world.anchorer(log)
    world.anchor.failing = RuntimeError("defect")
    anchorer.close()
    assert anchorer.status().last_error == "internal"


def test_nothing_is_anchored_that_a_backup_does_not_reach(world: World, log: AuditLog) -> None:
    reached: list[int] = []
    failing: list[Exception] = [BackupUnwritable()]

    def ship() -> None:
        if failing:
            raise failing[0]
        reached.append(log.state.size)

    append(log, 2)
    anchorer = world.anchorer(log, before=ship)
    with pytest.raises(BackupUnwritable):
        anchorer.run_once()
    assert world.anchor.records == []
    anchorer.close()
    assert anchorer.status().last_error == "backup_unwritable"
    failing.clear()
    anchorer.run_once()
    assert reached == [2]
    assert [record.size for record in world.anchor.records] == [2]
