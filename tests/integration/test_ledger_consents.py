"""The consent adapter on the real contracts: every command, every answer, asked twice."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from backend.adapters.ledger.errors import BlockForgotten, LedgerRejected
from backend.adapters.ledger.headers import delegation_header, grant_header
from backend.consent.ledger_types import Receipt
from backend.consent.terms import (
    DelegatedDelegation,
    DelegatedGrant,
    DelegatedRevoke,
    Grant,
    Kind,
    OpenSubject,
    Power,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import consent_id
from backend.types import BlockNumber, ConsentId, SubjectId, UnixSeconds
from tests.support.ledger_world import (
    SENDERS,
    Person,
    World,
    delegation,
    embedded_world,
    grant,
    late,
    person,
)

_subjects = itertools.count(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as made:
        yield made


@pytest.fixture
def patient() -> Person:
    return person()


@pytest.fixture
def subject(world: World, patient: Person) -> int:
    number = next(_subjects)
    world.open_subject(number, patient)
    return number


def _give(world: World, patient: Person, document: Grant) -> Receipt:
    return world.ledger.consents.record(document, patient.sign(document, world.domain))


def sent(world: World) -> list[int]:
    """How much each account has sent; a network has new blocks whether anything was sent or not."""
    return [world.chain.next_nonce(Person(key).account) for key in SENDERS.values()]


def _slots(world: World, subject: int, *ids: bytes):  # type: ignore[no-untyped-def]
    view = world.ledger.consents.view()
    wanted = tuple(ConsentId(each) for each in ids)
    return world.ledger.consents.evidence(SubjectId(subject), wanted, block=view.head_number)


def test_contract_and_service_compute_the_same_ids(world: World, subject: int) -> None:
    registry = world.ledger.consents._registry
    head = world.chain.view().head_number
    given, delegated = grant(subject), delegation(subject, person())
    assert registry._view("grantId", grant_header(given), block=head)[0] == consent_id(given)
    assert registry._view("delegationId", delegation_header(delegated), block=head)[0] == consent_id(
        delegated
    )


def test_grant_recorded_shows_in_the_evidence_at_its_block_and_not_before(
    world: World, patient: Person, subject: int
) -> None:
    document = grant(subject)
    receipt = _give(world, patient, document)
    wanted = (consent_id(document), ConsentId(b"\x77" * 32))
    after = world.ledger.consents.evidence(SubjectId(subject), wanted, block=receipt.block_number)
    before = world.ledger.consents.evidence(
        SubjectId(subject), wanted, block=BlockNumber(receipt.block_number - 1)
    )
    assert (after.controller, after.epoch, after.count, after.opened) == (patient.account, 0, 1, True)
    recorded, unknown = after.slots
    assert (recorded.subject, recorded.kind, recorded.epoch) == (subject, Kind.PERMIT, 0)
    assert recorded.not_before >= document.not_before
    assert (recorded.not_after, recorded.revoked_at) == (document.not_after, 0)
    assert not unknown.is_recorded
    assert (before.count, before.slots[0].is_recorded) == (0, False)


def test_evidence_of_a_stranger_is_empty(world: World) -> None:
    found = _slots(world, 999_999)
    assert (found.opened, found.count, found.controller) == (False, 0, "0x" + "00" * 20)


def test_evidence_at_a_block_whose_state_is_gone_says_so(world: World, patient: Person, subject: int) -> None:
    for _ in range(40):
        _give(world, patient, grant(subject))
    with pytest.raises(BlockForgotten):
        world.ledger.consents.evidence(SubjectId(subject), (), block=BlockNumber(3))


def test_evidence_asked_again_at_the_same_block_is_the_same_object(world: World, subject: int) -> None:
    assert _slots(world, subject) is _slots(world, subject)


def test_grant_recorded_twice_gives_the_first_receipt(world: World, patient: Person, subject: int) -> None:
    document = grant(subject)
    first, second = _give(world, patient, document), _give(world, patient, document)
    assert (second.block_number, second.transaction_hash) == (first.block_number, first.transaction_hash)
    assert _slots(world, subject).count == 1


def test_grant_retried_after_its_revocation_still_gives_the_first_receipt(
    world: World, patient: Person, subject: int
) -> None:
    document = grant(subject)
    first = _give(world, patient, document)
    revocation = Revoke(consent_id(document))
    world.ledger.consents.revoke(consent_id(document), patient.sign(revocation, world.domain))
    assert _give(world, patient, document).transaction_hash == first.transaction_hash


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param(late, "SubmittedTooLate", id="deadline over"),
        pytest.param(lambda g: replace(g, epoch=3), "EpochNotCurrent", id="stale epoch"),
        pytest.param(lambda g: replace(g, kind=9), "KindNotAllowed", id="unknown kind"),
        pytest.param(lambda g: replace(g, not_after=UnixSeconds(5)), "WindowEmpty", id="empty window"),
        pytest.param(
            lambda g: replace(g, subject=SubjectId(888_888)), "SubjectUnknown", id="no such subject"
        ),
    ],
)
def test_grant_that_the_contract_refuses_is_rejected_by_name(  # type: ignore[no-untyped-def]
    world: World, patient: Person, subject: int, change, name: str
) -> None:
    with pytest.raises(LedgerRejected) as refusal:
        _give(world, patient, change(grant(subject)))
    assert refusal.value.name == name


def test_grant_signed_by_a_stranger_is_rejected_and_not_recorded(world: World, subject: int) -> None:
    document = grant(subject)
    with pytest.raises(LedgerRejected) as refusal:
        _give(world, person(), document)
    assert refusal.value.name == "SignatureInvalid"
    assert not _slots(world, subject, consent_id(document)).slots[0].is_recorded


def test_deadline_is_compared_with_now_however_old_the_head_is(
    world: World, patient: Person, subject: int
) -> None:
    document = replace(grant(subject), submit_by=UnixSeconds(int(time.time()) + 1))
    time.sleep(2.1)
    before = sent(world)
    with pytest.raises(LedgerRejected) as refusal:
        _give(world, patient, document)
    assert refusal.value.name == "SubmittedTooLate"
    assert sent(world) == before


def test_revocation_recorded_shows_in_the_slot_and_again_does_nothing(
    world: World, patient: Person, subject: int
) -> None:
    document = grant(subject)
    _give(world, patient, document)
    signature = patient.sign(Revoke(consent_id(document)), world.domain)
    world.ledger.consents.revoke(consent_id(document), signature)
    first = _slots(world, subject, consent_id(document))
    assert first.slots[0].revoked_at > 0
    world.ledger.consents.revoke(consent_id(document), signature)
    assert _slots(world, subject, consent_id(document)) == first


def test_revocation_before_the_grant_keeps_it_out_for_ever(
    world: World, patient: Person, subject: int
) -> None:
    document = grant(subject)
    world.ledger.consents.revoke_ahead(document, patient.sign(Revoke(consent_id(document)), world.domain))
    with pytest.raises(LedgerRejected) as refusal:
        _give(world, patient, document)
    assert refusal.value.name == "AlreadyRevoked"
    found = _slots(world, subject, consent_id(document))
    assert (found.count, found.slots[0].not_before) == (0, 0)
    assert found.slots[0].revoked_at > 0


def test_revoke_all_raises_the_epoch_once(world: World, patient: Person, subject: int) -> None:
    signature = patient.sign(RevokeAll(SubjectId(subject), 0), world.domain)
    for _ in range(2):
        world.ledger.consents.revoke_all(SubjectId(subject), 0, signature)
        assert _slots(world, subject).epoch == 1


def test_delegate_grants_revokes_delegates_on_and_resigns(
    world: World, patient: Person, subject: int
) -> None:
    ledger, domain = world.ledger.consents, world.domain
    helper, second = person(), person()
    root = delegation(subject, helper)
    ledger.record(root, patient.sign(root, domain))
    given = grant(subject)
    root_id = consent_id(root)
    ledger.record(given, helper.sign(DelegatedGrant(given, root_id), domain), via=[root])
    ledger.revoke(
        consent_id(given), helper.sign(DelegatedRevoke(consent_id(given), root_id), domain), via=[root]
    )
    child = delegation(subject, second, depth=1, parent=root_id)
    ledger.record(child, helper.sign(DelegatedDelegation(child, root_id), domain), via=[root])
    child_id = consent_id(child)
    assert [slot.kind for slot in _slots(world, subject, root_id, child_id).slots] == [3, 3]
    resignation = second.sign(DelegatedRevoke(child_id, child_id), domain)
    ledger.revoke(child_id, resignation, via=[child, root])
    other = delegation(subject, second, depth=1, parent=root_id)
    ledger.record(other, helper.sign(DelegatedDelegation(other, root_id), domain), via=[root])
    ending = helper.sign(DelegatedRevoke(consent_id(other), root_id), domain)
    ledger.revoke_ahead(other, ending, via=[root])  # what was delegated onwards
    ends = _slots(world, subject, root_id, consent_id(given), child_id, consent_id(other)).slots
    assert [slot.revoked_at > 0 for slot in ends] == [False, True, True, True]


def test_child_is_opened_under_a_guardian_whose_power_the_custodian_ends(world: World) -> None:
    ledger, domain = world.ledger.consents, world.domain
    parent, number = person(), next(_subjects)
    guardianship = delegation(number, parent, kind=Kind.GUARDIANSHIP, powers=Power.GRANT | Power.REVOKE)
    signature = parent.sign(guardianship, domain)
    first = ledger.open_subject_under_guardian(guardianship, signature)
    assert ledger.open_subject_under_guardian(guardianship, signature).block_number == first.block_number
    given = grant(number)
    signed = parent.sign(DelegatedGrant(given, consent_id(guardianship)), domain)
    ledger.record(given, signed, via=[guardianship])
    ledger.end_guardianship(consent_id(guardianship))
    again = grant(number)
    signed = parent.sign(DelegatedGrant(again, consent_id(guardianship)), domain)
    with pytest.raises(LedgerRejected):
        ledger.record(again, signed, via=[guardianship])


def test_subject_opened_twice_for_the_same_patient_is_one_and_for_another_is_refused(
    world: World, patient: Person
) -> None:
    number, stranger = next(_subjects), person()

    def opening(who: Person) -> Receipt:
        command = OpenSubject(SubjectId(number), who.account, UnixSeconds(int(time.time()) + 60))
        return world.ledger.consents.open_subject(command, who.sign(command, world.domain))

    assert opening(patient).transaction_hash == opening(patient).transaction_hash
    with pytest.raises(LedgerRejected) as refusal:
        opening(stranger)
    assert refusal.value.name == "SubjectAlreadyOpen"


def test_batch_of_grants_refuses_each_alone(world: World, patient: Person, subject: int) -> None:
    known = grant(subject)
    first = _give(world, patient, known)
    fresh, forged, stale = grant(subject), grant(subject), replace(grant(subject), epoch=5)
    documents = [known, fresh, forged, stale]
    signatures = [patient.sign(each, world.domain) for each in documents]
    signatures[2] = person().sign(forged, world.domain)
    outcomes = world.ledger.consents.record_grants(documents, signatures)
    assert isinstance(outcomes[0], Receipt)
    assert outcomes[0].transaction_hash == first.transaction_hash
    assert isinstance(outcomes[1], Receipt)
    assert [getattr(outcome, "name", None) for outcome in outcomes[2:]] == [
        "SignatureInvalid",
        "EpochNotCurrent",
    ]
