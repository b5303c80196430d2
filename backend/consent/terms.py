"""The signed messages of the consent ledger, one dataclass per EIP-712 type.

Field names are those of the types in ``typed_data``, in snake case and in the same order. Times are unix
seconds; every window is half-open, ``from <= t < to``. ``UNBOUNDED`` as an end means without end; zero never
means "for ever" and never widens: in a permit a mask of zero allows nothing, in a deny or in a rule it says
that the dimension is not narrowed. Nothing is checked on construction: see ``validation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from backend.consent.recovery_terms import DelegatedEndForCause, EndForCause, RecoveryCommand
from backend.types import MAX_UINT40, Address, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

BEGINNING: Final = UnixSeconds(0)
UNBOUNDED: Final = UnixSeconds(MAX_UINT40)
UNLIMITED_USES: Final = 2**32 - 1
MAX_USES_PER_PERIOD: Final = 1000  # the times of as many uses are kept
ZERO32: Final = Bytes32(bytes(32))
ABSENT: Final = ConsentId(bytes(32))  # no parent, nothing superseded
EVERYONE: Final = MemberId(bytes(32))  # as grantee of a deny: whoever asks
MAX_RULES: Final = 16
MAX_DEPTH: Final = 3  # links of a chain of delegations, and of redelegation by a grantee


class Kind(IntEnum):
    """What a recorded consent is. Zero does not exist."""

    PERMIT = 1
    DENY = 2
    DELEGATION = 3
    GUARDIANSHIP = 4
    REFUSAL = 5


class Effect(IntEnum):
    """The ``decision`` of the terms."""

    PERMIT = 1
    DENY = 2


class BreakGlass(IntEnum):
    """What the patient allows in an emergency."""

    ALLOW = 1
    LIMIT = 2  # only breakGlassCategories
    FORBID = 3


class Power(IntFlag):
    """What a delegate may do."""

    GRANT = 1
    REVOKE = 2
    READ = 4
    DELEGATE = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """An exception inside one consent. Masks of zero and empty tuples do not narrow."""

    permit: bool
    purposes: int = 0
    categories: int = 0
    sensitivities: int = 0
    actions: int = 0
    grantees: tuple[MemberId, ...] = ()
    data_from: UnixSeconds = BEGINNING
    data_to: UnixSeconds = UNBOUNDED
    references: tuple[Bytes32, ...] = ()
    obligations: int = 0


@dataclass(frozen=True, slots=True)
class ResearchTerms:
    """Conditions of research use. ``epsilon_cap`` in millionths, ``compensation`` in smallest token units."""

    duo: tuple[str, ...] = ()
    minimum_cohort: int = 0
    epsilon_cap: int = 0
    compensation: int = 0


@dataclass(frozen=True, slots=True)
class ConsentTerms:
    """What is allowed or denied. The chain gets its hash only; ``salt`` keeps that hash unguessable."""

    decision: int
    grantee: MemberId
    purposes: int
    categories: int
    sensitivities: int
    actions: int
    data_from: UnixSeconds
    data_to: UnixSeconds
    erase_by: UnixSeconds  # when the grantee must have erased its copies
    max_uses: int
    uses_per_period: int  # UNLIMITED_USES without a frequency
    period_seconds: int  # no window of this length has more uses; zero without a frequency
    break_glass: int
    break_glass_categories: int
    redelegation_depth: int
    rules: tuple[Rule, ...]
    research: ResearchTerms
    notice: Bytes32  # hash of the notice shown before signing
    language: str
    summary: str
    salt: Bytes32


@dataclass(frozen=True, slots=True)
class Grant:
    """A permit, a deny or a refusal. Its consent id is its struct hash."""

    subject: SubjectId
    terms: ConsentTerms
    not_before: UnixSeconds
    not_after: UnixSeconds
    kind: int
    epoch: int
    request: Bytes32  # struct id of the request it answers, or zero
    supersedes: ConsentId  # the consent that ends when this one is recorded, or zero
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class DelegationTerms:
    """How far a delegation goes. ``evidence`` is the hash of the document that proves the relationship."""

    purposes: int
    categories: int
    sensitivities: int
    relationship: str
    evidence: Bytes32
    notice: Bytes32
    language: str
    summary: str
    salt: Bytes32


@dataclass(frozen=True, slots=True)
class Delegation:
    """Powers given to an account. Its consent id is its struct hash; ``parent`` is zero for a direct one."""

    subject: SubjectId
    delegate: Address
    powers: int
    not_before: UnixSeconds
    not_after: UnixSeconds
    kind: int
    depth: int
    epoch: int
    parent: ConsentId
    terms: DelegationTerms
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class DelegatedGrant:
    """A grant signed by a delegate under ``delegation``."""

    grant: Grant
    delegation: ConsentId


@dataclass(frozen=True, slots=True)
class DelegatedDelegation:
    """A delegation signed by a delegate under ``delegation``."""

    child: Delegation
    delegation: ConsentId


@dataclass(frozen=True, slots=True)
class Revoke:
    """Ends one consent or delegation. No deadline and no epoch: it can always be relayed."""

    consent: ConsentId


@dataclass(frozen=True, slots=True)
class DelegatedRevoke:
    """A revocation signed by a delegate under ``delegation``."""

    consent: ConsentId
    delegation: ConsentId


@dataclass(frozen=True, slots=True)
class RevokeAll:
    """Ends every permit and delegation of ``epoch``; denies and guardianships stand."""

    subject: SubjectId
    epoch: int


@dataclass(frozen=True, slots=True)
class OpenSubject:
    """Accepts the control of a subject. Signed by ``controller``."""

    subject: SubjectId
    controller: Address
    submit_by: UnixSeconds


Document = Grant | Delegation
Command = (
    Grant
    | Delegation
    | DelegatedGrant
    | DelegatedDelegation
    | Revoke
    | DelegatedRevoke
    | RevokeAll
    | OpenSubject
    | EndForCause
    | DelegatedEndForCause
    | RecoveryCommand
)
