"""An explanation agrees with the decision: what it says of consents and rules gives the answer again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings

from backend.consent.decision import decide
from backend.consent.decision_types import Answer, DecisionInput, Dimension, Reason, Requester
from backend.consent.explaining import ConsentExplained, explain
from backend.consent.membership import ended_groups
from backend.consent.terms import Delegation, Effect, Kind, Rule
from backend.consent.wording import SENTENCES, explanation_to_json, lines, sentence
from scripts.make_vectors import all_cases
from scripts.vectors import world as w
from tests.unit.consent.strategies import questions

SETTINGS = settings(max_examples=150)
SAYING = (Reason.PERMITS, Reason.DENIES, Reason.EXEMPTS)


def said(consent: ConsentExplained) -> Reason | None:
    """What a consent says, from the objections that were shown alone; None where it is silent."""
    document = consent.document
    assert not isinstance(document, Delegation)
    best = {
        permit: max(
            (rule.rank for rule in consent.rules if rule.applies and rule.permit is permit), default=-1
        )
        for permit in (True, False)
    }
    if document.terms.decision == Effect.DENY:
        if consent.against:
            return None
        return Reason.EXEMPTS if best[True] > best[False] else Reason.DENIES
    # What is not even touched is told in the same list as what is not covered: a prohibition that speaks is
    # checked in the other direction.
    if best[False] >= 0 and best[False] >= best[True] and consent.reason is Reason.DENIES:
        return Reason.DENIES
    return None if consent.against else Reason.PERMITS


@SETTINGS
@given(questions(minimum=1, delegates=True))
def test_outcome_of_the_explanation_is_the_decision(request: DecisionInput) -> None:
    explanation = explain(request)
    assert explanation.decision == decide(request)
    reasons = [consent.reason for consent in explanation.consents if consent.reason is not None]
    assert sorted(reasons) == sorted(finding.reason for finding in explanation.decision.findings)
    if explanation.decision.answer is Answer.PERMIT:
        assert Reason.PERMITS in reasons
        assert Reason.DENIES not in reasons
    if explanation.decision.answer is Answer.NO_CONSENT:
        assert not {Reason.PERMITS, Reason.DENIES} & set(reasons)


@SETTINGS
@given(questions(minimum=1))
def test_objections_shown_give_what_each_consent_says_again(request: DecisionInput) -> None:
    assume(not ended_groups(request))  # what does not count for these has its own tests
    for consent in explain(request).consents:
        assert consent.standing is not None
        if not consent.standing.restricts:
            assert consent.reason is consent.standing.reason
        elif consent.reason in SAYING:
            assert said(consent) is consent.reason
        elif consent.standing.permits or consent.reason.value.startswith("other_"):  # type: ignore[union-attr]
            assert consent.reason in {Reason("other_" + dimension) for dimension in consent.against}
        else:  # its permission does not count, but it would have said yes
            assert (said(consent), consent.reason) == (Reason.PERMITS, consent.standing.reason)


@SETTINGS
@given(questions(minimum=1))
def test_rule_that_decides_applies_and_no_other_of_its_effect_ranks_higher(request: DecisionInput) -> None:
    for consent in explain(request).consents:
        for deciding in (rule for rule in consent.rules if rule.decides):
            assert deciding.applies
            rivals = [rule for rule in consent.rules if rule.applies]
            assert deciding.rank >= max(rule.rank for rule in rivals if rule.permit is deciding.permit)
            if deciding.permit:
                assert not any(rule.rank >= deciding.rank for rule in rivals if not rule.permit)


def test_every_dimension_in_which_a_rule_fails_is_told_and_not_only_the_first() -> None:
    rule = Rule(
        permit=True,
        purposes=w.purposes("COC"),
        categories=w.categories("notes"),
        sensitivities=w.sensitivities("HIV"),
        actions=w.actions("use"),
        grantees=(w.HOSPITAL,),
        data_to=w.DATA_TIME,
        references=(w.salt("record"),),
    )
    (consent,) = explain(w.ask(w.final(w.grant(Kind.PERMIT, rule)))).consents
    assert set(consent.rules[0].against) == set(Dimension)
    assert (consent.reason, consent.against) == (Reason.PERMITS, ())


def test_decision_before_any_consent_still_shows_the_consents() -> None:
    request = w.ask(w.final(w.grant()), requester=Requester())
    (consent,) = explain(request).consents
    assert (consent.reason, consent.against) == (None, (Dimension.GRANTEE,))
    assert "not looked at" in next(lines(explain(request)))


def test_every_reason_has_a_sentence_and_every_vector_can_be_told() -> None:
    assert set(SENTENCES) == set(Reason)
    for case in all_cases():
        explanation = explain(case.request)
        told = sentence(case.request, explanation.decision, w.TABLES)
        assert SENTENCES[explanation.decision.reasons[0]] in told
        assert len(list(lines(explanation))) >= len(explanation.consents)
        assert len(explanation_to_json(explanation)) == len(explanation.consents)


def test_sentence_names_what_was_asked_the_consent_and_the_obligations() -> None:
    rule = Rule(permit=True, obligations=w.obligations("notify"))
    item = w.final(w.grant(Kind.PERMIT, rule))
    request = w.ask(item, fulfils=w.obligations("notify"))
    told = sentence(request, decide(request), w.TABLES)
    assert told.startswith("Permitted: looking at it for ")
    assert item.prepared.consent_id[:4].hex() in told
    assert "I am told each time" in told
    assert sentence(replace(request, view=None), decide(replace(request, view=None)), w.TABLES).startswith(
        "Not decided"
    )
