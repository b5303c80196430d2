"""How much each patient gets, and what of that the chain shows.

An amount and a total stand on the chain, so their quotient does: no number of patients may follow from
them that was not published anyway. So a share is the study's price for each patient, or a budget over the
upper end of the published range; and a payout has its number of payments rounded up to the next ten. What
nobody claims goes back to the escrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.research.money.errors import PayoutTermsInvalid
from backend.research.money.types import MAX_AMOUNT
from backend.research.study_terms import Basis, Price
from backend.types import Address

STEP: Final = 10
MAX_PLACES: Final = 400_000  # 32 bytes each: a tree is one document of the index


@dataclass(frozen=True, slots=True)
class PerPatient:
    """The study's price for each patient."""

    amount: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Equal shares of this amount. The remainder of the division stays in the escrow."""

    amount: int


def wanted_of(
    price: Price | None, asked: PerPatient | Budget | None, *, token: Address, runs: int
) -> PerPatient | Budget:
    """What a payout pays: the price that the board approved, and nothing else where there is one. A price for
    the whole study is spread evenly over its ``runs``.

    Raises PayoutTermsInvalid where something else is asked for, or nothing is and there is no price, or the
    escrow holds another token.
    """
    if price is None:
        if asked is None:
            raise PayoutTermsInvalid("This study has no price.", field="per_patient")
        return asked
    if price.token.lower() != token.lower():
        raise PayoutTermsInvalid("The study's price is in another token.", field="escrow")
    named = PerPatient(price.amount) if price.basis is Basis.PATIENT else Budget(price.amount // runs)
    if asked not in (None, named):
        raise PayoutTermsInvalid("The board approved another price.", field="per_patient")
    return named


def share_of(wanted: PerPatient | Budget, *, published: int, included: int) -> int:
    """What each patient gets. ``published``: the exclusive upper end of the published range of patients that
    the run included; ``included``: how many there were, which may be more (once in twenty).

    Raises PayoutTermsInvalid where nothing would be left for each, or more than an escrow can hold.
    """
    amount = wanted.amount
    if isinstance(wanted, Budget):
        amount //= max(published, places_for(included))
    if not 0 < amount <= MAX_AMOUNT:
        raise PayoutTermsInvalid(
            "Each share is at least one unit and at most what an escrow holds.", field="amount"
        )
    return amount


def places_for(count: int) -> int:
    """How many payments a payout for ``count`` patients shows: the next ten, ten at least."""
    return max(1, -(-count // STEP)) * STEP


def total_of(share: int, places: int) -> int:
    """What leaves the free part. Raises PayoutTermsInvalid where an escrow cannot hold it."""
    if places > MAX_PLACES:
        raise PayoutTermsInvalid(f"A payout has {MAX_PLACES} payments at most.", field="result")
    if share * places > MAX_AMOUNT:
        raise PayoutTermsInvalid("The total is more than an escrow can hold.", field="amount")
    return share * places
