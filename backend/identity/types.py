"""What identity keeps and hands out. Times are unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.identity.roles import Role, Scope
from backend.types import Address, ConsentId, MemberId, SubjectId, UnixSeconds


class PrincipalKind(StrEnum):
    WALLET = "wallet"  # id: the account in EIP-55 form
    STAFF = "staff"  # id: 16 random bytes in hex
    CLIENT = "client"  # id: the OAuth2 client id


@dataclass(frozen=True, slots=True)
class Grant:
    """What a sign-in proved and what its tokens may therefore ask for."""

    kind: PrincipalKind
    id: str
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    member_id: MemberId | None = None  # the participant this principal acts as
    organisations: tuple[MemberId, ...] = ()  # participants it belongs to, besides member_id
    account: Address | None = None

    @property
    def principal(self) -> str:
        """Unique over all kinds; the ``sub`` claim of its tokens."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """``revision`` rises with each change and is what compare-and-swap compares."""

    staff_id: str
    username: str  # lower case
    password: str = field(repr=False)  # Argon2id, PHC string; empty: an identity provider vouches for them
    roles: frozenset[Role]
    member_id: MemberId | None
    organisations: tuple[MemberId, ...]
    account: Address | None  # wallet with which this person signs on chain, e.g. an ethics board approval
    disabled: bool
    created_at: UnixSeconds
    revision: int
    seal: bytes = field(default=b"", repr=False)

    @property
    def by_provider(self) -> bool:
        """True for somebody whom an identity provider vouches for."""
        return not self.password


@dataclass(frozen=True, slots=True)
class Client:
    """A system of a provider, a gateway or a researcher. At most two secrets hold while one is rotated."""

    client_id: str
    name: str
    roles: frozenset[Role]
    scopes: frozenset[Scope]
    member_id: MemberId
    organisations: tuple[MemberId, ...]
    secret_hash: bytes = field(repr=False)  # SHA-256 of 256 random bits; empty: a provider vouches for it
    previous_hash: bytes | None = field(repr=False)
    previous_until: UnixSeconds  # the previous secret holds before this time
    assertion_keys: str | None  # JSON Web Key Set (RFC 7517) for private_key_jwt
    disabled: bool
    created_at: UnixSeconds
    revision: int
    seal: bytes = field(default=b"", repr=False)

    @property
    def by_provider(self) -> bool:
        """True for a system that an identity provider vouches for."""
        return not self.secret_hash


@dataclass(frozen=True, slots=True)
class Family:
    """All tokens that descend from one sign-in."""

    family_id: str
    grant: Grant
    refresh_hash: bytes | None = field(repr=False)  # of the only refresh token that may still be used
    refresh_until: UnixSeconds
    expires_at: UnixSeconds  # no token of the family outlives this
    ended: bool = False
    seal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class SigningKeyState:
    """``generation`` names the secret in the key store; the key id is computed from the key itself."""

    generation: int
    sign_from: UnixSeconds
    verify_until: UnixSeconds | None = None  # None: as long as a token of the key can live
    seal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """Answer to a sign-in (RFC 6749, 5.1). ``refresh_token`` is None for clients, which can sign in again."""

    access_token: str = field(repr=False)
    expires_in_seconds: int
    refresh_token: str | None = field(repr=False)
    scopes: frozenset[Scope]
    family_id: str


@dataclass(frozen=True, slots=True)
class Bound:
    """What a token is narrowed to: one patient, one purpose, and the consents that it may rest on."""

    subject: SubjectId
    purpose: str  # HL7 v3 PurposeOfUse
    consents: frozenset[ConsentId]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token. ``audience`` is the service, or the server that a bound token is for."""

    grant: Grant
    token_id: str
    family_id: str
    issued_at: UnixSeconds
    expires_at: UnixSeconds
    audience: str
    bound: Bound | None = None


@dataclass(frozen=True, slots=True)
class Guardian:
    """Somebody who may act for a child, as staff saw it proved."""

    account: Address
    relationship: str  # HL7 v3 RoleCode, e.g. MTH, FTH, GUARD
    evidence: str  # what was shown, e.g. the kind and number of a certificate


@dataclass(frozen=True, slots=True)
class Person:
    """Who a subject id is. Kept encrypted; only the patient and the identity desk see it."""

    record_number: str
    name: str
    birth_date: str | None  # ISO 8601 date
    checked_by: str  # staff id of who checked the identity
    checked_at: UnixSeconds
    guardians: tuple[Guardian, ...] = ()
    evidence_salt: bytes = b""  # 32 bytes; makes the evidence digest on chain say nothing by itself


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One patient: the code that was issued and, once claimed, the account that claimed it.

    ``attempts`` and ``opened`` move by themselves and lie outside the seal.
    """

    subject_id: SubjectId
    record_index: bytes = field(repr=False)  # 32 bytes, keyed: equal for equal record numbers
    person: bytes = field(repr=False)  # sealed Person
    is_child: bool  # claimed by a guardian, whose power is a guardianship on chain
    code_prefix: str
    code_hash: bytes = field(repr=False)
    code_expires_at: UnixSeconds
    issued_at: UnixSeconds
    revision: int
    account: Address | None = None
    claim_message: bytes = field(default=b"", repr=False)  # the signed message, sealed
    claim_signature: bytes = field(default=b"", repr=False)
    claimed_at: UnixSeconds | None = None
    attempts: int = 0
    opened: bool = False  # the subject is open on chain
    seal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """Shown to staff once. ``code`` is not stored."""

    code: str = field(repr=False)
    subject_id: SubjectId
    expires_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Claim:
    """What has to go to the chain after a claim; the same again for a retry."""

    subject_id: SubjectId
    account: Address
    guardian: Guardian | None
    message: Mapping[str, Any]  # of OpenSubject, or of the guardianship when there is a guardian
    signature: bytes = field(repr=False)
    opened: bool
