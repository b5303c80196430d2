"""Cases about completeness, the chain, the patient and those who act for the patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backend.consent.decision_types import Requester
from backend.consent.terms import Delegation, Kind, Power
from backend.types import ConsentId, UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.case import DENY, NONE, PERMIT, Case

INCOMPLETE = ("deny", "evidence_incomplete")
UNAVAILABLE = ("unavailable", "ledger_unavailable")


def coverage() -> Iterator[Case]:
    permit, deny = w.final(w.grant()), w.final(w.grant(Kind.DENY, purposes=w.purposes("HRESCH")))
    whole = w.ask(permit, deny)
    yield Case("coverage", "all_documents", whole, PERMIT)
    other = w.final(w.grant(label="foreign", subject=w.OTHER_SUBJECT))
    yield Case("coverage", "permit_of_another_subject", w.ask(other), (*NONE, "other_subject"))
    yield Case("coverage", "a_document_is_missing", replace(whole, evidence=(permit,)), INCOMPLETE)
    yield Case("coverage", "the_same_document_twice", replace(whole, evidence=(permit, permit)), INCOMPLETE)
    missing_head = replace(whole, head=replace(whole.head, count=3))
    yield Case("coverage", "a_document_is_missing_at_head", missing_head, INCOMPLETE)
    ahead = w.grant(label="ahead")
    slot = w.slot_of(ahead, not_before=UnixSeconds(0), revoked_at=w.START)
    stand_in = w.final(ahead, final=slot, head=slot)
    yield Case(
        "coverage", "revoked_ahead_does_not_stand_in", replace(whole, evidence=(permit, stand_in)), INCOMPLETE
    )
    foreign = w.final(w.grant(label="foreign", subject=w.OTHER_SUBJECT))
    yield Case(
        "coverage",
        "of_another_subject_does_not_stand_in",
        replace(whole, evidence=(permit, foreign)),
        INCOMPLETE,
    )
    yield Case(
        "coverage",
        "more_than_the_chain_counts",
        replace(whole, final=replace(whole.final, count=1)),
        INCOMPLETE,
    )
    own = replace(whole, evidence=(), requester=Requester(account=w.PATIENT), purpose=w.purposes("PATRQT"))
    yield Case("coverage", "holds_for_the_patient_too", own, INCOMPLETE)


def ledger() -> Iterator[Case]:
    request = w.ask(w.final(w.grant()))
    yield Case("ledger", "unreachable", replace(request, view=None), UNAVAILABLE)
    yield Case("ledger", "stale", replace(request, stale=True), UNAVAILABLE)
    denied = w.ask(w.final(w.grant(Kind.DENY)), stale=True)
    yield Case("ledger", "stale_is_no_refusal", denied, UNAVAILABLE)
    unopened = replace(request, evidence=(), final=replace(request.final, opened=False, count=0))
    yield Case("ledger", "subject_not_opened", unopened, ("no_consent", "subject_unknown"))


def own_records() -> Iterator[Case]:
    own = w.ask(requester=Requester(account=w.PATIENT), purpose=w.purposes("PATRQT"))
    yield Case("own_records", "without_consent", own, ("permit", "own_records"))
    yield Case("own_records", "for_another_purpose", replace(own, purpose=w.purposes("TREAT")), NONE)
    yield Case(
        "own_records", "taking_them_away", replace(own, action=w.actions("export")), ("permit", "own_records")
    )
    yield Case("own_records", "not_to_change_them", replace(own, action=w.actions("write")), NONE)
    yield Case("own_records", "by_a_stranger", replace(own, requester=Requester(account=w.STRANGER)), NONE)
    denied = replace(w.ask(w.final(w.grant(Kind.DENY))), requester=own.requester, purpose=own.purpose)
    yield Case("own_records", "own_deny_is_about_others", denied, ("permit", "own_records"))
    replaced = replace(own, head=replace(own.head, controller=w.STRANGER))
    yield Case("own_records", "controller_changed_at_head", replaced, NONE)


def delegates() -> Iterator[Case]:
    reading = ("permit", "delegated_reading")
    mother = w.delegation()
    asked = {"requester": Requester(account=w.MOTHER), "purpose": w.purposes("FAMRQT")}
    base = w.ask(w.final(mother), **asked)
    gone = w.slot_of(mother, revoked_at=w.NOW)
    guardian = w.delegation(Kind.GUARDIANSHIP)
    later = replace(base.final, epoch=1)
    for name, request, expect in (
        ("reads", base, reading),
        ("for_treatment_reads_nothing", replace(base, purpose=w.purposes("TREAT")), NONE),
        ("beyond_her_purposes", replace(base, purpose=w.purposes("PWATRNY")), NONE),
        ("beyond_her_categories", replace(base, segment=w.segment("notes")), NONE),
        ("protected_data_not_given", replace(base, segment=w.segment("laboratory", sensitive=("MH",))), NONE),
        ("may_not_export", replace(base, action=w.actions("export")), NONE),
        (
            "without_the_power_to_read",
            w.ask(w.final(w.delegation(powers=int(Power.GRANT))), **asked),
            (*NONE, "power_missing"),
        ),
        (
            "revocation_pending",
            w.ask(w.final(mother, revocation_pending=True), **asked),
            (*NONE, "revocation_pending"),
        ),
        ("revoked_at_head", w.ask(w.final(mother, head=gone), **asked), (*NONE, "revoked")),
        ("ended", replace(base, now=w.END), (*NONE, "expired")),
        ("not_final", w.ask(w.at_head(mother), **asked), (*NONE, "not_final")),
        ("other_account", replace(base, requester=Requester(account=w.CARER)), NONE),
        ("ends_with_the_epoch", replace(base, final=later, head=later), (*NONE, "epoch_ended")),
        ("guardian_reads", w.ask(w.final(guardian), **asked), reading),
        (
            "guardianship_survives_the_epoch",
            w.ask(w.final(guardian), final=later, head=later, **asked),
            reading,
        ),
        (
            "a_deny_of_everyone_holds_for_delegates",
            w.ask(w.final(mother), w.final(w.grant(Kind.DENY)), **asked),
            DENY,
        ),
    ):
        yield Case("delegates", name, request, expect)
    parent = w.delegation(powers=15, depth=1)
    child = w.delegation(
        delegate=w.CARER, powers=int(Power.READ), parent=w.final(parent).prepared.consent_id, label="child"
    )
    carer = {"requester": Requester(account=w.CARER), "purpose": w.purposes("FAMRQT")}
    under = w.final(child, via=(parent,))
    via: dict[ConsentId, tuple[Delegation, ...]] = {under.prepared.consent_id: (parent,)}
    lost = w.slot_of(parent, revoked_at=w.NOW)
    narrow = w.delegation(powers=15, depth=1, categories=w.categories("medications"), label="narrow")
    beyond = replace(child, parent=w.final(narrow).prepared.consent_id)
    wide = w.final(beyond, via=(narrow,))
    yield Case("delegates", "carer_below_the_mother", w.ask(w.final(parent), under, **carer), reading, via)
    broken = w.ask(w.final(parent, head=lost), under, **carer)
    yield Case("delegates", "carer_after_the_mother_lost_hers", broken, NONE, via)
    yield Case(
        "delegates",
        "carer_given_more_than_the_mother_has",
        w.ask(w.final(narrow), wide, **carer),
        NONE,
        {wide.prepared.consent_id: (narrow,)},
    )
    given = w.final(w.grant(), via=(mother,))
    yield Case(
        "delegates",
        "her_grant_permits",
        w.ask(w.final(mother), given),
        PERMIT,
        {given.prepared.consent_id: (mother,)},
    )
    ended = w.ask(w.final(mother, final=gone, head=gone), given)
    yield Case(
        "delegates", "her_grant_outlives_her_power", ended, PERMIT, {given.prepared.consent_id: (mother,)}
    )
    wider = w.final(w.grant(categories=w.categories("laboratory", "notes")), via=(mother,))
    yield Case(
        "delegates",
        "her_grant_beyond_her_power",
        w.ask(w.final(mother), wider),
        NONE,
        {wider.prepared.consent_id: (mother,)},
    )
