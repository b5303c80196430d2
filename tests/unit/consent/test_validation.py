"""What no signature could make valid is refused, naming the member at fault."""

from __future__ import annotations

from typing import Any

import pytest

from backend.consent.errors import InvalidTerms, UnknownBit, UnknownCode
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    DelegatedEndForCause,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import (
    UNBOUNDED,
    BreakGlass,
    Command,
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Kind,
    OpenSubject,
    ResearchTerms,
    Revoke,
    RevokeAll,
    Rule,
)
from backend.consent.typed_data import consent_id
from backend.consent.validation import LAST_DATE, check_command
from backend.errors import InvalidInput
from backend.types import MAX_SUBJECT_ID
from scripts.vectors import world as w

LAB = w.categories("laboratory")
ZERO = bytes(32)


def refused(command: Command, field: str, error: type[InvalidInput] = InvalidTerms) -> None:
    with pytest.raises(error) as refusal:
        check_command(command, w.TABLES)
    assert refusal.value.field == field


@pytest.mark.parametrize("kind", [Kind.PERMIT, Kind.DENY, Kind.REFUSAL])
def test_plain_grants_are_accepted(kind: Kind) -> None:
    check_command(w.grant(kind), w.TABLES)


@pytest.mark.parametrize("kind", [Kind.DELEGATION, Kind.GUARDIANSHIP])
def test_plain_delegations_are_accepted(kind: Kind) -> None:
    check_command(w.delegation(kind), w.TABLES)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": 0}, "subject"),
        ({"subject": MAX_SUBJECT_ID + 1}, "subject"),
        ({"kind": 0}, "kind"),
        ({"kind": Kind.DELEGATION}, "kind"),
        ({"decision": 2}, "terms.decision"),
        ({"decision": 0}, "terms.decision"),
        ({"decision": 3}, "terms.decision"),
        ({"not_after": w.START}, "notAfter"),
        ({"not_after": w.START - 1}, "notAfter"),
        ({"not_after": 0}, "notAfter"),
        ({"not_after": LAST_DATE + 1}, "notAfter"),
        ({"not_before": -1}, "notAfter"),
        ({"submit_by": 0}, "submitBy"),
        ({"epoch": 2**32}, "epoch"),
        ({"request": b"\x01"}, "request"),
        ({"supersedes": b"\x01" * 33}, "supersedes"),
        ({"grantee": ZERO}, "terms.grantee"),
        ({"purposes": 0}, "terms.purposes"),
        ({"categories": 0}, "terms.categories"),
        ({"actions": 0}, "terms.actions"),
        ({"data_from": w.NOW, "data_to": w.NOW}, "terms.dataTo"),
        ({"data_to": 0}, "terms.dataTo"),
        ({"erase_by": 0}, "terms.eraseBy"),
        ({"erase_by": w.START}, "terms.eraseBy"),
        ({"max_uses": 0}, "terms.maxUses"),
        ({"max_uses": 2**32}, "terms.maxUses"),
        ({"uses_per_period": 2}, "terms.periodSeconds"),
        ({"period_seconds": 60}, "terms.periodSeconds"),
        ({"uses_per_period": 0, "period_seconds": 60}, "terms.usesPerPeriod"),
        ({"uses_per_period": 1001, "period_seconds": 60}, "terms.usesPerPeriod"),
        ({"uses_per_period": 2, "period_seconds": 2**32}, "terms.periodSeconds"),
        ({"break_glass": 0}, "terms.breakGlass"),
        ({"break_glass": 4}, "terms.breakGlass"),
        ({"break_glass": BreakGlass.LIMIT}, "terms.breakGlassCategories"),
        ({"break_glass_categories": LAB}, "terms.breakGlassCategories"),
        ({"redelegation_depth": 4}, "terms.redelegationDepth"),
        ({"notice": b""}, "terms.notice"),
        ({"salt": ZERO}, "terms.salt"),
        ({"salt": b"\x01" * 31}, "terms.salt"),
        ({"summary": "\ud800"}, "terms.summary"),
        ({"summary": "left\u202eright"}, "terms.summary"),
        ({"summary": "x" * 70_000}, "terms.summary"),
        ({"research": ResearchTerms(minimum_cohort=5)}, "terms.research.duo"),
    ],
)
def test_grant_with_a_bad_member_is_refused(changes: dict[str, Any], field: str) -> None:
    refused(w.grant(**changes), field)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"purposes": 1 << 62}, "terms.purposes"),
        ({"categories": 1 << 30}, "terms.categories"),
        ({"sensitivities": 1 << 30}, "terms.sensitivities"),
        ({"actions": 1 << 12}, "terms.actions"),
        ({"break_glass_categories": 1 << 63}, "terms.breakGlassCategories"),
    ],
)
def test_grant_with_an_unused_bit_is_refused(changes: dict[str, Any], field: str) -> None:
    refused(w.grant(**changes), field, UnknownBit)


