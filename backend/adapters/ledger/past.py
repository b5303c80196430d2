"""What stood on the chain at a past block, made from events alone: nodes forget old states, not events.

Fits ``consent.past.PastLedger``; gives what ``ConsentLedger.facts`` gave when that block was new.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from backend.adapters.ledger.deployment_file import Deployment
from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.rebuild.participants import Participants
from backend.adapters.ledger.rebuild.replayed import Moment
from backend.adapters.ledger.rebuild.succeeding_consents import registries
from backend.consent.ledger_types import (
    NO_MEMBER,
    Facts,
    Membership,
    unpack_consent_slot,
    unpack_subject_slot,
)
from backend.types import BlockNumber, ConsentId, MemberId, SubjectId, UnixSeconds


class EventLedger:
    """Reads the events from the first block on at each question. ``events``: of all that ``deployment`` has.

    Each block is answered for by the registry of consents that counted in it.
    """

    def __init__(self, events: EventScan, deployment: Deployment) -> None:
        self._events = events
        self._deployment = deployment

    def facts(
        self,
        subject: SubjectId,
        ids: Sequence[ConsentId],
        members: Collection[MemberId],
        *,
        block: BlockNumber,
    ) -> Facts:
        """Raises LedgerUnavailable, and EventsContradict for events that do not follow upon one another."""
        generations, participants = registries(len(self._deployment.predecessors) + 1), Participants()
        handlers = {(each.CONTRACT, number): each.handlers for number, each in enumerate(generations)}
        handlers[participants.CONTRACT, 0] = participants.handlers
        for event in self._events.events(BlockNumber(0), block):
            handler = handlers.get((event.contract, event.generation), {}).get(event.name)
            if handler is None:
                continue  # of a contract that no decision asks
            try:
                handler(event.arguments, Moment(event.block_number, UnixSeconds(0)))
            except (KeyError, ValueError) as error:
                raise EventsContradict(f"{event.name} in block {event.block_number}") from error
        counting = generations[self._deployment.generation_at(block)]
        packed, slots = counting.evidence(subject, ids)
        return Facts(
            replace(unpack_subject_slot(packed), slots=tuple(map(unpack_consent_slot, slots))),
            {member: _membership(participants, member) for member in members},
        )


def _membership(participants: Participants, member: MemberId) -> Membership:
    found = participants.members.get(member)
    return NO_MEMBER if found is None else Membership(found.standing, UnixSeconds(found.expiry))
