"""All contracts of a deployment, replayed event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.access import Access
from backend.adapters.ledger.rebuild.anchors import Anchors
from backend.adapters.ledger.rebuild.consents import Consents
from backend.adapters.ledger.rebuild.emergencies import Emergencies
from backend.adapters.ledger.rebuild.keys import Keys, SucceedingKeys
from backend.adapters.ledger.rebuild.market import Market
from backend.adapters.ledger.rebuild.participants import Participants
from backend.adapters.ledger.rebuild.records import Records
from backend.adapters.ledger.rebuild.recoveries import Recoveries, SucceedingRecoveries
from backend.adapters.ledger.rebuild.replayed import Moment, Replayed
from backend.adapters.ledger.rebuild.succeeding_consents import registries
from backend.adapters.ledger.rebuild.succeeding_emergencies import SucceedingEmergencies
from backend.adapters.ledger.rebuild.witnesses import Witnesses
from backend.consent.ledger_types import TimedEvent

ContractKey = tuple[str, int]
"""Name and generation, as ``deployment_file.Place`` and ``LedgerEvent`` have them."""


@dataclass(frozen=True, slots=True)
class PatientContracts:
    """The contracts of one generation: those that a succession replaces together."""

    consents: Consents
    recoveries: Recoveries
    keys: Keys
    emergencies: Emergencies

    def __iter__(self) -> Iterator[Replayed]:
        return iter((self.consents, self.recoveries, self.keys, self.emergencies))


class LedgerState:
    """What the contracts stored after the events given so far, which must be all of them and in order.

    ``generations``: the patients' contracts, oldest first, as many as were deployed one after another.
    """

    def __init__(self, generations: int = 1) -> None:
        self.access = Access()
        self.participants = Participants()
        self.records = Records()
        self.anchors = Anchors()
        self.market = Market()
        self.witnesses = Witnesses()
        self.generations = _generations(generations)
        self.events: Counter[ContractKey] = Counter()
        self.contracts: dict[ContractKey, Replayed] = {
            (each.CONTRACT, 0): each
            for each in (
                self.participants, self.access, self.records, self.anchors, self.market, self.witnesses,
            )
        }  # fmt: skip
        for number, some in enumerate(self.generations):
            self.contracts |= {(each.CONTRACT, number): each for each in some}
        self._handlers = {key: each.handlers for key, each in self.contracts.items()}

    @property
    def consents(self) -> Consents:
        """The newest registry of consents; the next three likewise."""
        return self.generations[-1].consents

    @property
    def recoveries(self) -> Recoveries:
        return self.generations[-1].recoveries

    @property
    def keys(self) -> Keys:
        return self.generations[-1].keys

    @property
    def emergencies(self) -> Emergencies:
        return self.generations[-1].emergencies

    def apply(self, timed: TimedEvent) -> None:
        """Take one more event. Raise EventsContradict for one that cannot follow upon those before it."""
        event = timed.event
        key = event.contract, event.generation
        self.events[key] += 1
        try:
            handler = self._handlers[key][event.name]
            handler(event.arguments, Moment(event.block_number, timed.time))
        except (KeyError, ValueError) as error:
            where = f"{event.contract}.{event.name} in block {event.block_number}"
            raise EventsContradict(f"{where} names what no earlier event made.") from error


def _generations(number: int) -> tuple[PatientContracts, ...]:
    first, *succeeding = registries(number)
    made = [PatientContracts(first, Recoveries(), Keys(first), Emergencies())]
    for consents in succeeding:
        before = made[-1]
        keys = SucceedingKeys(consents, before.keys)
        emergencies = SucceedingEmergencies(consents, before.emergencies)
        made.append(PatientContracts(consents, SucceedingRecoveries(), keys, emergencies))
    return tuple(made)
