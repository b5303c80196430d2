"""What every block store must do, with the same CIDs: the embedded directory, a real Kubo node, and several
nodes as one store, over directories and over three Kubo nodes in a private swarm."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from backend.adapters.storage.directory import DirectoryBlockStore
from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.kubo_node import KuboNode
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.keystore import Secret
from backend.records.blobs import load_blob, store_blobs
from backend.records.blocks import BLOCK_BYTES, BlobAddress, Block, Cid, Splitter, raw_cid
from backend.records.context import ContentContext
from backend.records.envelope import open_bytes, seal_bytes
from backend.records.envelope_errors import BlobMismatch, NotCanonical
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    BlockStore,
    Pin,
    StorageBusy,
    StorageUnavailable,
)
from backend.types import MemberId, RecordId
from scripts.kubo.run import BINARY
from tests.support.components import require
from tests.support.swarm import Swarm, running_swarm


@dataclass(frozen=True)
class Subject:
    """A store under test and the directory its blocks really lie in."""

    store: BlockStore
    files: tuple[Path, ...]  # one folder a node
    again: Callable[[], BlockStore]  # opens another store on the same blocks

    def files_of(self, data: bytes) -> list[Path]:
        return [
            next(p for p in folder.rglob("*") if p.is_file() and p.read_bytes() == data)
            for folder in self.files
        ]


@pytest.fixture(scope="session")
def kubo_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KuboNode, Path]]:
    require(BINARY.is_file(), "no Kubo binary", "make kubo")
    repository = tmp_path_factory.mktemp("kubo") / "repository"
    node = KuboNode(BINARY, repository)
    node.start()
    yield node, repository
    node.stop()


@pytest.fixture(scope="session")
def swarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with running_swarm(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture(
    params=[
        "directory",
        "directories",
        pytest.param("kubo", marks=pytest.mark.kubo),
        pytest.param("swarm", marks=pytest.mark.kubo),
    ]
)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    again: Callable[[], BlockStore]
    if request.param == "kubo":
        node, repository = request.getfixturevalue("kubo_node")
        again, files = (
            lambda: KuboBlockStore(node.address, timeout_seconds=20.0),
            (repository / "blocks",),
        )
    elif request.param == "swarm":
        nodes: Swarm = request.getfixturevalue("swarm")
        again, files = nodes.store, tuple(map(nodes.blocks, range(3)))
    elif request.param == "directories":
        folders = [tmp_path / name for name in "abc"]
        again, files = (
            lambda: SwarmBlockStore({f.name: DirectoryBlockStore(f) for f in folders}, needed=2),
            tuple(f / "data" for f in folders),
        )
    else:
        again, files = lambda: DirectoryBlockStore(tmp_path / "blocks"), (tmp_path / "blocks" / "data",)
    store = again()
    yield Subject(store, files, again)
    # The nodes serve all tests: leave nothing behind for the next.
    if request.param in ("kubo", "swarm"):
        for root in list(store.pins()):
            store.unpin(root)
        store.collect_garbage()
    store.close()


@pytest.fixture
def store(subject: Subject) -> BlockStore:
    return subject.store


def block(data: bytes) -> Block:
    return Block(raw_cid(data), data)


def put(store: BlockStore, blob: bytes) -> BlobAddress:
    return store_blobs(store, [[blob]])[0]


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_blob_is_stored_under_the_cids_computed_here_and_read_back(store: BlockStore, size: int) -> None:
    blob = os.urandom(size)
    splitter = Splitter([blob])
    blocks = list(splitter)
    address = put(store, blob)
    assert address == splitter.address
    assert b"".join(load_blob(store, address)) == blob
    assert all(store.get_block(block.cid) == block.data for block in blocks)


def test_put_of_the_same_block_twice_is_harmless(store: BlockStore) -> None:
    one = block(os.urandom(100))
    store.put_block(*one)
    store.put_block(*one)
    assert store.get_block(one.cid) == one.data


@pytest.mark.parametrize("put_with", ["put_block", "put_blocks"])
def test_put_under_the_cid_of_other_bytes_is_refused(store: BlockStore, put_with: str) -> None:
    one, other = block(os.urandom(100)), block(os.urandom(100))
    wrong: dict[str, Callable[[], None]] = {
        "put_block": lambda: store.put_block(one.cid, other.data),
        "put_blocks": lambda: store.put_blocks([other, Block(one.cid, other.data)]),
    }
    with pytest.raises(BlockCorrupt):
        wrong[put_with]()
    assert not store.has(one.cid)


def test_get_of_an_unknown_block_is_missing(store: BlockStore) -> None:
    absent = raw_cid(os.urandom(16))
    assert not store.has(absent)
    with pytest.raises(BlockMissing):
        store.get_block(absent)


@pytest.mark.parametrize(
    "text", ["../../../etc/passwd", "", "bafkrei", "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"]
)
def test_text_that_is_no_cid_of_ours_is_refused(store: BlockStore, text: str) -> None:
    calls: list[Callable[[Cid], object]] = [store.get_block, store.has, store.unpin]
    for call in calls:
        with pytest.raises(NotCanonical):
            call(Cid(text))
    with pytest.raises(NotCanonical):
        store.pin(Cid(text), ())


@pytest.mark.parametrize("damage", ["flipped", "shortened", "lengthened", "exchanged", "emptied"])
def test_block_damaged_in_the_store_is_refused(subject: Subject, damage: str) -> None:
    store, data, other = subject.store, os.urandom(5000), os.urandom(5000)
    store.put_blocks([block(data), block(other)])
    for path in subject.files_of(data):
        path.chmod(0o600)
        path.write_bytes(
            {
                "flipped": bytes([data[0] ^ 1]) + data[1:],
                "shortened": data[:-1],
                "lengthened": data + b"\0",
                "exchanged": other,
                "emptied": b"",
            }[damage]
        )
    with pytest.raises(BlockCorrupt):
        store.get_block(raw_cid(data))
    assert store.get_block(raw_cid(other)) == other


def test_pinned_blobs_survive_a_collection_and_unpinned_ones_go(store: BlockStore) -> None:
    kept, dropped, never = (os.urandom(BLOCK_BYTES + 5) for _ in range(3))
    kept_at, dropped_at = put(store, kept), put(store, dropped)
    loose = Splitter([never])
    store.put_blocks(loose)
    store.unpin(dropped_at.root)
    assert set(store.pins()) == {kept_at.root}
    collected = store.collect_garbage()
    assert collected.blocks >= 6
    assert b"".join(load_blob(store, kept_at)) == kept
    for gone in (dropped_at, loose.address):
        assert not any(store.has(cid) for cid in (gone.root, *gone.blocks))
        with pytest.raises(BlockMissing):
            list(load_blob(store, gone))


def test_block_shared_by_two_pins_goes_with_the_last(store: BlockStore) -> None:
    shared, own = os.urandom(BLOCK_BYTES), os.urandom(10)
    one, two = put(store, shared), put(store, shared + own)
    assert one.blocks[0] == two.blocks[0]
    store.unpin(one.root)
    store.collect_garbage()
    assert b"".join(load_blob(store, two)) == shared + own
    store.unpin(two.root)
    store.collect_garbage()
    assert not store.has(two.blocks[0])


def test_pin_and_unpin_can_be_repeated(store: BlockStore) -> None:
    address = put(store, os.urandom(10))
    store.pin(address.root, address.blocks)
    assert list(store.pins()).count(address.root) == 1
    store.unpin(address.root)
    store.unpin(address.root)
    assert address.root not in set(store.pins())
    store.pin(address.root, address.blocks)
    assert address.root in set(store.pins())


def test_pin_is_told_to_keep_a_blob_only_while_it_does(store: BlockStore) -> None:
    address = put(store, os.urandom(BLOCK_BYTES + 1))
    pin = Pin(address.root, address.blocks)
    assert store.keeps(pin)
    store.unpin(address.root)
    assert not store.keeps(pin)


@pytest.mark.parametrize("lost", ["root", "child"])
def test_pin_of_a_blob_with_a_missing_block_is_refused(store: BlockStore, lost: str) -> None:
    splitter = Splitter([os.urandom(BLOCK_BYTES + 1)])
    blocks = list(splitter)
    address = splitter.address
    store.put_blocks(b for b in blocks if b.cid != (address.root if lost == "root" else address.blocks[1]))
    with pytest.raises(BlockMissing):
        store.pin(address.root, address.blocks)
    assert address.root not in set(store.pins())


def test_load_of_a_blob_under_another_manifest_is_refused(store: BlockStore) -> None:
    one, two = put(store, os.urandom(BLOCK_BYTES + 7)), put(store, os.urandom(BLOCK_BYTES + 7))
    contradicting = [
        BlobAddress(two.root, one.blocks, one.size_bytes),
        BlobAddress(one.root, two.blocks, one.size_bytes),
        BlobAddress(one.root, one.blocks, one.size_bytes - 1),
        BlobAddress(one.root, one.blocks[:1], one.size_bytes),
        BlobAddress(one.blocks[0], (), 0),
    ]
    for address in contradicting:  # refused when the manifest is read, before any block is
        with pytest.raises(NotCanonical):
            address.require_root()
    wrong = [
        BlobAddress(one.root, one.blocks, one.size_bytes - 1),
        BlobAddress(one.root, one.blocks, one.size_bytes + 1),
        BlobAddress(one.root, one.blocks[:1], one.size_bytes),
        BlobAddress(one.root, one.blocks[::-1], one.size_bytes),
    ]
    for address in wrong:
        with pytest.raises(BlobMismatch):
            list(load_blob(store, address))


def test_many_blobs_stored_together_are_each_read_back(store: BlockStore) -> None:
    blobs = [os.urandom(3000 + number) for number in range(40)]
    addresses = store_blobs(store, ([blob] for blob in blobs))
    assert [b"".join(load_blob(store, address)) for address in addresses] == blobs
    assert set(store.pins()) >= {address.root for address in addresses}


def test_calls_from_many_threads_agree(store: BlockStore) -> None:
    blobs = [os.urandom(2000) for _ in range(16)]
    with ThreadPoolExecutor(8) as threads:
        addresses = list(threads.map(lambda blob: put(store, blob), blobs))
        read = list(threads.map(lambda address: b"".join(load_blob(store, address)), addresses))
    assert read == blobs


def test_sealed_document_makes_the_whole_way_and_back(store: BlockStore) -> None:
    document = os.urandom(2 * BLOCK_BYTES)
    context = ContentContext(MemberId(b"\x01" * 32), RecordId(b"\x02" * 16), 1, "c14.s0")
    dek, share = Secret.generate(), Secret.generate()
    sealed = seal_bytes(document, "application/dicom", context=context, dek=dek, erasure_share=share)
    (address,) = store_blobs(store, [sealed])
    source, opened = open_bytes(load_blob(store, address), context=context, dek=dek, erasure_share=share)
    assert (source.media_type, opened) == ("application/dicom", document)


def test_closed_store_is_unavailable(subject: Subject) -> None:
    store = subject.store
    store.check()
    one = block(b"x")
    if not isinstance(store, DirectoryBlockStore) and subject.files[0].name == "blocks":
        store = subject.again()  # the fixture goes on to use the first
        store.check()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.put_block(*one),
        lambda: store.get_block(one.cid),
        lambda: store.has(one.cid),
        lambda: list(store.pins()),
        store.collect_garbage,
        store.check,
    ]
    for call in calls:
        with pytest.raises(StorageUnavailable):
            call()


def test_collection_while_blocks_are_written_waits_for_another_time(store: BlockStore) -> None:
    fresh = block(b"not pinned yet")
    with store.writing():
        store.put_blocks([fresh])
        with pytest.raises(StorageBusy):
            store.collect_garbage()
        assert store.has(fresh.cid)
    store.collect_garbage()
    assert not store.has(fresh.cid)
