"""The key that blinds record numbers is replaced: everybody is found as before, the old key finds nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from backend.identity.errors import IdentityRecordTampered, PatientReferenceInvalid, RecordAlreadyEnrolled
from backend.identity.people import INDEX_KEYS, index_key_name
from backend.identity.reblinding import Reblinding
from backend.keystore import version_of
from backend.sealed import DocumentSealer
from backend.types import SubjectId
from tests.support.memory_keys import MemoryKeyStore
from tests.unit.identity.memory import MemoryEnrolmentStore
from tests.unit.identity.world import CLINIC, PATIENT, World

NUMBERS = [f"MRN-{number}" for number in range(5)]


def rotation(world: World) -> Reblinding:
    return Reblinding(
        keys=world.keys,
        documents=DocumentSealer(world.keys),
        store=world.stores.enrolments,
        sealer=world.sealer,
    )


def enrolled(world: World) -> list[SubjectId]:
    return [world.claim(world.issue(record_number=number).code, PATIENT).subject_id for number in NUMBERS]


def rows(world: World) -> dict[SubjectId, Any]:
    assert isinstance(world.stores.enrolments, MemoryEnrolmentStore)
    return world.stores.enrolments.rows


def resolved(world: World, number: str) -> SubjectId:
    return world.references.resolve(CLINIC, world.references.refer(CLINIC, number))


def test_rotation_finds_everybody_under_the_new_key_and_destroys_the_old(world: World) -> None:
    subjects = enrolled(world)
    old = {row.record_index for row in rows(world).values()}
    secret = world.keys.get("master", index_key_name(1))
    for version in (2, 3):
        state = rotation(world).rotate(clock=world.clock)
        assert (state.version, state.minimum, state.made_at) == (version, version, world.clock())
        world = world.again()
        assert [resolved(world, number) for number in NUMBERS] == subjects
        assert not old & {row.record_index for row in rows(world).values()}
        assert not world.keys.exists("master", index_key_name(version - 1))
    assert secret not in world.keys.everything().values()
    for number in NUMBERS:
        with pytest.raises(RecordAlreadyEnrolled):
            world.issue(record_number=number)


def test_reference_of_before_the_rotation_is_refused_whether_or_not_there_is_a_patient(world: World) -> None:
    enrolled(world)
    references = [world.references.refer(CLINIC, number) for number in ("MRN-1", "unknown")]
    rotation(world).rotate(clock=world.clock)
    for reference in references:
        with pytest.raises(PatientReferenceInvalid):
            world.again().references.resolve(CLINIC, reference)


def test_phantom_stays_what_it_is_as_a_patient_does(world: World) -> None:
    """Or whoever kept the ids of before would know after a rotation who is a patient (invariant 10)."""
    (patient, *_), phantom = enrolled(world), resolved(world, "unknown")
    rotation(world).rotate(clock=world.clock)
    assert resolved(world.again(), "unknown") == phantom
    assert resolved(world.again(), NUMBERS[0]) == patient


def test_both_keys_find_while_the_rotation_is_under_way(world: World) -> None:
    enrolled(world)
    world.keys.get_or_create("master", index_key_name(2))
    world.keys.note_version(version_of(world.keys, INDEX_KEYS)._replace(version=2))
    middle = world.again()
    code = middle.issue(record_number="NEW").code  # under the new key
    for number in (*NUMBERS, "NEW"):
        if number == "NEW":
            middle.claim(code, PATIENT)
        with pytest.raises(RecordAlreadyEnrolled):
            middle.issue(record_number=number)
    rotation(middle).finish()
    assert resolved(middle.again(), "NEW") in rows(middle)


def test_person_who_was_erased_is_under_no_record_number(world: World) -> None:
    subject = enrolled(world)[0]
    world.keys.erase("patient", f"documents/{subject:024x}")
    rotation(world).rotate(clock=world.clock)
    world = world.again()
    assert resolved(world, NUMBERS[0]) != subject
    assert rows(world)[subject].record_index == world.people.index_of_erased(subject)


def test_row_that_somebody_else_wrote_is_refused(world: World) -> None:
    subject = enrolled(world)[0]
    object.__setattr__(rows(world)[subject], "revision", 77)
    with pytest.raises(IdentityRecordTampered):
        rotation(world).rotate(clock=world.clock)


def dying(change: Callable[..., Any], steps: list[int], *, worked: bool) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        steps[0] -= 1
        if steps[0] == 0 and not worked:
            raise SystemExit
        result = change(*arguments, **options)
        if steps[0] == 0:
            raise SystemExit
        return result

    return call


@pytest.mark.parametrize("worked", [False, True])
@pytest.mark.parametrize("earlier", [0, 1])
def test_rotation_that_dies_at_any_step_is_ended_by_the_next_start(earlier: int, worked: bool) -> None:
    for at in range(1, 40):
        world = World()
        subjects = enrolled(world)
        for _ in range(earlier):
            rotation(world).rotate(clock=world.clock)
            world = world.again()
        steps = [at]
        with pytest.MonkeyPatch.context() as patch:
            for target, name in (
                (MemoryKeyStore, "get_or_create"),
                (MemoryKeyStore, "note_version"),
                (MemoryKeyStore, "erase_many"),
                (MemoryEnrolmentStore, "replace"),
            ):
                patch.setattr(target, name, dying(getattr(target, name), steps, worked=worked))
            with suppress(SystemExit):
                rotation(world).rotate(clock=world.clock)
        state = rotation(world).finish()  # as the start of the service does
        assert state.minimum == state.version
        world = world.again()
        assert [resolved(world, number) for number in NUMBERS] == subjects
        kept = {name for kind, name in world.keys.everything() if name.startswith("identity/record-number")}
        assert index_key_name(state.version) in kept
        assert len(kept) <= (2 if state.version == 1 + earlier else 1)  # the next one may lie ready
        if steps[0] > 0:
            assert at > 8
            return
    pytest.fail("a rotation takes more steps than were tried")


def test_rotation_killed_just_before_the_old_key_goes_ends_at_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = enrolled(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.keys, "erase_many", lambda _: (_ for _ in ()).throw(InterruptedError))
        with pytest.raises(InterruptedError):
            rotation(world).rotate(clock=world.clock)
    world = world.again()
    assert [resolved(world, number) for number in NUMBERS] == subjects
    rotation(world).finish()
    assert not world.keys.exists("master", index_key_name(1))
    assert [resolved(world.again(), number) for number in NUMBERS] == subjects
