"""Three real Kubo nodes in a private swarm, one store over them, and what happens to nodes and disks."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import httpx
import pytest

from backend.adapters.process import free_port
from backend.adapters.storage.directory import DirectoryBlockStore
from backend.adapters.storage.kubo import KuboBlockStore
from backend.adapters.storage.kubo_node import KuboNode, NodeFailed, Place
from backend.adapters.storage.swarm import SwarmBlockStore
from backend.records.blobs import load_blob, store_blobs
from backend.records.blocks import BLOCK_BYTES, BlobAddress, Block, Splitter, raw_cid
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    BlockStore,
    Pin,
    StorageFull,
    StorageUnavailable,
    TooFewNodes,
)
from scripts.kubo.run import BINARY
from scripts.kubo.swarm import SwarmInvalid, read_swarm
from tests.support.components import require
from tests.support.swarm import Swarm, running_swarm
from tests.support.testnet import until

pytestmark = pytest.mark.kubo


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    with running_swarm(tmp_path_factory.mktemp("swarm")) as made:
        yield made


@pytest.fixture
def swarm(nodes: Swarm) -> Iterator[Swarm]:
    """All nodes run, before and after."""
    yield nodes
    nodes.start()


@pytest.fixture
def store(swarm: Swarm) -> Iterator[SwarmBlockStore]:
    opened = swarm.store()
    yield opened
    opened.close()


def put(store: BlockStore, blob: bytes) -> BlobAddress:
    return store_blobs(store, [[blob]])[0]


def loaded(store: BlockStore, address: BlobAddress) -> bytes:
    return b"".join(load_blob(store, address))


def keeps(swarm: Swarm, number: int, address: BlobAddress) -> bool:
    """Tell whether a node has the whole of a blob by itself, as it was stored, and pins it."""
    alone = swarm.alone(number)
    try:
        for cid in (address.root, *address.blocks):
            alone.get_block(cid)
        return alone.keeps(Pin(address.root, address.blocks))
    except (BlockMissing, BlockCorrupt):
        return False
    finally:
        alone.close()


# --- the swarm is private ---------------------------------------------------------------------------------


def test_nodes_know_one_another_and_nobody_else(swarm: Swarm) -> None:
    identities = {node.identity for node in swarm.local.described}
    for number, node in enumerate(swarm.local.described):
        alone = swarm.alone(number)
        # Two that dial each other at once may both hang up; each then waits longer before it tries again.
        until(lambda alone=alone: len(alone.peers()) == 2, "a node sees both others", seconds=240)  # type: ignore[misc]
        assert set(alone.peers()) == identities - {node.identity}
        alone.close()


def test_block_comes_over_the_links_between_the_nodes(swarm: Swarm) -> None:
    one, other = swarm.alone(0), swarm.alone(1)
    until(lambda: len(other.peers()) == 2, "the node is connected")
    block = Block(cid := raw_cid(data := os.urandom(5000)), data)
    one.put_block(*block)
    assert not other.has(cid)
    assert other._client().block.get(cid) == data  # not of its own blocks alone
    one.close()
    other.close()


def outsider(swarm: Swarm, folder: Path, key: bytes) -> KuboNode:
    peers = tuple(f"{node.listen}/p2p/{node.identity}" for node in swarm.local.described)
    listen, rpc = (f"/ip4/127.0.0.1/tcp/{free_port()}" for _ in range(2))
    return KuboNode(BINARY, folder, Place(listen=listen, rpc=rpc, peers=peers, key=key))


def connect(node: KuboNode, peer: str) -> httpx.Response:
    _, _, host, _, port = node.address.split("/")
    return httpx.post(f"http://{host}:{port}/api/v0/swarm/connect", params={"arg": peer}, timeout=30)


@pytest.mark.parametrize("has_key", [True, False])
def test_node_with_another_key_is_not_talked_to(swarm: Swarm, tmp_path: Path, has_key: bool) -> None:
    _, key = read_swarm(swarm.folder)
    other = key[:-65] + os.urandom(32).hex().encode() + b"\n"
    assert len(other) == len(key)
    node = outsider(swarm, tmp_path / "outsider", key if has_key else other)
    node.start()
    alone = KuboBlockStore(node.address, timeout_seconds=20.0)
    try:
        if has_key:  # the same node is let in with the key: nothing else keeps it out
            until(lambda: len(alone.peers()) == 3, "it sees all three")
        else:
            for described in swarm.local.described:
                said = connect(node, f"{described.listen}/p2p/{described.identity}")
                assert said.status_code == 500
                assert "failed to negotiate security protocol" in said.text
            assert alone.peers() == []
    finally:
        alone.close()
        node.stop()


def test_node_whose_key_is_none_does_not_start_in_the_open(swarm: Swarm, tmp_path: Path) -> None:
    with pytest.raises(NodeFailed):
        outsider(swarm, tmp_path / "outsider", b"no key\n").start()


def test_node_that_lost_its_key_does_not_start_in_the_open(swarm: Swarm, tmp_path: Path) -> None:
    node = outsider(swarm, tmp_path / "outsider", read_swarm(swarm.folder)[1])
    node._make_repository()
    node._configure()
    (tmp_path / "outsider" / "swarm.key").unlink()
    done = subprocess.run(
        [BINARY, "daemon"], env=node._environment(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert b"private network" in done.stderr


def test_key_is_its_owners_alone(swarm: Swarm) -> None:
    key = swarm.folder / "swarm.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    try:
        with pytest.raises(SwarmInvalid, match="chmod 600"):
            read_swarm(swarm.folder)
    finally:
        key.chmod(0o600)


# --- the same CIDs everywhere -----------------------------------------------------------------------------


def test_cids_are_equal_on_a_directory_a_node_and_the_swarm(
    swarm: Swarm, store: SwarmBlockStore, tmp_path: Path
) -> None:
    blobs = [os.urandom(size) for size in (0, 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 7)]
    directory, alone = DirectoryBlockStore(tmp_path / "blocks"), swarm.alone(1)
    named = [store_blobs(each, ([blob] for blob in blobs)) for each in (directory, alone, store)]
    assert named[0] == named[1] == named[2]
    for number in range(3):
        assert all(keeps(swarm, number, address) for address in named[2])
    directory.close()
    alone.close()


# --- a node is down ---------------------------------------------------------------------------------------


def test_write_goes_on_when_a_node_is_killed_under_it(swarm: Swarm, store: SwarmBlockStore) -> None:
    pieces = [os.urandom(BLOCK_BYTES) for _ in range(8)]

    def streamed() -> Iterator[bytes]:
        for number, piece in enumerate(pieces):
            if number == 3:
                swarm.kill(2)
            yield piece

    (address,) = store_blobs(store, [streamed()])
    assert loaded(store, address) == b"".join(pieces)
    assert [keeps(swarm, number, address) for number in range(2)] == [True, True]
    swarm.start()
    assert not keeps(swarm, 2, address)
    assert store.make_whole(swarm.rpcs[2], address.root) >= 1
    assert keeps(swarm, 2, address)


def test_with_two_of_three_down_writes_are_refused_and_reads_go_on(
    swarm: Swarm, store: SwarmBlockStore
) -> None:
    blob = os.urandom(BLOCK_BYTES + 9)
    address = put(store, blob)
    swarm.kill(0)
    swarm.kill(1)
    with pytest.raises(TooFewNodes) as caught:
        put(store, os.urandom(100))
    assert caught.value.code == "storage_nodes_missing"
    with pytest.raises(TooFewNodes):
        store.check()
    assert loaded(store, address) == blob
    with pytest.raises(StorageUnavailable):  # the others could keep what this one does not
        list(store.pins())
    swarm.start()
    store.check()
    put(store, os.urandom(100))


def test_node_killed_under_a_read_is_not_missed(swarm: Swarm, store: SwarmBlockStore) -> None:
    blob = os.urandom(6 * BLOCK_BYTES)
    address = put(store, blob)
    got = []
    for number, piece in enumerate(load_blob(store, address)):
        got.append(piece)
        if number == 1:
            swarm.kill(0)
        if number == 3:
            swarm.kill(1)
    assert b"".join(got) == blob
    swarm.kill(2)
    with pytest.raises(StorageUnavailable):  # away is not missing
        store.get_block(address.root)


def test_what_is_let_go_of_is_let_go_of_on_every_node(swarm: Swarm, store: SwarmBlockStore) -> None:
    address = put(store, os.urandom(1000))
    swarm.kill(2)
    with pytest.raises(StorageUnavailable):
        store.unpin(address.root)
    with pytest.raises(StorageUnavailable):
        store.collect_garbage()
    swarm.start()
    assert keeps(swarm, 2, address)
    store.unpin(address.root)
    store.collect_garbage()
    for number in range(3):
        alone = swarm.alone(number)
        assert address.root not in set(alone.pins())
        assert not any(alone.has(cid) for cid in (address.root, *address.blocks))
        alone.close()


# --- a node's store is damaged ----------------------------------------------------------------------------


def test_block_that_a_node_lost_is_read_from_another_and_given_back(
    swarm: Swarm, store: SwarmBlockStore
) -> None:
    blob = os.urandom(3 * BLOCK_BYTES)
    address = put(store, blob)
    swarm.file_of(0, blob[:BLOCK_BYTES]).unlink()
    assert not keeps(swarm, 0, address)
    assert loaded(store, address) == blob
    until(lambda: keeps(swarm, 0, address), "the node has its block again")
    assert store.altered_at(swarm.rpcs[0]) == 0


def test_block_altered_in_a_nodes_store_is_never_given_out_and_is_mended(
    swarm: Swarm, store: SwarmBlockStore
) -> None:
    blob = os.urandom(3 * BLOCK_BYTES)
    address = put(store, blob)
    path = swarm.file_of(0, blob[:BLOCK_BYTES])
    path.chmod(0o600)
    path.write_bytes(os.urandom(BLOCK_BYTES))
    assert loaded(store, address) == blob
    assert store.altered_at(swarm.rpcs[0]) == 1
    until(lambda: path.read_bytes() == blob[:BLOCK_BYTES], "the node's block is mended")
    assert keeps(swarm, 0, address)


@pytest.mark.parametrize(("damage", "expected"), [("altered", BlockCorrupt), ("removed", BlockMissing)])
def test_block_that_no_node_has_is_told(
    swarm: Swarm, store: SwarmBlockStore, damage: str, expected: type[Exception]
) -> None:
    blob = os.urandom(5000)
    address = put(store, blob)
    for number in range(3):
        path = swarm.file_of(number, blob)
        path.unlink()
        if damage == "altered":
            path.write_bytes(b"other")
    with pytest.raises(expected):
        store.get_block(address.blocks[0])
    with pytest.raises(expected):
        store.make_whole(swarm.rpcs[1], address.root)
    store.unpin(address.root)


# --- a node is slow, or full ------------------------------------------------------------------------------


def test_node_that_answers_nothing_holds_up_neither_reads_nor_writes(swarm: Swarm) -> None:
    blob, other = os.urandom(3 * BLOCK_BYTES), os.urandom(12 * BLOCK_BYTES)
    for_ever = 3600.0  # who waits for the node's answer is ended with the test
    store = swarm.store(timeout_seconds=for_ever)
    address = put(store, blob)
    with swarm.standing_still(0):
        unaware = swarm.store(timeout_seconds=for_ever)
        assert loaded(unaware, put(unaware, other)) == other
        unaware.close()
        assert loaded(store, address) == blob
        other = os.urandom(12 * BLOCK_BYTES)
        later = put(store, other)
        assert loaded(store, later) == other
        assert not store.answered(swarm.rpcs[0])
        assert [keeps(swarm, number, later) for number in (1, 2)] == [True, True]
        store.check()
    store.make_whole(swarm.rpcs[0], later.root)
    assert keeps(swarm, 0, later)
    assert store.answered(swarm.rpcs[0])
    store.close()


def small_disk(folder: Path) -> KuboNode:
    """A node alone whose blocks lie on a disk of 16 MiB that is its own, and goes with it."""
    require(which("unshare"), "no unshare, to give a node a small disk", "apt-get install util-linux")
    own = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    mounts = f"unshare {' '.join(own)} sh -c 'mount -t tmpfs none /mnt'"
    tried = subprocess.run(shlex.split(mounts), capture_output=True, check=False)
    if tried.returncode != 0:  # nothing that could be installed
        pytest.skip("nothing can be mounted here, not even in a namespace")
    wrapper = folder / "ipfs"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = daemon ] || exec {shlex.quote(str(BINARY))} "$@"\n'
        f"exec unshare {' '.join(own)} sh -ec '\n"
        '  cp -a "$IPFS_PATH/blocks" "$IPFS_PATH/kept"\n'
        '  mount -t tmpfs -o size=16m none "$IPFS_PATH/blocks"\n'
        '  cp -a "$IPFS_PATH/kept/." "$IPFS_PATH/blocks"\n'
        f'  exec {shlex.quote(str(BINARY))} "$@"\' sh "$@"\n'
    )
    wrapper.chmod(0o700)
    return KuboNode(wrapper, folder / "repository")


def test_node_whose_disk_is_full_is_left_behind_and_too_many_refuse_the_write(
    swarm: Swarm, tmp_path: Path
) -> None:
    node = small_disk(tmp_path)
    node.start()
    store = swarm.store(rpcs=[node.address, *swarm.rpcs[:2]])
    all_needed = swarm.store(needed=3, rpcs=[node.address, *swarm.rpcs[:2]])
    try:
        blob = os.urandom(30 * BLOCK_BYTES)
        with pytest.raises(StorageFull):
            put(all_needed, blob)
        address = put(store, blob)
        assert [keeps(swarm, number, address) for number in range(2)] == [True, True]
        assert loaded(store, address) == blob
        with pytest.raises(StorageFull):
            store.make_whole(node.address, address.root)
        store.unpin(address.root)
        store.collect_garbage()  # makes room on the small one, too
        small = put(all_needed, os.urandom(2 * BLOCK_BYTES))
        assert small.root in store.pins_at(node.address)
    finally:
        store.close()
        all_needed.close()
        node.stop()


# --- garbage is collected between write and pin -----------------------------------------------------------


@pytest.mark.parametrize("collected", [(0,), (0, 2)])
def test_collection_between_write_and_pin_is_made_good_from_the_others(
    swarm: Swarm, collected: tuple[int, ...]
) -> None:
    store = swarm.store(needed=3)
    splitter = Splitter([blob := os.urandom(2 * BLOCK_BYTES)])
    with store.writing():
        store.put_blocks(splitter)
        collect(swarm, *collected)
        store.pin(splitter.address.root, splitter.address.blocks)
    assert [keeps(swarm, number, splitter.address) for number in range(3)] == [True] * 3
    assert loaded(store, splitter.address) == blob
    store.close()


def test_collection_on_every_node_between_write_and_pin_has_the_writer_put_again(
    swarm: Swarm, store: SwarmBlockStore
) -> None:
    splitter = Splitter([os.urandom(2 * BLOCK_BYTES)])
    blocks = list(splitter)
    store.put_blocks(blocks)
    collect(swarm, 0, 1, 2)
    with pytest.raises(BlockMissing):
        store.pin(splitter.address.root, splitter.address.blocks)
    store.put_blocks(blocks)
    store.pin(splitter.address.root, splitter.address.blocks)
    assert all(keeps(swarm, number, splitter.address) for number in range(3))


def collect(swarm: Swarm, *numbers: int) -> None:
    """Have daemons collect garbage, as an operator does with ``ipfs repo gc``."""
    for number in numbers:
        alone = swarm.alone(number)
        alone.collect_garbage()
        alone.close()
