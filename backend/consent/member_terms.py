"""The signed messages of members (custodians, witnesses, the ethics board, who funds a study), one dataclass
per EIP-712 type, as in ``terms``.

They are signed for ``RecordRegistry``, ``AuditAnchor`` and ``ResearchMarket``; what each of them does is in
``contracts/interfaces``.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.types import Address, Bytes32, UnixSeconds


@dataclass(frozen=True, slots=True)
class TransferCustody:
    """Signed by both custodians. Its struct hash is the transfer's id. ``from_`` is the member ``from``."""

    from_: Address
    to: Address
    commitments: tuple[Bytes32, ...]
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class SignCheckpoint:
    """Signed by the custodian whose log it is: what it can be held to."""

    log: Bytes32
    size: int
    root: Bytes32


@dataclass(frozen=True, slots=True)
class CosignCheckpoint:
    """Signed by a witness."""

    log: Bytes32
    size: int
    root: Bytes32


@dataclass(frozen=True, slots=True)
class PermitStudy:
    """Signed by members of the ethics board. ``rules`` is the hash of the output rules they approved."""

    study: Bytes32
    rules: Bytes32
    not_before: UnixSeconds
    not_after: UnixSeconds
    submit_by: UnixSeconds


@dataclass(frozen=True, slots=True)
class RefuseStudy:
    """By the board, for good."""

    study: Bytes32


@dataclass(frozen=True, slots=True)
class SuspendStudy:
    """By one member of the board. ``round`` counts how often the study was suspended or resumed."""

    study: Bytes32
    round: int


@dataclass(frozen=True, slots=True)
class ResumeStudy:
    """By the board."""

    study: Bytes32
    round: int


@dataclass(frozen=True, slots=True)
class RevokeStudy:
    """By the board, for good."""

    study: Bytes32


@dataclass(frozen=True, slots=True)
class NameDonation:
    """By the board: an account that any study may pay."""

    account: Address


@dataclass(frozen=True, slots=True)
class ObjectToPayout:
    """By the funder or one member of the board. ``round`` is the payout's id."""

    round: Bytes32
    attempt: int


@dataclass(frozen=True, slots=True)
class SettlePayout:
    """By the board: ``stands`` dismisses the objection, else the payout is rejected."""

    round: Bytes32
    attempt: int
    stands: bool


RecordsCommand = TransferCustody
AuditCommand = SignCheckpoint | CosignCheckpoint
ResearchCommand = (
    PermitStudy
    | RefuseStudy
    | SuspendStudy
    | ResumeStudy
    | RevokeStudy
    | NameDonation
    | ObjectToPayout
    | SettlePayout
)
MemberCommand = RecordsCommand | AuditCommand | ResearchCommand
