"""The queue of restrictions: accepted, and not final on the chain yet (design, invariants 1, 3 and 6).

Whoever accepts a restriction writes it durably, then calls an ``accept_*`` method, then acknowledges it. From
then on every decision sees it, and every decision made before and not yet recorded fails at its ``guard``.
Positions count all restrictions of this service and never fall; after a restart the durable ones are
accepted again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from backend.consent.errors import RestrictionArrived
from backend.consent.terms import Grant
from backend.consent.typed_data import consent_id
from backend.types import BlockNumber, ConsentId, MemberId, QueuePosition, RecordId, SubjectId

BEGINNING: Final = QueuePosition(0)
# A settled restriction is still shown to readers whose view of the chain is older than the block that settled
# it. Views this far back are long stale.
KEEP_SETTLED_BLOCKS: Final = 256


@dataclass(frozen=True, slots=True)
class Pending:
    """What is pending for one subject, and the position up to which the queue was read.

    ``ended_epoch`` is the highest epoch that a revoke-all ends. ``documents`` are denies. ``for_cause`` are
    delegations that end together with the permits they gave. ``suspended`` are members, whoever the subject
    is. ``erasing``: the whole person is being erased, or is erased: nothing is permitted.
    """

    position: QueuePosition
    revoked: frozenset[ConsentId] = frozenset()
    ended_epoch: int | None = None
    documents: tuple[Grant, ...] = ()
    suspended: frozenset[MemberId] = frozenset()
    for_cause: frozenset[ConsentId] = frozenset()
    erasing: bool = False


@dataclass(frozen=True, slots=True)
class _Restriction:
    """One of ``revoked``, ``ended_epoch``, ``denied``, ``for_cause`` and ``suspended`` is set; ``by`` tells
    ends of one consent apart.
    """

    revoked: ConsentId | None = None
    by: ConsentId | None = None
    ended_epoch: int | None = None
    denied: ConsentId | None = None
    suspended: MemberId | None = None
    for_cause: ConsentId | None = None


@dataclass(slots=True)
class _Entry:
    position: QueuePosition
    document: Grant | None = None
    settled: BlockNumber | None = None


@dataclass(slots=True)
class _Subject:
    """What restricts one subject's data; one more such list is about everybody's."""

    last: QueuePosition = BEGINNING
    entries: dict[_Restriction, _Entry] = field(default_factory=dict)
    erasing: bool = False
    erasing_records: set[RecordId] = field(default_factory=set)


class RestrictionQueue:
    """Thread-safe, in memory. Positions go on from ``start``, which must not be below any used before."""

    def __init__(self, *, start: QueuePosition = BEGINNING) -> None:
        self._lock = threading.Lock()
        self._position = start
        self._subjects: dict[SubjectId, _Subject] = {}
        self._everybody = _Subject()

    @property
    def position(self) -> QueuePosition:
        """The position of the newest restriction, or where the queue began."""
        with self._lock:
            return self._position

    def accept_revocation(
        self, subject: SubjectId, consent: ConsentId, *, by: ConsentId | None = None
    ) -> QueuePosition:
        """Count this consent or delegation as revoked from now on.

        Also for the permit that an accepted grant supersedes: ``by`` is that grant, so that one of several
        ends that comes to nothing leaves the others. A deny stays until its end is final, whatever is
        accepted here; the decision sees to that.
        """
        return self._accept(subject, _Restriction(revoked=consent, by=by))

    def accept_revoke_all(self, subject: SubjectId, epoch: int) -> QueuePosition:
        """Count every permit and delegation up to ``epoch`` as revoked from now on."""
        return self._accept(subject, _Restriction(ended_epoch=epoch))

    def accept_deny(self, document: Grant) -> QueuePosition:
        """Count a deny from now on, before any store but the outbox knows it."""
        return self._accept(document.subject, _Restriction(denied=consent_id(document)), document)

    def accept_suspension(self, member: MemberId) -> QueuePosition:
        """Count this member as suspended from now on, for the data of every subject."""
        return self._accept(None, _Restriction(suspended=member))

    def settle_suspension(self, member: MemberId, *, block: BlockNumber | None = None) -> None:
        """Say that the suspension, or removal, is final on the chain in ``block``."""
        self._settle(None, _Restriction(suspended=member), block)

    def accept_erasure(self, subject: SubjectId, record: RecordId | None) -> QueuePosition:
        """Hide a record, or with None everything of the subject, from now on and for good."""
        with self._lock:
            state = self._hide(subject, record)
            self._position = state.last = QueuePosition(self._position + 1)
            return self._position

    def restore_erasure(self, subject: SubjectId, record: RecordId | None) -> None:
        """Hide it again at start-up, when no decision is under way."""
        with self._lock:
            self._hide(subject, record)

    def lift_erasure(self, subject: SubjectId, record: RecordId | None) -> None:
        """Show it again: its erasure was cancelled."""
        with self._lock:
            state = self._subjects.setdefault(subject, _Subject())
            if record is None:
                state.erasing = False
            else:
                state.erasing_records.discard(record)

    def erases(self, subject: SubjectId, record: RecordId | None = None) -> bool:
        """Whether the subject, or this record of it, is being erased or was."""
        with self._lock:
            state = self._subjects.get(subject)
            return state is not None and (state.erasing or record in state.erasing_records)

    def accept_end_for_cause(self, subject: SubjectId, delegation: ConsentId) -> QueuePosition:
        """Count this delegation, and every permit given under it, as revoked from now on."""
        return self._accept(subject, _Restriction(for_cause=delegation))

    def settle_end_for_cause(
        self, subject: SubjectId, delegation: ConsentId, *, block: BlockNumber | None = None
    ) -> None:
        """Say that this end is final on the chain in ``block``; without block, that it came to nothing."""
        self._settle(subject, _Restriction(for_cause=delegation), block)

    def settle_revocation(
        self,
        subject: SubjectId,
        consent: ConsentId,
        *,
        by: ConsentId | None = None,
        block: BlockNumber | None = None,
    ) -> None:
        """Say that the end of this consent is final in ``block``; without block, that it came to nothing."""
        self._settle(subject, _Restriction(revoked=consent, by=by), block)

    def settle_revoke_all(self, subject: SubjectId, epoch: int, *, block: BlockNumber | None = None) -> None:
        """Say that the end of this epoch is final on the chain in ``block``."""
        self._settle(subject, _Restriction(ended_epoch=epoch), block)

    def settle_deny(
        self, subject: SubjectId, consent: ConsentId, *, block: BlockNumber | None = None
    ) -> None:
        """Say that this deny is final on the chain in ``block``, and among the stored documents."""
        self._settle(subject, _Restriction(denied=consent), block)

    def pending_for(self, subject: SubjectId, *, final: BlockNumber | None = None) -> Pending:
        """Return what restricts the subject beyond the chain as it stood at block ``final``.

        Without ``final``, call this before taking the view of the chain: what settles in between would
        otherwise be missed in both.
        """
        with self._lock:
            state = self._subjects.get(subject)
            if state is None and not self._everybody.entries:
                return Pending(self._position)
            counting = [
                (restriction, entry.document)
                for of in (state, self._everybody)
                if of is not None
                for restriction, entry in of.entries.items()
                if entry.settled is None or (final is not None and entry.settled > final)
            ]
            epochs = [item.ended_epoch for item, _ in counting if item.ended_epoch is not None]
            return Pending(
                position=self._position,
                revoked=frozenset(item.revoked for item, _ in counting if item.revoked is not None),
                ended_epoch=max(epochs, default=None),
                documents=tuple(document for _, document in counting if document is not None),
                suspended=frozenset(item.suspended for item, _ in counting if item.suspended is not None),
                for_cause=frozenset(item.for_cause for item, _ in counting if item.for_cause is not None),
                erasing=state is not None and state.erasing,
            )

    def guard(self, subject: SubjectId, position: QueuePosition) -> None:
        """Raise RestrictionArrived when a restriction of the subject, or of everybody, was accepted after
        ``position``, settled or not."""
        with self._lock:
            state = self._subjects.get(subject)
            if self._everybody.last > position or (state is not None and state.last > position):
                raise RestrictionArrived

    def _hide(self, subject: SubjectId, record: RecordId | None) -> _Subject:
        state = self._subjects.setdefault(subject, _Subject())
        if record is None:
            state.erasing = True
        else:
            state.erasing_records.add(record)
        return state

    def _accept(
        self, subject: SubjectId | None, restriction: _Restriction, document: Grant | None = None
    ) -> QueuePosition:
        """Give the restriction the next position; a pending one keeps its own: a retry is harmless."""
        with self._lock:
            state = self._everybody if subject is None else self._subjects.setdefault(subject, _Subject())
            held = state.entries.get(restriction)
            if held is not None and held.settled is None:
                return held.position
            self._position = state.last = QueuePosition(self._position + 1)
            state.entries[restriction] = _Entry(self._position, document)
            return self._position

    def _settle(
        self, subject: SubjectId | None, restriction: _Restriction, block: BlockNumber | None
    ) -> None:
        with self._lock:
            state = self._everybody if subject is None else self._subjects.get(subject)
            if state is None or restriction not in state.entries:
                return
            if block is None:
                del state.entries[restriction]
                return
            state.entries[restriction].settled = block
            state.entries = {
                item: entry
                for item, entry in state.entries.items()
                if entry.settled is None or entry.settled + KEEP_SETTLED_BLOCKS > block
            }
