"""The board sees for every DUO term of a consent whether it fits the study, by the matcher that decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.research.board.reasons import Fit, fits
from backend.research.duo import match, parse_use
from backend.research.duo_terms import DEFINITIONS
from backend.research.study import Proposal

Fits = Callable[..., dict[str, Fit]]


@pytest.fixture
def fit_of(proposal_with: Callable[..., Proposal]) -> Fits:
    return lambda *duo: {fit.term: fit for fit in fits(proposal_with(duo=duo))}


def test_every_term_of_the_vocabulary_has_a_verdict_and_a_reason(fit_of: Fits) -> None:
    found = fit_of("DUO:0000006")
    assert {":".join(term.split(":")[:2]) for term in found} == set(DEFINITIONS)
    assert all(fit.reason and fit.label for fit in found.values())
    kinds = [fit.is_permission for fit in found.values()]
    assert kinds == sorted(kinds, reverse=True), "permissions come first"


def test_permissions_of_a_medical_study(fit_of: Fits) -> None:
    found = fit_of("DUO:0000006")
    assert [term for term, fit in found.items() if fit.is_permission and fit.fits] == [
        "DUO:0000004",
        "DUO:0000042",
        "DUO:0000006",
    ]
    assert "allows research on X only" in found["DUO:0000007:X"].reason


def test_disease_of_the_study_fits_and_another_does_not(fit_of: Fits) -> None:
    found = fit_of("DUO:0000007:MONDO_0005148")
    assert found["DUO:0000007:MONDO_0005148"].fits
    assert not found["DUO:0000007:X"].fits
    assert found["DUO:0000006"].fits


def test_modifier_fits_when_the_study_states_it_for_the_same_place(fit_of: Fits) -> None:
    found = fit_of("DUO:0000042", "DUO:0000046", "DUO:0000022:DE", "DUO:0000025:24")
    assert found["DUO:0000046"].fits
    assert (found["DUO:0000022:DE"].fits, found["DUO:0000022:X"].fits) == (True, False)
    assert (found["DUO:0000025:24"].fits, found["DUO:0000025:12"].fits) == (True, False)
    assert not found["DUO:0000045"].fits
    assert found["DUO:0000021"].fits, "every study here has a board"


def test_verdict_is_the_one_that_a_patients_consent_would_get(
    proposal_with: Callable[..., Proposal],
) -> None:
    proposal = proposal_with(duo=("DUO:0000042", "DUO:0000046", "DUO:0000022:DE"))
    use = parse_use(proposal.duo)
    for fit in fits(proposal):
        consent = (fit.term,) if fit.is_permission else ("DUO:0000004", fit.term)
        assert match(consent, use).permitted is fit.fits, fit.term
