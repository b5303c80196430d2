"""The queue of restrictions: counted from acceptance, and nothing slips between decision and audit."""

from __future__ import annotations

import threading

import pytest

from backend.consent.errors import RestrictionArrived
from backend.consent.restrictions import KEEP_SETTLED_BLOCKS, RestrictionQueue
from backend.consent.terms import Kind
from backend.consent.typed_data import consent_id
from backend.types import BlockNumber, ConsentId, QueuePosition, RecordId
from scripts.vectors import world as w

ONE, TWO = ConsentId(b"\x01" * 32), ConsentId(b"\x02" * 32)


def test_accepted_restrictions_are_pending_for_their_subject_only() -> None:
    queue = RestrictionQueue()
    deny = w.grant(Kind.DENY)
    assert queue.accept_revocation(w.SUBJECT, ONE) == 1
    assert queue.accept_revoke_all(w.SUBJECT, 3) == 2
    assert queue.accept_revoke_all(w.SUBJECT, 1) == 3
    assert queue.accept_deny(deny) == 4
    pending = queue.pending_for(w.SUBJECT)
    assert (pending.position, pending.revoked, pending.ended_epoch, pending.documents) == (
        4,
        {ONE},
        3,
        (deny,),
    )
    other = queue.pending_for(w.OTHER_SUBJECT)
    assert (other.position, other.revoked, other.ended_epoch, other.documents) == (4, frozenset(), None, ())


def test_positions_go_on_after_a_restart() -> None:
    queue = RestrictionQueue(start=QueuePosition(41))
    assert queue.position == 41
    assert queue.accept_revocation(w.SUBJECT, ONE) == 42
    assert queue.position == 42


def test_guard_fails_only_for_a_restriction_of_the_subject_after_the_decision() -> None:
    queue = RestrictionQueue()
    seen = queue.pending_for(w.SUBJECT).position
    queue.accept_revocation(w.OTHER_SUBJECT, ONE)
    queue.guard(w.SUBJECT, seen)
    queue.accept_revocation(w.SUBJECT, ONE)
    with pytest.raises(RestrictionArrived):
        queue.guard(w.SUBJECT, seen)
    queue.guard(w.SUBJECT, queue.pending_for(w.SUBJECT).position)


def test_guard_still_fails_when_the_restriction_was_settled_meanwhile() -> None:
    queue = RestrictionQueue()
    seen = queue.position
    queue.accept_revocation(w.SUBJECT, ONE)
    queue.settle_revocation(w.SUBJECT, ONE, block=BlockNumber(7))
    with pytest.raises(RestrictionArrived):
        queue.guard(w.SUBJECT, seen)


def test_the_same_restriction_again_changes_nothing() -> None:
    queue = RestrictionQueue()
    first = queue.accept_revocation(w.SUBJECT, ONE)
    queue.accept_revocation(w.SUBJECT, TWO)
    seen = queue.position
    assert queue.accept_revocation(w.SUBJECT, ONE) == first
    queue.guard(w.SUBJECT, seen)


def test_settled_restrictions_are_gone_and_can_come_again() -> None:
    queue = RestrictionQueue()
    deny = w.grant(Kind.DENY)
    queue.accept_revocation(w.SUBJECT, ONE)
    queue.accept_revoke_all(w.SUBJECT, 0)
    queue.accept_deny(deny)
    queue.settle_revocation(w.SUBJECT, ONE, block=BlockNumber(5))
    queue.settle_revoke_all(w.SUBJECT, 0, block=BlockNumber(5))
    queue.settle_deny(w.SUBJECT, consent_id(deny), block=BlockNumber(5))
    pending = queue.pending_for(w.SUBJECT)
    assert (pending.revoked, pending.ended_epoch, pending.documents) == (frozenset(), None, ())
    assert queue.accept_revocation(w.SUBJECT, ONE) == 4


def test_reader_with_an_older_view_still_sees_what_settled_after_it() -> None:
    queue = RestrictionQueue()
    queue.accept_revocation(w.SUBJECT, ONE)
    queue.settle_revocation(w.SUBJECT, ONE, block=BlockNumber(7))
    assert queue.pending_for(w.SUBJECT, final=BlockNumber(6)).revoked == {ONE}
    assert queue.pending_for(w.SUBJECT, final=BlockNumber(7)).revoked == frozenset()


