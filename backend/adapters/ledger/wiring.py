"""Everything the service needs of one deployment, built from a chain, a relayer and the addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backend.adapters.ledger.anchors import AuditAnchor
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.commitments import CommitmentLedger
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.deployment_file import Deployment
from backend.adapters.ledger.effects import Effects
from backend.adapters.ledger.emergencies import EmergencyAccess
from backend.adapters.ledger.events import EventScan
from backend.adapters.ledger.keys import KeyLedger, KeyRegistry
from backend.adapters.ledger.ledger import ConsentLedger
from backend.adapters.ledger.log_anchor import LogAnchor
from backend.adapters.ledger.member_keys import RegistryKeys
from backend.adapters.ledger.members import ParticipantRegistry
from backend.adapters.ledger.membership import MemberLedger, StudyLedger
from backend.adapters.ledger.records import RecordRegistry
from backend.adapters.ledger.recovery import Recovery, RecoveryLedger
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.studies import ResearchMarket
from backend.adapters.ledger.witnesses import WitnessPairs
from backend.types import Address, BlockNumber, MemberId


@dataclass(frozen=True, slots=True)
class LedgerAdapters:
    """One object a port. ``anchor_of`` needs the custodian's member id and the log's name."""

    consents: ConsentLedger
    recoveries: RecoveryLedger
    commitments: CommitmentLedger
    members: MemberLedger
    studies: StudyLedger
    events: EventScan
    chain: Chain
    relayer: Relayer
    effects: Effects
    anchor_contract: AuditAnchor
    record_contract: RecordRegistry
    emergency_contract: EmergencyAccess
    witnesses: WitnessPairs
    subject_keys: KeyLedger
    member_keys: RegistryKeys

    def anchor_of(self, custodian: MemberId, origin: str) -> LogAnchor:
        return LogAnchor(
            chain=self.chain,
            relayer=self.relayer,
            contract=self.anchor_contract,
            effects=self.effects,
            custodian=custodian,
            origin=origin,
        )


def ledger_adapters(*, chain: Chain, relayer: Relayer, deployment: Deployment) -> LedgerAdapters:
    """Bind the wrappers to the deployed addresses."""
    effects = Effects(chain=chain, relayer=relayer)
    records = RecordRegistry(deployment.address("RecordRegistry"), chain)
    members = ParticipantRegistry(deployment.address("ParticipantRegistry"), chain)
    market = ResearchMarket(deployment.address("ResearchMarket"), chain)
    return LedgerAdapters(
        consents=_consents(deployment, chain, relayer, members, effects),
        recoveries=RecoveryLedger(
            chain=chain,
            relayer=relayer,
            contract=Recovery(deployment.address("Recovery"), chain),
            effects=effects,
        ),
        commitments=CommitmentLedger(chain=chain, relayer=relayer, registry=records, effects=effects),
        members=MemberLedger(chain=chain, relayer=relayer, registry=members, effects=effects),
        studies=StudyLedger(chain=chain, relayer=relayer, market=market, effects=effects),
        events=EventScan(chain=chain, contracts=deployment.places()),
        chain=chain,
        relayer=relayer,
        effects=effects,
        anchor_contract=AuditAnchor(deployment.address("AuditAnchor"), chain),
        record_contract=records,
        emergency_contract=EmergencyAccess(deployment.address("EmergencyAccess"), chain),
        witnesses=WitnessPairs(deployment.address("WitnessPairs"), chain, relayer),
        subject_keys=KeyLedger(
            chain=chain,
            relayer=relayer,
            contract=_keys(deployment, chain),
            effects=effects,
        ),
        member_keys=RegistryKeys(chain=chain, relayer=relayer, registry=members),
    )


def _consents(
    deployment: Deployment,
    chain: Chain,
    relayer: Relayer,
    members: ParticipantRegistry,
    effects: Effects,
) -> ConsentLedger:
    """Return the ledger of the registry that counts, behind it those that it succeeded."""
    found: ConsentLedger | None = None
    for address, since in _succeeding("ConsentRegistry", deployment):
        found = ConsentLedger(
            chain=chain,
            relayer=relayer,
            registry=ConsentRegistry(address, chain),
            participants=members,
            effects=effects,
            former=found,
            since=since,
        )
    assert found is not None  # noqa: S101 - a deployment that is complete has one  # nosec B101
    return found


def _keys(deployment: Deployment, chain: Chain) -> KeyRegistry:
    found: KeyRegistry | None = None
    for address, since in _succeeding("KeyRegistry", deployment):
        found = KeyRegistry(address, chain, former=found, since=since)
    assert found is not None  # noqa: S101 - as above  # nosec B101
    return found


def _succeeding(name: str, deployment: Deployment) -> Iterator[tuple[Address, BlockNumber]]:
    """Yield the contracts of a name, oldest first, each with the first block that it is asked about."""
    starts = [0, *(generation.until for generation in deployment.predecessors)]
    for place, start in zip(deployment.places(name), starts, strict=True):
        yield place.address, BlockNumber(start)
