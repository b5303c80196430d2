"""What a patient gets: each study's payments, where they stand, the claim, and a proof to claim it elsewhere.

A claim stands on the chain with the account that is paid, and its block has a time. So what the outbox keeps
of it names neither patient nor payout once it is over, nor to anybody but this service while it is under way:
who holds a copy of the index cannot match times.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent
from backend.errors import Conflict, Unavailable
from backend.keystore import SecretNotFound
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import ClaimRefused, NothingToClaim
from backend.research.money.payouts import Payouts, Round, place_of
from backend.research.money.ports import MoneyLedger, PayeeStore, PayoutStore, ResultStore, ShareStore
from backend.research.money.proof_document import proof_document
from backend.research.money.rows import LeafRow, ResultRow, ShareRow
from backend.research.money.tree import Tree
from backend.research.money.types import Payment, RoundId, Standing
from backend.sealed import DocumentSealer, require_schema
from backend.types import Address, Bytes32, SubjectId, UnixSeconds

ACT: Final = "payment_claim"
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Opened:
    """A patient's payment in a payout. ``handle`` names the act that claims it."""

    round: Round
    leaf: Bytes32
    payment: Payment
    handle: str


@dataclass(frozen=True, slots=True)
class Share:
    """A patient's share of one result, and where it stands; ``opened`` where it is in a payout."""

    study: Bytes32
    result: Bytes32
    at: UnixSeconds
    standing: Standing
    opened: Opened | None