def test_grant_in_a_language_without_summaries_is_refused() -> None:
    refused(w.grant(language="tlh"), "terms.language", UnknownCode)


def test_refusal_has_to_name_the_request() -> None:
    refused(w.grant(Kind.REFUSAL, request=ZERO), "request")


def test_deny_may_leave_every_mask_open() -> None:
    check_command(w.grant(Kind.DENY, purposes=0, categories=0, actions=0, max_uses=0), w.TABLES)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Rule(permit=True, purposes=w.purposes("COC")), "purposes"),
        (Rule(permit=False, categories=w.categories("notes")), "categories"),
        (Rule(permit=False, actions=w.actions("export")), "actions"),
        (Rule(permit=True, sensitivities=w.sensitivities("HIV")), "sensitivities"),
        (Rule(permit=False, obligations=1), "obligations"),
        (Rule(permit=False, data_from=w.NOW, data_to=w.NOW), "dataTo"),
        (Rule(permit=False, grantees=(w.CLINIC, w.CLINIC)), "grantees"),
        (Rule(permit=False, grantees=(ZERO,)), "grantees"),
        (Rule(permit=False, references=(b"\x01",)), "references"),
        (Rule(permit=False, references=tuple(bytes([n]) * 32 for n in range(1, 34))), "references"),
    ],
)
def test_rule_with_a_bad_member_is_refused(rule: Rule, field: str) -> None:
    refused(w.grant(Kind.PERMIT, Rule(permit=False), rule), f"terms.rules[1].{field}")


def test_rule_may_forbid_protected_data_that_is_not_included_anyway() -> None:
    check_command(w.grant(Kind.PERMIT, Rule(permit=False, sensitivities=w.sensitivities("MH"))), w.TABLES)


def test_sixteen_rules_and_no_more() -> None:
    check_command(w.grant(Kind.PERMIT, *[Rule(permit=False)] * 16), w.TABLES)
    refused(w.grant(Kind.PERMIT, *[Rule(permit=False)] * 17), "terms.rules")


@pytest.mark.parametrize(
    ("research", "field"),
    [
        (ResearchTerms(duo=("DUO:9999999",)), "duo"),
        (ResearchTerms(duo=("DUO:0000042",) * 2), "duo"),
        (ResearchTerms(duo=("DUO:0000007MONDO_1",)), "duo"),
        (ResearchTerms(duo=("DUO:0000007:",)), "duo"),
        (ResearchTerms(duo=("DUO:0000007:a b",)), "duo"),
        (ResearchTerms(duo=("",)), "duo"),
        (ResearchTerms(minimum_cohort=2**32), "minimumCohort"),
        (ResearchTerms(epsilon_cap=-1), "epsilonCap"),
        (ResearchTerms(compensation=2**256), "compensation"),
    ],
)
def test_research_terms_with_a_bad_member_are_refused(research: ResearchTerms, field: str) -> None:
    refused(w.grant(purposes=w.purposes("DSRCH"), research=research), f"terms.research.{field}")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": Kind.PERMIT}, "kind"),
        ({"delegate": "0x" + "0" * 40}, "delegate"),
        ({"delegate": w.MOTHER.lower()}, "delegate"),
        ({"powers": 0}, "powers"),
        ({"not_after": w.START}, "notAfter"),
        ({"depth": 4}, "depth"),
        ({"epoch": -1}, "epoch"),
        ({"parent": b""}, "parent"),
        ({"purposes": 0}, "terms.purposes"),
        ({"categories": 0}, "terms.categories"),
        ({"relationship": " "}, "terms.relationship"),
        ({"relationship": "mother\nPowers: all"}, "terms.relationship"),
        ({"relationship": "x" * 201}, "terms.relationship"),
        ({"evidence": b""}, "terms.evidence"),
        ({"salt": ZERO}, "terms.salt"),
    ],
)
def test_delegation_with_a_bad_member_is_refused(changes: dict[str, Any], field: str) -> None:
    refused(w.delegation(**changes), field)


