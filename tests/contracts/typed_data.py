"""The signed structures in full, written from the design and not from the contracts.

``Grant`` and ``Delegation`` build one document; ``header()`` is what the contract gets of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

FOREVER = 2**40 - 1
PERMIT, DENY, DELEGATION, GUARDIANSHIP, REFUSAL = 1, 2, 3, 4, 5
NOTHING = bytes(32)


def _fields(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), part.split(), strict=True)) for part in text.split(",")]


TYPES = {
    "EIP712Domain": _fields("string name,string version,uint256 chainId,address verifyingContract"),
    "Grant": _fields(
        "uint96 subject,ConsentTerms terms,uint40 notBefore,uint40 notAfter,uint8 kind,uint32 epoch,"
        "bytes32 request,bytes32 supersedes,uint40 submitBy"
    ),
    "ConsentTerms": _fields(
        "uint8 decision,bytes32 grantee,uint64 purposes,uint64 categories,uint32 sensitivities,"
        "uint16 actions,uint40 dataFrom,uint40 dataTo,uint40 eraseBy,uint32 maxUses,"
        "uint32 usesPerPeriod,uint32 periodSeconds,uint8 breakGlass,"
        "uint64 breakGlassCategories,uint8 redelegationDepth,Rule[] rules,ResearchTerms research,"
        "bytes32 notice,string language,string summary,bytes32 salt"
    ),
    "ResearchTerms": _fields("string[] duo,uint32 minimumCohort,uint64 epsilonCap,uint256 compensation"),
    "Rule": _fields(
        "bool permit,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,"
        "bytes32[] grantees,uint40 dataFrom,uint40 dataTo,bytes32[] references,uint16 obligations"
    ),
    "Delegation": _fields(
        "uint96 subject,address delegate,uint16 powers,uint40 notBefore,uint40 notAfter,uint8 kind,"
        "uint8 depth,uint32 epoch,bytes32 parent,DelegationTerms terms,uint40 submitBy"
    ),
    "DelegationTerms": _fields(
        "uint64 purposes,uint64 categories,uint32 sensitivities,string relationship,bytes32 evidence,"
        "bytes32 notice,string language,string summary,bytes32 salt"
    ),
    "DelegatedGrant": _fields("Grant grant,bytes32 delegation"),
    "DelegatedDelegation": _fields("Delegation child,bytes32 delegation"),
    "Revoke": _fields("bytes32 consent"),
    "DelegatedRevoke": _fields("bytes32 consent,bytes32 delegation"),
    "RevokeAll": _fields("uint96 subject,uint32 epoch"),
    "OpenSubject": _fields("uint96 subject,address controller,uint40 submitBy"),
    "EndForCause": _fields("bytes32 delegation"),
    "BindKey": _fields("uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy"),
    "WithdrawKey": _fields("uint96 subject,uint32 sequence"),
    "SetRecoveryPolicy": _fields("uint96 subject,RecoveryPolicy policy,uint32 round,uint40 submitBy"),
    "RecoveryPolicy": _fields("bytes32[] guardianships,uint8 threshold,bytes32 salt"),
    "ProposeRecovery": _fields("uint96 subject,address controller,uint32 round,uint40 submitBy"),
    "AcceptRecovery": _fields("uint96 subject,address controller,uint32 round,uint40 submitBy"),
    "ConfirmRecovery": _fields("uint96 subject,address controller,uint32 round,uint40 submitBy"),
    "VetoRecovery": _fields("uint96 subject,uint32 round"),
    "OpenEmergency": _fields(
        "uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy"
    ),
    "OpenEmergencyLate": _fields(
        "uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt"
    ),
    "CountersignEmergency": _fields("bytes32 opening"),
    "CloseEmergency": _fields("bytes32 opening"),
    "ReviewEmergency": _fields("bytes32 opening,bytes32 finding"),
    "SetEmergencyPolicy": _fields("uint96 subject,uint8 policy,uint32 round"),
    "SignCheckpoint": _fields("bytes32 log,uint64 size,bytes32 root"),
    "CosignCheckpoint": _fields("bytes32 log,uint64 size,bytes32 root"),
    "TransferCustody": _fields("address from,address to,bytes32[] commitments,uint40 submitBy"),
    "PermitStudy": _fields("bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy"),
    "SuspendStudy": _fields("bytes32 study,uint32 round"),
    "SettlePayout": _fields("bytes32 round,uint32 attempt,bool stands"),
}


def domain(contract: Any, name: str = "Assent Consent") -> dict[str, Any]:
    """Return the EIP-712 domain of a deployed Brownie contract."""
    from brownie import chain  # noqa: PLC0415 - there is no chain when this module is imported

    return {"name": name, "version": "1", "chainId": chain.id, "verifyingContract": contract.address}


def message(where: dict[str, Any], primary: str, content: dict[str, Any]) -> dict[str, Any]:
    needed = _reachable(primary) | {"EIP712Domain"}
    types = {name: TYPES[name] for name in TYPES if name in needed}
    return {"types": types, "primaryType": primary, "domain": where, "message": content}


def _reachable(name: str) -> set[str]:
    inner = {entry["type"].removesuffix("[]") for entry in TYPES[name]} & TYPES.keys()
    return {name}.union(*(_reachable(each) for each in inner))


def struct_hash(primary: str, content: dict[str, Any]) -> bytes:
    """Return hashStruct, by way of a message with an arbitrary domain."""
    where = {"name": "", "version": "", "chainId": 0, "verifyingContract": "0x" + "00" * 20}
    return bytes(encode_typed_data(full_message=message(where, primary, content)).body)


def terms(decision: int, summary: str) -> dict[str, Any]:
    """Return terms in which no field is empty, so that every one is hashed."""
    rule = {
        "permit": False,
        "purposes": 1 << 54,
        "categories": 1 << 10,
        "sensitivities": 1 << 7,
        "actions": 2,
        "grantees": [keccak(text="clinic"), keccak(text="ward")],
        "dataFrom": 1,
        "dataTo": FOREVER,
        "references": [keccak(text="record")],
        "obligations": 9,
    }
    return {
        "decision": decision,
        "grantee": keccak(text="clinic"),
        "purposes": 1 << 54,
        "categories": 1 << 10 | 1 << 7,
        "sensitivities": 0,
        "actions": 1 << 1,
        "dataFrom": 0,
        "dataTo": FOREVER,
        "eraseBy": FOREVER,
        "maxUses": 3,
        "usesPerPeriod": 1,
        "periodSeconds": 86400,
        "breakGlass": 1,
        "breakGlassCategories": 1 << 6,
        "redelegationDepth": 1,
        "rules": [rule, rule | {"permit": True}],
        "research": {
            "duo": ["DUO:0000042", "DUO:0000019"],
            "minimumCohort": 10,
            "epsilonCap": 10**6,
            "compensation": 5,
        },
        "notice": keccak(text="notice"),
        "language": "en",
        "summary": summary,
        "salt": keccak(text=summary),
    }


@dataclass(frozen=True)
class Grant:
    subject: int
    not_before: int
    not_after: int
    kind: int = PERMIT
    epoch: int = 0
    request: bytes = NOTHING
    supersedes: bytes = NOTHING
    submit_by: int = FOREVER
    summary: str = "The clinic may read laboratory results."

    def content(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "terms": terms(2 if self.kind == DENY else 1, self.summary),
            "notBefore": self.not_before,
            "notAfter": self.not_after,
            "kind": self.kind,
            "epoch": self.epoch,
            "request": self.request,
            "supersedes": self.supersedes,
            "submitBy": self.submit_by,
        }

    def id(self) -> bytes:
        return struct_hash("Grant", self.content())

    def header(self) -> tuple:
        values = self.content() | {"terms": struct_hash("ConsentTerms", self.content()["terms"])}
        return tuple(values.values())


@dataclass(frozen=True)
class Delegation:
    subject: int
    delegate: str
    powers: int
    not_before: int
    not_after: int
    kind: int = DELEGATION
    depth: int = 1
    epoch: int = 0
    parent: bytes = NOTHING
    submit_by: int = FOREVER

    def content(self) -> dict[str, Any]:
        inner = {
            "purposes": 1 << 54,
            "categories": 2**30 - 1,
            "sensitivities": 0,
            "relationship": "MTH",
            "evidence": keccak(text="checked by staff"),
            "notice": keccak(text="notice"),
            "language": "en",
            "summary": "May act for the patient.",
            "salt": keccak(text=self.delegate),
        }
        return {
            "subject": self.subject,
            "delegate": self.delegate,
            "powers": self.powers,
            "notBefore": self.not_before,
            "notAfter": self.not_after,
            "kind": self.kind,
            "depth": self.depth,
            "epoch": self.epoch,
            "parent": self.parent,
            "terms": inner,
            "submitBy": self.submit_by,
        }

    def id(self) -> bytes:
        return struct_hash("Delegation", self.content())

    def header(self) -> tuple:
        values = self.content() | {"terms": struct_hash("DelegationTerms", self.content()["terms"])}
        return tuple(values.values())


def open_subject(where: dict[str, Any], subject: int, controller: str) -> dict[str, Any]:
    return message(where, "OpenSubject", {"subject": subject, "controller": controller, "submitBy": FOREVER})


def revoke(where: dict[str, Any], consent: bytes) -> dict[str, Any]:
    return message(where, "Revoke", {"consent": consent})


def revoke_all(where: dict[str, Any], subject: int, epoch: int) -> dict[str, Any]:
    return message(where, "RevokeAll", {"subject": subject, "epoch": epoch})


def delegated_grant(where: dict[str, Any], grant: Grant, delegation: bytes) -> dict[str, Any]:
    return message(where, "DelegatedGrant", {"grant": grant.content(), "delegation": delegation})


def delegated_delegation(where: dict[str, Any], child: Delegation, delegation: bytes) -> dict[str, Any]:
    return message(where, "DelegatedDelegation", {"child": child.content(), "delegation": delegation})


def delegated_revoke(where: dict[str, Any], consent: bytes, delegation: bytes) -> dict[str, Any]:
    return message(where, "DelegatedRevoke", {"consent": consent, "delegation": delegation})
