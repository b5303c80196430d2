"""A run takes who consents, charges first, releases only what was checked, and repeats nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from backend.research.canonical import digest_of
from backend.research.cohort import respecting_minimum, snapshot
from backend.research.dp import epsilon_of
from backend.research.errors import BudgetExceeded, StudyNotPermitted
from backend.research.plan import plan
from backend.research.study import Event, Proposal, Study
from backend.research.study_terms import Dataset, DiversityRule, TableMode
from backend.research.types import Candidate, NanoRho, Resource
from backend.types import ConsentId, SubjectId

People = Callable[..., Candidate]


def named(result: Any, name: str) -> Any:
    return next(named.answer for named in result.answers if named.name == name)


def test_run_over_consenting_patients_answers_near_the_truth(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    result = world.runner.run(study, [candidate_with(number) for number in range(1, 301)])
    answer = named(result, "diabetics")
    # Off by four error bars (8 sigma) once in 10^15 runs.
    assert abs(answer.values[0] - 100) <= 4 * answer.error_95
    ages = named(result, "ages")
    assert ages.levels == ("<0", "[0,18)", "[18,40)", "[40,65)", "[65,90)", ">=90", "missing")
    assert abs(sum(ages.values) - 300) <= 7 * 4 * ages.error_95
    assert result.table is not None
    assert result.table.report.k_reached >= 5
    assert len(result.table.rows) == result.table.report.rows_released > 200
    assert world.budget.spent_over([study.study_id]) == plan(study.proposal, delta_exponent=6).rho
    assert len(result.participants) == 300
    assert not any(str(subject) in str(result.as_json()) for subject in result.participants)


def test_run_repeated_over_the_same_consents_costs_nothing_and_says_the_same(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    first = world.runner.run(study, people)
    random.Random(1).shuffle(people)
    again = world.runner.run(study, people)
    assert len(world.budget_store.entries) == 1
    assert again.digest == first.digest


def test_run_repeated_opens_no_record_for_answers_it_has(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with(outputs=proposal_with().outputs[:2]))
    opened: list[int] = []
    people = [counting(candidate_with(number), opened) for number in range(1, 60)]
    world.results.commit(world.runner.run(study, people))
    assert len(opened) == 59
    world.runner.run(study, people)
    assert len(opened) == 59


def counting(person: Candidate, opened: list[int]) -> Candidate:
    def resources() -> Iterable[Resource]:
        opened.append(person.subject)
        return person.resources()

    return replace(person, resources=resources)


def test_use_of_records_is_paid_once_by_the_result_that_was_committed_to(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with(outputs=proposal_with().outputs[:2]))
    people = [candidate_with(number) for number in range(1, 60)]
    first = world.runner.run(study, people)
    world.results.commit(first)
    assert len(first.participants) == 59
    again = world.runner.run(study, people)
    assert again.participants == ()
    assert named(again, "ages").values == named(first, "ages").values
    world.results.commit(again)
    later = world.runner.run(study, people[1:])  # other consents: another use
    assert len(later.participants) == 58


def test_answers_of_an_attempt_that_was_never_committed_to_are_paid_by_the_next(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with(outputs=proposal_with().outputs[:2]))
    opened: list[int] = []
    people = [counting(candidate_with(number, minimum_cohort=number % 7), opened) for number in range(1, 60)]
    # One whose own cap is below what a run costs, and one who never finds enough others: never in an answer.
    people += [counting(candidate_with(60, epsilon_cap=0), opened)]
    people += [counting(candidate_with(61, minimum_cohort=1_000), opened)]
    attempt = world.runner.run(study, people)
    assert len(attempt.participants) == 59
    spent = world.budget.balance().spent
    released = world.runner.run(study, people)
    assert set(released.participants) == set(attempt.participants)
    assert len(opened) == 59
    assert world.budget.balance().spent == spent
    assert len(world.uses.of_subject(people[0].subject)) == 1
    assert world.uses.of_subject(people[-1].subject) == []


def test_table_that_is_made_again_is_another_use_of_its_rows(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    first = world.runner.run(study, people)
    world.results.commit(first)
    assert set(world.runner.run(study, people).participants) == set(first.participants)


def test_amendment_does_not_refill_what_the_version_before_spent(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    people = [candidate_with(number) for number in range(1, 60)]
    first = world.approved(proposal_with(runs=1))
    world.runner.run(first, people)

    def amended(**changes: Any) -> Study:
        study: Study = world.approved(proposal_with(**{"runs": 1, "amends": first.study_id, **changes}))
        world.versions[study.study_id] = [first]
        return study

    with pytest.raises(BudgetExceeded):
        world.runner.run(amended(), people)
    assert len(world.budget_store.entries) == 1
    world.runner.run(amended(epsilon=4_000_000, runs=4), people)
    assert len(world.budget_store.entries) == 2


def test_minimum_cohorts_that_depend_on_each_other_are_left_out_to_the_end(candidate_with: People) -> None:
    # Each waits for one more than there are once the one before has left: only the modest four stay.
    people = [candidate_with(number, minimum_cohort=0) for number in range(1, 5)]
    people += [candidate_with(number, minimum_cohort=number + 1) for number in range(5, 11)]
    assert [person.subject for person in respecting_minimum(people, 0)] == [1, 2, 3, 4]
    assert respecting_minimum(people, 5) == []
    people[-1] = candidate_with(10, minimum_cohort=10)
    assert len(respecting_minimum(people, 0)) == 10


def test_run_after_a_revocation_leaves_the_patient_out_and_is_charged_anew(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    first = world.runner.run(study, people)
    second = world.runner.run(study, people[1:])
    assert set(second.participants) < set(first.participants)
    assert len(world.budget_store.entries) == 2
    assert second.run_id != first.run_id
    with pytest.raises(BudgetExceeded):  # the proposal asked for two runs
        world.runner.run(study, people[2:])
    assert len(world.budget_store.entries) == 2


def test_run_after_a_changed_consent_is_another_snapshot(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    world.runner.run(study, people)
    people[0] = replace(people[0], consents=(ConsentId(b"n" * 32),))
    world.runner.run(study, people)
    assert len(world.budget_store.entries) == 2


def test_run_crashed_between_charge_and_answer_is_neither_refunded_nor_charged_again(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People, crash: type[BaseException]
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    world.answers.crash_next = True
    with pytest.raises(crash):
        world.runner.run(study, people)
    assert len(world.budget_store.entries) == 1
    assert not world.answers.kept
    result = world.runner.run(study, people)
    assert len(world.budget_store.entries) == 1
    assert named(result, "diabetics").rho > 0


def test_answers_taken_out_of_the_index_are_paid_again_and_not_drawn_under_the_old_charge(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    world.runner.run(study, people)
    world.answers.kept.clear()
    world.runner.run(study, people)
    world.runner.run(study, people)
    assert len(world.budget_store.entries) == 2


def test_answers_that_were_kept_and_not_released_are_released_once_the_log_has_them(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People, crash: type[BaseException]
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    world.draw_log.crash_next = True
    with pytest.raises(crash):
        world.runner.run(study, people)
    world.runner.run(study, people)
    assert len(world.budget_store.entries) == 1
    world.answers.kept.clear()
    world.runner.run(study, people)
    assert len(world.budget_store.entries) == 2


def test_run_over_budget_is_refused_before_a_record_is_opened(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    world.policy = replace(world.policy, epsilon=500_000)
    study = world.approved(proposal_with())
    opened: list[int] = []

    def resources() -> Iterable[Resource]:
        opened.append(1)
        return ()

    people = [replace(candidate_with(number), resources=resources) for number in range(1, 60)]
    with pytest.raises(BudgetExceeded) as refusal:
        world.runner.run(study, people)
    assert not opened
    assert not world.budget_store.entries
    assert not any(character.isdigit() for character in str(refusal.value))


def test_snapshot_is_the_digest_of_the_canonical_list_in_any_order(candidate_with: People) -> None:
    people = [candidate_with(number) for number in (2, 10, 1, 300)]
    whole = sorted(
        [
            str(person.subject),
            sorted(consent.hex() for consent in person.consents),
            sorted(person.allowed),
            sorted(sorted(terms) for terms in person.terms.duo),
            [person.terms.minimum_cohort, str(person.terms.epsilon_cap)],
            person.aggregate_only,
        ]
        for person in people
    )
    assert snapshot(people) == snapshot(people[::-1]) == digest_of(whole)
    assert snapshot([]) == digest_of([])
    assert snapshot(people[1:]) != snapshot(people)


def test_run_opens_only_those_whose_terms_fit_and_each_once(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    opened: list[int] = []

    def person(number: int, **terms: Any) -> Candidate:
        made = candidate_with(number, **terms)

        def resources() -> Iterable[Resource]:
            opened.append(number)
            return made.resources()

        return replace(made, resources=resources)

    fitting = [person(number) for number in range(1, 21)]
    others = [
        person(30, duo=(("DUO:0000007:MONDO_0005148",),)),  # another disease-specific consent
        person(31, duo=()),  # no consent
        person(34, duo=((),)),  # no kind of research permitted
        person(35, duo=(("DUO:0000042",), ("DUO:0000007:MONDO_0005148",))),  # one of two consents fits
        person(32, minimum_cohort=100),
        replace(person(33), allowed=frozenset()),
    ]
    world.runner.run(study, fitting + others + fitting)
    assert sorted(opened) == list(range(1, 21))


def test_run_leaves_out_silently_who_has_no_epsilon_left(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    proposal = proposal_with(outputs=proposal_with().outputs[:2])
    study = world.approved(proposal)
    cost = plan(proposal, delta_exponent=6).rho
    once = int(epsilon_of(NanoRho(cost * 3 // 2), 6) * 1_000_000)  # enough for one run, not for two
    people = [candidate_with(number) for number in range(1, 50)]
    people += [candidate_with(50, epsilon_cap=once), candidate_with(51, epsilon_cap=0)]
    first = world.runner.run(study, people)
    assert len(first.participants) == 50
    second = world.runner.run(study, [*people, candidate_with(52)])
    assert len(second.participants) == 50  # 50 has left, 52 has come, 51 never was
    assert world.uses.of_subject(SubjectId(51)) == []
    assert len(world.uses.of_subject(SubjectId(50))) == 1


def test_run_with_too_few_patients_releases_no_table_and_names_no_number(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with(minimum_cohort=30))
    result = world.runner.run(study, [candidate_with(number) for number in range(1, 30)])
    assert result.table is None
    assert result.table_refusal == "cohort_too_small"
    assert result.participants == ()
    assert named(result, "diabetics").error_95 > 0  # the answers are noise around nothing, not a refusal


def test_run_counts_what_a_patient_did_not_permit_as_missing(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    proposal = proposal_with()
    study = world.approved(proposal)
    people = [replace(candidate_with(n), allowed=frozenset({"sex", "age"})) for n in range(1, 101)]
    result = world.runner.run(study, people)
    assert abs(named(result, "diabetics").values[0]) <= 4 * named(result, "diabetics").error_95
    assert result.table is not None
    assert {row[2] for row in result.table.rows} == {"missing"}


def test_run_counts_who_allows_aggregates_only_but_gives_them_no_row(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [replace(candidate_with(n), aggregate_only=n <= 100) for n in range(1, 201)]
    result = world.runner.run(study, people)
    assert abs(named(result, "diabetics").values[0] - 66) <= 4 * named(result, "diabetics").error_95
    assert result.table is not None
    report = result.table.report
    assert report.rows_released + report.rows_suppressed == 100


@pytest.mark.parametrize("how", ["proposed", "suspended", "chain", "early", "late", "none", "other"])
def test_run_without_a_live_permit_for_this_proposal_is_refused(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People, how: str
) -> None:
    study = world.approved(proposal_with())
    permit = world.permits.known[study.study_id]
    if how == "proposed":
        study = replace(study, state=study.state.PROPOSED)
    elif how == "suspended":
        study = study.after(Event.SUSPEND, reason="complaint")
    elif how == "chain":
        world.suspend_on_chain(study)
    elif how == "early":
        world.now[0] = permit.not_before - 1
    elif how == "late":
        world.now[0] = permit.not_after
    elif how == "none":
        world.permits.known.clear()
    else:
        world.permits.known[study.study_id] = replace(permit, rules=b"x" * 32)
    with pytest.raises(StudyNotPermitted):
        world.runner.run(study, [candidate_with(number) for number in range(1, 60)])
    assert not world.budget_store.entries


def test_run_whose_permit_ends_meanwhile_releases_nothing(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 60)]
    opened = people[5].resources

    def resources() -> Iterable[Resource]:
        world.suspend_on_chain(study)
        return opened()

    people[5] = replace(people[5], resources=resources)
    with pytest.raises(StudyNotPermitted):
        world.runner.run(study, people)
    assert not world.uses.runs


def test_run_after_a_consent_ended_releases_no_table_that_singles_somebody_out(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    study = world.approved(proposal_with())
    people = [candidate_with(number) for number in range(1, 301)]
    first = world.runner.run(study, people)
    assert first.table is not None
    assert len(world.releases.kept) == 1
    assert world.runner.run(study, people).table == first.table  # the same release, entered once
    assert len(world.releases.kept) == 1
    later = world.runner.run(study, people[:-1])
    assert (later.table, later.table_refusal) == (None, "release_overlap")
    assert len(later.answers) == len(first.answers)  # the answers are given all the same
    assert len(world.releases.kept) == 1


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset(diversity=DiversityRule.DISTINCT, l="2"),
        Dataset(mode=TableMode.FULL_DOMAIN, diversity=DiversityRule.ENTROPY, l="1.5"),
        Dataset(mode=TableMode.MAX_UTILITY, t="0.15"),
        Dataset(diversity=DiversityRule.RECURSIVE, l="2", c="3"),
    ],
    ids=str,
)
def test_run_keeps_the_privacy_model_that_the_permit_names(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People, dataset: Dataset
) -> None:
    people = [candidate_with(number) for number in range(1, 301)]
    result = world.runner.run(world.approved(proposal_with(dataset=dataset)), people)
    assert result.table is not None
    classes: dict[tuple[str, ...], list[str]] = {}
    for *quasi, diabetes in result.table.rows:
        classes.setdefault(tuple(quasi), []).append(diabetes)
    everybody = [level for rows in classes.values() for level in rows]
    for rows in classes.values():
        share = rows.count("present") / len(rows)
        assert len(rows) >= 5
        if dataset.diversity is DiversityRule.DISTINCT:
            assert set(rows) == {"present", "absent"}
        if dataset.diversity is DiversityRule.ENTROPY:
            entropy = -sum(part * math.log(part) for part in (share, 1 - share) if part)
            assert entropy >= math.log(1.5)
        if dataset.diversity is DiversityRule.RECURSIVE:
            assert max(share, 1 - share) < 3 * min(share, 1 - share)
        if dataset.t:
            # The whole input includes the few rows that were left out.
            assert abs(share - everybody.count("present") / len(everybody)) <= 0.15 + 0.05


def test_run_that_cannot_keep_its_privacy_model_releases_no_table(
    world: Any, proposal_with: Callable[..., Proposal], candidate_with: People
) -> None:
    three = Dataset(diversity=DiversityRule.DISTINCT, l="3")  # and there are two values
    people = [candidate_with(number) for number in range(1, 61)]
    result = world.runner.run(world.approved(proposal_with(dataset=three)), people)
    assert (result.table, result.table_refusal) == (None, "privacy_model_unsatisfiable")
