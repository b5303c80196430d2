"""A payout is built from the shares of a result and the payees of its patients, and proposed on the chain.

Leaves are salted at random and their places drawn at random, so neither tells anything before a payment is
claimed, and where a leaf stands never does. Places that are nobody's fill the tree up to the next ten.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent
from backend.idempotency import Attempt
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import (
    NobodyToPay,
    ParticipantsMissing,
    PayoutUnderWay,
    PayoutUnknown,
)
from backend.research.money.payees import Payees
from backend.research.money.ports import MoneyLedger, PayeeStore, PayoutStore, ShareStore
from backend.research.money.results import Results, late_result
from backend.research.money.rows import LeafRow, ResultRow, ShareRow, TreeRow
from backend.research.money.shares import Budget, PerPatient, places_for, share_of, total_of
from backend.research.money.tree import Tree, leaf_of
from backend.research.money.types import EscrowTerms, Payment, RoundId, RoundState, round_id
from backend.sealed import DocumentSealer
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds

ACT: Final = "payout"
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Round:
    """A payout that was proposed, and where it stands on the chain."""

    tree: TreeRow
    state: RoundState


@dataclass(frozen=True, slots=True)
class Owed:
    """Of one result: how many patients its run had, how many are in a payout, how many shares of others are
    kept, and how many that should be kept are not (erased since, or taken out of the index)."""

    participants: int
    placed: int
    waiting: int
    missing: int


class Payouts:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        results: Results,
        shares: ShareStore,
        payouts: PayoutStore,
        payee_rows: PayeeStore,
        payees: Payees,
        sealer: DocumentSealer,
        outbox: Outbox,
        entries: MoneyEntries,
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._shares = shares
        self._payouts = payouts
        self._payee_rows = payee_rows
        self._payees = payees
        self._sealer = sealer
        self._outbox = outbox
        self._entries = entries
        self._clock = clock
        outbox.register(ACT, {"received": self._build, "built": self._propose, "proposed": self._log})

    # --- proposing

    def propose(
        self,
        terms: EscrowTerms,
        base: Bytes32,
        wanted: PerPatient | Budget,
        *,
        missing: int,
        attempt: Attempt,
        by: Agent,
    ) -> TreeRow:
        """Pay the patients of a result who named a payee and are in no payout of it yet, from this escrow.

        ``missing``: how many shares that should be kept are known to be gone. Raises ResultUnknown,
        PayoutTermsInvalid, NobodyToPay, ParticipantsMissing, PayoutUnderWay, what the contract refuses, and
        LedgerUnavailable.
        """
        row = self._results.get(base)
        share = share_of(wanted, published=row.published, included=row.participants)
        act_id = attempt.draw("payout", 16).hex()
        earlier = self._outbox.find(ACT, act_id)
        number = self._free_number(terms, base) if earlier is None else earlier.data["number"]
        request = json.dumps([terms.escrow_id.hex(), base.hex(), share, missing])
        data = {
            "digest": hashlib.sha256(request.encode()).digest(),
            "terms": [terms.study, terms.custodian, terms.funder, terms.token],
            "base": base,
            "number": number,
            "share": str(share),
            "missing": missing,
            "by": asked_by(by),
        }
        act = self._outbox.drive(self._outbox.begin(ACT, act_id, state="received", data=data))
        tree = self._payouts.tree(_round_of(act), act.data["attempt"])
        if tree is None:
            raise PayoutUnknown
        return tree

    def owed(self, row: ResultRow) -> Owed:
        """Who is in a payout of this result, from whichever escrow, and who is not."""
        shares = self._shares.of_run(row.run)
        placed, lost = self._placed(row)
        waiting = sum(share.subject not in placed for share in shares)
        return Owed(
            participants=row.participants,
            placed=len(placed),
            waiting=waiting,
            missing=row.participants - len(shares) + lost,
        )

    # --- looking

    def of_study(self, study: Bytes32) -> list[Round]:
        """Every payout that is proposed, in the order of building; not those that the board rejected."""
        return self._proposed(self._payouts.trees_of_study(study))

    def find(self, round_: RoundId) -> Round | None:
        """The payout, if it is proposed and was not rejected."""
        state = self._ledger.payout(round_)
        tree = self._payouts.tree(round_, state.attempt)
        return Round(tree, state) if tree is not None and _is_of(tree, state) else None

    def get(self, round_: RoundId) -> Round:
        """Raises PayoutUnknown."""
        found = self.find(round_)
        if found is None:
            raise PayoutUnknown
        return found

    # --- steps

    def _build(self, act: Act) -> Advance:
        terms, row = _terms(act), self._results.get(Bytes32(bytes(act.data["base"])))
        round_, number = _round_of(act), act.data["number"]
        attempt = self._ledger.payout(round_).attempt + 1
        kept = self._payouts.tree(round_, attempt)
        if kept is not None and kept.act != act.act_id:
            earlier = self._outbox.find(ACT, kept.act)
            if earlier is not None and earlier.state != FAILED:
                raise PayoutUnderWay
            self._payouts.drop_tree(kept)
            kept = None
        if kept is None:
            share = int(act.data["share"])
            payments = self._payments(row, share, missing=act.data["missing"])
            leaves = self._seal(round_, payments)
            places = places_for(len(leaves))
            hashes = [*leaves, *(Bytes32(secrets.token_bytes(32)) for _ in range(places - len(leaves)))]
            kept = self._payouts.put_tree(
                TreeRow(
                    round=round_,
                    attempt=attempt,
                    act=act.act_id,
                    terms=terms,
                    base=row.result,
                    number=number,
                    result=late_result(row.result, number),
                    share=share,
                    total=total_of(share, places),
                    named=len(leaves),
                    leaves=b"".join(sorted(hashes)),
                    at=UnixSeconds(self._clock()),
                )
            )
            if kept.act != act.act_id:
                raise PayoutUnderWay
        return Advance("built", {"attempt": attempt})

    def _propose(self, act: Act) -> Advance:
        tree = self._payouts.tree(_round_of(act), act.data["attempt"])
        if tree is None:
            raise PayoutUnknown
        self._results.commit_late(self._results.get(tree.base), tree.number)
        self._ledger.propose(tree.terms, tree.result, Tree(tree.hashes()).root, tree.total)
        return Advance("proposed", {})

    def _log(self, act: Act) -> Advance:
        detail = {"study": bytes(_terms(act).study), "round": bytes(_round_of(act))}
        self._entries.append(act, codes.PAYOUT_PROPOSED, {**detail, "attempt": act.data["attempt"]})
        return Advance(DONE, {})

    # --- inside

    def _proposed(self, trees: Sequence[TreeRow]) -> list[Round]:
        states = [(tree, self._ledger.payout(tree.round)) for tree in trees]
        return [Round(tree, state) for tree, state in states if _is_of(tree, state)]

    def _free_number(self, terms: EscrowTerms, base: Bytes32) -> int:
        """The first payout of this result from this escrow that is not proposed, or was rejected."""
        number = 0
        while self._ledger.payout(round_id(terms.escrow_id, late_result(base, number))).opens_at:
            number += 1
        return number

    def _payments(self, row: ResultRow, share: int, *, missing: int) -> list[tuple[ShareRow, Payment]]:
        shares = self._shares.of_run(row.run)
        placed, lost = self._placed(row)
        if row.participants - len(shares) + lost != missing:
            raise ParticipantsMissing(field="missing")
        choices = self._payee_rows.of_study(row.study)
        named: list[tuple[ShareRow, Address]] = []
        for each in shares:
            choice = choices.get(each.subject)
            if each.subject in placed or choice is None:
                continue
            payee = self._payees.opened(choice)
            if self._payees.is_fit(payee):
                named.append((each, payee.account))
        if not named:
            raise NobodyToPay
        indices = secrets.SystemRandom().sample(range(places_for(len(named))), len(named))
        return [
            (each, Payment(index, account, share, Bytes32(secrets.token_bytes(32))))
            for (each, account), index in zip(named, indices, strict=True)
        ]

    def _seal(self, round_: RoundId, payments: Iterable[tuple[ShareRow, Payment]]) -> list[Bytes32]:
        """Keep each payment under its patient's key; return the leaves."""
        rows = []
        for share, payment in payments:
            leaf = leaf_of(round_, payment)
            sealed = self._sealer.seal(encode_payment(payment), subject=share.subject, place=place_of(leaf))
            rows.append(LeafRow(leaf, round_, share.subject, sealed))
        self._payouts.put_leaves(rows)
        return [row.leaf for row in rows]

    def _placed(self, row: ResultRow) -> tuple[set[SubjectId], int]:
        """Who is in a payout of this result that the board did not reject, and how many are whose payment is
        gone."""
        placed: set[SubjectId] = set()
        lost = 0
        for found in self._proposed(self._payouts.trees_of_base(row.result)):
            hashes = set(found.tree.hashes())
            inside = [leaf for leaf in self._payouts.leaves_of_round(found.tree.round) if leaf.leaf in hashes]
            placed |= {leaf.subject for leaf in inside}
            lost += found.tree.named - len(inside)
        return placed, lost


def place_of(leaf: bytes) -> str:
    """Return where a payment is sealed for."""
    return f"payment_leaves/{leaf.hex()}"


def encode_payment(payment: Payment) -> bytes:
    """``handle`` names the act that claims it; nothing else knows it."""
    return json.dumps(
        {
            "schema": _SCHEMA,
            "index": payment.index,
            "account": payment.account,
            "amount": str(payment.amount),
            "salt": payment.salt.hex(),
            "handle": secrets.token_hex(16),
        }
    ).encode()


def _is_of(tree: TreeRow, state: RoundState) -> bool:
    """Whether the chain has exactly this payout proposed."""
    return bool(state.opens_at) and tree.attempt == state.attempt and Tree(tree.hashes()).root == state.root


def _round_of(act: Act) -> RoundId:
    result = late_result(Bytes32(bytes(act.data["base"])), act.data["number"])
    return round_id(_terms(act).escrow_id, result)


def _terms(act: Act) -> EscrowTerms:
    data: Any = act.data
    study, custodian, funder, token = data["terms"]
    return EscrowTerms(Bytes32(bytes(study)), MemberId(bytes(custodian)), Address(funder), Address(token))
