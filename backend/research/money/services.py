"""What the API may use of the money of studies."""

from __future__ import annotations

from dataclasses import dataclass

from backend.research.money.claims import Claims
from backend.research.money.escrow_book import EscrowBook
from backend.research.money.funding import Funding
from backend.research.money.payees import Payees
from backend.research.money.payouts import Payouts
from backend.research.money.ports import MoneyLedger
from backend.research.money.results import Results
from backend.research.money.settling import Settling


@dataclass(frozen=True, slots=True)
class MoneyServices:
    ledger: MoneyLedger
    book: EscrowBook
    funding: Funding
    results: Results
    payees: Payees
    payouts: Payouts
    claims: Claims
    settling: Settling
