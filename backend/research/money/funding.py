"""Paying for a study against an invoice, from the account of the payments office.

The contract takes deposits from a member with the researcher role alone, and gives refunds to whoever paid.
So the custodian's payments office is such a member, with an account of its own whose key this service keeps.
What the researcher paid in money comes in as tokens, and what is left goes back to the office, which owes the
researcher a credit note.

A deposit has no id on the chain. It is made once all the same: the office allows the market exactly the
amount, so that a second one of the same act is refused, and acts come one after another, so that the number
of deposits before it tells whether its own is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from backend.audit import codes
from backend.audit.entry import Agent
from backend.consent.ledger_types import MemberStanding
from backend.consent.member_registry import Credential, Hindrance, MemberNames, Widening
from backend.errors import Conflict, Unavailable
from backend.identity.roles import CHAIN_BIT_OF_ROLE, Role
from backend.outbox.driver import Driver
from backend.outbox.errors import NotYet
from backend.outbox.service import Outbox
from backend.outbox.types import DONE, FAILED, Act, Advance
from backend.research.money.entries import MoneyEntries, asked_by
from backend.research.money.errors import InvoiceReused, OfficeUnfit, StockTooSmall
from backend.research.money.ports import FundingStore, Members, MoneyLedger
from backend.research.money.rows import FundingRow
from backend.research.money.types import EscrowTerms
from backend.types import Address, Bytes32, MemberId, UnixSeconds

ACT: Final = "escrow_funding"
OFFICE_NAME: Final = "Payments office"
_CREDENTIAL_SECONDS: Final = 5 * 365 * 24 * 3600


class FundingWaits(NotYet):
    """An earlier deposit of the payments office is still under way."""

    # Looked for again each second: with the pauses of what fails, a row of deposits would take minutes.

    code = "funding_waits"
    remedy = "Nothing to do: it goes on by itself when the deposit before it is made."


class Funding:
    """Build the steps once, with the constructor, before acts are driven. ``office``: its member id."""

    def __init__(
        self,
        *,
        ledger: MoneyLedger,
        members: Members,
        names: MemberNames,
        fundings: FundingStore,
        office: MemberId,
        outbox: Outbox,
        driver: Driver,
        entries: MoneyEntries,
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._members = members
        self._names = names
        self._fundings = fundings
        self._office = office
        self._outbox = outbox
        self._driver = driver
        self._entries = entries
        self._clock = clock
        outbox.register(
            ACT,
            {
                "received": self._admit,
                "admitted": self._provide,
                "provided": self._allow,
                "allowed": self._fund,
                "funded": self._log,
            },
        )

    def fund(self, terms: EscrowTerms, amount: int, *, invoice: str, by: Agent) -> bool:
        """Pay into the escrow, once for each invoice; False: it is on its way and needs nothing more.

        Raises InvoiceReused, OfficeUnfit, StockTooSmall, and what the contract refuses.
        """
        wanted = FundingRow(invoice, terms, amount, UnixSeconds(self._clock()))
        kept = self._fundings.insert(wanted)
        if (kept.terms, kept.amount) != (terms, amount):
            raise InvoiceReused(field="invoice")
        act = self._outbox.begin(ACT, self._free_id(invoice), state="received", data=_data(kept, by))
        try:
            self._outbox.drive(act)
        except Unavailable:
            self._driver.hand_over(act)
            return False
        return True

    def _free_id(self, invoice: str) -> str:
        """The id of the invoice's act; another one where that came to nothing, say for want of tokens."""
        act_id = digest_of_invoice(invoice).hex()
        while (earlier := self._outbox.find(ACT, act_id)) is not None and earlier.state == FAILED:
            act_id += "/again"
        return act_id

    def _admit(self, act: Act) -> Advance:
        """Have the office be a member, as the registry's delay allows."""
        found = self._members.member(self._office)
        researcher = CHAIN_BIT_OF_ROLE[Role.RESEARCHER]
        if found.standing == MemberStanding.UNKNOWN:
            self._names.put(self._office, OFFICE_NAME)
            credential = Credential(researcher, UnixSeconds(act.data["expiry"]), self._ledger.office)
            widening = Widening(self._office, credential)
            if isinstance(self._members.widen(widening), Hindrance):
                raise NotYet(until=self._members.announce(widening))
        elif (
            found.standing != MemberStanding.ACTIVE
            or not found.roles & researcher
            or found.account != self._ledger.office
            or found.expiry <= self._clock()
        ):
            raise OfficeUnfit
        return Advance("admitted", {})

    def _provide(self, act: Act) -> Advance:
        amount = _amount(act)
        if self._ledger.is_test_token:
            self._ledger.issue(digest_of_invoice(act.data["invoice"]), self._ledger.office, amount)
        elif self._ledger.stock() < amount:
            raise StockTooSmall
        return Advance("provided", {})

    def _allow(self, act: Act) -> Advance:
        under_way = self._outbox.unfinished(ACT)
        first = min(under_way, key=lambda each: (each.created_at, each.act_id))
        if first.act_id != act.act_id:
            raise FundingWaits(until=UnixSeconds(self._clock() + 1))
        before = len(self._ledger.deposits(_terms(act)))
        self._ledger.allow(_amount(act))
        return Advance("allowed", {"deposits": before})

    def _fund(self, act: Act) -> Advance:
        terms = _terms(act)
        if not self._is_funded(act):
            try:
                self._ledger.fund(terms, _amount(act))
            except Conflict:
                if not self._is_funded(act):
                    raise
        return Advance("funded", {})

    def _is_funded(self, act: Act) -> bool:
        return len(self._ledger.deposits(_terms(act))) > int(act.data["deposits"])

    def _log(self, act: Act) -> Advance:
        detail = {
            "study": bytes(_terms(act).study),
            "amount": act.data["amount"],
            "invoice": act.data["invoice"],
        }
        self._entries.append(act, codes.ESCROW_FUNDED, detail)
        return Advance(DONE, {})


def digest_of_invoice(invoice: str) -> Bytes32:
    """What an invoice is known by: SHA-256 of its reference."""
    return Bytes32(hashlib.sha256(b"assent-invoice-1\0" + invoice.encode()).digest())


def _data(row: FundingRow, by: Agent) -> dict[str, Any]:
    terms = row.terms
    return {
        "digest": digest_of_invoice(row.invoice),
        "invoice": row.invoice,
        "amount": str(row.amount),  # may be wider than the index's integers
        "terms": [terms.study, terms.custodian, terms.funder, terms.token],
        "expiry": row.at + _CREDENTIAL_SECONDS,
        "by": asked_by(by),
    }


def _amount(act: Act) -> int:
    return int(act.data["amount"])


def _terms(act: Act) -> EscrowTerms:
    study, custodian, funder, token = act.data["terms"]
    return EscrowTerms(Bytes32(bytes(study)), MemberId(bytes(custodian)), Address(funder), Address(token))
