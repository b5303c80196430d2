"""Finds the emergencies that were opened on the chain, whoever sent them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.deployment_file import Place
from backend.adapters.ledger.events import EventScan
from backend.consent.ledger_types import RecordedOpening, TimedEvent
from backend.types import BlockNumber, Bytes32, MemberId, SubjectId, UnixSeconds

_OPENED: Final = "EmergencyOpened"


class RecordedOpenings:
    """Reads the events of the contracts that succeeded one another."""

    def __init__(self, *, chain: Chain, contracts: Iterable[Place]) -> None:
        self._scan = EventScan(chain=chain, contracts=contracts, only=(_OPENED,))

    def hash_of(self, number: BlockNumber) -> Bytes32 | None:
        """Return the hash of a block, None where the node does not have it. Raise LedgerUnavailable."""
        return self._scan.hash_of(number)

    def between(self, first: BlockNumber, last: BlockNumber) -> list[RecordedOpening]:
        """Return those of blocks first..last, both included, in chain order. Raise LedgerUnavailable."""
        return [_opening(each) for each in self._scan.timed(first, last)]


def _opening(timed: TimedEvent) -> RecordedOpening:
    event = timed.event
    told: Mapping[str, Any] = event.arguments
    return RecordedOpening(
        opening=Bytes32(told["opening"]),
        subject=SubjectId(told["subject"]),
        member=MemberId(Bytes32(told["member"])),
        countersigner=MemberId(Bytes32(told["countersigner"])) if any(told["countersigner"]) else None,
        opened_at=UnixSeconds(told["openedAt"]),
        expires_at=UnixSeconds(told["expiresAt"]),
        late=bool(told["late"]),
        block=event.block_number,
        at=timed.time,
        transaction=event.transaction_hash,
    )
