"""What else happens to money: objections and their settlement, closing, release, refund, donation accounts.

Each is one call to the contract, which alone decides whether it may be, and one entry in the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent, DetailValue
from backend.errors import Unavailable
from backend.idempotency import Attempt
from backend.outbox.driver import Driver
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import EscrowOwes, NoTestToken
from backend.research.money.payouts import Payouts, Round
from backend.research.money.ports import MoneyLedger
from backend.research.money.results import Results
from backend.research.money.types import BoardApproval, EscrowTerms
from backend.types import Address, Bytes32, MemberId

ACT: Final = "money"
_CODES: Final = {
    "release": codes.ESCROW_RELEASED,
    "refund": codes.ESCROW_REFUNDED,
    "object": codes.PAYOUT_OBJECTED,
    "settle": codes.PAYOUT_SETTLED,
    "close": codes.PAYOUT_CLOSED,
    "donation": codes.DONATION_NAMED,
    "issue": codes.TEST_TOKENS_ISSUED,
    "deposit": codes.ESCROW_FUNDED,
}


class Settling:
    """Build the steps once, with the constructor, before acts are driven.

    Every method returns whether it is done; False: the chain is away, and it goes on by itself. They raise
    what the contract refuses.
    """

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        results: Results,
        payouts: Payouts,
        outbox: Outbox,
        driver: Driver,
        entries: MoneyEntries,
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._payouts = payouts
        self._outbox = outbox
        self._driver = driver
        self._entries = entries
        outbox.register(ACT, {"received": self._send, "sent": self._log})

    def release(self, terms: EscrowTerms, *, attempt: Attempt, by: Agent) -> bool:
        """Propose no more payouts from an escrow, so that its funder need not wait. Raises EscrowOwes while
        patients of a result are in no payout, or one is not over."""
        study = terms.study
        if any(self._payouts.owed(row).waiting for row in self._results.of_study(study)) or any(
            found.state.remaining for found in self._payouts.of_study(study) if found.tree.terms == terms
        ):
            raise EscrowOwes
        return self._begin("release", terms, {}, attempt=attempt, by=by)

    def refund(self, terms: EscrowTerms, *, attempt: Attempt, by: Agent) -> bool:
        """Send the free part of an escrow back to its funder."""
        return self._begin("refund", terms, {}, attempt=attempt, by=by)

    def object(
        self, round_: Round, *, objector: Address, signature: bytes, attempt: Attempt, by: Agent
    ) -> bool:
        """Object to a payout. Without a signature the payments office does, for who paid by invoice."""
        given = {"objector": objector, "signature": signature}
        return self._of_round("object", round_, given, attempt=attempt, by=by)

    def settle(
        self,
        round_: Round,
        *,
        stands: bool,
        approvals: Sequence[BoardApproval],
        attempt: Attempt,
        by: Agent,
    ) -> bool:
        """Carry out the board's decision on a payout."""
        given = {"stands": stands, "approvals": _plain(approvals)}
        return self._of_round("settle", round_, given, attempt=attempt, by=by)

    def close(self, round_: Round, *, attempt: Attempt, by: Agent) -> bool:
        """Return to the escrow what nobody claimed in time."""
        return self._of_round("close", round_, {}, attempt=attempt, by=by)

    def name_donation(
        self, account: Address, approvals: Sequence[BoardApproval], *, attempt: Attempt, by: Agent
    ) -> bool:
        """Let an account be paid for any study."""
        given = {"account": account, "approvals": _plain(approvals)}
        return self._begin("donation", None, given, attempt=attempt, by=by)

    def issue(self, account: Address, amount: int, *, attempt: Attempt, by: Agent) -> bool:
        """Give play money to an account, say a researcher's. Raises NoTestToken."""
        if not self._ledger.is_test_token:
            raise NoTestToken
        given = {"account": account, "amount": str(amount), "issue": attempt.draw("issue")}
        return self._begin("issue", None, given, attempt=attempt, by=by)

    def deposit(
        self, terms: EscrowTerms, amount: int, raws: Sequence[bytes], *, attempt: Attempt, by: Agent
    ) -> bool:
        """Put the transactions on the chain with which a funder pays from its own account. Raises
        FundingTransactionsInvalid."""
        self._ledger.check_signed(raws, terms, amount)
        given = {"amount": str(amount), "raws": list(raws)}
        return self._begin("deposit", terms, given, attempt=attempt, by=by)

    def _of_round(
        self, verb: str, round_: Round, given: Mapping[str, Any], *, attempt: Attempt, by: Agent
    ) -> bool:
        tree = round_.tree
        named = {"result": tree.result, "round": tree.round, "attempt": tree.attempt}
        return self._begin(verb, tree.terms, {**named, **given}, attempt=attempt, by=by)

    def _begin(
        self, verb: str, terms: EscrowTerms | None, given: Mapping[str, Any], *, attempt: Attempt, by: Agent
    ) -> bool:
        data = {
            "verb": verb,
            "terms": [] if terms is None else [terms.study, terms.custodian, terms.funder, terms.token],
            **given,
            "by": asked_by(by),
        }
        data["digest"] = hashlib.sha256(json.dumps(data, default=bytes.hex).encode()).digest()
        act = self._outbox.begin(ACT, attempt.draw("money", 16).hex(), state="received", data=data)
        try:
            self._outbox.drive(act)
        except Unavailable:
            self._driver.hand_over(act)
            return False
        return True

    def _send(self, act: Act) -> Advance:
        data = act.data
        sends: Mapping[str, Callable[[], None]] = {
            "release": lambda: self._ledger.release(_terms(act)),
            "refund": lambda: self._ledger.refund(_terms(act)),
            "object": lambda: self._ledger.object(
                _terms(act),
                Bytes32(bytes(data["result"])),
                data["attempt"],
                Address(data["objector"]),
                bytes(data["signature"]),
            ),
            "settle": lambda: self._ledger.settle(
                _terms(act),
                Bytes32(bytes(data["result"])),
                data["attempt"],
                bool(data["stands"]),
                _approvals(data["approvals"]),
            ),
            "issue": lambda: self._issue(data),
            "deposit": lambda: self._ledger.send_signed([bytes(raw) for raw in data["raws"]]),
            "close": lambda: self._ledger.close(_terms(act), Bytes32(bytes(data["result"]))),
            "donation": lambda: self._ledger.name_donation(
                Address(data["account"]), _approvals(data["approvals"])
            ),
        }
        sends[data["verb"]]()
        return Advance("sent", {})

    def _issue(self, data: Mapping[str, Any]) -> None:
        issue = Bytes32(bytes(data["issue"]))
        self._ledger.issue(issue, Address(data["account"]), int(data["amount"]))

    def _log(self, act: Act) -> Advance:
        data = act.data
        detail: dict[str, DetailValue] = {}
        if data["terms"]:
            detail |= {"study": bytes(_terms(act).study), "escrow": bytes(_terms(act).escrow_id)}
        if "round" in data:
            detail |= {"round": bytes(data["round"]), "attempt": data["attempt"]}
        if "stands" in data:
            detail["stands"] = bool(data["stands"])
        if "amount" in data:
            detail["amount"] = data["amount"]
        if "account" in data:
            detail["account"] = data["account"].lower()
        self._entries.append(act, _CODES[data["verb"]], detail)
        return Advance(DONE, {})


def _plain(approvals: Sequence[BoardApproval]) -> list[list[Any]]:
    return [[each.member, each.signature] for each in approvals]


def _approvals(plain: Sequence[Sequence[Any]]) -> list[BoardApproval]:
    return [BoardApproval(Address(member), bytes(signature)) for member, signature in plain]


def _terms(act: Act) -> EscrowTerms:
    study, custodian, funder, token = act.data["terms"]
    return EscrowTerms(Bytes32(bytes(study)), MemberId(bytes(custodian)), Address(funder), Address(token))
