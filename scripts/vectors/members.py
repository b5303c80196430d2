"""Cases about those who ask: members in standing, suspended, removed, expired, or none at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from backend.consent.decision_types import Requester
from backend.consent.ledger_types import MemberStanding
from backend.consent.terms import Kind, Rule
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

_GOOD: Final[dict[str, Any]] = {}
_UNKNOWN, _SUSPENDED, _REMOVED = (
    {"standing": standing}
    for standing in (MemberStanding.UNKNOWN, MemberStanding.SUSPENDED, MemberStanding.REMOVED)
)
_EXPIRED, _LAST_SECOND = {"expiry": w.NOW}, {"expiry": w.NOW + 1}
_OUT = ("deny", "requester_not_in_standing")
_NOT_THE_CLINIC = (*NONE, "grantee_not_in_standing")


def members() -> Iterator[Case]:
    """In the world's question the doctor asks, acting for the clinic, which was given a permit."""
    request = w.ask(w.final(w.grant()))
    states: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("in_standing", _GOOD, _GOOD),
        ("in_its_last_second", _LAST_SECOND, _LAST_SECOND),
        ("suspended", _SUSPENDED, _SUSPENDED),
        ("suspended_at_head", _GOOD, _SUSPENDED),
        ("reinstated_at_head_only", _SUSPENDED, _GOOD),
        ("removed", _REMOVED, _REMOVED),
        ("with_an_expired_credential", _EXPIRED, _EXPIRED),
        ("renewed_at_head_only", _EXPIRED, _GOOD),
        ("admitted_at_head_only", _UNKNOWN, _GOOD),
        ("never_admitted", _UNKNOWN, _UNKNOWN),
    )
    for number, (name, final, head) in enumerate(states):
        counts = number < 2
        actor = replace(
            request,
            members_final=w.members(w.CLINIC) | w.members(w.DOCTOR, **final),
            members_head=w.members(w.CLINIC) | w.members(w.DOCTOR, **head),
        )
        yield Case("members", f"actor_{name}", actor, PERMIT if counts else _OUT)
        organisation = replace(
            request,
            members_final=w.members(w.DOCTOR) | w.members(w.CLINIC, **final),
            members_head=w.members(w.DOCTOR) | w.members(w.CLINIC, **head),
        )
        # An organisation that is no member (a study, a care team) was named by somebody who is one.
        counts = counts or name in {"never_admitted", "admitted_at_head_only"}
        if name != "admitted_at_head_only":
            yield Case("members", f"organisation_{name}", organisation, PERMIT if counts else _NOT_THE_CLINIC)
    yield Case(
        "members", "actor_suspension_accepted", replace(request, suspended=frozenset({w.DOCTOR})), _OUT
    )
    yield Case("members", "actor_not_looked_up", replace(request, members_final={}, members_head={}), _OUT)
    accepted = replace(request, suspended=frozenset({w.CLINIC}))
    yield Case("members", "organisation_suspension_accepted", accepted, _NOT_THE_CLINIC)
    denied = w.ask(w.final(w.grant(grantee=w.DOCTOR)), w.final(w.grant(Kind.DENY, grantee=w.CLINIC)))
    gone = w.members(w.DOCTOR) | w.members(w.CLINIC, **_SUSPENDED)
    still = replace(denied, members_final=gone, members_head=gone)
    yield Case("members", "deny_of_a_suspended_organisation_holds", still, DENY)
    plain = w.final(w.grant(grantee=w.DOCTOR))
    notify = Rule(permit=True, obligations=w.obligations("notify"))
    unfulfilled = ("deny", "obligation_unfulfilled")
    of_rule = Rule(permit=True, grantees=(w.CLINIC,), obligations=w.obligations("notify"))
    exempt = w.final(w.grant(Kind.DENY, Rule(permit=True, grantees=(w.CLINIC,))))
    for name, evidence, expect in (
        ("obligation_of", (plain, w.final(w.grant(Kind.PERMIT, notify))), unfulfilled),
        ("rule_only_for", (w.final(w.grant(Kind.PERMIT, of_rule, grantee=w.DOCTOR)),), _NOT_THE_CLINIC),
        ("no_exemption_for", (plain, exempt), DENY),
        ("prohibition_of", (plain, w.final(w.grant(Kind.PERMIT, Rule(permit=False)))), DENY),
    ):
        suspended = replace(w.ask(*evidence), members_final=gone, members_head=gone)
        yield Case("members", f"{name}_a_suspended_organisation", suspended, expect)
    own = w.ask(requester=Requester(account=w.PATIENT), purpose=w.purposes("PATRQT"))
    yield Case("members", "patient_needs_no_membership", own, ("permit", "own_records"))
