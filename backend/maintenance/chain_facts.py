"""What the chain's events say that the stores must hold: the measure of fsck and of reindex."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.events import EventScan
from backend.stores import Stores
from backend.types import BlockNumber, Bytes32, ConsentId, SubjectId

_RECORDED: Final = ("ConsentGranted", "DelegationRecorded")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One consent or delegation as its event tells it."""

    subject: SubjectId
    block: BlockNumber
    transaction: Bytes32


@dataclass(slots=True)
class ChainFacts:
    """Of this custodian only: its subjects, their consents in chain order, its record commitments."""

    subjects: set[SubjectId] = field(default_factory=set)
    consents: dict[ConsentId, Recorded] = field(default_factory=dict)
    commitments: set[Bytes32] = field(default_factory=set)
    withdrawn: set[Bytes32] = field(default_factory=set)


def read_chain(stores: Stores) -> ChainFacts:
    """Read all events up to the head. Raises LedgerUnavailable."""
    contracts = stores.deployment.places("ConsentRegistry", "RecordRegistry")
    scan = EventScan(chain=stores.chain, contracts=contracts)
    custodian = stores.relayer.address(Sender.CUSTODIAN).lower()
    facts = ChainFacts()
    # What is recorded in a contract once another one has succeeded it does not count.
    ended = {number: each.until for number, each in enumerate(stores.deployment.predecessors)}
    for event in scan.events(BlockNumber(0), stores.chain.view().head_number):
        arguments = cast(Mapping[str, Any], event.arguments)
        if event.name == "SubjectOpened" and arguments["custodian"].lower() == custodian:
            facts.subjects.add(SubjectId(arguments["subject"]))
        elif event.name in _RECORDED and event.block_number >= ended.get(event.generation, math.inf):
            continue
        elif event.name in _RECORDED and arguments["subject"] in facts.subjects:
            facts.consents[ConsentId(arguments["id"])] = Recorded(
                SubjectId(arguments["subject"]), event.block_number, event.transaction_hash
            )
        elif event.name == "RecordCommitted" and arguments["custodian"].lower() == custodian:
            facts.commitments.add(Bytes32(arguments["commitment"]))
        elif event.name == "RecordWithdrawn" and arguments["custodian"].lower() == custodian:
            facts.commitments.discard(Bytes32(arguments["commitment"]))
            facts.withdrawn.add(Bytes32(arguments["commitment"]))
        elif event.name == "RecordTransferred":
            if arguments["from"].lower() == custodian:
                facts.commitments.discard(Bytes32(arguments["commitment"]))
            if arguments["to"].lower() == custodian:
                facts.commitments.add(Bytes32(arguments["commitment"]))
    return facts
