"""Cases about care teams: those in one, those who left, and teams whose organisation does not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from backend.consent.decision_types import DecisionInput, Evidence, Requester, Team
from backend.consent.ledger_types import MemberStanding
from backend.consent.terms import Kind, Rule
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

_IN: Final = Team(w.WARD, w.HOSPITAL)
_LEFT: Final = Team(w.WARD, None)
_OTHER: Final = Team(w.TUMOUR_BOARD, w.HOSPITAL)
_NOT_THE_TEAM: Final = (*NONE, "grantee_not_in_standing")
_APART: Final = (*NONE, "other_grantee")
_UNFULFILLED: Final = ("deny", "obligation_unfulfilled")
_OUT: Final = ("deny", "requester_not_in_standing")


def groups() -> Iterator[Case]:
    """In each the doctor asks; the ward's team belongs to the hospital, whoever the doctor works for."""
    permit = w.final(w.grant(grantee=w.WARD))
    for name, teams, expect in (
        ("in_the_team", (_IN,), PERMIT),
        ("in_two_teams", (_OTHER, _IN), PERMIT),
        ("in_another_team", (_OTHER,), _APART),
        ("in_no_team", (), _APART),
        ("left_the_team", (_LEFT,), _NOT_THE_TEAM),
    ):
        yield _case(name, _ask(*teams, evidence=(permit,)), expect)
    yield from _organisations(permit)
    yield from _restrictions()
    named = w.final(w.grant(Kind.PERMIT, Rule(permit=True, grantees=(w.WARD,)), grantee=w.HOSPITAL))
    staff = Requester(w.DOCTOR, (w.HOSPITAL,), teams=(_IN,))
    yield _case("rule_names_the_team", w.ask(named, requester=staff), PERMIT)
    left = Requester(w.DOCTOR, (w.HOSPITAL,), teams=(_LEFT,))
    yield _case("rule_names_a_team_that_was_left", w.ask(named, requester=left), _NOT_THE_TEAM)
    team_alone = w.ask(permit, requester=Requester(teams=(_IN,)))
    yield _case("team_without_an_actor", team_alone, PERMIT)
    yield _case("permit_to_the_organisation_is_none_to_its_team", _ask(_IN, evidence=(_hospital(),)), _APART)
    claimed = w.ask(permit, requester=Requester(w.DOCTOR, (w.WARD,), teams=(_LEFT,)))
    yield _case("claimed_as_an_organisation_by_one_who_left", claimed, _NOT_THE_TEAM)
    everyone = _ask(_OTHER, evidence=(w.final(w.grant(Kind.DENY)),))
    yield _case("deny_to_everyone_holds_in_a_team", everyone, DENY)


def _organisations(permit: Evidence) -> Iterator[Case]:
    good: dict[str, Any] = {}
    unknown, suspended, removed = (
        {"standing": standing}
        for standing in (MemberStanding.UNKNOWN, MemberStanding.SUSPENDED, MemberStanding.REMOVED)
    )
    states: tuple[tuple[str, dict[str, Any], dict[str, Any], bool], ...] = (
        ("in_its_last_second", {"expiry": w.NOW + 1}, {"expiry": w.NOW + 1}, True),
        ("with_an_expired_credential", {"expiry": w.NOW}, {"expiry": w.NOW}, False),
        ("renewed_at_head_only", {"expiry": w.NOW}, good, False),
        ("suspended", suspended, suspended, False),
        ("suspended_at_head", good, suspended, False),
        ("reinstated_at_head_only", suspended, good, False),
        ("removed", removed, removed, False),
        ("admitted_at_head_only", unknown, good, False),
        ("never_admitted", unknown, unknown, False),  # unlike an organisation of one's own, such as a study
    )
    for name, final, head, counts in states:
        asked = replace(
            _ask(_IN, evidence=(permit,)),
            members_final=w.members(w.DOCTOR) | w.members(w.HOSPITAL, **final),
            members_head=w.members(w.DOCTOR) | w.members(w.HOSPITAL, **head),
        )
        yield _case(f"organisation_{name}", asked, PERMIT if counts else _NOT_THE_TEAM)
    asked = _ask(_IN, evidence=(permit,))
    accepted = replace(asked, suspended=frozenset({w.HOSPITAL}))
    yield _case("organisation_suspension_accepted", accepted, _NOT_THE_TEAM)
    yield _case("organisation_not_looked_up", replace(asked, members_final={}), _OUT)
    alone = replace(asked, members_final=w.members(w.DOCTOR), members_head=w.members(w.DOCTOR))
    yield _case("organisation_alone_not_looked_up", alone, _NOT_THE_TEAM)
    actor = replace(asked, suspended=frozenset({w.DOCTOR}))
    yield _case("actor_not_in_standing", actor, _OUT)


def _restrictions() -> Iterator[Case]:
    """What consents forbid or demand of a team binds those who are in it, and those who were."""
    plain = w.final(w.grant(grantee=w.DOCTOR))
    deny = w.final(w.grant(Kind.DENY, grantee=w.WARD))
    exempt = w.final(w.grant(Kind.DENY, Rule(permit=True, grantees=(w.WARD,))))
    notify = Rule(permit=True, obligations=w.obligations("notify"))
    demanding = w.final(w.grant(Kind.PERMIT, notify, grantee=w.WARD))
    forbidding = w.final(w.grant(Kind.PERMIT, Rule(permit=False), grantee=w.WARD))
    barred = w.final(w.grant(Kind.PERMIT, Rule(permit=False, grantees=(w.WARD,)), grantee=w.DOCTOR))
    for name, evidence, inside, left in (
        ("deny", (plain, deny), DENY, DENY),
        ("exemption", (plain, exempt), PERMIT, DENY),
        ("obligation", (plain, demanding), _UNFULFILLED, _UNFULFILLED),
        ("prohibition", (plain, forbidding), DENY, DENY),
        ("prohibiting_rule", (barred,), DENY, DENY),
    ):
        yield _case(f"{name}_of_the_team", _ask(_IN, evidence=evidence), inside)
        yield _case(f"{name}_of_a_team_that_was_left", _ask(_LEFT, evidence=evidence), left)
        outside = replace(_ask(_IN, evidence=evidence), suspended=frozenset({w.HOSPITAL}))
        yield _case(f"{name}_of_a_team_of_a_suspended_organisation", outside, left)


def _hospital() -> Evidence:
    return w.final(w.grant(grantee=w.HOSPITAL))


def _ask(*teams: Team, evidence: tuple[Evidence, ...]) -> DecisionInput:
    return w.ask(*evidence, requester=Requester(w.DOCTOR, teams=teams))


def _case(name: str, request: DecisionInput, expect: tuple[str, ...]) -> Case:
    return Case("groups", name, request, expect)
