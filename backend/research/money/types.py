"""Values of the money of studies. Amounts are integers in the token's smallest unit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from eth_hash.auto import keccak

from backend.types import Address, BlockNumber, Bytes32, MemberId, SubjectId, UnixSeconds

EscrowId = NewType("EscrowId", Bytes32)  # keccak-256 of its terms
RoundId = NewType("RoundId", Bytes32)  # keccak-256 of an escrow and a result
RunId = NewType("RunId", bytes)  # 32 bytes: a run of a study

MAX_AMOUNT: Final = 2**128 - 1  # what an escrow can hold


@dataclass(frozen=True, slots=True)
class EscrowTerms:
    """What an escrow is for, as ``contracts/interfaces/IResearchTypes.sol`` has it."""

    study: Bytes32
    custodian: MemberId
    funder: Address
    token: Address

    @property
    def escrow_id(self) -> EscrowId:
        """keccak256(abi.encode(terms)): every member is one word."""
        words = (self.study, self.custodian, _word(self.funder), _word(self.token))
        return EscrowId(Bytes32(keccak(b"".join(words))))


def round_id(escrow: EscrowId, result: bytes) -> RoundId:
    """The id of the payout for a result: keccak256(abi.encode(escrow, result))."""
    if len(result) != 32:
        raise ValueError("a result is 32 bytes")
    return RoundId(Bytes32(keccak(escrow + result)))


@dataclass(frozen=True, slots=True)
class EscrowState:
    """An escrow on the chain. ``available`` is what no payout owes; ``locked_until`` the second from which
    the funder takes it back by itself, zero while the study was never permitted."""

    available: int
    released: bool
    locked_until: UnixSeconds


@dataclass(frozen=True, slots=True)
class RoundState:
    """A payout on the chain; all zero where there is none. ``remaining`` is owed and not claimed; it may be
    claimed from ``opens_at`` to before ``closes_at``."""

    root: Bytes32
    remaining: int
    opens_at: UnixSeconds
    closes_at: UnixSeconds
    attempt: int
    objected: bool


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What the deployment fixed: board members a decision takes, and lengths of time in seconds."""

    board_threshold: int
    objection_seconds: int
    settlement_seconds: int
    claim_seconds: int
    grace_seconds: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One leaf of a payout's tree. ``salt`` is drawn at random, so that a leaf's hash tells nothing."""

    index: int
    account: Address
    amount: int
    salt: Bytes32


@dataclass(frozen=True, slots=True)
class BoardApproval:
    """One board member's signature over a command."""

    member: Address
    signature: bytes


@dataclass(frozen=True, slots=True)
class Deposit:
    """What came into an escrow at once, in chain order."""

    received: int
    block: BlockNumber
    transaction: Bytes32


@dataclass(frozen=True, slots=True)
class ChainCall:
    """A call for anyone's wallet or relayer to send: no value goes with it."""

    to: Address
    data: bytes


@dataclass(frozen=True, slots=True)
class UnsignedTransaction:
    """A legacy transaction (EIP-155) without value, for its sender to sign. ``gas_price`` in wei."""

    to: Address
    data: bytes
    nonce: int
    gas: int
    gas_price: int
    chain_id: int


class PayeeKind(StrEnum):
    """Whose account a patient named. What they do is the same but for a donation, which the board names."""

    OWN = "own"  # made for this study
    OTHER = "other"  # somebody else's
    DONATION = "donation"


@dataclass(frozen=True, slots=True)
class Payee:
    """Where a patient wants to be paid for one study. ``number`` rises with each choice, and the signer
    signed it: an earlier choice does not come back."""

    study: Bytes32
    subject: SubjectId
    account: Address
    kind: PayeeKind
    number: int
    signer: Address
    signature: bytes


class Standing(StrEnum):
    """Where a patient's share of a result stands."""

    UNNAMED = "unnamed"  # no payee named: it waits for one
    NAMED = "named"  # in the next payout
    PROPOSED = "proposed"  # in a payout that does not open yet
    CLAIMABLE = "claimable"
    CLAIMED = "claimed"
    EXPIRED = "expired"  # not claimed in time: back in the escrow


def _word(account: Address) -> bytes:
    return bytes(12) + bytes.fromhex(account.removeprefix("0x"))
