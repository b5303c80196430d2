"""Cases about the rules inside a consent, their obligations, and counted uses."""

from __future__ import annotations

from collections.abc import Iterator

from backend.consent.terms import Kind, Rule
from backend.consent.uses import Taken
from backend.types import UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

EXHAUSTED = (*NONE, "frequency_exhausted")
UNFULFILLED = ("deny", "obligation_unfulfilled")


def rules() -> Iterator[Case]:
    lab, clinic_lab = w.categories("laboratory"), (w.DOCTOR,)
    record = w.salt("record")
    no_lab = Rule(permit=False, categories=lab)
    for name, rules, expect in (
        ("deny_rule_beats_base", (no_lab,), DENY),
        (
            "deny_rule_of_other_category",
            (Rule(permit=False, categories=w.categories("medications")),),
            PERMIT,
        ),
        ("deny_rule_of_other_member", (Rule(permit=False, grantees=(w.HOSPITAL,)),), PERMIT),
        ("deny_rule_of_this_member", (Rule(permit=False, grantees=clinic_lab),), DENY),
        ("deny_rule_of_other_action", (Rule(permit=False, actions=w.actions("use")),), PERMIT),
        ("empty_deny_rule_denies_all", (Rule(permit=False),), DENY),
        ("tie_denies", (Rule(permit=True, categories=lab), no_lab), DENY),
        ("actor_beats_nothing", (Rule(permit=False), Rule(permit=True, grantees=clinic_lab)), PERMIT),
        (
            "category_beats_actor",
            (Rule(permit=False, grantees=clinic_lab), Rule(permit=True, categories=lab)),
            PERMIT,
        ),
        (
            "purpose_beats_actor",
            (Rule(permit=False, purposes=w.purposes("TREAT")), Rule(permit=True, grantees=clinic_lab)),
            DENY,
        ),
        (
            "category_beats_purpose",
            (Rule(permit=False, purposes=w.purposes("TREAT")), Rule(permit=True, categories=lab)),
            PERMIT,
        ),
        (
            "category_and_actor_beat_category",
            (no_lab, Rule(permit=True, categories=lab, grantees=clinic_lab)),
            PERMIT,
        ),
        (
            "reference_beats_all_others",
            (
                Rule(permit=False, references=(record,)),
                Rule(permit=True, categories=lab, purposes=w.purposes("TREAT"), grantees=clinic_lab),
            ),
            DENY,
        ),
        ("reference_to_another_record", (Rule(permit=False, references=(w.salt("other"),)),), PERMIT),
        (
            "narrow_permit_rule_does_not_limit_the_base",
            (Rule(permit=True, categories=w.categories("medications")),),
            PERMIT,
        ),
        (
            "data_period_does_not_rank",
            (no_lab, Rule(permit=True, categories=lab, data_from=UnixSeconds(1))),
            DENY,
        ),
    ):
        asked = w.ask(
            w.final(w.grant(Kind.PERMIT, *rules)),
            segment=w.segment("laboratory", references=frozenset({record})),
        )
        yield Case("rules", name, asked, expect)
    other = w.final(w.grant(label="other"))
    across = w.ask(w.final(w.grant(Kind.PERMIT, no_lab)), other)
    yield Case("rules", "prohibition_of_one_consent_beats_permit_of_another", across, DENY)
    elsewhere = w.ask(w.final(w.grant(Kind.PERMIT, no_lab, grantee=w.HOSPITAL)), other)
    yield Case("rules", "prohibition_for_another_grantee_is_silent", elsewhere, PERMIT)
    mined = w.ask(w.at_head(w.grant(Kind.PERMIT, no_lab)), other)
    yield Case("rules", "prohibition_counts_before_its_consent_is_final", mined, DENY)
    young = w.received(w.grant(Kind.PERMIT, no_lab, submit_by=w.NOW))
    yield Case("rules", "prohibition_counts_from_receipt", w.ask(young, other), DENY)
    expired = w.ask(w.received(w.grant(Kind.PERMIT, no_lab)), other)
    yield Case("rules", "prohibition_of_a_consent_that_came_too_late_to_record", expired, PERMIT)


