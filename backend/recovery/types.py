"""What the service keeps of recovery: policies, of which the chain has the hash, and signatures collected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from backend.consent.ledger_types import NOBODY
from backend.consent.recovery_terms import AcceptRecovery, ConfirmRecovery, ProposeRecovery, RecoveryPolicy
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import struct_hash
from backend.errors import IntegrityError
from backend.sealed import require_schema
from backend.types import Address, Bytes32, ConsentId, SubjectId, UnixSeconds

SCHEMA_VERSION: Final = 1


def policy_place(policy: Bytes32) -> str:
    return f"recovery_policies/{policy.hex()}"


def encode_policy(policy: RecoveryPolicy) -> bytes:
    return json.dumps({"schema": SCHEMA_VERSION, "policy": to_json(policy)}, sort_keys=True).encode()


def decode_policy(encoded: bytes, name: Bytes32) -> RecoveryPolicy:
    """Read what ``encode_policy`` wrote. Raises SchemaUnknown, IntegrityError for one of another name."""
    value = json.loads(encoded)
    require_schema(value["schema"], SCHEMA_VERSION)
    policy = from_json(RecoveryPolicy, value["policy"])
    if struct_hash(policy) != name:
        raise IntegrityError
    return policy


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """``name``: its struct hash, salted, which the chain has."""

    name: Bytes32
    subject: SubjectId
    sealed: bytes = field(repr=False)


class CaseState(StrEnum):
    COLLECTING = "collecting"  # guardians and the new account sign
    PROPOSED = "proposed"  # the chain has it; what became of it, the chain tells
    REFUSED = "refused"  # by the chain: it begins anew
    COMPLETED = "completed"
    OVER = "over"  # stopped or lapsed


@dataclass(frozen=True, slots=True)
class Case:
    """One new account for one patient: whose signatures are there. All sign the same round and time."""

    subject: SubjectId
    controller: Address  # the new account
    round: int
    submit_by: UnixSeconds
    policy: Bytes32  # in force when it began
    former: Address  # who controls until it is completed
    begun_at: UnixSeconds
    agreed: Mapping[ConsentId, bytes] = field(default_factory=dict, repr=False)  # by guardianship
    acceptance: bytes = field(default=b"", repr=False)
    desk: Address = NOBODY  # of the custodian, once its desk has confirmed
    confirmation: bytes = field(default=b"", repr=False)
    state: CaseState = CaseState.COLLECTING
    revision: int = 0

    @property
    def case_id(self) -> str:
        return case_id(self.subject, self.controller)

    @property
    def proposal(self) -> ProposeRecovery:
        return ProposeRecovery(self.subject, self.controller, self.round, self.submit_by)

    @property
    def acceptance_terms(self) -> AcceptRecovery:
        return AcceptRecovery(self.subject, self.controller, self.round, self.submit_by)

    @property
    def confirmation_terms(self) -> ConfirmRecovery:
        return ConfirmRecovery(self.subject, self.controller, self.round, self.submit_by)

    def changed(self, **members: Any) -> Case:
        return replace(self, revision=self.revision + 1, **members)

    def encode(self) -> bytes:
        value = {
            "schema": SCHEMA_VERSION,
            "proposal": to_json(self.proposal),
            "policy": self.policy.hex(),
            "former": self.former,
            "begun_at": self.begun_at,
            "agreed": {name.hex(): signature.hex() for name, signature in self.agreed.items()},
            "acceptance": self.acceptance.hex(),
            "desk": self.desk,
            "confirmation": self.confirmation.hex(),
            "state": self.state,
        }
        return json.dumps(value, sort_keys=True).encode()

    @classmethod
    def decode(cls, encoded: bytes, *, revision: int) -> Case:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value["schema"], SCHEMA_VERSION)
        proposal = from_json(ProposeRecovery, value["proposal"])
        return cls(
            subject=proposal.subject,
            controller=proposal.controller,
            round=proposal.round,
            submit_by=proposal.submit_by,
            policy=Bytes32(bytes.fromhex(value["policy"])),
            former=Address(value["former"]),
            begun_at=UnixSeconds(value["begun_at"]),
            agreed={
                ConsentId(bytes.fromhex(name)): bytes.fromhex(signature)
                for name, signature in value["agreed"].items()
            },
            acceptance=bytes.fromhex(value["acceptance"]),
            desk=Address(value["desk"]),
            confirmation=bytes.fromhex(value["confirmation"]),
            state=CaseState(value["state"]),
            revision=revision,
        )


def case_id(subject: SubjectId, controller: Address) -> str:
    return f"{subject:024x}/{controller[2:].lower()}"


def case_place(name: str) -> str:
    return f"recovery_cases/{name}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """``collecting``: whether signatures are still missing or not on their way to the chain."""

    case_id: str
    subject: SubjectId
    controller: Address
    collecting: bool
    revision: int
    sealed: bytes = field(repr=False)
