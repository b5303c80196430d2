"""Behaviour of the decision that is not a matter of vectors: errors, blocks, ports' mistakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.consent.assembly import EMPTY_SLOT, assemble
from backend.consent.decision import decide, decide_many, require_permitted
from backend.consent.decision_types import Answer, Reason, Requester, reference_of_record
from backend.consent.errors import ConsentRequired
from backend.consent.ledger_types import NOBODY, SubjectEvidence, delegation_tag
from backend.consent.prepared import prepare, rank
from backend.consent.restrictions import Pending, RestrictionQueue
from backend.consent.terms import UNLIMITED_USES, Kind, Rule
from backend.consent.typed_data import consent_id
from backend.consent.uses import Taken
from backend.errors import IntegrityError, InvalidInput, LedgerUnavailable, NotPermitted
from backend.types import QueuePosition, RecordId
from scripts.vectors import world as w


def test_decision_names_blocks_position_and_tables() -> None:
    decision = decide(w.ask(w.final(w.grant())))
    assert (decision.final_block, decision.head_block, decision.queue_position) == (100, 102, 5)
    assert decision.tables == w.TABLES.digest
    assert decision.consent_ids == (consent_id(w.grant()),)


def test_without_a_view_no_block_is_named() -> None:
    decision = decide(w.ask(view=None))
    assert (decision.final_block, decision.head_block) == (None, None)


def test_view_whose_final_block_is_above_its_head_is_unavailable() -> None:
    request = w.ask(w.final(w.grant()))
    assert request.view is not None
    crooked = replace(request.view, final_number=request.view.head_number + 1)
    assert decide(replace(request, view=crooked)).answer is Answer.UNAVAILABLE


@pytest.mark.parametrize("mask", [0, -1, 3, w.purposes("TREAT", "COC")])
def test_not_exactly_one_purpose_or_action_is_refused(mask: int) -> None:
    for field in ("purpose", "action"):
        with pytest.raises(InvalidInput) as refusal:
            decide(replace(w.ask(), **{field: mask}))
        assert refusal.value.field == field


def test_no_segments_give_no_decisions() -> None:
    assert decide_many(w.ask(w.final(w.grant())), ()) == ()


def test_require_permitted_tells_refusal_from_not_knowing_and_nothing_more() -> None:
    permitted = decide(w.ask(w.final(w.grant())))
    assert require_permitted(permitted) is permitted
    texts = set()
    for request in (
        w.ask(),
        w.ask(w.final(w.grant(Kind.DENY))),
        w.ask(final=replace(w.ask().final, count=1)),
    ):
        with pytest.raises(ConsentRequired) as refusal:
            require_permitted(decide(request))
        texts.add((refusal.value.detail, refusal.value.field, refusal.value.code))
    assert len(texts) == 1  # a deny, no consent and missing evidence look alike (invariant 10)
    assert issubclass(ConsentRequired, NotPermitted)
    with pytest.raises(LedgerUnavailable):
        require_permitted(decide(w.ask(stale=True)))


def test_subject_without_controller_is_nobodys_own() -> None:
    request = w.ask(requester=Requester(account=NOBODY), purpose=w.purposes("PATRQT"))
    orphan = replace(request.final, controller=NOBODY)
    assert decide(replace(request, final=orphan, head=orphan)).answer is Answer.NO_CONSENT


def test_member_id_zero_of_a_requester_is_not_everyone() -> None:
    request = w.ask(w.final(w.grant(grantee=bytes(32))), requester=Requester(bytes(32)))  # type: ignore[arg-type]
    assert decide(request).answer is Answer.NO_CONSENT


def test_one_document_twice_is_weighed_once_and_at_its_strictest() -> None:
    item = w.final(w.grant())
    request = w.ask(item)
    twice = replace(request, evidence=(replace(item, revocation_pending=True), item))
    decision = decide(twice)
    assert decision.answer is Answer.NO_CONSENT
    assert [finding.reason for finding in decision.findings] == [Reason.REVOCATION_PENDING]
    assert decide(replace(request, evidence=(item, item))).answer is Answer.PERMIT


def test_deny_of_another_subject_is_not_heard() -> None:
    deny = w.final(w.grant(Kind.DENY, subject=w.OTHER_SUBJECT))
    decision = decide(w.ask(w.final(w.grant()), deny))
    assert decision.answer is Answer.PERMIT
    assert Reason.OTHER_SUBJECT in {finding.reason for finding in decision.findings}


def test_longer_chain_of_delegations_than_allowed_is_not_followed() -> None:
    chain = [w.delegation(powers=15, depth=3)]
    for level in range(4):
        chain.append(w.delegation(powers=15, parent=consent_id(chain[-1]), label=str(level)))
    asked = {"requester": Requester(account=w.MOTHER), "purpose": w.purposes("FAMRQT")}
    decision = decide(w.ask(*map(w.final, chain), **asked))
    reasons = {finding.consent_id: finding.reason for finding in decision.findings}
    assert [reasons[consent_id(item)] for item in chain[:4]] == [Reason.PERMITS] * 4
    assert reasons[consent_id(chain[4])] is Reason.PARENT_ENDED


def test_rank_is_the_published_tuple_read_as_bits() -> None:
    one = b"\x01" * 32
    assert rank(Rule(permit=True)) == 0
    assert rank(Rule(permit=True, grantees=(one,))) == 1  # type: ignore[arg-type]
    assert rank(Rule(permit=True, purposes=1)) == 2
    assert rank(Rule(permit=True, categories=1)) == 4
    assert rank(Rule(permit=True, sensitivities=1)) == 8
    assert rank(Rule(permit=True, references=(one,))) == 16  # type: ignore[arg-type]
    assert rank(Rule(permit=True, actions=1, data_from=w.NOW, obligations=3)) == 0


def test_prepared_says_whether_uses_are_counted() -> None:
    assert not prepare(w.grant(max_uses=UNLIMITED_USES)).is_limited
    assert prepare(w.grant(max_uses=3)).is_limited
    assert not prepare(w.delegation()).is_limited


def test_reference_of_a_record_is_its_id_and_zeros() -> None:
    assert reference_of_record(RecordId(b"\x07" * 16)) == b"\x07" * 16 + bytes(16)


def test_assembly_adds_pending_revocations_denies_and_uses() -> None:
    permit, deny, limited = prepare(w.grant()), w.grant(Kind.DENY), prepare(w.grant(max_uses=2))
    queue = RestrictionQueue()
    queue.accept_revocation(w.SUBJECT, permit.consent_id)
    queue.accept_deny(deny)
    slots = tuple(w.slot_of(item.document) for item in (permit, limited))
    subject = SubjectEvidence(w.PATIENT, 0, 2, True, slots)
    evidence = assemble(
        [permit, limited],
        final=subject,
        head=subject,
        pending=queue.pending_for(w.SUBJECT),
        uses={limited.consent_id: Taken(2)},
    )
    assert [item.revocation_pending for item in evidence] == [True, False, False]
    assert [item.taken.made for item in evidence] == [0, 2, 0]
    assert evidence[2].prepared.document == deny
    assert evidence[2].final == EMPTY_SLOT
    decision = decide(w.ask(*evidence, final=subject, head=subject))
    assert (decision.answer, decision.reasons) == (Answer.DENY, (Reason.DENIED,))


def test_assembly_counts_an_ending_for_cause_in_the_queue_against_the_permits_it_gave() -> None:
    mother = w.delegation(powers=15)
    given = [prepare(w.grant(kind, label="given"), (mother,)) for kind in (Kind.PERMIT, Kind.DENY)]
    documents = [prepare(mother), *given, prepare(w.grant(label="own"))]
    queue = RestrictionQueue()
    queue.accept_end_for_cause(w.SUBJECT, consent_id(mother))
    slots = tuple(w.slot_of(item.document) for item in documents)
    subject = SubjectEvidence(w.PATIENT, 0, 4, True, slots)

    def pending() -> list[bool]:
        found = assemble(documents, final=subject, head=subject, pending=queue.pending_for(w.SUBJECT))
        return [item.revocation_pending for item in found]

    assert pending() == [True, True, False, False]
    queue.settle_end_for_cause(w.SUBJECT, consent_id(mother))
    assert not any(pending())


def test_permit_whose_delegation_was_ended_for_cause_comes_revoked_and_permits_nothing() -> None:
    mother = w.delegation(powers=15)
    permit = w.grant()
    slot = w.slot_of(permit, revoked_at=w.NOW)  # as the contract's evidence() gives it
    tagged = w.slot_of(permit, delegation_tag=delegation_tag(consent_id(mother)))
    for seen, answer in ((tagged, Answer.PERMIT), (slot, Answer.NO_CONSENT)):
        evidence = w.final(permit, via=(mother,), final=seen, head=seen)
        assert decide(w.ask(evidence)).answer is answer


def test_assembly_does_not_add_a_deny_that_is_stored_already() -> None:
    deny = prepare(w.grant(Kind.DENY))
    subject = SubjectEvidence(w.PATIENT, 0, 1, True, (w.slot_of(deny.document),))
    pending = Pending(QueuePosition(1), documents=(w.grant(Kind.DENY),))
    assert len(assemble([deny], final=subject, head=subject, pending=pending)) == 1


def test_assembly_refuses_another_number_of_slots() -> None:
    subject = SubjectEvidence(w.PATIENT, 0, 0, True, ())
    with pytest.raises(IntegrityError):
        assemble([prepare(w.grant())], final=subject, head=subject, pending=Pending(QueuePosition(0)))
