from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.audit.fsck import Fsck, FsckReport
from backend.audit.log import AuditLog
from backend.audit.merkle import leaf_hash
from backend.audit.note import Ed25519Verifier
from backend.audit.types import Bundle
from backend.types import LogIndex
from tests.support.audit_world import World
from tests.support.memory_audit import ANNA, BERTA, ORIGIN, MemoryAuditStore, read_event


@pytest.fixture
def filled(world: World, log: AuditLog) -> World:
    for number in range(10):
        log.append(read_event((ANNA, BERTA, None)[number % 3], number=number))
        if number in (3, 6):
            world.anchorer(log).run_once()
    return world


def fsck(world: World) -> FsckReport:
    return Fsck(
        store=world.store,
        origin=ORIGIN,
        verifiers_at=lambda _: [Ed25519Verifier(world.signer.verifier_key)],
        anchor=world.anchor,
        keys=world.keys,
        subjects=(ANNA, BERTA, None),
    ).run()


def found(world: World) -> list[tuple[str, str]]:
    report = fsck(world)
    assert report.sound is (not report.findings)
    return [(f.code, f.where) for f in report.findings]


def flipped(data: bytes, place: int = 70) -> bytes:
    changed = bytearray(data)
    changed[place % len(changed)] ^= 1
    return bytes(changed)


def test_sound_log_is_opened_whole(filled: World, log: AuditLog) -> None:
    report = fsck(filled)
    assert (report.sound, report.entries, report.opened, report.checkpoints) == (True, 10, 10, 2)
    assert report.root == log.state.tree.root()


def test_empty_store_is_sound(world: World) -> None:
    assert found(world) == []


def test_erased_keys_leave_a_sound_log(filled: World) -> None:
    filled.keys.erased.add((ANNA, 1))
    report = fsck(filled)
    assert (report.sound, report.opened) == (True, 6)


def change(field: str, how: Callable[[bytes], bytes]) -> Callable[[Bundle], Bundle]:
    def apply(bundle: Bundle) -> Bundle:
        changes: dict[str, Any] = {field: (how(getattr(bundle, field)[0]),)}
        return replace(bundle, **changes)

    return apply


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (change("leaves", flipped), [("leaf_changed", "entry 5")]),
        (change("leaves", lambda b: flipped(b, 10)), [("leaf_changed", "entry 5")]),
        (change("bodies", flipped), [("record_damaged", "entry 5")]),
        (change("bodies", lambda b: b""), [("record_damaged", "entry 5")]),
        (lambda b: replace(b, root=flipped(b.root)), [("bundle_root", "bundle 5")]),
    ],
)
def test_one_changed_value_is_named(
    filled: World, damage: Callable[[Bundle], Bundle], expected: list[tuple[str, str]]
) -> None:
    filled.store.documents[5] = damage(filled.store.documents[5])
    assert found(filled) == expected


def test_act_that_was_put_in_is_named(filled: World) -> None:
    filled.store.documents[5] = replace(filled.store.documents[5], acts=(b"\xac" * 16,))
    assert found(filled) == [("act_changed", "entry 5")]


def test_leaf_and_its_hash_changed_together_are_named(filled: World) -> None:
    bundle = filled.store.documents[5]
    leaf = flipped(bundle.leaves[0], 10)
    filled.store.documents[5] = replace(bundle, leaves=(leaf,), hashes=(leaf_hash(leaf),))
    named = found(filled)
    assert ("bundle_root", "bundle 5") in named
    assert ("record_damaged", "entry 5") in named
    assert ("head_root", "head") in named
    assert ("log_forked", "checkpoint 7") in named
    assert ("log_forked", "anchor") in named
    assert ("log_forked", "checkpoint 4") not in named


@pytest.mark.parametrize("gone", [0, 4, 8])
def test_deleted_bundle_is_named(filled: World, gone: int) -> None:
    del filled.store.documents[gone]
    assert ("entries_missing", f"entry {gone}") in found(filled)


def test_log_cut_off_at_its_end_is_found(filled: World) -> None:
    del filled.store.documents[9]
    assert found(filled) == [("head_size", "head")]


def test_rolled_back_store_is_found_by_checkpoints_and_anchor(filled: World) -> None:
    head = filled.store.head()
    assert head is not None
    kept = [b for b in filled.store.bundles() if b.first < 5]
    filled.store.documents = {int(b.first): b for b in kept}
    filled.store.set_head(replace(head, size=5, root=kept[-1].root))
    assert found(filled) == [("log_rolled_back", "checkpoint 7"), ("log_rolled_back", "anchor")]


def test_changed_head_is_found(filled: World) -> None:
    head = filled.store.head()
    assert head is not None
    filled.store.set_head(replace(head, root=flipped(head.root)))
    assert found(filled) == [("head_root", "head")]
    filled.store.set_head(None)
    assert found(filled) == [("head_missing", "head")]


@pytest.mark.parametrize(
    ("field", "how", "code"),
    [
        ("note", lambda v: v.replace("\n4\n", "\n5\n"), "checkpoint_signature"),
        ("note", lambda v: v[:-10], "checkpoint_signature"),
        ("root", lambda v: flipped(v, 3), "checkpoint_changed"),
    ],
)
def test_changed_checkpoint_is_named(filled: World, field: str, how: Callable[[Any], Any], code: str) -> None:
    kept = filled.store.kept[4]
    filled.store.kept[4] = replace(kept, **{field: how(getattr(kept, field))})
    assert found(filled) == [(code, "checkpoint 4")]


def test_swapped_entries_break_their_chains(filled: World) -> None:
    documents = filled.store.documents
    one, two = documents[3], documents[6]  # both Anna's
    documents[3] = replace(two, first=one.first)
    documents[6] = replace(one, first=two.first)
    named = found(filled)
    assert ("chain_broken", "entry 3") in named
    assert ("bundle_root", "bundle 3") in named


def test_bundle_never_committed_is_no_damage(filled: World, log: AuditLog) -> None:
    log.close()
    head = filled.store.head()
    assert head is not None
    filled.store.set_head(replace(head, token=head.token + 1))
    last = filled.store.documents[9]
    filled.store.documents[10] = replace(last, first=LogIndex(last.first + 1))
    assert found(filled) == []


def test_store_given_to_fsck_is_only_read(filled: World) -> None:
    before: MemoryAuditStore = filled.store
    documents, kept = dict(before.documents), dict(before.kept)
    fsck(filled)
    assert (before.documents, before.kept) == (documents, kept)
