"""What is brought to a node of the block store and what is not, over three directories as nodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from backend.adapters.storage.directory import DirectoryBlockStore
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.records.blobs import store_blobs
from backend.records.blocks import BlobAddress, Cid
from backend.records.manifest import version_name
from backend.records.pin_repair import PinRepair
from backend.records.ports import VersionRow
from backend.records.storage_ports import BlockStore, StorageUnavailable
from backend.types import Bytes32, RecordId, SubjectId, UnixSeconds

NODES = ("one", "two", "three")


class Node(DirectoryBlockStore):
    """A node that can be away, and whose calls are counted."""

    away = False
    calls = 0

    def check(self) -> None:
        self._asked()
        super().check()

    def pins(self) -> Iterator[Cid]:
        self._asked()
        return super().pins()

    def get_block(self, cid: Cid) -> bytes:
        self._asked()
        return super().get_block(cid)

    def put_block(self, cid: Cid, data: bytes) -> None:
        self._asked()
        super().put_block(cid, data)

    def _asked(self) -> None:
        self.calls += 1
        if self.away:
            raise StorageUnavailable


class World:
    """``rows`` are the versions there are, ``erased`` those of them that are being erased."""

    def __init__(self, folder: Path) -> None:
        self.nodes = {name: Node(folder / name) for name in NODES}
        stores: dict[str, BlockStore] = dict(self.nodes)
        self.swarm = SwarmBlockStore(stores, needed=2)
        self.rows: list[tuple[VersionRow, tuple[Cid, ...]]] = []
        self.erased: set[RecordId] = set()
        self.opened: list[VersionRow] = []
        self.repair = PinRepair(
            replicas=self.swarm,
            records=self,
            roots=self.roots,
            erases=lambda _subject, record: record in self.erased,
            interval_seconds=600,
        )

    def record(self, *on: str) -> tuple[RecordId, BlobAddress]:
        """Add a record whose blob is on these nodes alone."""
        blob = [[os.urandom(3000)]]
        addresses = {store_blobs(self.nodes[name], [blob[0]])[0] for name in on}
        (address,) = addresses
        record = RecordId(len(self.rows).to_bytes(16, "big"))
        row = VersionRow(
            record_id=record,
            version=1,
            subject=SubjectId(7),
            manifest=b"",
            commitment=Bytes32(bytes(32)),
            created_at=UnixSeconds(0),
            current=True,
        )
        self.rows.append((row, (address.root,)))
        return record, address

    def roots(self, row: VersionRow) -> tuple[Cid, ...]:
        self.opened.append(row)
        return next(roots for each, roots in self.rows if each is row)

    def page(self, after: str, limit: int) -> tuple[Sequence[VersionRow], str]:
        behind = [row for row, _ in self.rows if version_name(row.record_id, row.version) > after]
        last = version_name(behind[0].record_id, 1) if len(behind) > 1 else ""
        return behind[:1], last  # a page holds one

    def kept_on(self, address: BlobAddress) -> set[str]:
        return {
            name for name, node in self.nodes.items() if address.root in set(DirectoryBlockStore.pins(node))
        }

    def file(self, name: str, cid: Cid, folder: Path) -> Path:
        return next((folder / name / "data").rglob(cid))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.swarm.close()


def test_blob_is_brought_to_every_node_from_whichever_has_it(world: World) -> None:
    records = [world.record("one"), world.record("two", "three"), world.record(*NODES)]
    found = world.repair.round()
    assert found.restored == 3
    assert (found.below, found.missing, found.away) == (0, dict.fromkeys(NODES, 0), {})
    assert all(world.kept_on(address) == set(NODES) for _, address in records)
    assert world.repair.round().restored == 0


def test_record_that_is_being_erased_is_not_brought_anywhere(world: World) -> None:
    record, address = world.record("one")
    world.erased.add(record)
    assert world.repair.round().restored == 0
    world.repair.read_on(60)
    assert world.kept_on(address) == {"one"}


@pytest.mark.parametrize("begin", ["round", "read_on"])
def test_record_erased_while_it_is_brought_is_taken_away_again(
    world: World, monkeypatch: pytest.MonkeyPatch, begin: str
) -> None:
    record, address = world.record("one", "two")
    make_whole = world.swarm.make_whole

    def erased_first(name: str, root: Cid) -> int:
        if record not in world.erased:
            world.erased.add(record)
            world.swarm.unpin(root)
        return make_whole(name, root)

    monkeypatch.setattr(world.swarm, "make_whole", erased_first)
    act: Callable[[], object] = world.repair.round if begin == "round" else lambda: world.repair.read_on(60)
    act()
    assert record in world.erased
    assert world.kept_on(address) == set()


def test_blob_on_too_few_nodes_is_counted_until_enough_answer(world: World) -> None:
    world.record("one")
    world.nodes["two"].away = world.nodes["three"].away = True
    found = world.repair.round()
    assert (found.below, found.restored) == (1, 0)
    assert found.missing == {"one": 0}
    assert set(found.away) == {"two", "three"}
    world.nodes["two"].away = False
    found = world.repair.round()
    assert (found.below, found.restored, set(found.away)) == (0, 1, {"three"})


def test_copies_that_nobody_can_reach_do_not_count(world: World) -> None:
    world.record(*NODES)
    world.nodes["one"].away = True
    assert world.repair.round().below == 0
    world.nodes["two"].away = True
    assert world.repair.round().below == 1


def test_blob_that_is_nowhere_whole_is_told_and_holds_up_no_other(world: World, tmp_path: Path) -> None:
    _, broken = world.record("one")
    _, sound = world.record("one")
    world.file("one", broken.blocks[0], tmp_path).unlink()
    found = world.repair.round()
    assert (found.below, found.restored) == (1, 2)
    assert found.missing == {"one": 0, "two": 1, "three": 1}
    assert world.kept_on(sound) == set(NODES)


def test_blob_that_lost_its_blocks_under_its_pins_is_counted_until_it_is_restored(
    world: World, tmp_path: Path
) -> None:
    _, address = world.record(*NODES)
    (cid,) = address.blocks
    data = world.nodes["one"].get_block(cid)
    for name in NODES:
        world.file(name, cid, tmp_path).unlink()
    assert world.repair.round().below == 0  # a pin shows nothing of it
    world.repair.read_on(60)
    assert world.repair.round().below == 1
    world.nodes["two"].put_block(cid, data)  # from a backup
    world.repair.read_on(60)
    assert world.repair.round().below == 0
    assert all(world.file(name, cid, tmp_path).read_bytes() == data for name in NODES)


def test_records_are_opened_only_where_nodes_differ(world: World) -> None:
    for _ in range(3):
        world.record(*NODES)
    world.repair.round()
    assert world.opened == []
    row, _ = world.rows[1]
    world.nodes["two"].unpin(world.rows[1][1][0])
    world.repair.round()
    assert row in world.opened
    assert len(world.opened) <= 2
    store_blobs(world.nodes["one"], [[b"that no record names"]])
    world.repair.round()
    world.opened.clear()
    assert world.repair.round().restored == 0
    assert world.opened == []


def test_node_that_goes_away_in_a_round_is_not_asked_for_every_blob(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        world.record("one", "two")
    away = world.nodes["three"]
    make_whole = world.swarm.make_whole

    def gone(name: str, root: Cid) -> int:
        away.away = True
        return make_whole(name, root)

    monkeypatch.setattr(world.swarm, "make_whole", gone)
    found = world.repair.round()
    assert away.calls < 10
    assert set(found.away) == {"three"}
    assert found.below == 0


@pytest.mark.parametrize("damage", ["altered", "removed"])
def test_reading_finds_what_a_pin_does_not_show_and_goes_on_where_it_ended(
    world: World, tmp_path: Path, damage: str
) -> None:
    addresses = [world.record(*NODES)[1] for _ in range(3)]
    path = world.file("three", addresses[2].blocks[0], tmp_path)
    was = path.read_bytes()
    path.unlink()
    if damage == "altered":
        path.write_bytes(b"other")
    assert world.repair.round().restored == 0
    assert [world.repair.read_on(0) for _ in range(2)] == [1, 1]
    assert not path.exists() or path.read_bytes() != was
    assert world.repair.read_on(0) == 1
    assert path.read_bytes() == was
    assert world.swarm.altered_at("three") == (damage == "altered")
    assert world.repair.read_on(60) == 0  # there are no more
    assert world.repair.read_on(60) == 3  # from the beginning again
