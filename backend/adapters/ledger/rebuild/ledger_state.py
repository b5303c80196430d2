"""All contracts of a deployment, replayed event by event."""

from __future__ import annotations

from collections import Counter

from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.access import Access
from backend.adapters.ledger.rebuild.anchors import Anchors
from backend.adapters.ledger.rebuild.consents import Consents
from backend.adapters.ledger.rebuild.emergencies import Emergencies
from backend.adapters.ledger.rebuild.keys import Keys
from backend.adapters.ledger.rebuild.market import Market
from backend.adapters.ledger.rebuild.participants import Participants
from backend.adapters.ledger.rebuild.records import Records
from backend.adapters.ledger.rebuild.recoveries import Recoveries
from backend.adapters.ledger.rebuild.replayed import Moment, Replayed
from backend.adapters.ledger.rebuild.witnesses import Witnesses
from backend.consent.ledger_types import TimedEvent


class LedgerState:
    """What the contracts stored after the events given so far, which must be all of them and in order."""

    def __init__(self) -> None:
        self.access = Access()
        self.participants = Participants()
        self.consents = Consents()
        self.recoveries = Recoveries()
        self.records = Records()
        self.anchors = Anchors()
        self.market = Market()
        self.emergencies = Emergencies()
        self.witnesses = Witnesses()
        self.keys = Keys()
        self.events: Counter[str] = Counter()
        self.contracts: dict[str, Replayed] = {
            each.CONTRACT: each
            for each in (
                self.participants, self.access, self.consents, self.recoveries,
                self.records, self.anchors, self.market, self.emergencies, self.witnesses,
                self.keys,
            )
        }  # fmt: skip
        self._handlers = {name: each.handlers for name, each in self.contracts.items()}

    def apply(self, timed: TimedEvent) -> None:
        """Take one more event. Raise EventsContradict for one that cannot follow upon those before it."""
        event = timed.event
        self.events[event.contract] += 1
        try:
            handler = self._handlers[event.contract][event.name]
            handler(event.arguments, Moment(event.block_number, timed.time))
        except (KeyError, ValueError) as error:
            where = f"{event.contract}.{event.name} in block {event.block_number}"
            raise EventsContradict(f"{where} names what no earlier event made.") from error
