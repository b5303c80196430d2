"""What the money of studies needs from the outside.

Methods that write to the chain are done when their block is final. Asked again they give what was done
before. They raise LedgerUnavailable in doubt, and a Conflict where the contract refuses for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from backend.consent.ledger_types import Receipt
from backend.consent.member_registry import Hindrance, Member, Widening
from backend.research.money.rows import FundingRow, LeafRow, PayeeRow, ResultRow, ShareRow, TreeRow
from backend.research.money.types import (
    BoardApproval,
    ChainCall,
    Deposit,
    EscrowState,
    EscrowTerms,
    MarketRules,
    Payment,
    RoundId,
    RoundState,
    RunId,
    UnsignedTransaction,
)
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds


class MoneyLedger(Protocol):
    """The market and the token on the chain, at the head."""

    @property
    def token(self) -> Address | None:
        """The ERC-20 of this deployment's escrows; None where none is configured."""
        ...

    @property
    def is_test_token(self) -> bool: ...

    @property
    def office(self) -> Address:
        """The account that pays for studies by invoice."""
        ...

    @property
    def chain_id(self) -> int: ...

    @property
    def market(self) -> Address: ...

    def now(self) -> UnixSeconds:
        """The time of the newest block, or of the one that a transaction sent now would be in."""
        ...

    def rules(self) -> MarketRules: ...

    def escrow(self, terms: EscrowTerms) -> EscrowState: ...

    def payout(self, round_: RoundId) -> RoundState: ...

    def committed_at(self, study: Bytes32, result: Bytes32) -> UnixSeconds:
        """When this custodian committed to the result; zero if never."""
        ...

    def is_claimed(self, round_: RoundId, index: int) -> bool: ...

    def is_donation(self, account: Address) -> bool: ...

    def study_of_payee(self, account: Address) -> Bytes32:
        """The only study that the account is paid for; zero where it was never paid."""
        ...

    def stock(self) -> int:
        """What the office has."""
        ...

    def deposits(self, terms: EscrowTerms) -> Sequence[Deposit]:
        """All that ever came into the escrow, in chain order."""
        ...

    def own_funding(self, terms: EscrowTerms, amount: int) -> Sequence[UnsignedTransaction]:
        """What a funder with an account of its own signs, in order: it allows, then deposits."""
        ...

    def check_signed(self, raws: Sequence[bytes], terms: EscrowTerms, amount: int) -> None:
        """Raise FundingTransactionsInvalid unless these are ``own_funding``, signed by the funder."""
        ...

    def send_signed(self, raws: Sequence[bytes]) -> None:
        """Put them on the chain, each once, in order."""
        ...

    def claim_call(
        self, terms: EscrowTerms, result: Bytes32, payment: Payment, proof: Sequence[Bytes32]
    ) -> ChainCall: ...

    def issue(self, issue: Bytes32, to: Address, amount: int) -> Receipt:
        """Make test tokens, once under each id; makes the token where there is none yet."""
        ...

    def allow(self, amount: int) -> Receipt:
        """Let the market take exactly this much from the office, whatever it was allowed before."""
        ...

    def fund(self, terms: EscrowTerms, amount: int) -> Receipt:
        """Pay from the office what was allowed, which is used up then: sent twice, it is refused once."""
        ...

    def commit(self, study: Bytes32, rules: Bytes32, result: Bytes32) -> Receipt: ...

    def propose(self, terms: EscrowTerms, result: Bytes32, root: Bytes32, total: int) -> Receipt: ...

    def object(
        self, terms: EscrowTerms, result: Bytes32, attempt: int, objector: Address, signature: bytes
    ) -> None: ...

    def settle(
        self,
        terms: EscrowTerms,
        result: Bytes32,
        attempt: int,
        stands: bool,
        approvals: Sequence[BoardApproval],
    ) -> None: ...

    def close(self, terms: EscrowTerms, result: Bytes32) -> None: ...

    def release(self, terms: EscrowTerms) -> None: ...

    def refund(self, terms: EscrowTerms) -> None:
        """To the funder. Raises a Conflict where nothing is free."""
        ...

    def claim(
        self, terms: EscrowTerms, result: Bytes32, payment: Payment, proof: Sequence[Bytes32]
    ) -> Receipt: ...

    def name_donation(self, account: Address, approvals: Sequence[BoardApproval]) -> None: ...


class FundingStore(Protocol):
    """Deposits by invoice. Every method of the stores raises Unavailable in doubt, and IntegrityError for a
    row that this service did not write."""

    def insert(self, row: FundingRow) -> FundingRow:
        """Keep the row unless its invoice is known; return what is kept."""
        ...

    def of_escrow(self, terms: EscrowTerms) -> Sequence[FundingRow]:
        """In order of time."""
        ...


class ResultStore(Protocol):
    def put(self, row: ResultRow) -> None:
        """Keep it; the same again changes nothing."""
        ...

    def get(self, result: Bytes32) -> ResultRow | None: ...

    def of_study(self, study: Bytes32) -> Sequence[ResultRow]:
        """In order of time."""
        ...


class ShareStore(Protocol):
    def put(self, study: Bytes32, run: RunId, subjects: Sequence[SubjectId]) -> None:
        """Keep a share for each; those that are there stay as they are."""
        ...

    def of_run(self, run: RunId) -> Sequence[ShareRow]: ...

    def of_subject(self, subject: SubjectId) -> Sequence[ShareRow]: ...


class PayoutStore(Protocol):
    """Payouts that were built, and the payments in them."""

    def put_leaves(self, rows: Sequence[LeafRow]) -> None: ...

    def leaves_of_round(self, round_: RoundId) -> Sequence[LeafRow]: ...

    def leaves_of_subject(self, subject: SubjectId) -> Sequence[LeafRow]: ...

    def put_tree(self, row: TreeRow) -> TreeRow:
        """Keep it unless there is one for this round and attempt; return what is kept."""
        ...

    def drop_tree(self, row: TreeRow) -> None:
        """Forget one that was never proposed."""
        ...

    def tree(self, round_: RoundId, attempt: int) -> TreeRow | None: ...

    def trees_of_study(self, study: Bytes32) -> Sequence[TreeRow]:
        """In order of time."""
        ...

    def trees_of_base(self, base: Bytes32) -> Sequence[TreeRow]:
        """Those that pay the patients of a result, in order of time."""
        ...


class PayeeStore(Protocol):
    def put(self, row: PayeeRow) -> None:
        """Keep a choice, unless one with its number or a higher one is kept."""
        ...

    def get(self, study: Bytes32, subject: SubjectId) -> PayeeRow | None: ...

    def of_study(self, study: Bytes32) -> Mapping[SubjectId, PayeeRow]: ...

    def is_used_elsewhere(self, mark: bytes, study: Bytes32) -> bool:
        """Whether an account with this mark is named for another study, by anybody."""
        ...


class Members(Protocol):
    """The part of ``consent.member_registry.MemberRegistry`` that payments need."""

    def member(self, member: MemberId) -> Member: ...

    def holder(self, account: Address) -> MemberId | None: ...

    def widen(self, widening: Widening) -> Receipt | Hindrance: ...

    def announce(self, widening: Widening) -> UnixSeconds: ...
