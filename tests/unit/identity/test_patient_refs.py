"""Search by identifier: the answer tells nothing, and resolves for the asking member only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import NotPermitted
from backend.identity.errors import PatientReferenceInvalid
from backend.types import MAX_SUBJECT_ID
from tests.unit.identity.memory import MemoryEnrolmentStore
from tests.unit.identity.world import CLINIC, OTHER_CLINIC, PATIENT, World


def test_refer_looks_nothing_up_and_gives_one_shape(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.claim(world.issue(record_number="MRN-7").code, PATIENT)

    def asked(*_: object) -> None:
        raise AssertionError("the store was asked")

    for name in ("get", "by_record_index", "by_account"):
        monkeypatch.setattr(MemoryEnrolmentStore, name, asked)
    references = [world.references.refer(CLINIC, number) for number in ("MRN-7", "unknown", "x" * 64)]
    assert {len(reference) for reference in references} == {80}
    assert len(set(references)) == 3


def test_resolve_gives_the_patient_to_the_member_that_asked(world: World) -> None:
    claim = world.claim(world.issue(record_number="MRN-7").code, PATIENT)
    reference = world.references.refer(CLINIC, " mrn-7")
    assert reference == world.references.refer(CLINIC, "MRN-7")
    assert world.references.resolve(CLINIC, reference) == claim.subject_id


def test_resolve_for_another_member_is_refused_whether_or_not_there_is_a_patient(world: World) -> None:
    world.claim(world.issue(record_number="MRN-7").code, PATIENT)
    for number in ("MRN-7", "unknown"):
        reference = world.references.refer(CLINIC, number)
        assert reference != world.references.refer(OTHER_CLINIC, number)
        with pytest.raises(PatientReferenceInvalid):
            world.references.resolve(OTHER_CLINIC, reference)


def test_resolve_of_nobody_gives_a_phantom_that_stays_the_same_for_all_members(world: World) -> None:
    phantom = world.references.resolve(CLINIC, world.references.refer(CLINIC, "unknown"))
    again = world.references.resolve(OTHER_CLINIC, world.references.refer(OTHER_CLINIC, "unknown"))
    assert phantom == again
    assert 0 < phantom <= MAX_SUBJECT_ID
    assert world.stores.enrolments.get(phantom) is None
    assert phantom != world.references.resolve(CLINIC, world.references.refer(CLINIC, "unknown 2"))


def test_resolve_before_the_claim_is_a_phantom_and_after_it_the_patient(world: World) -> None:
    reference = world.references.refer(CLINIC, "MRN-7")
    phantom = world.references.resolve(CLINIC, reference)
    issued = world.issue(record_number="MRN-7")
    assert world.references.resolve(CLINIC, reference) == phantom != issued.subject_id
    world.claim(issued.code, PATIENT)
    assert world.references.resolve(CLINIC, reference) == issued.subject_id


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_resolve_of_any_text_is_refused(text: str) -> None:
    with pytest.raises(PatientReferenceInvalid):
        WORLD.references.resolve(CLINIC, text)


WORLD = World()


def test_refer_by_a_caller_that_acts_for_no_organisation_is_refused(world: World) -> None:
    patient = world.identity.authenticate(world.sign_in(PATIENT).access_token)
    with pytest.raises(NotPermitted):
        world.identity.refer(patient, "MRN-7")
