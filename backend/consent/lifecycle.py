"""In which state a consent is, from what the chain, the queue and its own dates say.

The table of ``states`` says what may follow what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from backend.consent.decision_types import Evidence, Team
from backend.consent.evidence import Gathered
from backend.consent.history import Change, Step
from backend.consent.ledger_types import NO_MEMBER
from backend.consent.membership import not_in_standing
from backend.consent.states import TRANSITIONS, Event, State, after
from backend.consent.terms import Document, Grant, Kind
from backend.types import ConsentId, MemberId

_ENDED: Final = frozenset({State.REVOKED, State.SUPERSEDED, State.EXPIRED})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the state of a consent depends on besides its own slot."""

    now: int
    epoch: int
    ended_epoch: int | None  # highest epoch that an accepted revoke-all ends
    replaced: frozenset[ConsentId]
    stopped: frozenset[MemberId]  # members that are known and not in standing, and teams that count nothing

    @classmethod
    def of(cls, gathered: Gathered, now: int, *, teams: Sequence[Team] = ()) -> Circumstances:
        """Return them. ``gathered`` holds the standing of the members that the consents name, and of those
        that the care teams among them belong to; None there: the team is closed."""
        documents = [item.prepared.document for item in gathered.evidence]
        standing = (gathered.members_final, gathered.members_head)
        return cls(
            now=now,
            epoch=gathered.head.epoch,
            ended_epoch=gathered.pending.ended_epoch,
            replaced=frozenset(one.supersedes for one in documents if isinstance(one, Grant)),
            stopped=not_in_standing(
                grantees(documents),
                final=gathered.members_final,
                head=gathered.members_head,
                suspended=gathered.pending.suspended,
                now=now,
            )
            | {
                team
                for team, organisation in teams
                if organisation is None
                or organisation in gathered.pending.suspended
                or not all(of.get(organisation, NO_MEMBER).counts_at(now) for of in standing)
            },
        )


def grantees(documents: Sequence[Document]) -> frozenset[MemberId]:
    """Return the members that consents are given to."""
    return frozenset(one.terms.grantee for one in documents if isinstance(one, Grant))


def state_of(item: Evidence, at: Circumstances) -> State:
    """Return the state of a document that was received. What ends it counts from receipt."""
    document, slot = item.prepared.document, item.head
    if slot.revoked_at or item.revocation_pending or _epoch_is_over(document, at):
        return State.SUPERSEDED if item.prepared.consent_id in at.replaced else State.REVOKED
    if at.now >= document.not_after:
        return State.EXPIRED
    if slot.kind == 0:
        return State.LAPSED if at.now > document.submit_by else State.PENDING
    if document.kind == Kind.REFUSAL:
        return State.REFUSED
    if at.now < slot.not_before:
        return State.NOT_YET_VALID
    if isinstance(document, Grant) and document.kind == Kind.PERMIT and document.terms.grantee in at.stopped:
        return State.SUSPENDED
    return State.LIVE


def states_after(document: Document, steps: Sequence[Step], *, replaced: bool) -> Iterator[State]:
    """Yield the state after each step of a document's history, by the table.

    ``replaced``: it ended because a later consent took its place.
    """
    state, known = State.DRAFT, 0
    for step in steps:
        known = max(known, step.at or 0)  # a record has no time of its own: it is later than this
        if state is State.DRAFT and step.change is not Change.RECEIVED:
            state = State.PENDING  # another custodian received it
        event = _EVENTS[step.change]
        if event is Event.REVOKED and replaced:
            event = Event.REPLACED
        if event is Event.RECORDED and known < document.not_before:
            event = Event.RECORDED_EARLY
        if event in TRANSITIONS[state] or state not in _ENDED:
            state = after(state, event)  # else it had ended before: twice is harmless
        yield state


_EVENTS: Final = {
    Change.RECEIVED: Event.SIGNED,
    Change.RECORDED: Event.RECORDED,
    Change.REVOKED: Event.REVOKED,
    Change.REVOKED_WITH_ALL: Event.REVOKED,
}


def _epoch_is_over(document: Document, at: Circumstances) -> bool:
    if document.kind not in (Kind.PERMIT, Kind.DELEGATION):
        return False
    return document.epoch < at.epoch or (at.ended_epoch is not None and document.epoch <= at.ended_epoch)
