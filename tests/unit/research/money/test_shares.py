"""Shares are whole units, and what the chain shows of them tells no number that was not published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.research.money.errors import PayoutTermsInvalid
from backend.research.money.shares import (
    MAX_PLACES,
    Budget,
    PerPatient,
    places_for,
    share_of,
    total_of,
    wanted_of,
)
from backend.research.money.types import MAX_AMOUNT
from backend.research.study_terms import Basis, Price
from backend.types import Address


def test_price_for_each_patient_is_the_share() -> None:
    assert share_of(PerPatient(250), published=40, included=31) == 250


def test_budget_is_shared_over_the_published_number_and_the_remainder_stays() -> None:
    share = share_of(Budget(1_000), published=30, included=23)
    assert share == 33
    assert 1_000 - share * 30 == 10


def test_budget_goes_around_when_the_run_had_more_than_was_published() -> None:
    assert share_of(Budget(1_000), published=20, included=23) == 33


@given(st.integers(1, 5_000), st.integers(1, 10**9), st.integers(0, 6_000))
def test_budget_is_never_exceeded_and_its_quotient_tells_no_more_than_tens(
    included: int, budget: int, published: int
) -> None:
    try:
        share = share_of(Budget(budget), published=published, included=included)
    except PayoutTermsInvalid:
        assert budget < max(published, places_for(included))
        return
    assert share * included <= budget
    # Whoever knows budget, share and the published number learns of `included` its step of ten at most.
    alike = list(range(places_for(included) - 9, places_for(included) + 1))
    assert {share_of(Budget(budget), published=published, included=other) for other in alike} == {share}


@given(st.integers(0, 10**6))
def test_places_are_the_next_ten(count: int) -> None:
    places = places_for(count)
    assert places % 10 == 0
    assert places >= max(count, 10)
    assert places - count < 10 or count == 0


@pytest.mark.parametrize(
    "wanted", [PerPatient(0), PerPatient(-5), PerPatient(MAX_AMOUNT + 1), Budget(9), Budget(-1)]
)
def test_share_of_nothing_or_of_too_much_is_refused(wanted: PerPatient | Budget) -> None:
    with pytest.raises(PayoutTermsInvalid):
        share_of(wanted, published=10, included=3)


def test_total_fits_an_escrow_and_a_tree() -> None:
    assert total_of(5, 20) == 100
    with pytest.raises(PayoutTermsInvalid):
        total_of(MAX_AMOUNT // 10, 20)
    with pytest.raises(PayoutTermsInvalid):
        total_of(1, MAX_PLACES + 10)


PRICE = Price(Address("0x" + "ab" * 20), 300, Basis.PATIENT)


def test_price_that_the_board_approved_is_what_is_paid() -> None:
    assert wanted_of(PRICE, None, token=PRICE.token, runs=3) == PerPatient(300)
    assert wanted_of(PRICE, PerPatient(300), token=PRICE.token, runs=3) == PerPatient(300)
    whole = Price(PRICE.token, 9_000, next(basis for basis in Basis if basis is not Basis.PATIENT))
    assert wanted_of(whole, None, token=whole.token, runs=3) == Budget(3_000)


@pytest.mark.parametrize("asked", [PerPatient(299), PerPatient(301), Budget(300)])
def test_anything_but_the_price_is_refused(asked: PerPatient | Budget) -> None:
    with pytest.raises(PayoutTermsInvalid):
        wanted_of(PRICE, asked, token=PRICE.token, runs=3)


def test_price_in_another_token_is_not_paid_from_this_escrow() -> None:
    with pytest.raises(PayoutTermsInvalid):
        wanted_of(PRICE, None, token=Address("0x" + "cd" * 20), runs=3)


def test_study_without_a_price_is_paid_by_what_is_asked_for() -> None:
    assert wanted_of(None, Budget(5), token=PRICE.token, runs=3) == Budget(5)
    with pytest.raises(PayoutTermsInvalid):
        wanted_of(None, None, token=PRICE.token, runs=3)
