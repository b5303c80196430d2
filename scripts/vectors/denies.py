"""Cases about prohibitions: denies, protected data, the time of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backend.consent.terms import UNBOUNDED, Kind, Rule
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case


def denies() -> Iterator[Case]:
    permit, deny = w.grant(), w.grant(Kind.DENY)
    revoked = w.slot_of(deny, revoked_at=w.NOW)
    for name, evidence, expect in (
        ("final", w.final(deny), DENY),
        ("at_head_only", w.at_head(deny), DENY),
        ("received_only", w.received(deny), DENY),
        ("its_revocation_pending", w.final(deny, revocation_pending=True), DENY),
        ("its_revocation_at_head_only", w.final(deny, head=revoked), DENY),
        ("its_revocation_final", w.final(deny, final=revoked, head=revoked), PERMIT),
        ("of_other_purpose", w.final(w.grant(Kind.DENY, purposes=w.purposes("HRESCH"))), PERMIT),
        ("of_this_purpose", w.final(w.grant(Kind.DENY, purposes=w.purposes("TREAT"))), DENY),
        ("of_other_action", w.final(w.grant(Kind.DENY, actions=w.actions("export"))), PERMIT),
        ("of_other_category", w.final(w.grant(Kind.DENY, categories=w.categories("notes"))), PERMIT),
        ("of_other_organisation", w.final(w.grant(Kind.DENY, grantee=w.HOSPITAL)), PERMIT),
        ("of_this_organisation", w.final(w.grant(Kind.DENY, grantee=w.CLINIC)), DENY),
        ("of_this_person", w.final(w.grant(Kind.DENY, grantee=w.DOCTOR)), DENY),
        ("not_yet_begun", w.final(w.grant(Kind.DENY, not_before=w.NOW + 1)), PERMIT),
        ("ended", w.final(w.grant(Kind.DENY, not_after=w.NOW)), PERMIT),
    ):
        yield Case("denies", name, w.ask(w.final(permit), evidence), expect)
    touching = w.grant(Kind.DENY, categories=w.categories("medications"))
    mixed = w.ask(w.final(permit), w.final(touching), segment=w.segment("laboratory", "medications"))
    yield Case("denies", "touching_one_of_two_categories", mixed, DENY)
    alone = w.ask(w.final(deny))
    yield Case("denies", "without_any_permit", alone, DENY)
    stands = replace(alone, head=replace(alone.head, epoch=1), final=replace(alone.final, epoch=1))
    yield Case("denies", "stands_after_revoke_all", stands, DENY)
    exempt = w.grant(Kind.DENY, Rule(permit=True, categories=w.categories("laboratory")))
    yield Case("denies", "exception_leaves_the_permit", w.ask(w.final(permit), w.final(exempt)), PERMIT)
    yield Case("denies", "exception_alone_permits_nothing", w.ask(w.final(exempt)), (*NONE, "exempts"))
    recorded_later = w.final(
        deny, final=w.slot_of(deny, not_before=w.NOW + 5), head=w.slot_of(deny, not_before=w.NOW + 5)
    )
    yield Case("denies", "counts_from_its_signed_start", w.ask(w.final(permit), recorded_later), DENY)


def sensitivity() -> Iterator[Case]:
    no_mental = Rule(permit=False, sensitivities=w.sensitivities("MH"))
    wide = w.sensitivities("MH", "HIV")
    lab = w.segment("laboratory")
    for name, allowed, rules, sensitive, expect in (
        ("normal_data", 0, (), (), PERMIT),
        ("protected_data_needs_naming", 0, (), ("HIV",), NONE),
        ("protected_data_named", wide, (), ("HIV",), PERMIT),
        ("one_label_too_many", wide, (), ("HIV", "SUD"), NONE),
        ("unlabelled_is_protected", 0, (), ("UNLABELLED",), NONE),
        ("unlabelled_named", w.sensitivities("UNLABELLED"), (), ("UNLABELLED",), PERMIT),
        ("exception", wide, (no_mental,), ("MH",), DENY),
        ("exception_leaves_other_labels", wide, (no_mental,), ("HIV",), PERMIT),
        ("exception_leaves_normal_data", wide, (no_mental,), (), PERMIT),
        ("exception_touches_one_of_two_labels", wide, (no_mental,), ("HIV", "MH"), DENY),
        (
            "exception_takes_unlabelled_data",
            wide | w.sensitivities("UNLABELLED"),
            (no_mental,),
            ("UNLABELLED",),
            DENY,
        ),
        (
            "sensitivity_beats_category",
            wide,
            (no_mental, Rule(permit=True, categories=w.categories("laboratory"))),
            ("MH",),
            DENY,
        ),
        (
            "permit_rule_for_labels_is_not_about_normal_data",
            wide,
            (
                Rule(permit=False, categories=w.categories("laboratory")),
                Rule(permit=True, sensitivities=w.sensitivities("MH")),
            ),
            (),
            DENY,
        ),
    ):
        permit = w.grant(Kind.PERMIT, *rules, sensitivities=allowed)
        asked = w.ask(w.final(permit), segment=replace(lab, sensitivities=w.sensitivities(*sensitive)))
        yield Case("sensitivity", name, asked, expect)
    deny = w.grant(Kind.DENY, sensitivities=w.sensitivities("HIV"))
    for name, sensitive, expect in (
        ("deny_of_a_label", ("HIV",), DENY),
        ("deny_of_another_label", ("MH",), PERMIT),
        ("deny_of_a_label_leaves_normal_data", (), PERMIT),
    ):
        asked = w.ask(
            w.final(w.grant(sensitivities=wide)),
            w.final(deny),
            segment=replace(lab, sensitivities=w.sensitivities(*sensitive)),
        )
        yield Case("sensitivity", name, asked, expect)


def data_period() -> Iterator[Case]:
    start, end = w.DATA_TIME, w.DATA_TIME + 100
    permit = w.final(w.grant(data_from=start, data_to=end))
    for name, data_from, data_to, expect in (
        ("first_second", start, start + 1, PERMIT),
        ("last_second", end - 1, end, PERMIT),
        ("second_before", start - 1, start, NONE),
        ("second_after", end, end + 1, NONE),
        ("whole_window", start, end, PERMIT),
        ("reaches_out", end - 1, end + 1, NONE),
        ("unknown_time", 0, UNBOUNDED, NONE),
    ):
        asked = w.segment("laboratory", data_from=data_from, data_to=data_to)
        yield Case("data_period", name, w.ask(permit, segment=asked), expect)
    unknown = w.segment("laboratory", data_from=0, data_to=UNBOUNDED)
    yield Case(
        "data_period", "unknown_time_without_limits", w.ask(w.final(w.grant()), segment=unknown), PERMIT
    )
    deny = w.final(w.grant(Kind.DENY, data_from=start, data_to=end))
    yield Case(
        "data_period", "deny_takes_unknown_time", w.ask(w.final(w.grant()), deny, segment=unknown), DENY
    )
    early = w.segment("laboratory", data_from=-2_000_000_000, data_to=-1_999_999_999)
    yield Case("data_period", "before_1970", w.ask(w.final(w.grant()), segment=early), PERMIT)