def obligations() -> Iterator[Case]:
    no_export = Rule(permit=True, obligations=w.obligations("no_export"))
    notify = Rule(permit=True, obligations=w.obligations("notify"))
    lab_free = Rule(permit=True, categories=w.categories("laboratory"))
    both = w.obligations("no_export", "notify")
    deny = w.grant(Kind.DENY, no_export)
    for name, evidence, fulfils, expect in (
        ("unfulfilled", [w.final(w.grant(Kind.PERMIT, no_export))], 0, UNFULFILLED),
        ("fulfilled", [w.final(w.grant(Kind.PERMIT, no_export))], both, PERMIT),
        (
            "of_equal_rules_united",
            [w.final(w.grant(Kind.PERMIT, no_export, notify))],
            w.obligations("notify"),
            UNFULFILLED,
        ),
        (
            "of_a_less_specific_rule_do_not_count",
            [w.final(w.grant(Kind.PERMIT, no_export, lab_free))],
            0,
            PERMIT,
        ),
        (
            "of_two_consents_united",
            [w.final(w.grant(Kind.PERMIT, no_export)), w.final(w.grant(Kind.PERMIT, notify, label="b"))],
            both,
            PERMIT,
        ),
        (
            "of_one_of_two_consents_unfulfilled",
            [w.final(w.grant(Kind.PERMIT, no_export)), w.final(w.grant(label="b"))],
            0,
            UNFULFILLED,
        ),
        (
            "of_a_consent_that_is_not_final",
            [w.at_head(w.grant(Kind.PERMIT, no_export)), w.final(w.grant(label="b"))],
            0,
            UNFULFILLED,
        ),
        ("of_an_exception_in_a_deny", [w.final(deny), w.final(w.grant(label="b"))], both, PERMIT),
    ):
        yield Case("obligations", name, w.ask(*evidence, fulfils=fulfils), expect)


def uses() -> Iterator[Case]:
    twice = w.grant(max_uses=2)
    yield Case("uses", "last_use", w.ask(w.final(twice, taken=Taken(1))), PERMIT)
    yield Case("uses", "used_up", w.ask(w.final(twice, taken=Taken(2))), (*NONE, "uses_exhausted"))
    # Twice in any 100 seconds: a use counts for 100 seconds, the last of them included.
    often = w.grant(uses_per_period=2, period_seconds=100)
    for name, count, ago, expect in (
        ("frequency_unused", 0, (), PERMIT),
        ("frequency_once", 1, (50,), PERMIT),
        ("frequency_used_up", 2, (50, 0), EXHAUSTED),
        ("frequency_in_the_last_second_of_the_first_use", 2, (99, 50), EXHAUSTED),
        ("frequency_free_again", 2, (100, 50), PERMIT),
        ("frequency_of_a_clock_put_back", 2, (-30, -30), EXHAUSTED),
        ("frequency_with_a_use_of_unknown_time", 2, (50,), EXHAUSTED),
        ("frequency_with_many_uses_long_ago", 70, (5_000, 4_000), PERMIT),
    ):
        taken = Taken(count, tuple(UnixSeconds(w.NOW - seconds) for seconds in ago))
        yield Case("uses", name, w.ask(w.final(often, taken=taken)), expect)
    both = w.final(w.grant(max_uses=2, uses_per_period=2, period_seconds=1), taken=Taken(2))
    yield Case("uses", "used_up_goes_before_frequency", w.ask(both), (*NONE, "uses_exhausted"))
    erase = w.grant(erase_by=w.NOW)
    yield Case("uses", "copies_would_have_to_be_erased", w.ask(w.final(erase)), (*NONE, "erase_by_passed"))
    yield Case("uses", "copies_may_still_be_kept", w.ask(w.final(erase), now=UnixSeconds(w.NOW - 1)), PERMIT)
