from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import bson
import pytest

from backend.backup.errors import BackupInterrupted, BackupInUse, BackupUnwritable, RecoveryKeyExpired
from backend.backup.keeping import BASE_SECONDS
from backend.backup.operations import (
    DropDocuments,
    DropPin,
    DropSecret,
    Journal,
    Operation,
    PutDocument,
    PutPin,
    PutSecret,
)
from backend.backup.shelf import Shelf
from backend.errors import Unavailable
from backend.keystore import KeyVersion
from tests.support.memory_backup import DAY, Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.site.blocks.close()


def documents(operations: list[Operation]) -> list[tuple[str, str]]:
    return [
        (each.collection, bson.decode(each.document)["_id"])
        for each in operations
        if isinstance(each, PutDocument)
    ]


def test_first_part_follows_a_whole_base_and_later_ones_hold_what_changed(scene: Scene) -> None:
    site = scene.site
    site.index.put("records", "a")
    kept = site.keys.make("kept")
    erased = site.keys.make("erased")
    first = scene.store(b"one")
    site.journal.append(b"block one")
    scene.keeper.ship()
    opened = scene.backup()
    assert documents(list(opened.index())) == [("records", "a")]
    assert [each for each in opened.secrets() if isinstance(each, PutSecret)] == [
        PutSecret("salt", "kept", kept),
        PutSecret("salt", "erased", erased),
    ]
    assert list(opened.chain())[-1] == Journal(0, b"block one")
    assert opened.pins() == {first}
    assert scene.tail() == []

    site.index.put("records", "b")
    site.index.drop("records", "a")
    site.keys.erase("erased")
    site.blocks.unpin(first)
    second = scene.store(b"two")
    site.journal.append(b"block two")
    scene.keeper.ship()
    tail = scene.tail()
    assert documents(tail) == [("records", "b")]
    assert DropDocuments("records", bson.encode({"_id": "a"})) in tail
    assert DropSecret("salt", "erased") in tail
    assert [each for each in tail if isinstance(each, PutPin | DropPin)] == [PutPin(second), DropPin(first)]
    assert tail[-1] == Journal(9, b"block two")
    assert scene.backup().pins() == {second}
    assert scene.backup().final_secrets() == {("salt", "erased"): None}
    assert scene.backup().verify()["tail parts"] == 2


def test_what_a_head_points_to_is_in_the_part_of_the_head(scene: Scene) -> None:
    """An entry that is written while the part is made, before the head is read, must be in it too."""
    site = scene.site
    site.index.put("state", "head", size=0)
    scene.keeper.ship()

    def write_more(collection: str) -> None:
        if collection == "state":
            site.index.before_reading = lambda _collection: None
            site.index.put("entries", "2")
            site.index.put("state", "head", size=2)

    site.index.put("entries", "1")
    site.index.put("state", "head", size=1)
    site.index.before_reading = write_more
    scene.keeper.ship()
    (head,) = [each for each in scene.tail() if isinstance(each, PutDocument) and each.collection == "state"]
    assert bson.decode(head.document)["size"] == 2
    assert {("entries", "1"), ("entries", "2")} <= set(documents(scene.tail()))
    scene.keeper.ship()  # the head that changed meanwhile is told again
    assert documents(scene.tail()).count(("state", "head")) == 2


def test_who_moves_documents_waits_while_base_and_parts_are_read(scene: Scene) -> None:
    held: list[bool] = []
    scene.site.index.before_reading = lambda _collection: held.append(scene.alone.locked())
    scene.site.index.put("records", "a")
    scene.keeper.ship()
    scene.site.index.put("records", "b")
    scene.keeper.ship()
    assert held == [True, True]
    assert not scene.alone.locked()


def test_part_that_cannot_be_written_is_told_by_the_next(scene: Scene) -> None:
    site = scene.site
    scene.keeper.ship()
    site.index.put("records", "a")
    site.keys.make("new")

    def fail(collection: str) -> None:
        raise Unavailable

    site.index.before_reading = fail
    with pytest.raises(Unavailable):
        scene.keeper.ship()
    assert scene.keeper.status()["error"] == "unavailable"
    site.index.before_reading = lambda _collection: None
    generation = scene.shelf.newest()
    shutil.move(scene.shelf.root / generation, scene.root / "away")
    with pytest.raises(BackupUnwritable):
        scene.keeper.ship()
    shutil.move(scene.root / "away", scene.shelf.root / generation)
    scene.keeper.ship()
    assert scene.keeper.status()["error"] is None
    assert documents(scene.tail()) == [("records", "a")]
    assert any(isinstance(each, PutSecret) for each in scene.tail())
    assert scene.backup().verify()


def test_expired_key_makes_no_backup_and_a_new_one_begins_anew(scene: Scene) -> None:
    scene.keeper.ship()
    scene.now += 30 * DAY
    with pytest.raises(RecoveryKeyExpired):
        scene.keeper.ship()
    assert scene.keeper.status()["error"] == "recovery_key_expired"
    old = scene.shelf.newest()
    scene.new_key("second")
    scene.keeper.ship()
    # The old one's key has ended: what it holds is to be gone, and is removed.
    assert old not in scene.shelf.generations()
    assert scene.backup("second").verify()


def test_new_key_or_a_day_begins_a_new_generation_and_only_so_many_are_kept(scene: Scene) -> None:
    root = scene.store(b"one")
    scene.keeper.ship()
    first = scene.shelf.newest()
    scene.keeper.ship()
    assert scene.shelf.generations() == [first]
    scene.now += BASE_SECONDS
    scene.keeper.ship()
    scene.site.blocks.unpin(root)
    scene.new_key("second")
    scene.now += 1
    scene.keeper.ship()
    generations = scene.shelf.generations()
    assert len(generations) == 2
    assert first not in generations
    assert scene.shelf.has_block(root)  # the older one still names it
    scene.now += BASE_SECONDS
    scene.keeper.ship()
    assert not scene.shelf.has_block(root)
    assert [path for path in (scene.shelf.root / "blocks").glob("*/*") if path.is_file()] == []


