"""The guarantees of the decision, each on random consents in random states."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.consent.decision import decide, decide_many
from backend.consent.decision_types import (
    Answer,
    Decision,
    DecisionInput,
    Evidence,
    Reason,
    Requester,
    Segment,
    Team,
)
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import MemberStanding
from backend.consent.prepared import prepare
from backend.consent.terms import UNBOUNDED, Grant, Kind, Rule
from backend.consent.uses import Taken
from backend.types import MemberId, UnixSeconds
from scripts.vectors import world as w
from tests.unit.consent.strategies import OBLIGATIONS, deny_rules, grants, questions, segments

SETTINGS = settings(max_examples=150)


def wider(after: Decision, before: Decision) -> bool:
    """Whether ``after`` lets more through: a permission that was none, or one with fewer obligations."""
    if after.answer is not Answer.PERMIT:
        return False
    return before.answer is not Answer.PERMIT or bool(before.obligations & ~after.obligations)


def again(request: DecisionInput, *evidence: Evidence) -> Decision:
    """Decide the same question over other evidence, complete in itself."""
    other = w.ask(*evidence)
    return decide(replace(request, evidence=evidence, final=other.final, head=other.head))


def changed(item: Evidence, document: Grant) -> Evidence:
    return replace(item, prepared=prepare(document))


@SETTINGS
@given(questions(), grants(Kind.DENY), st.sampled_from([w.final, w.at_head, w.received]))
def test_adding_a_deny_never_widens(request: DecisionInput, deny: Grant, state: object) -> None:
    added = state(deny)  # type: ignore[operator]
    assert not wider(again(request, *request.evidence, added), decide(request))


@SETTINGS
@given(questions(minimum=1), deny_rules, st.randoms(use_true_random=False))
def test_adding_a_deny_rule_never_widens(request: DecisionInput, rule: Rule, chance: random.Random) -> None:
    position = chance.randrange(len(request.evidence))
    item = request.evidence[position]
    document = item.prepared.document
    assert isinstance(document, Grant)
    rules = (*document.terms.rules, rule)
    stricter = changed(item, replace(document, terms=replace(document.terms, rules=rules)))
    evidence = (*request.evidence[:position], stricter, *request.evidence[position + 1 :])
    assert not wider(again(request, *evidence), decide(request))


@SETTINGS
@given(questions(), grants(Kind.PERMIT, with_rules=False))
def test_removing_a_permit_never_widens(request: DecisionInput, permit: Grant) -> None:
    with_permit = again(request, *request.evidence, w.final(permit))
    assert not wider(decide(request), with_permit)


@SETTINGS
@given(questions(minimum=1))
def test_taking_away_a_permission_never_widens_whatever_else_the_consent_says(request: DecisionInput) -> None:
    before = decide(request)
    for position, item in enumerate(request.evidence):
        evidence = list(request.evidence)
        evidence[position] = replace(item, revocation_pending=True)
        assert not wider(decide(replace(request, evidence=tuple(evidence))), before)
    assert not wider(decide(replace(request, ended_epoch=0)), before)


@SETTINGS
@given(questions(minimum=1), st.sampled_from([w.DOCTOR, w.CLINIC, w.HOSPITAL]))
def test_ending_a_membership_never_widens(request: DecisionInput, member: MemberId) -> None:
    both = replace(request, requester=Requester(w.DOCTOR, (w.CLINIC, w.HOSPITAL)))
    standing = w.members(w.DOCTOR, w.CLINIC, w.HOSPITAL)
    both = replace(both, members_final=standing, members_head=standing)
    before = decide(both)
    ended = standing | w.members(member, standing=MemberStanding.SUSPENDED)
    for fewer in (
        replace(both, suspended=frozenset({member})),
        replace(both, members_head=ended),
        replace(both, members_final=ended, members_head=ended),
        replace(both, members_head=standing | w.members(member, expiry=w.NOW)),
    ):
        assert not wider(decide(fewer), before)
        assert member != w.DOCTOR or decide(fewer).answer is not Answer.PERMIT


TEAMS = (Team(w.WARD, w.HOSPITAL), Team(w.TUMOUR_BOARD, w.CLINIC))


@SETTINGS
@given(questions(minimum=1), st.sampled_from(TEAMS), st.booleans())
def test_leaving_a_team_or_its_end_never_widens(request: DecisionInput, team: Team, to_both: bool) -> None:
    """Whoever leaves is bound by what consents forbid the team, and is permitted nothing by it any more."""
    granted = [
        changed(item, replace(document, terms=replace(document.terms, grantee=w.WARD)))
        if to_both and document.terms.grantee == w.CLINIC
        else item
        for item in request.evidence
        if isinstance(document := item.prepared.document, Grant)
    ]
    staff = replace(request, requester=Requester(w.DOCTOR, (w.CLINIC,), teams=TEAMS))
    standing = w.members(w.DOCTOR, w.CLINIC, w.HOSPITAL)
    staff = replace(staff, members_final=standing, members_head=standing)
    before = again(staff, *granted)
    left = replace(
        staff,
        requester=replace(staff.requester, teams=(*(t for t in TEAMS if t != team), Team(team.team, None))),
    )
    assert not wider(again(left, *granted), before)
    assert team.team not in again(left, *granted).teams
    if team.organisation == w.HOSPITAL:
        for ended in (
            replace(staff, suspended=frozenset({w.HOSPITAL})),
            replace(staff, members_head=w.members(w.DOCTOR, w.CLINIC)),
            replace(staff, members_final=standing | w.members(w.HOSPITAL, expiry=w.NOW)),
        ):
            assert not wider(again(ended, *granted), before)
            assert again(ended, *granted) == replace(
                again(left, *granted), findings=again(ended, *granted).findings
            )


@SETTINGS
@given(questions(minimum=1))
def test_order_of_teams_is_irrelevant(request: DecisionInput) -> None:
    standing = w.members(w.DOCTOR, w.CLINIC, w.HOSPITAL)
    asked = [
        replace(
            request,
            requester=Requester(w.DOCTOR, (w.CLINIC,), teams=teams),
            members_final=standing,
            members_head=standing,
        )
        for teams in (TEAMS, TEAMS[::-1])
    ]
    assert decide(asked[0]) == decide(asked[1])


@SETTINGS
@given(questions(minimum=1), st.randoms(use_true_random=False))
def test_order_of_consents_and_rules_is_irrelevant(request: DecisionInput, chance: random.Random) -> None:
    before = decide(request)
    evidence = list(request.evidence)
    chance.shuffle(evidence)
    assert decide(replace(request, evidence=tuple(evidence))) == before
    shuffled = []
    for item in evidence:
        document = item.prepared.document
        assert isinstance(document, Grant)
        rules = list(document.terms.rules)
        chance.shuffle(rules)
        # The id stays: other rules would be another consent, and only their order is in question.
        other = prepare(replace(document, terms=replace(document.terms, rules=tuple(rules))))
        shuffled.append(replace(item, prepared=replace(item.prepared, rules=other.rules)))
    after = decide(replace(request, evidence=tuple(shuffled)))
    assert (after.answer, after.obligations, after.reasons, after.consent_ids) == (
        *(before.answer, before.obligations, before.reasons),
        before.consent_ids,
    )


@SETTINGS
@given(questions())
def test_without_a_covering_permit_the_answer_is_never_permit(request: DecisionInput) -> None:
    ids = set(request.requester.names)
    asked = request.segment
    covering = [
        item
        for item in request.evidence
        if isinstance(document := item.prepared.document, Grant)
        and document.kind == Kind.PERMIT
        and item.final.kind
        and document.terms.grantee in ids
        and document.terms.purposes & request.purpose
        and document.terms.actions & request.action
        and asked.categories
        and not asked.categories & ~document.terms.categories
        and not asked.sensitivities & ~document.terms.sensitivities
    ]
    if not covering:
        assert decide(request).answer in (Answer.DENY, Answer.NO_CONSENT)


@SETTINGS
@given(questions(minimum=1), st.randoms(use_true_random=False))
def test_missing_document_permits_nothing(request: DecisionInput, chance: random.Random) -> None:
    counted = [item for item in request.evidence if item.head.kind]
    if not counted:
        return
    lost = chance.choice(counted)
    evidence = tuple(item for item in request.evidence if item is not lost)
    assert decide(replace(request, evidence=evidence)).answer is Answer.DENY


@SETTINGS
@given(questions(), st.sampled_from(["stale", "view"]))
def test_unreadable_chain_is_unavailable_and_never_an_answer(request: DecisionInput, how: str) -> None:
    broken = replace(request, stale=True) if how == "stale" else replace(request, view=None)
    assert decide(broken).answer is Answer.UNAVAILABLE


@SETTINGS
@given(questions())
def test_obligations_of_a_permission_can_all_be_fulfilled(request: DecisionInput) -> None:
    decision = decide(request)
    assert not decision.obligations & ~request.fulfils
    if decision.answer is not Answer.PERMIT:
        assert decision.obligations == 0


@SETTINGS
@given(questions(minimum=1), st.sampled_from([w.START - 1, w.START, w.END - 1, w.END]))
def test_validity_is_half_open(request: DecisionInput, now: int) -> None:
    inside = w.START <= now < w.END
    decision = decide(replace(request, now=now))  # type: ignore[arg-type]
    assert (
        decision == replace(decide(request), findings=decision.findings)
        if inside
        else not decision.consent_ids
    )


@SETTINGS
@given(questions(delegates=True), st.sampled_from(["nobody", "suspended", "removed", "unknown"]))
def test_unresolved_or_ended_requester_is_denied_and_never_told_no_consent(
    request: DecisionInput, how: str
) -> None:
    asking = replace(request, requester=Requester(w.DOCTOR, (w.CLINIC,)))
    standing = w.members(w.DOCTOR, w.CLINIC)
    ended = standing | w.members(w.DOCTOR, standing=MemberStanding.REMOVED)
    unresolved = {
        "nobody": replace(request, requester=Requester()),
        "suspended": replace(
            asking, members_final=standing, members_head=standing, suspended=frozenset({w.DOCTOR})
        ),
        "removed": replace(asking, members_final=standing, members_head=ended),
        "unknown": replace(asking, members_final={}, members_head={}),
    }[how]
    assert decide(unresolved).answer is Answer.DENY


@SETTINGS
@given(questions(minimum=1))
def test_what_is_not_known_of_the_data_never_widens(request: DecisionInput) -> None:
    """Data without category, label or time is taken for what is least permitted."""
    before = decide(request)
    asked = request.segment
    unlabelled = replace(asked, sensitivities=w.sensitivities("UNLABELLED") | asked.sensitivities)
    undated = replace(asked, data_from=UnixSeconds(0), data_to=UNBOUNDED)
    for unknown in (unlabelled, undated, replace(asked, categories=0)):
        assert not wider(decide(replace(request, segment=unknown)), before)
    uncategorised = replace(asked, categories=0)
    assert decide(replace(request, segment=uncategorised)).answer is not Answer.PERMIT


@SETTINGS
@given(questions(minimum=1, delegates=True))
def test_whatever_restricts_counts_before_it_is_final(request: DecisionInput) -> None:
    """A deny weighs as much on its way to the chain as on it; a permission on its way weighs nothing."""
    kinds = [item.prepared.document.kind for item in request.evidence]
    for change in (w.final, w.at_head, w.received):
        moved = [
            change(item.prepared.document) if kind == Kind.DENY else item
            for item, kind in zip(request.evidence, kinds, strict=True)
        ]
        assert again(request, *moved).answer is again(request, *request.evidence).answer
    for change in (w.at_head, w.received):
        moved = [
            item if kind == Kind.DENY else change(item.prepared.document)
            for item, kind in zip(request.evidence, kinds, strict=True)
        ]
        assert again(request, *moved).answer is not Answer.PERMIT


@SETTINGS
@given(questions(minimum=1), st.sampled_from(OBLIGATIONS))
def test_obligation_that_the_caller_cannot_fulfil_denies(request: DecisionInput, fewer: int) -> None:
    everything = decide(replace(request, fulfils=w.TABLES.obligations.all_bits))
    some = decide(replace(request, fulfils=fewer))
    if everything.answer is not Answer.PERMIT:
        assert some == everything
    elif everything.obligations & ~fewer:
        assert (some.answer, some.reasons) == (Answer.DENY, (Reason.OBLIGATION_UNFULFILLED,))
    else:
        assert some == everything


@SETTINGS
@given(questions(minimum=1))
def test_rules_that_tie_forbid(request: DecisionInput) -> None:
    """Beside each permitting rule stands a prohibiting one that names the same: none of the first wins."""
    tied = []
    for item in request.evidence:
        document = item.prepared.document
        assert isinstance(document, Grant)
        mirrored = [replace(rule, permit=False, obligations=0) for rule in document.terms.rules]
        rules = (*document.terms.rules, *mirrored)
        tied.append(changed(item, replace(document, terms=replace(document.terms, rules=rules))))
    documents = {item.prepared.consent_id: item.prepared.document for item in tied}
    for finding in again(request, *tied).findings:
        document = documents[finding.consent_id]
        assert isinstance(document, Grant)
        assert finding.rule < 0 or not document.terms.rules[finding.rule].permit


@SETTINGS
@given(questions(minimum=1), st.integers(0, 3))
def test_more_uses_never_widen(request: DecisionInput, uses: int) -> None:
    limited = [
        replace(item, prepared=prepare(replace(document, terms=replace(document.terms, max_uses=2))))
        for item in request.evidence
        if isinstance(document := item.prepared.document, Grant)
    ]
    used = [replace(item, taken=Taken(item.taken.made + uses)) for item in limited]
    assert not wider(again(request, *used), again(request, *limited))
    if uses >= 2:
        assert again(request, *used).answer is not Answer.PERMIT


@SETTINGS
@given(questions(crowd=12, delegates=True), st.lists(segments, min_size=1, max_size=5))
def test_deciding_many_over_indexed_evidence_is_deciding_each_over_all(
    request: DecisionInput, several: list[Segment]
) -> None:
    """The index must not change an answer: what it leaves out says nothing in the loop over everything."""
    indexed = replace(request, evidence=EvidenceSet(request.evidence))
    for segment, found in zip(several, decide_many(indexed, several), strict=True):
        whole = decide(replace(request, segment=segment))
        assert replace(found, findings=whole.findings) == whole
        kept = set(found.findings)
        assert kept <= set(whole.findings)
        left_out = [finding for finding in whole.findings if finding not in kept]
        assert not {finding.reason for finding in left_out} & {Reason.PERMITS, Reason.DENIES, Reason.EXEMPTS}
        assert not any(finding.obligations for finding in left_out)