class Claims:
    """Build the steps once, with the constructor, before acts are driven."""

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        results: ResultStore,
        shares: ShareStore,
        payouts: Payouts,
        payout_rows: PayoutStore,
        payee_rows: PayeeStore,
        sealer: DocumentSealer,
        outbox: Outbox,
        driver: Driver,
        entries: MoneyEntries,
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._shares = shares
        self._payouts = payouts
        self._payout_rows = payout_rows
        self._payee_rows = payee_rows
        self._sealer = sealer
        self._outbox = outbox
        self._driver = driver
        self._entries = entries
        outbox.register(ACT, {"received": self._claim, "claimed": self._log})

    def of_subject(self, subject: SubjectId) -> list[Share]:
        """Every share of a patient, of results that were committed to, newest first."""
        opened = self._opened(self._payout_rows.leaves_of_subject(subject))
        now = self._ledger.now()
        found = []
        for share in self._shares.of_subject(subject):
            for row in self._results.of_study(share.study):
                if row.run == share.run:
                    inside = [each for each in opened if each.round.tree.base == row.result]
                    found += [self._placed(row, each, now) for each in inside] or [self._unplaced(row, share)]
        return sorted(found, key=lambda each: (each.at, each.result), reverse=True)

    def claim(self, subject: SubjectId, round_: RoundId, *, by: Agent) -> bool:
        """Have a payment made; the same again is acknowledged again. False: the chain is away, and it goes on
        by itself. Raises NothingToClaim, ClaimRefused."""
        opened = self.opened(subject, round_)
        act_id = opened.handle
        while (earlier := self._outbox.find(ACT, act_id)) is not None and "refusal" in earlier.data:
            act_id += "/again"
        wanted = {
            "schema": _SCHEMA,
            "subject": f"{subject:024x}",
            "round": round_.hex(),
            "by": asked_by(by),
        }
        sealed = self._sealer.seal(json.dumps(wanted).encode(), subject=None, place=place_of_claim(act_id))
        act = self._outbox.begin(ACT, act_id, state="received", data={"sealed": sealed})
        try:
            act = self._outbox.drive(act)
        except Unavailable:
            self._driver.hand_over(act)
            return False
        if "refusal" in act.data:
            raise ClaimRefused(act.data["refusal"])
        return True

    def proof(self, subject: SubjectId, round_: RoundId) -> dict[str, Any]:
        """Return the document with which anyone can submit the claim. Raises NothingToClaim."""
        opened = self.opened(subject, round_)
        tree = opened.round.tree
        proof = Tree(tree.hashes()).proof_of(opened.leaf)
        return proof_document(
            chain_id=self._ledger.chain_id,
            market=self._ledger.market,
            terms=tree.terms,
            result=tree.result,
            state=opened.round.state,
            payment=opened.payment,
            proof=proof,
            call=self._ledger.claim_call(tree.terms, tree.result, opened.payment, proof),
        )

    def opened(self, subject: SubjectId, round_: RoundId) -> Opened:
        """Raises NothingToClaim."""
        rows = [row for row in self._payout_rows.leaves_of_subject(subject) if row.round == round_]
        for opened in self._opened(rows):
            return opened
        raise NothingToClaim

    def _opened(self, rows: Iterable[LeafRow]) -> list[Opened]:
        found = []
        rounds: dict[RoundId, Round | None] = {}
        for row in rows:
            if row.round not in rounds:
                rounds[row.round] = self._payouts.find(row.round)
            inside = rounds[row.round]
            if inside is not None and row.leaf in inside.tree.hashes():
                found.append(self._open(row, inside))
        return found

    def _open(self, row: LeafRow, inside: Round) -> Opened:
        document = json.loads(self._sealer.open(row.sealed, subject=row.subject, place=place_of(row.leaf)))
        require_schema(document["schema"], _SCHEMA)
        payment = Payment(
            index=document["index"],
            account=Address(document["account"]),
            amount=int(document["amount"]),
            salt=Bytes32(bytes.fromhex(document["salt"])),
        )
        return Opened(inside, row.leaf, payment, document["handle"])

    def _placed(self, row: ResultRow, opened: Opened, now: UnixSeconds) -> Share:
        state = opened.round.state
        if self._ledger.is_claimed(opened.round.tree.round, opened.payment.index):
            standing = Standing.CLAIMED
        elif now < state.opens_at:
            standing = Standing.PROPOSED
        else:
            standing = Standing.CLAIMABLE if now < state.closes_at else Standing.EXPIRED
        return Share(row.study, row.result, row.at, standing, opened)

    def _unplaced(self, row: ResultRow, share: ShareRow) -> Share:
        named = self._payee_rows.get(share.study, share.subject) is not None
        return Share(row.study, row.result, row.at, Standing.NAMED if named else Standing.UNNAMED, None)

    # --- steps

    def _claim(self, act: Act) -> Advance:
        _, subject, round_ = self._wanted(act)
        try:
            opened = self.opened(subject, round_)
            tree = opened.round.tree
            proof = Tree(tree.hashes()).proof_of(opened.leaf)
            self._ledger.claim(tree.terms, tree.result, opened.payment, proof)
        except (NothingToClaim, SecretNotFound):
            # The patient was erased in between, or the board rejected the payout.
            return Advance(DONE, {"sealed": b"", "refusal": NothingToClaim.remedy})
        except Conflict as refusal:
            return Advance(DONE, {"sealed": b"", "refusal": refusal.detail})
        return Advance("claimed", {})

    def _log(self, act: Act) -> Advance:
        by, subject, round_ = self._wanted(act)
        self._entries.append(act, codes.PAYMENT_CLAIMED, {"round": bytes(round_)}, subject=subject, by=by)
        return Advance(DONE, {"sealed": b""})

    def _wanted(self, act: Act) -> tuple[list[str], SubjectId, RoundId]:
        sealed = bytes(act.data["sealed"])
        document = json.loads(self._sealer.open(sealed, subject=None, place=place_of_claim(act.act_id)))
        require_schema(document["schema"], _SCHEMA)
        round_ = RoundId(Bytes32(bytes.fromhex(document["round"])))
        return document["by"], SubjectId(int(document["subject"], 16)), round_


def place_of_claim(act_id: str) -> str:
    """Return where what an act claims is sealed for."""
    return f"payment_claims/{act_id}"
