"""The book over stores in memory; the same on MongoDB in tests/integration/test_slot_store.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from backend.keystore import KeyKind, Secret, SecretNotFound
from backend.records.context import SegmentKeyId
from backend.records.envelope_errors import WrapRefused
from backend.records.ports import SlotRow
from backend.records.sealing import RecipientPrivateKey, SlotTarget, open_segment_key, seal_segment_key
from backend.records.slot_book import KeyWithheld, SlotBook, SlotMissing, SlotsFull, SlotsTaken
from backend.records.slots import MAX_SLOTS, SealedSlot
from backend.records.wrapping import SegmentKey
from backend.sealed import DocumentSealer, SealedDocumentRefused
from backend.types import ConsentId, MemberId, SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore
from tests.support.memory_slots import MemorySlotIndex

HOSPITAL = MemberId(b"\x01" * 32)
ANNA, BEN = SubjectId(77), SubjectId(78)
CLINIC = RecipientPrivateKey(Secret(b"\x0a" * 32))


class World:
    def __init__(self) -> None:
        self.keys, self.index = MemoryKeyStore(), MemorySlotIndex()
        self.book = self.restart()

    def restart(self) -> SlotBook:
        """Another process on the same stores: nothing is remembered."""
        sealer = DocumentSealer(self.keys)
        self.book = SlotBook(tenant=HOSPITAL, index=self.index, keys=self.keys, sealer=sealer)
        return self.book


@pytest.fixture
def world() -> World:
    return World()


def sealed_to_clinic(key: SegmentKey, *, consent: int = 12) -> SealedSlot:
    target = SlotTarget(
        key.id, CLINIC.public.id, ConsentId(bytes([consent]) * 32), UnixSeconds(9), 1, b"\x0d" * 20
    )
    sealed = seal_segment_key(key, CLINIC.public, target)
    return SealedSlot(
        target.recipient, target.consent, target.expiry, target.chain_id, target.contract, sealed
    )


def test_key_made_for_writing_is_the_one_read_after_a_restart(world: World) -> None:
    made = world.book.writing(ANNA, ["3:1", "4:0", "3:1"])
    assert set(made) == {"3:1", "4:0"}
    assert made["3:1"].secret != made["4:0"].secret
    assert world.restart().reading(made["3:1"].id) == made["3:1"]
    assert world.book.writing(ANNA, ["3:1"]) == {"3:1": made["3:1"]}


def test_two_patients_have_different_keys_and_rows_that_name_no_kind(world: World) -> None:
    keys = [world.book.writing(patient, ["3:1"])["3:1"] for patient in (ANNA, BEN)]
    assert keys[0].secret != keys[1].secret
    assert len(world.index.rows) == 2
    assert not any(b"3:1" in row.sealed or "3:1" in row.name for row in world.index.rows.values())


def test_key_asked_for_by_many_threads_at_once_is_one_key(world: World) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: world.book.writing(ANNA, ["3:1"])["3:1"], range(32)))
    assert all(key == found[0] for key in found)


def test_key_of_an_erased_patient_is_not_read_though_it_is_remembered(world: World) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    assert world.book.reading(key.id) == key
    world.keys.erase_many(world.book.keys_of(ANNA))
    with pytest.raises(SecretNotFound):
        world.book.reading(key.id)
    with pytest.raises(SecretNotFound):
        world.restart().reading(key.id)


def test_keys_of_a_patient_name_every_secret_the_book_made(world: World) -> None:
    world.book.writing(ANNA, ["3:1"])
    world.book.rotate_master(ANNA)
    world.book.rotate_master(ANNA)
    world.keys.erase_many([*world.book.keys_of(ANNA), ("patient", f"documents/{ANNA:024x}")])
    assert world.keys.everything() == {}


def test_key_that_no_table_names_is_missing(world: World) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    with pytest.raises(SlotMissing):
        world.book.reading(replace(key.id, epoch=1))
    with pytest.raises(SlotMissing):
        world.book.reading(replace(key.id, kind="4:0"))
    world.index.rows.clear()
    with pytest.raises(SlotMissing):
        world.restart().reading(key.id)


def test_table_of_another_kind_or_patient_put_in_its_place_is_refused(world: World) -> None:
    one, two = world.book.writing(ANNA, ["3:1", "4:0"]).values()
    first, second = world.index.rows.values()
    world.index.rows[first.name] = second._replace(name=first.name)
    world.index.rows[second.name] = first._replace(name=second.name)
    for key in (one, two):
        with pytest.raises(SealedDocumentRefused):
            world.restart().reading(key.id)


def test_rotated_master_reads_the_same_keys_and_the_old_wraps_are_dead(world: World) -> None:
    keys = world.book.writing(ANNA, ["3:1", "4:0"])
    old = dict(world.index.rows)
    assert world.book.rotate_master(ANNA) == 2
    assert world.book.writing(ANNA, ["3:1", "4:0"]) == keys
    assert world.restart().reading(keys["3:1"].id) == keys["3:1"]
    with pytest.raises(SecretNotFound):
        world.keys.get("patient", f"master/{ANNA:024x}/1")
    world.index.rows.update(old)  # whoever keeps the index puts the old wraps back
    with pytest.raises(WrapRefused):
        world.restart().reading(keys["3:1"].id)


def test_remembered_key_is_still_read_after_a_rotation(world: World) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    other = SlotBook(tenant=HOSPITAL, index=world.index, keys=world.keys, sealer=DocumentSealer(world.keys))
    assert other.reading(key.id) == key
    world.book.rotate_master(ANNA)
    assert other.reading(key.id) == key


class Stop(Exception):
    """The process ended here."""


@pytest.mark.parametrize("step", range(7))
def test_rotation_that_stopped_at_any_step_is_finished_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    keys = world.book.writing(ANNA, ["3:1", "4:0"])
    left = [step]

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object) -> object:
            if left[0] == 0:
                raise Stop
            left[0] -= 1
            return real(*given)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((world.keys, "create_many"), (world.keys, "erase"), (world.index, "replace")):
            patch.setattr(owner, name, counted(getattr(owner, name)))
        try:
            world.book.rotate_master(ANNA)
            assert step >= 4
        except Stop:
            assert step < 4
    assert world.restart().writing(ANNA, ["3:1", "4:0"]) == keys
    version = world.book.rotate_master(ANNA)
    # A rotation that had begun is finished, and no second one begun.
    assert version == (3 if step >= 4 else 2)
    assert world.restart().writing(ANNA, ["3:1", "4:0"]) == keys
    alive = [number for number in range(1, 5) if world.keys.exists("patient", f"master/{ANNA:024x}/{number}")]
    assert alive == [version]


def test_raised_epoch_is_written_under_and_the_old_one_still_read(world: World) -> None:
    old = world.book.writing(ANNA, ["3:1"])["3:1"]
    new_id = world.book.raise_epoch(ANNA, "3:1")
    new = world.book.writing(ANNA, ["3:1"])["3:1"]
    assert (new.id, new.id.epoch) == (new_id, 1)
    assert new.secret != old.secret
    assert world.restart().reading(old.id) == old
    assert world.book.kinds(ANNA) == ["3:1"]
    assert world.book.kinds(BEN) == []


def test_sealed_slot_is_kept_and_opens_for_its_reader(world: World) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    slot = sealed_to_clinic(key)
    world.book.seal_to(key.id, slot)
    world.book.seal_to(key.id, slot)
    (found,) = world.restart().epoch(key.id).sealed
    assert open_segment_key(found.sealed, CLINIC, found.target(key.id)) == key


def test_reader_over_the_limit_is_refused_and_a_known_one_replaced(world: World) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    for number in range(MAX_SLOTS - 1):
        world.book.seal_to(key.id, sealed_to_clinic(key, consent=number))
    with pytest.raises(SlotsFull):
        world.book.seal_to(key.id, sealed_to_clinic(key, consent=200))
    world.book.seal_to(key.id, sealed_to_clinic(key, consent=5))
    with pytest.raises(SlotMissing):
        world.book.seal_to(replace(key.id, epoch=3), sealed_to_clinic(key))


def test_key_kept_end_to_end_is_neither_read_nor_written_by_the_service(world: World) -> None:
    key_id = SegmentKeyId(tenant=HOSPITAL, subject=ANNA, kind="e2e:3:1", epoch=0)
    key = SegmentKey(key_id, Secret.generate())
    slot = sealed_to_clinic(key, consent=0)
    world.book.keep_end_to_end(key_id, slot)
    world.book.seal_to(key_id, sealed_to_clinic(key, consent=3))
    world.book.keep_end_to_end(key_id, slot)
    assert len(world.book.epochs(ANNA, "e2e:3:1")) == 1
    for taken in (key_id, replace(key_id, epoch=2)):
        with pytest.raises(SlotsTaken):
            world.book.keep_end_to_end(taken, sealed_to_clinic(key, consent=4))
    with pytest.raises(KeyWithheld):
        world.book.reading(key_id)
    with pytest.raises(KeyWithheld):
        world.book.writing(ANNA, ["e2e:3:1"])
    world.book.open_to_custodian(key, b"signed")
    world.book.open_to_custodian(key, b"signed anew")
    assert world.book.epoch(key_id).handover == b"signed"
    assert world.book.reading(key_id) == key
    assert world.restart().writing(ANNA, ["e2e:3:1"]) == {"e2e:3:1": key}


def test_master_rotation_leaves_keys_kept_end_to_end_alone(world: World) -> None:
    key = SegmentKey(SegmentKeyId(tenant=HOSPITAL, subject=ANNA, kind="e2e:1:0", epoch=0), Secret.generate())
    world.book.keep_end_to_end(key.id, sealed_to_clinic(key))
    world.book.rotate_master(ANNA)
    assert world.book.epoch(key.id).custodian is None


def test_rotation_has_first_writes_of_its_patient_wait_and_of_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.book.writing(ANNA, ["3:1"])
    begun, goes_on, listed = threading.Event(), threading.Event(), world.index.of_subject

    def slowly(subject: SubjectId) -> Iterable[SlotRow]:
        begun.set()
        assert goes_on.wait(30)
        return listed(subject)

    monkeypatch.setattr(world.index, "of_subject", slowly)
    with ThreadPoolExecutor(3) as threads:
        rotation = threads.submit(world.book.rotate_master, ANNA)
        assert begun.wait(30)
        held = threads.submit(world.book.writing, ANNA, ["4:0"])
        assert threads.submit(world.book.writing, BEN, ["3:1"]).result(30)
        assert not held.done()
        goes_on.set()
        assert rotation.result(30) == 2
        key = held.result(30)["4:0"]
    assert world.restart().reading(key.id) == key


def test_table_changed_by_another_writer_meanwhile_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    real = world.index.find
    once = [True]

    def find(name: str) -> SlotRow | None:
        row = real(name)
        if once and row is not None:
            once.clear()
            other = SlotBook(
                tenant=HOSPITAL, index=world.index, keys=world.keys, sealer=DocumentSealer(world.keys)
            )
            other.seal_to(key.id, sealed_to_clinic(key, consent=1))
        return row

    monkeypatch.setattr(world.index, "find", find)
    world.book.seal_to(key.id, sealed_to_clinic(key, consent=2))
    assert len(world.book.epoch(key.id).sealed) == 2


def test_book_asks_for_the_master_at_every_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.book.writing(ANNA, ["3:1"])["3:1"]
    asked: list[str] = []
    real = world.keys.get

    def get(kind: KeyKind, name: str) -> Secret:
        asked.append(name)
        return real(kind, name)

    monkeypatch.setattr(world.keys, "get", get)
    world.book.reading(key.id)
    assert asked == [f"master/{ANNA:024x}/1"]
