"""Which escrows a study can have here, and what each holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.consent.ledger_types import NOBODY
from backend.research.money.errors import EscrowUnknown, PaymentsUnavailable
from backend.research.money.ports import FundingStore, Members, MoneyLedger
from backend.research.money.rows import FundingRow
from backend.research.money.types import Deposit, EscrowId, EscrowState, EscrowTerms
from backend.research.study import Study
from backend.types import Address, Bytes32, MemberId


@dataclass(frozen=True, slots=True)
class Escrow:
    """``by_invoice``: the payments office is its funder, and ``fundings`` are what was asked of it;
    ``deposits`` are what came in, whoever paid."""

    terms: EscrowTerms
    by_invoice: bool
    state: EscrowState
    deposits: Sequence[Deposit]
    fundings: Sequence[FundingRow]


class EscrowBook:
    """A study has one escrow that the office pays into, against invoices, and one of the researcher's own
    account, where its member has one."""

    def __init__(
        self, *, ledger: MoneyLedger, members: Members, fundings: FundingStore, custodian: MemberId
    ) -> None:
        self._ledger = ledger
        self._members = members
        self._fundings = fundings
        self._custodian = custodian

    def by_invoice(self, study: Study) -> EscrowTerms:
        """Raises PaymentsUnavailable."""
        return self._terms(study, self._ledger.office)

    def own(self, study: Study) -> EscrowTerms | None:
        """The researcher's own escrow; None without an account on the chain. Raises PaymentsUnavailable."""
        account = self._members.member(study.proposal.researcher).account
        return None if account == NOBODY else self._terms(study, account)

    def terms(self, study: Study, escrow: EscrowId) -> EscrowTerms:
        """Raises EscrowUnknown, PaymentsUnavailable."""
        for terms in self._candidates(study):
            if terms.escrow_id == escrow:
                return terms
        raise EscrowUnknown

    def of(self, study: Study) -> list[Escrow]:
        """The escrows into which something came. Raises PaymentsUnavailable, LedgerUnavailable."""
        found = []
        for terms in self._candidates(study):
            deposits = self._ledger.deposits(terms)
            if deposits:
                found.append(self._escrow(terms, deposits))
        return found

    def get(self, terms: EscrowTerms) -> Escrow:
        return self._escrow(terms, self._ledger.deposits(terms))

    def _escrow(self, terms: EscrowTerms, deposits: Sequence[Deposit]) -> Escrow:
        by_invoice = terms.funder == self._ledger.office
        return Escrow(
            terms=terms,
            by_invoice=by_invoice,
            state=self._ledger.escrow(terms),
            deposits=deposits,
            fundings=self._fundings.of_escrow(terms) if by_invoice else (),
        )

    def _candidates(self, study: Study) -> list[EscrowTerms]:
        own = self.own(study)
        return [self.by_invoice(study), *([] if own is None else [own])]

    def _terms(self, study: Study, funder: Address) -> EscrowTerms:
        if self._ledger.token is None:
            raise PaymentsUnavailable
        return EscrowTerms(Bytes32(study.study_id), self._custodian, funder, self._ledger.token)