def test_delegation_with_an_unused_power_is_refused() -> None:
    refused(w.delegation(powers=16), "powers", UnknownBit)


def test_delegation_endless_and_only_to_revoke_needs_no_masks() -> None:
    check_command(w.delegation(powers=2, purposes=0, categories=0, not_after=UNBOUNDED), w.TABLES)


def test_commands_are_checked_inside_and_out() -> None:
    mother = w.delegation()
    name = consent_id(mother)
    check_command(DelegatedGrant(w.grant(), name), w.TABLES)
    refused(DelegatedGrant(w.grant(purposes=0), name), "grant.terms.purposes")
    refused(DelegatedGrant(w.grant(), name[:5]), "delegation")  # type: ignore[arg-type]
    child = w.delegation(parent=name)
    check_command(DelegatedDelegation(child, name), w.TABLES)
    refused(DelegatedDelegation(w.delegation(), name), "child.parent")
    refused(DelegatedDelegation(w.delegation(parent=name, powers=0), name), "child.powers")
    check_command(Revoke(name), w.TABLES)
    refused(Revoke(ZERO), "consent")  # type: ignore[arg-type]
    refused(DelegatedRevoke(name, ZERO), "delegation")  # type: ignore[arg-type]
    check_command(RevokeAll(w.SUBJECT, 0), w.TABLES)
    refused(RevokeAll(w.SUBJECT, 2**32), "epoch")
    refused(OpenSubject(w.SUBJECT, w.PATIENT, 0), "submitBy")  # type: ignore[arg-type]


ONE, TWO = w.salt("one"), w.salt("two")
SOUND = (
    EndForCause(ONE),
    DelegatedEndForCause(ONE, TWO),
    SetRecoveryPolicy(w.SUBJECT, RecoveryPolicy((ONE, TWO), 2, w.salt("salt")), 0, w.END),
    SetRecoveryPolicy(w.SUBJECT, RecoveryPolicy((ONE,), 1, w.salt("salt")), 0, w.END),
    ProposeRecovery(w.SUBJECT, w.CARER, 0, w.END),
    AcceptRecovery(w.SUBJECT, w.CARER, 0, w.END),
    ConfirmRecovery(w.SUBJECT, w.CARER, 0, w.END),
    VetoRecovery(w.SUBJECT, 0),
)


@pytest.mark.parametrize("command", SOUND, ids=lambda command: type(command).__name__)
def test_sound_commands_of_recovery_are_accepted(command: Command) -> None:
    check_command(command, w.TABLES)


def _policy(guardianships: tuple[Any, ...], threshold: int, salt: bytes = ONE) -> SetRecoveryPolicy:
    return SetRecoveryPolicy(w.SUBJECT, RecoveryPolicy(guardianships, threshold, salt), 0, w.END)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (EndForCause(ZERO), "delegation"),
        (DelegatedEndForCause(ZERO, ONE), "ended"),
        (DelegatedEndForCause(ONE, ZERO), "delegation"),
        (_policy((), 0), "policy.guardianships"),
        (_policy((ONE, ONE), 2), "policy.guardianships"),
        (_policy(tuple(w.salt(str(number)) for number in range(17)), 2), "policy.guardianships"),
        (_policy((ONE, ZERO), 2), "policy.guardianships[1]"),
        (_policy((ONE, TWO), 1), "policy.threshold"),
        (_policy((ONE, TWO), 3), "policy.threshold"),
        (_policy((ONE, TWO), 2, ZERO), "policy.salt"),
        (ProposeRecovery(0, w.CARER, 0, w.END), "subject"),
        (ProposeRecovery(w.SUBJECT, "0x" + "00" * 20, 0, w.END), "controller"),
        (AcceptRecovery(w.SUBJECT, w.CARER, 2**32, w.END), "round"),
        (ConfirmRecovery(w.SUBJECT, w.CARER, 0, 0), "submitBy"),
        (VetoRecovery(w.SUBJECT, -1), "round"),
    ],
)
def test_commands_of_recovery_without_sense_are_refused(command: Command, field: str) -> None:
    refused(command, field)
