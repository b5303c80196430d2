"""Everything the service needs of one deployment, built from a chain, a relayer and the addresses."""

from __future__ import annotations

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
from backend.types import MemberId


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
    consents = ConsentRegistry(deployment.address("ConsentRegistry"), chain)
    records = RecordRegistry(deployment.address("RecordRegistry"), chain)
    members = ParticipantRegistry(deployment.address("ParticipantRegistry"), chain)
    market = ResearchMarket(deployment.address("ResearchMarket"), chain)
    return LedgerAdapters(
        consents=ConsentLedger(
            chain=chain, relayer=relayer, registry=consents, participants=members, effects=effects
        ),
        recoveries=RecoveryLedger(
            chain=chain,
            relayer=relayer,
            contract=Recovery(deployment.address("Recovery"), chain),
            effects=effects,
        ),
        commitments=CommitmentLedger(chain=chain, relayer=relayer, registry=records, effects=effects),
        members=MemberLedger(chain=chain, relayer=relayer, registry=members, effects=effects),
        studies=StudyLedger(chain=chain, relayer=relayer, market=market, effects=effects),
        events=EventScan(
            chain=chain, contracts={name: item.address for name, item in deployment.contracts.items()}
        ),
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
            contract=KeyRegistry(deployment.address("KeyRegistry"), chain),
            effects=effects,
        ),
        member_keys=RegistryKeys(chain=chain, relayer=relayer, registry=members),
    )
