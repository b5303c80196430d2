"""A patient's consents, from the first grant to the stop sheet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from brownie import chain
from refusals import refuses
from typed_data import DENY, FOREVER, PERMIT, REFUSAL, Grant, domain, message, revoke, revoke_all

DAY = 86_400


@pytest.fixture
def grant(patient):
    now = chain.time() - 60  # the next block may carry an earlier second than Brownie's clock
    return Grant(subject=patient.subject, not_before=now, not_after=now + 30 * DAY)


@pytest.fixture
def sign(registry):
    """Sign a grant in full."""
    return lambda person, document: person.sign(message(domain(registry), "Grant", document.content()))


def test_grant_relayed_by_anyone_is_live_under_the_id_the_wallet_knew(
    registry, patient, grant, sign, relayer
):
    tx = registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    assert bytes(tx.return_value) == grant.id()
    assert registry.isLive(grant.id(), PERMIT)
    assert not registry.isLive(grant.id(), DENY)
    controller, epoch, count, opened = registry.subjectOf(patient.subject)
    assert (str(controller), int(epoch), int(count), opened) == (patient.person.address, 0, 1, True)


def test_grant_after_its_end_is_no_longer_live(registry, patient, grant, sign, relayer):
    registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    chain.sleep(31 * DAY)
    chain.mine()
    assert not registry.isLive(grant.id(), PERMIT)


def test_grant_signed_by_somebody_else_is_refused(registry, patient, grant, sign, stranger, relayer):
    with refuses("SignatureInvalid", patient.person.address):
        registry.grant(grant.header(), sign(stranger, grant), {"from": relayer})


def test_grant_with_other_terms_than_signed_is_refused(registry, patient, grant, sign, relayer):
    wider = replace(grant, summary="The clinic may read everything.")
    with refuses("SignatureInvalid", patient.person.address):
        registry.grant(wider.header(), sign(patient.person, grant), {"from": relayer})


def test_narrowing_supersedes_the_wider_grant_in_one_transaction(registry, patient, grant, sign, relayer):
    registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    narrower = replace(grant, summary="Only laboratory results of this year.", supersedes=grant.id())
    tx = registry.grant(narrower.header(), sign(patient.person, narrower), {"from": relayer})
    assert list(registry.areLive([grant.id(), narrower.id()], PERMIT)) == [False, True]
    assert tx.events["ConsentRevoked"]["id"] == "0x" + grant.id().hex()


def test_revocation_relayed_by_a_stranger_counts(registry, patient, grant, sign, accounts, relayer):
    registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    sheet = patient.person.sign(revoke(domain(registry), grant.id()))
    registry.revoke(grant.id(), sheet, {"from": accounts[9]})
    assert not registry.isLive(grant.id(), PERMIT)
    registry.revoke(grant.id(), sheet, {"from": accounts[9]})


def test_revocation_that_overtakes_its_grant_blocks_it(registry, patient, grant, sign, relayer):
    sheet = patient.person.sign(revoke(domain(registry), grant.id()))
    registry.revokeAhead(grant.header(), sheet, {"from": relayer})
    with refuses("AlreadyRevoked", grant.id()):
        registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    assert registry.subjectOf(patient.subject)[2] == 0


def test_paper_stop_sheet_ends_permits_and_leaves_denies(registry, patient, grant, sign, relayer):
    stop_sheet = patient.person.sign(revoke_all(domain(registry), patient.subject, 0))
    deny, refusal = replace(grant, kind=DENY), replace(grant, kind=REFUSAL)
    for document in (grant, deny, refusal):
        registry.grant(document.header(), sign(patient.person, document), {"from": relayer})
    registry.revokeAll(patient.subject, 0, stop_sheet, {"from": relayer})
    assert not registry.isLive(grant.id(), PERMIT)
    assert registry.isLive(deny.id(), DENY)
    assert registry.isLive(refusal.id(), REFUSAL)
    registry.revokeAll(patient.subject, 0, stop_sheet, {"from": relayer})
    assert registry.subjectOf(patient.subject)[1] == 1


def test_batch_of_a_clinics_morning_one_bad_signature_harms_only_itself(
    registry, patient, stranger, grant, sign, clinic
):
    documents = [replace(grant, summary=f"Visit {number}") for number in range(4)]
    signers = [patient.person, stranger, patient.person, patient.person]
    signatures = [sign(person, document) for person, document in zip(signers, documents, strict=True)]
    tx = registry.grantBatch([document.header() for document in documents], signatures, {"from": clinic})
    live = registry.areLive([document.id() for document in documents], PERMIT)
    assert list(live) == [True, False, True, True]
    assert tx.events["GrantRejected"]["id"] == "0x" + documents[1].id().hex()


def test_evidence_returns_every_slot_in_one_call(registry, patient, grant, sign, relayer):
    registry.grant(grant.header(), sign(patient.person, grant), {"from": relayer})
    subject_slot, slots = registry.evidence(patient.subject, [grant.id(), bytes(32)])
    assert subject_slot == int(patient.person.address, 16) | 1 << 192 | 1 << 224
    slot = slots[0]
    assert (slot & (2**96 - 1), slot >> 96 & 255, slot >> 104 & (2**32 - 1)) == (patient.subject, PERMIT, 0)
    assert (slot >> 136 & FOREVER, slot >> 176 & FOREVER) == (0, grant.not_after)
    assert slots[1] == 0
