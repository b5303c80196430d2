"""For which contract a command is signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backend.consent.emergency_terms import EmergencyCommand
from backend.consent.key_terms import KeyCommand
from backend.consent.member_terms import AuditCommand, RecordsCommand, ResearchCommand
from backend.consent.recovery_terms import RecoveryCommand
from backend.consent.terms import Command
from backend.consent.typed_data import (
    AUDIT_NAME,
    EMERGENCY_NAME,
    KEYS_NAME,
    NAME,
    RECORDS_NAME,
    RECOVERY_NAME,
    RESEARCH_NAME,
    Domain,
    Signable,
)
from backend.types import Address

# Those of recovery come first, for they are commands of a subject too.
_CONTRACTS: Final = (
    (RecoveryCommand, "Recovery", RECOVERY_NAME),
    (EmergencyCommand, "EmergencyAccess", EMERGENCY_NAME),
    (KeyCommand, "KeyRegistry", KEYS_NAME),
    (RecordsCommand, "RecordRegistry", RECORDS_NAME),
    (AuditCommand, "AuditAnchor", AUDIT_NAME),
    (ResearchCommand, "ResearchMarket", RESEARCH_NAME),
    (Command, "ConsentRegistry", NAME),
)


def domain_of(command: Signable, chain_id: int, contracts: Mapping[str, Address]) -> Domain:
    """Return the domain it is signed for; ``contracts`` are addresses by name."""
    contract, name = next((of, name) for kind, of, name in _CONTRACTS if isinstance(command, kind))
    return Domain(chain_id, contracts[contract], name)
