"""A parent signs for a child; a carer acts for a patient and passes a part of it on."""

from __future__ import annotations

import pytest
from brownie import chain
from refusals import refuses
from typed_data import (
    GUARDIANSHIP,
    PERMIT,
    Delegation,
    Grant,
    delegated_delegation,
    delegated_grant,
    delegated_revoke,
    domain,
    message,
    revoke,
)

CHILD = 8001
YEAR = 365 * 86_400
GRANT, REVOKE, READ, DELEGATE = 1, 2, 4, 8


@pytest.fixture
def where(registry):
    return domain(registry)


@pytest.fixture
def guardianship(registry, guardian, hospital, where):
    """The hospital opened the child's subject under one parent."""
    now = chain.time() - 60  # the next block may carry an earlier second than Brownie's clock
    document = Delegation(CHILD, guardian.address, 15, now, now + 10 * YEAR, kind=GUARDIANSHIP)
    signature = guardian.sign(message(where, "Delegation", document.content()))
    registry.openSubjectUnderGuardian(document.header(), signature, {"from": hospital})
    return document


@pytest.fixture
def care(registry, patient, carer, where, relayer):
    """The patient lets a carer grant, revoke, read and delegate for a year."""
    now = chain.time() - 60  # the next block may carry an earlier second than Brownie's clock
    document = Delegation(patient.subject, carer.address, 15, now, now + YEAR, depth=2)
    signature = patient.person.sign(message(where, "Delegation", document.content()))
    registry.delegate(document.header(), signature, {"from": relayer})
    return document


def _grant(subject):
    now = chain.time() - 60  # the next block may carry an earlier second than Brownie's clock
    return Grant(subject, now, now + 30 * 86_400)


def test_parent_grants_for_the_child_until_the_guardianship_ends(
    registry, guardian, guardianship, where, hospital, relayer
):
    first = _grant(CHILD)
    signature = guardian.sign(delegated_grant(where, first, guardianship.id()))
    registry.grantByDelegate(first.header(), [guardianship.header()], signature, {"from": relayer})
    assert registry.isLive(first.id(), PERMIT)

    registry.endGuardianship(guardianship.id(), {"from": hospital})
    second = Grant(CHILD, first.not_before, first.not_after, summary="Another clinic too.")
    signature = guardian.sign(delegated_grant(where, second, guardianship.id()))
    with refuses("DelegationNotLive", guardianship.id()):
        registry.grantByDelegate(second.header(), [guardianship.header()], signature, {"from": relayer})


def test_another_custodian_cannot_end_the_guardianship(registry, guardianship, clinic):
    with refuses("NotOpeningCustodian", CHILD, clinic):
        registry.endGuardianship(guardianship.id(), {"from": clinic})


def test_parent_resigns(registry, guardian, guardianship, where, relayer):
    signature = guardian.sign(delegated_revoke(where, guardianship.id(), guardianship.id()))
    registry.endDelegation([guardianship.header()], 0, signature, {"from": relayer})
    assert not registry.isDelegationLive([guardianship.header()], READ)


def test_carer_passes_reading_on_and_the_patient_ends_both_with_one_signature(
    registry, patient, carer, nurse, care, where, relayer
):
    onwards = Delegation(
        patient.subject, nurse.address, READ, care.not_before, care.not_after, depth=0, parent=care.id()
    )
    signature = carer.sign(delegated_delegation(where, onwards, care.id()))
    registry.subdelegate(onwards.header(), [care.header()], signature, {"from": relayer})
    both = [onwards.header(), care.header()]
    assert registry.isDelegationLive(both, READ)
    assert not registry.isDelegationLive(both, GRANT)

    registry.revoke(care.id(), patient.person.sign(revoke(where, care.id())), {"from": relayer})
    assert not registry.isDelegationLive(both, READ)


def test_carer_who_abused_her_power_loses_the_permits_she_gave(
    registry, patient, carer, care, where, relayer
):
    document = _grant(patient.subject)
    signature = carer.sign(delegated_grant(where, document, care.id()))
    registry.grantByDelegate(document.header(), [care.header()], signature, {"from": relayer})
    assert registry.isLive(document.id(), PERMIT)
    ending = patient.person.sign(message(where, "EndForCause", {"delegation": care.id()}))
    registry.endForCause(care.id(), ending, {"from": relayer})
    assert not registry.isDelegationLive([care.header()], READ)
    assert not registry.isLive(document.id(), PERMIT)


def test_carer_cannot_pass_on_more_than_it_has(registry, patient, carer, nurse, care, where, relayer):
    longer = Delegation(
        patient.subject, nurse.address, READ, care.not_before, care.not_after + 1, depth=0, parent=care.id()
    )
    signature = carer.sign(delegated_delegation(where, longer, care.id()))
    with refuses("OutlivesDelegation", care.not_after + 1, care.not_after):
        registry.subdelegate(longer.header(), [care.header()], signature, {"from": relayer})


def test_carer_revokes_what_the_patient_granted(registry, patient, carer, care, where, relayer):
    document = _grant(patient.subject)
    signature = patient.person.sign(message(where, "Grant", document.content()))
    registry.grant(document.header(), signature, {"from": relayer})
    signature = carer.sign(delegated_revoke(where, document.id(), care.id()))
    registry.revokeByDelegate(document.id(), [care.header()], signature, {"from": relayer})
    assert not registry.isLive(document.id(), PERMIT)
