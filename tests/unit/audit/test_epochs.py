"""Audit keys of a patient over several epochs: rotation, erasure, and what survives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from backend.adapters.keys.audit_keys import StoredAuditKeys
from backend.audit import verify
from backend.audit.bundling import BundleBuilder, prepare
from backend.audit.errors import EntryDamaged, StaleSeal, UnknownEntry
from backend.audit.fsck import Fsck
from backend.audit.leaf import Leaf
from backend.audit.note import Ed25519Verifier
from backend.audit.seal import open_body
from backend.types import LogIndex, SubjectId
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, read_event
from tests.support.memory_keys import MemoryKeyStore

STRANGER = SubjectId(0x57)


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def keys(store: MemoryKeyStore) -> StoredAuditKeys:
    return StoredAuditKeys(store)


@pytest.fixture
def hospital(keys: StoredAuditKeys) -> Iterator[World]:
    made = World(keys=cast(Any, keys))
    yield made
    for log in made.opened:
        log.close()


def test_keys_asking_makes_none(keys: StoredAuditKeys, store: MemoryKeyStore) -> None:
    assert keys.newest(ANNA) is None
    assert keys.at(ANNA, 1) is None
    assert keys.names_of(ANNA) == [("audit", f"{ANNA:024x}/1")]  # that the first entry may be making
    assert keys.raise_epochs([ANNA]) == 0
    assert not store.exists("audit", f"{ANNA:024x}/1")


def test_raised_epoch_is_durable_and_leaves_the_old_key(keys: StoredAuditKeys, store: MemoryKeyStore) -> None:
    _, first = keys.current(ANNA)
    keys.current(BERTA)
    assert keys.raise_epochs([ANNA, STRANGER, None]) == 1
    assert keys.raise_epochs([ANNA]) == 1
    again = StoredAuditKeys(store)  # another process, later
    epoch, newest = again.current(ANNA)
    assert (epoch, again.newest(ANNA), again.newest(BERTA)) == (3, 3, 1)
    assert again.at(ANNA, 1) == first
    assert len({first, again.at(ANNA, 2), newest}) == 3
    assert again.at(ANNA, 4) is None
    assert again.names_of(ANNA) == [("audit", f"{ANNA:024x}/{epoch}") for epoch in (1, 2, 3, 4)]


def test_patient_sees_one_list_over_all_epochs_without_a_gap(hospital: World, keys: StoredAuditKeys) -> None:
    log = hospital.open()
    for number in range(6):
        log.append(read_event(number=number))
        keys.raise_epochs([ANNA])
    page = hospital.access(log).page(ANNA, before=None, limit=10)
    assert [(entry.epoch, entry.index) for entry in page.entries] == [(n + 1, n) for n in range(5, -1, -1)]
    assert hospital.access(log).gaps(ANNA) == ()
    bundle = hospital.proofs(log).access_list(ANNA)
    report = verify.verify_bundle(bundle, [hospital.signer.verifier_key])
    assert (report["complete"], len(report["entries"])) == (True, 6)


def test_epoch_that_was_never_used_hides_no_entry(hospital: World, keys: StoredAuditKeys) -> None:
    """Raised twice in between, the new chain has to say where the last used one ended."""
    log = hospital.open()
    log.append(read_event(number=1))
    log.append(read_event(number=2))
    keys.raise_epochs([ANNA])
    keys.raise_epochs([ANNA])
    log.append(read_event(number=3))
    assert hospital.access(log).gaps(ANNA) == ()
    chain = log.state._chains[hospital.reader(log).chains(ANNA)[0].pseudonym]
    chain.indexes.pop()  # the last entry of the first epoch is kept from the patient
    assert [(gap.epoch, gap.expected_sequence) for gap in hospital.access(log).gaps(ANNA)] == [(1, 1)]


def test_epoch_that_does_not_say_what_it_follows_is_a_gap(hospital: World, keys: StoredAuditKeys) -> None:
    log = hospital.open()
    log.append(read_event(number=1))
    old, _ = keys.current(ANNA)
    keys.raise_epochs([ANNA])
    forgetful = _Forgetful(keys, old)
    forged = prepare(
        read_event(number=2).encode(), subject=ANNA, act=b"", keys=forgetful, state=log.state, origin=ORIGIN
    )
    assert forged.continues is None
    builder = BundleBuilder(log.state, token=1, recorded_at_ms=hospital.clock.ms(), closed=set())
    builder.add(forged)
    bundle = builder.bundle()
    hospital.store.documents[bundle.first] = bundle
    log.state.apply(bundle)
    assert [(gap.epoch, gap.expected_sequence) for gap in hospital.access(log).gaps(ANNA)] == [(1, 1)]
    with pytest.raises(verify.VerificationError, match="epoch before"):
        verify.verify_bundle(hospital.proofs(log).access_list(ANNA), [hospital.signer.verifier_key])


class _Forgetful(StoredAuditKeys):
    """A writer that pretends an epoch never was."""

    def __init__(self, keys: StoredAuditKeys, forgotten: int) -> None:
        super().__init__(keys._keys)
        self._forgotten = forgotten

    def at(self, subject: SubjectId | None, epoch: int) -> bytes | None:
        return None if epoch == self._forgotten else super().at(subject, epoch)


def test_entry_sealed_for_an_epoch_that_was_skipped_is_sealed_again(
    hospital: World, keys: StoredAuditKeys
) -> None:
    log = hospital.open()
    log.append(read_event(number=1))
    keys.raise_epochs([ANNA])
    late = prepare(
        read_event(number=2).encode(), subject=ANNA, act=b"", keys=keys, state=log.state, origin=ORIGIN
    )
    keys.raise_epochs([ANNA])
    new = prepare(
        read_event(number=3).encode(), subject=ANNA, act=b"", keys=keys, state=log.state, origin=ORIGIN
    )
    builder = BundleBuilder(log.state, token=1, recorded_at_ms=hospital.clock.ms(), closed=set())
    builder.add(new)
    with pytest.raises(StaleSeal):
        builder.add(late)  # two chains would claim to follow the first


def test_keys_change_under_writers_and_the_chain_holds(hospital: World, keys: StoredAuditKeys) -> None:
    log = hospital.open()
    for number in range(40):
        log.append(read_event(number=number))
        if number % 7 == 0:
            keys.raise_epochs([ANNA, BERTA, None])
    assert len(hospital.reader(log).chains(ANNA)) == 7
    assert hospital.access(log).gaps(ANNA) == ()
    log.close()
    again = hospital.open()
    again.append(read_event(number=99))
    assert hospital.access(again).gaps(ANNA) == ()


def test_erased_patients_entries_verify_and_open_for_no_key_that_survives(
    hospital: World, keys: StoredAuditKeys, store: MemoryKeyStore
) -> None:
    log = hospital.open()
    for number in range(12):
        log.append(read_event((ANNA, BERTA, None)[number % 3], number=number))
        keys.raise_epochs([ANNA, BERTA, None])
    hospital.anchorer(log).run_once()
    of_anna = [index for chain in hospital.reader(log).chains(ANNA) for index in chain.indexes]
    assert len(of_anna) == 4
    keys.erase(ANNA)

    assert keys.newest(ANNA) is None
    assert hospital.access(log).page(ANNA, before=None, limit=10).entries == ()
    survivors = [secret.reveal() for secret in store._secrets.values()]
    assert len(survivors) > 8
    entries = list(hospital.reader(log).entries(of_anna))
    for entry in entries:
        leaf = Leaf.decode(entry.leaf)
        for key in survivors:
            with pytest.raises(EntryDamaged):
                open_body(
                    entry.body,
                    audit_key=key,
                    pseudonym=leaf.pseudonym,
                    commitment=leaf.commitment,
                    origin=ORIGIN,
                )
    trusted = [hospital.signer.verifier_key]
    for index in of_anna:  # something was logged there, nobody can say what
        closed = verify.verify_bundle(hospital.proofs(log).closed_entry(LogIndex(index)), trusted)
        assert "event" not in closed["entries"][0]
        with pytest.raises(UnknownEntry):
            hospital.proofs(log).entry(ANNA, LogIndex(index))
    neighbour = verify.verify_bundle(hospital.proofs(log).entry(BERTA, LogIndex(of_anna[1] + 1)), trusted)
    assert neighbour["entries"][0]["event"]["subject"] == f"0x{BERTA:024x}"
    assert verify.verify_bundle(hospital.proofs(log).access_list(BERTA), trusted)["complete"]
    report = Fsck(
        store=hospital.store,
        origin=ORIGIN,
        verifiers_at=lambda _: [Ed25519Verifier(hospital.signer.verifier_key)],
        anchor=hospital.anchor,
        keys=keys,
        subjects=(ANNA, BERTA, None),
    ).run()
    assert (report.sound, report.entries, report.opened) == (True, 12, 8)
    assert keys.newest(ANNA) is None  # the check made no key


def test_what_comes_after_an_erasure_begins_a_chain_of_its_own(
    hospital: World, keys: StoredAuditKeys, store: MemoryKeyStore
) -> None:
    log = hospital.open()
    log.append(read_event(number=1))
    keys.raise_epochs([ANNA])
    log.append(read_event(number=2))
    StoredAuditKeys(store).erase(ANNA)  # by an object that this one does not know of
    log.append(read_event(number=3))
    (left,) = hospital.access(log).page(ANNA, before=None, limit=10).entries
    assert (left.index, left.epoch, left.sequence) == (2, 1, 0)
    assert hospital.access(log).gaps(ANNA) == ()
