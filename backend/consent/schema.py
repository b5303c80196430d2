"""The EIP-712 types of everything that is signed for a contract, and which dataclass belongs to which.

The strings are the protocol: contracts, wallets and verifiers use the same ones. Everything that depends on
the order or the names of members (hashing, typed data, JSON) is derived from them.
"""

from __future__ import annotations

import dataclasses
import keyword
import re
from typing import Final, NamedTuple

from backend.consent.emergency_terms import (
    CloseEmergency,
    CountersignEmergency,
    OpenEmergency,
    OpenEmergencyLate,
    ReviewEmergency,
    SetEmergencyPolicy,
)
from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from backend.consent.member_terms import (
    CosignCheckpoint,
    NameDonation,
    ObjectToPayout,
    PermitStudy,
    RefuseStudy,
    ResumeStudy,
    RevokeStudy,
    SettlePayout,
    SignCheckpoint,
    SuspendStudy,
    TransferCustody,
)
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    DelegatedEndForCause,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import (
    ConsentTerms,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Delegation,
    DelegationTerms,
    Grant,
    OpenSubject,
    ResearchTerms,
    Revoke,
    RevokeAll,
    Rule,
)

DOMAIN_TYPE: Final = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
TYPE_STRINGS: Final = (
    (
        "Grant(uint96 subject,ConsentTerms terms,uint40 notBefore,uint40 notAfter,uint8 kind,uint32 epoch,"
        "bytes32 request,bytes32 supersedes,uint40 submitBy)"
    ),
    (
        "ConsentTerms(uint8 decision,bytes32 grantee,uint64 purposes,uint64 categories,uint32 sensitivities,"
        "uint16 actions,uint40 dataFrom,uint40 dataTo,uint40 eraseBy,uint32 maxUses,"
        "uint32 usesPerPeriod,uint32 periodSeconds,uint8 breakGlass,"
        "uint64 breakGlassCategories,uint8 redelegationDepth,Rule[] rules,ResearchTerms research,"
        "bytes32 notice,string language,string summary,bytes32 salt)"
    ),
    "ResearchTerms(string[] duo,uint32 minimumCohort,uint64 epsilonCap,uint256 compensation)",
    (
        "Rule(bool permit,uint64 purposes,uint64 categories,uint32 sensitivities,uint16 actions,"
        "bytes32[] grantees,uint40 dataFrom,uint40 dataTo,bytes32[] references,uint16 obligations)"
    ),
    "DelegatedGrant(Grant grant,bytes32 delegation)",
    (
        "Delegation(uint96 subject,address delegate,uint16 powers,uint40 notBefore,uint40 notAfter,"
        "uint8 kind,uint8 depth,uint32 epoch,bytes32 parent,DelegationTerms terms,uint40 submitBy)"
    ),
    (
        "DelegationTerms(uint64 purposes,uint64 categories,uint32 sensitivities,string relationship,"
        "bytes32 evidence,bytes32 notice,string language,string summary,bytes32 salt)"
    ),
    "DelegatedDelegation(Delegation child,bytes32 delegation)",
    "Revoke(bytes32 consent)",
    "DelegatedRevoke(bytes32 consent,bytes32 delegation)",
    "RevokeAll(uint96 subject,uint32 epoch)",
    "OpenSubject(uint96 subject,address controller,uint40 submitBy)",
    "EndForCause(bytes32 delegation)",
    "DelegatedEndForCause(bytes32 ended,bytes32 delegation)",
    "SetRecoveryPolicy(uint96 subject,RecoveryPolicy policy,uint32 round,uint40 submitBy)",
    "RecoveryPolicy(bytes32[] guardianships,uint8 threshold,bytes32 salt)",
    "ProposeRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)",
    "AcceptRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)",
    "ConfirmRecovery(uint96 subject,address controller,uint32 round,uint40 submitBy)",
    "VetoRecovery(uint96 subject,uint32 round)",
    "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)",
    "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)",
    "CountersignEmergency(bytes32 opening)",
    "CloseEmergency(bytes32 opening)",
    "ReviewEmergency(bytes32 opening,bytes32 finding)",
    "SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)",
    "BindKey(uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy)",
    "WithdrawKey(uint96 subject,uint32 sequence)",
    "AllowMediated(uint96 subject,bytes32 segmentKind,uint32 sequence,uint40 submitBy)",
    "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)",
    "SignCheckpoint(bytes32 log,uint64 size,bytes32 root)",
    "CosignCheckpoint(bytes32 log,uint64 size,bytes32 root)",
    "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)",
    "RefuseStudy(bytes32 study)",
    "SuspendStudy(bytes32 study,uint32 round)",
    "ResumeStudy(bytes32 study,uint32 round)",
    "RevokeStudy(bytes32 study)",
    "NameDonation(address account)",
    "ObjectToPayout(bytes32 round,uint32 attempt)",
    "SettlePayout(bytes32 round,uint32 attempt,bool stands)",
)