def test_old_settled_restrictions_are_forgotten() -> None:
    queue = RestrictionQueue()
    for name, block in ((ONE, 1), (TWO, 1 + KEEP_SETTLED_BLOCKS)):
        queue.accept_revocation(w.SUBJECT, name)
        queue.settle_revocation(w.SUBJECT, name, block=BlockNumber(block))
    assert queue.pending_for(w.SUBJECT, final=BlockNumber(0)).revoked == {TWO}


def test_settling_one_restriction_leaves_the_others_of_the_same_consent() -> None:
    """A deny that is recorded must not settle the revocation that follows it."""
    queue = RestrictionQueue()
    deny = w.grant(Kind.DENY)
    queue.accept_deny(deny)
    queue.accept_revocation(w.SUBJECT, consent_id(deny))
    queue.settle_deny(w.SUBJECT, consent_id(deny), block=BlockNumber(3))
    assert queue.pending_for(w.SUBJECT).revoked == {consent_id(deny)}


def test_restriction_that_came_to_nothing_is_dropped_and_unknown_ones_are_ignored() -> None:
    queue = RestrictionQueue()
    queue.accept_revocation(w.SUBJECT, ONE)
    queue.settle_revocation(w.SUBJECT, TWO)
    queue.settle_revocation(w.OTHER_SUBJECT, ONE)
    queue.settle_revocation(w.SUBJECT, ONE)
    assert queue.pending_for(w.SUBJECT, final=BlockNumber(0)).revoked == frozenset()


def test_positions_are_distinct_under_concurrency() -> None:
    queue = RestrictionQueue()
    taken: list[int] = []

    def accept(worker: int) -> None:
        taken.extend(
            queue.accept_revocation(w.SUBJECT, ConsentId(bytes([worker, number]) * 16))
            for number in range(50)
        )

    workers = [threading.Thread(target=accept, args=(worker,)) for worker in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=10)
    assert sorted(taken) == list(range(1, 401))
    assert len(queue.pending_for(w.SUBJECT).revoked) == 400


def test_one_of_two_ends_of_a_consent_coming_to_nothing_leaves_the_other() -> None:
    queue = RestrictionQueue()
    queue.accept_revocation(w.SUBJECT, ONE)
    queue.accept_revocation(w.SUBJECT, ONE, by=TWO)
    queue.settle_revocation(w.SUBJECT, ONE)
    assert queue.pending_for(w.SUBJECT).revoked == {ONE}
    queue.settle_revocation(w.SUBJECT, ONE, by=TWO)
    assert queue.pending_for(w.SUBJECT).revoked == frozenset()


def test_an_erasure_is_seen_from_its_position_and_only_where_it_is_of() -> None:
    queue = RestrictionQueue()
    record, other = RecordId(b"r" * 16), RecordId(b"o" * 16)
    seen = queue.position
    queue.accept_erasure(w.SUBJECT, record)
    with pytest.raises(RestrictionArrived):
        queue.guard(w.SUBJECT, seen)
    queue.guard(w.OTHER_SUBJECT, seen)
    assert queue.erases(w.SUBJECT, record)
    for subject, name in ((w.SUBJECT, other), (w.SUBJECT, None), (w.OTHER_SUBJECT, record)):
        assert not queue.erases(subject, name)
    assert not queue.pending_for(w.SUBJECT).erasing
    queue.accept_erasure(w.SUBJECT, None)
    assert queue.erases(w.SUBJECT, other)
    assert queue.pending_for(w.SUBJECT).erasing
    queue.lift_erasure(w.SUBJECT, None)
    assert queue.erases(w.SUBJECT, record)
    assert not queue.erases(w.SUBJECT)


def test_an_erasure_of_before_is_restored_without_a_position() -> None:
    queue = RestrictionQueue()
    queue.restore_erasure(w.SUBJECT, None)
    assert queue.erases(w.SUBJECT)
    assert queue.position == 0
