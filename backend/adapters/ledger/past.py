"""What stood on the chain at a past block, made from events alone: nodes forget old states, not events.

Fits ``consent.past.PastLedger``; gives what ``ConsentLedger.facts`` gave when that block was new.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.rebuild.consents import Consents
from backend.adapters.ledger.rebuild.participants import Participants
from backend.adapters.ledger.rebuild.replayed import Moment
from backend.consent.ledger_types import (
    NO_MEMBER,
    ConsentSlot,
    Facts,
    Membership,
    unpack_consent_slot,
    unpack_subject_slot,
)
from backend.consent.terms import Kind
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId, UnixSeconds


class EventLedger:
    """Reads the events from the first block on at each question."""

    def __init__(self, events: EventScan) -> None:
        self._events = events

    def facts(
        self,
        subject: SubjectId,
        ids: Sequence[ConsentId],
        members: Collection[MemberId],
        *,
        block: BlockNumber,
    ) -> Facts:
        """Raises LedgerUnavailable, and EventsContradict for events that do not follow upon one another."""
        consents, participants = Consents(), Participants()
        handlers = {each.CONTRACT: each.handlers for each in (consents, participants)}
        for event in self._events.events(BlockNumber(0), block):
            handler = handlers.get(event.contract, {}).get(event.name)
            if handler is None:
                continue  # of a contract that no decision asks
            try:
                handler(event.arguments, Moment(event.block_number, UnixSeconds(0)))
            except (KeyError, ValueError) as error:
                raise EventsContradict(f"{event.name} in block {event.block_number}") from error
        slots = tuple(_slot(consents, name) for name in ids)
        return Facts(
            replace(unpack_subject_slot(consents.subjects.get(subject, 0)), slots=slots),
            {member: _membership(participants, member) for member in members},
        )


def _slot(consents: Consents, name: ConsentId) -> ConsentSlot:
    """Return a slot as the contract's ``evidence`` gives it."""
    slot = unpack_consent_slot(consents.slots.get(name, 0))
    ended = 0
    if slot.delegation_tag and slot.kind == Kind.PERMIT:
        ended = consents.ended_for_cause.get((slot.subject, slot.delegation_tag), 0)
    return replace(slot, delegation_tag=0, revoked_at=UnixSeconds(ended or slot.revoked_at))


def _membership(participants: Participants, member: MemberId) -> Membership:
    found = participants.members.get(member)
    return NO_MEMBER if found is None else Membership(found.standing, UnixSeconds(found.expiry))