def test_more_changes_than_were_remembered_begin_anew(scene: Scene) -> None:
    scene.keeper.ship()
    first = scene.shelf.newest()
    scene.site.index.put("records", "a")
    scene.site.index.changes = None
    scene.now += 1
    scene.keeper.ship()
    assert scene.shelf.newest() != first
    assert documents(list(scene.backup().index())) == [("records", "a")]


def test_block_that_is_damaged_is_left_out_and_stops_nothing(scene: Scene) -> None:
    good, bad = scene.store(b"good"), scene.store(b"bad")
    path = next((scene.root / "blocks" / "data").glob(f"*/{bad}"))
    path.chmod(0o600)
    path.write_bytes(b"other")
    scene.keeper.ship()
    assert scene.backup().pins() == {good}
    assert scene.backup().manifest.counts["damaged roots"] == 1


def test_directory_that_another_writes_to_is_refused(scene: Scene) -> None:
    with Shelf(scene.shelf.root).writing(), pytest.raises(BackupInUse):
        scene.keeper.ship()


def test_renewed_a_generation_begins_at_once(scene: Scene) -> None:
    scene.keeper.ship()
    first = scene.shelf.newest()
    scene.now += 1
    scene.keeper.renew()
    assert scene.shelf.newest() != first
    assert scene.keeper.status()["generation"] == scene.shelf.newest()


def test_what_a_key_that_ended_protects_goes_though_no_new_key_is_there(scene: Scene) -> None:
    scene.keeper.remove_expired()  # no directory yet
    root = scene.store(b"one")
    scene.keeper.ship()
    scene.now += 30 * DAY - 1
    scene.keeper.remove_expired()
    assert scene.shelf.generations()
    scene.site.blocks.unpin(root)
    scene.now += 1
    scene.keeper.remove_expired()
    assert scene.shelf.generations() == []
    assert not scene.shelf.has_block(root)


def test_newest_one_that_was_found_right_is_kept_whatever_comes_after(scene: Scene) -> None:
    scene.keeper.ship()
    good = scene.shelf.newest()
    scene.shelf.note_verified(good, scene.now)
    for _ in range(4):
        scene.now += 1
        scene.keeper.renew()
    assert scene.shelf.generations()[0] == good
    assert len(scene.shelf.generations()) == 3  # two are kept, and this one
    scene.shelf.note_verified(scene.shelf.newest(), scene.now)
    scene.now += 1
    scene.keeper.renew()
    assert good not in scene.shelf.generations()


def test_no_more_is_written_where_others_need_the_room(scene: Scene) -> None:
    scene.store(b"one")
    scene.room = False
    with pytest.raises(BackupUnwritable):
        scene.keeper.ship()
    assert scene.shelf.generations() == []
    assert not [path for path in scene.shelf.root.iterdir() if path.name.startswith(".")]
    scene.room = True
    scene.keeper.ship()
    scene.store(b"two")
    scene.room = False
    with pytest.raises(BackupUnwritable):
        scene.keeper.ship()
    assert scene.keeper.status()["error"] == "backup_unwritable"
    scene.room = True
    scene.keeper.ship()
    assert len(scene.backup().pins()) == 2


def test_base_that_the_end_of_the_service_interrupts_leaves_nothing_and_is_not_begun_again(
    scene: Scene,
) -> None:
    scene.keeper.ship()
    kept = scene.shelf.generations()
    scene.site.index.put("records", "a")
    scene.site.index.before_reading = lambda _collection: scene.keeper.end()
    scene.now += 1
    with pytest.raises(BackupInterrupted):
        scene.keeper.renew()
    assert scene.shelf.generations() == kept
    assert not [path for path in scene.shelf.root.iterdir() if path.name.startswith(".")]
    with pytest.raises(BackupInterrupted):  # as the last anchor asks: it is left to the next start
        scene.keeper.ship()


@pytest.mark.parametrize("parts_before", [0, 1])
def test_what_the_last_anchor_of_a_service_asks_for_is_made(scene: Scene, parts_before: int) -> None:
    scene.site.index.put("records", "a")
    for _ in range(parts_before):
        scene.keeper.ship()
    scene.keeper.end()
    scene.site.index.put("records", "b")
    scene.keeper.ship()
    found = [*scene.backup().index(), *scene.tail()]
    assert set(documents(found)) == {("records", "a"), ("records", "b")}


def test_base_that_the_last_anchor_asks_for_is_given_up_when_it_takes_long(scene: Scene) -> None:
    keeper = scene.new_keeper(last_seconds=0)
    keeper.end()
    scene.site.index.put("records", "a")
    with pytest.raises(BackupInterrupted):
        keeper.ship()
    assert not scene.shelf.generations()
    assert not [path for path in scene.shelf.root.iterdir() if path.name.startswith(".")]


def test_each_part_says_which_versions_of_keys_count_and_the_last_one_is_right(scene: Scene) -> None:
    before = KeyVersion("documents", 2, 2, 7, 1)
    scene.site.keys.note_version(before)
    scene.keeper.ship()
    assert scene.backup().versions() == [before]
    after = before._replace(logged=2)
    scene.site.keys.note_version(after)
    scene.keeper.ship()
    assert scene.backup().versions() == [after]