class Member(NamedTuple):
    """One member of a type: its Solidity type, its name, and the attribute that holds it."""

    type: str
    name: str
    attribute: str


def _parse(type_string: str) -> tuple[str, tuple[Member, ...]]:
    name, _, inside = type_string[:-1].partition("(")
    pairs = [member.split(" ") for member in inside.split(",")]
    return name, tuple(Member(kind, member, _snake(member)) for kind, member in pairs)


def _snake(name: str) -> str:
    snake = re.sub("[A-Z]", lambda match: "_" + match[0].lower(), name)
    return snake + "_" if keyword.iskeyword(snake) else snake


STRUCTS: Final[dict[str, tuple[Member, ...]]] = dict(_parse(text) for text in TYPE_STRINGS)
DOMAIN_MEMBERS: Final[tuple[Member, ...]] = _parse(DOMAIN_TYPE)[1]
CLASSES: Final[dict[str, type]] = {
    cls.__name__: cls
    for cls in (
        *(Grant, ConsentTerms, ResearchTerms, Rule, Delegation, DelegationTerms),
        *(DelegatedGrant, DelegatedDelegation, Revoke, DelegatedRevoke, RevokeAll, OpenSubject),
        *(EndForCause, DelegatedEndForCause, RecoveryPolicy, SetRecoveryPolicy),
        *(ProposeRecovery, AcceptRecovery, ConfirmRecovery, VetoRecovery),
        *(OpenEmergency, OpenEmergencyLate, CountersignEmergency, CloseEmergency),
        *(ReviewEmergency, SetEmergencyPolicy, TransferCustody, SignCheckpoint, CosignCheckpoint),
        *(BindKey, WithdrawKey, AllowMediated),
        *(PermitStudy, RefuseStudy, SuspendStudy, ResumeStudy, RevokeStudy),
        *(NameDonation, ObjectToPayout, SettlePayout),
    )
}

for _name, _class in CLASSES.items():
    # A dataclass whose fields drift from its type would be hashed wrongly without anybody noticing.
    if tuple(f.name for f in dataclasses.fields(_class)) != tuple(m.attribute for m in STRUCTS[_name]):
        raise TypeError(f"{_name} does not have the members of its EIP-712 type")


def encode_type(name: str) -> str:
    """Return the type string of ``name`` followed by those it refers to, by name (EIP-712, encodeType)."""
    strings = {text.partition("(")[0]: text for text in TYPE_STRINGS}
    return strings[name] + "".join(strings[inner] for inner in sorted(dependencies(name)))


def dependencies(name: str) -> set[str]:
    """Return the names of the structs that ``name`` refers to, at any depth, without itself."""
    found: set[str] = set()
    for member in STRUCTS[name]:
        inner = member.type.removesuffix("[]")
        if inner in STRUCTS:
            found |= {inner} | dependencies(inner)
    return found
