"""Cases about one permit: what it covers, when it counts, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from backend.consent.assembly import EMPTY_SLOT
from backend.consent.decision_types import Requester
from backend.consent.terms import UNBOUNDED, Kind
from backend.types import UnixSeconds
from scripts.vectors import world as w
from scripts.vectors.case import NONE, PERMIT, Case


def scope() -> Iterator[Case]:
    permit = w.grant()
    base = w.ask(w.final(permit))
    for name, request, expect in (
        ("covered", base, PERMIT),
        ("no_document_at_all", w.ask(), NONE),
        ("other_purpose", replace(base, purpose=w.purposes("HRESCH")), NONE),
        ("narrower_purpose_is_another_purpose", replace(base, purpose=w.purposes("COC")), NONE),
        (
            "emergency_purpose_never_here",
            replace(base, purpose=w.purposes("BTG")),
            ("deny", "emergency_path_only"),
        ),
        ("other_action", replace(base, action=w.actions("export")), NONE),
        ("other_category", replace(base, segment=w.segment("genomics")), NONE),
        ("one_category_too_many", replace(base, segment=w.segment("laboratory", "notes")), NONE),
        ("two_covered_categories", replace(base, segment=w.segment("laboratory", "medications")), PERMIT),
        ("data_without_category", replace(base, segment=w.segment()), NONE),
        ("other_organisation", replace(base, requester=Requester(w.DOCTOR, (w.HOSPITAL,))), NONE),
        ("grantee_itself", replace(base, requester=Requester(w.CLINIC)), PERMIT),
        ("nobody_asks", replace(base, requester=Requester()), ("deny", "requester_unresolved")),
        ("account_without_powers", replace(base, requester=Requester(account=w.STRANGER)), NONE),
    ):
        yield Case("scope", name, request, expect)
    btg = w.ask(w.final(w.grant(purposes=w.purposes("TREAT", "BTG"))), purpose=w.purposes("BTG"))
    yield Case("scope", "emergency_purpose_even_if_consented", btg, ("deny", "emergency_path_only"))
    for name, ids, expect in (("first_of_two", "medications", PERMIT), ("neither_of_two", "notes", NONE)):
        two = (
            w.grant(label="a", categories=w.categories("laboratory")),
            w.grant(label="b", categories=w.categories("medications")),
        )
        yield Case("scope", name, w.ask(*map(w.final, two), segment=w.segment(ids)), expect)
    split = w.ask(*map(w.final, two), segment=w.segment("laboratory", "medications"))
    yield Case("scope", "two_consents_do_not_add_up_to_one", split, NONE)


def validity() -> Iterator[Case]:
    permit = w.grant()
    for name, now, expect in (
        ("second_before_start", w.START - 1, (*NONE, "not_yet_valid")),
        ("first_second", w.START, PERMIT),
        ("last_second", w.END - 1, PERMIT),
        ("first_second_after_end", w.END, (*NONE, "expired")),
    ):
        yield Case("validity", name, w.ask(w.final(permit), now=UnixSeconds(now)), expect)
    late = UnixSeconds(w.NOW + 1)
    slot = w.slot_of(permit, not_before=late)
    recorded_late = w.final(permit, final=slot, head=slot)
    yield Case(
        "validity", "not_before_the_block_that_recorded_it", w.ask(recorded_late), (*NONE, "not_yet_valid")
    )
    yield Case("validity", "from_the_block_that_recorded_it", w.ask(recorded_late, now=late), PERMIT)
    endless = w.ask(w.final(w.grant(not_after=UNBOUNDED)), now=UnixSeconds(2**39))
    yield Case("validity", "without_end", endless, PERMIT)
    yield Case("validity", "mined_and_not_final", w.ask(w.at_head(permit)), (*NONE, "not_final"))
    yield Case("validity", "signed_and_not_mined", w.ask(w.received(permit)), (*NONE, "not_recorded"))
    gone = w.final(permit, head=EMPTY_SLOT)
    yield Case("validity", "final_and_missing_at_head", w.ask(gone), (*NONE, "slot_mismatch"))
    kind = w.slot_of(permit, kind=int(Kind.DENY))
    yield Case(
        "validity",
        "slot_of_another_kind",
        w.ask(w.final(permit, final=kind, head=kind)),
        (*NONE, "slot_mismatch"),
    )
    refusal = w.ask(w.final(w.grant(Kind.REFUSAL)))
    yield Case("validity", "a_refusal_permits_nothing", refusal, (*NONE, "refusal"))
    both = w.ask(w.final(w.grant(Kind.REFUSAL)), w.final(permit))
    yield Case("validity", "a_refusal_forbids_nothing", both, PERMIT)


def revocation() -> Iterator[Case]:
    permit = w.grant()
    gone = w.slot_of(permit, revoked_at=w.NOW)
    request = w.ask(w.final(permit))
    for name, asked, expect in (
        (
            "pending_in_the_queue",
            w.ask(w.final(permit, revocation_pending=True)),
            (*NONE, "revocation_pending"),
        ),
        ("revoked_at_head_only", w.ask(w.final(permit, head=gone)), (*NONE, "revoked")),
        ("revoked_and_final", w.ask(w.final(permit, final=gone, head=gone)), (*NONE, "revoked")),
        ("revoke_all_pending", replace(request, ended_epoch=0), (*NONE, "epoch_ended")),
        ("revoke_all_at_head", replace(request, head=replace(request.head, epoch=1)), (*NONE, "epoch_ended")),
        (
            "revoke_all_final",
            replace(request, final=replace(request.final, epoch=1), head=replace(request.head, epoch=1)),
            (*NONE, "epoch_ended"),
        ),
    ):
        yield Case("revocation", name, asked, expect)
    ahead = w.slot_of(permit, not_before=UnixSeconds(0), revoked_at=w.START)
    yield Case(
        "revocation", "revoked_before_it_was_recorded", w.ask(w.final(permit, final=ahead, head=ahead)), NONE
    )
    renewed = w.grant(epoch=1)
    later = w.ask(w.final(renewed))
    later = replace(later, final=replace(later.final, epoch=1), head=replace(later.head, epoch=1))
    yield Case("revocation", "granted_anew_after_revoke_all", later, PERMIT)
    yield Case("revocation", "pending_revoke_all_of_the_epoch_before", replace(later, ended_epoch=0), PERMIT)
