"""The embedded block directory: crashes, full disks, two owners."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.storage.directory import DirectoryBlockStore
from backend.records.blobs import load_blob, store_blobs
from backend.records.blocks import BLOCK_BYTES, Block, Splitter, parse_cid, raw_cid, root_cid
from backend.records.envelope_errors import SourceChanged
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    Pin,
    StorageFull,
    StorageInUse,
    StorageUnavailable,
)


def everything(directory: Path) -> list[Path]:
    return [path for path in (directory / "incoming").rglob("*") if path.is_file()]


def test_directory_with_two_owners_is_refused(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    with pytest.raises(StorageInUse):
        DirectoryBlockStore(tmp_path)
    store.close()
    DirectoryBlockStore(tmp_path).close()


def test_blocks_and_pins_are_there_after_a_restart(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    (address,) = store_blobs(store, [[b"blob"]])
    store.close()
    store = DirectoryBlockStore(tmp_path)
    assert list(store.pins()) == [address.root]
    assert b"".join(load_blob(store, address)) == b"blob"
    store.close()


def test_what_was_half_written_is_cleared_at_the_next_start(tmp_path: Path) -> None:
    DirectoryBlockStore(tmp_path).close()
    (tmp_path / "incoming" / "7").write_bytes(b"half a blo")
    store = DirectoryBlockStore(tmp_path)
    assert everything(tmp_path) == []
    store.close()


def test_blob_that_breaks_off_leaves_no_file_behind(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)

    def blob() -> Any:
        yield bytes(3 * BLOCK_BYTES)
        raise SourceChanged

    with pytest.raises(SourceChanged):
        store_blobs(store, [blob()])
    assert everything(tmp_path) == []
    open_files = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    assert not [path for path in open_files if "incoming" in path]
    store.close()


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageUnavailable)],
)
@pytest.mark.parametrize("step", ["os.write", "os.fsync"])
def test_disk_error_is_named_and_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception], step: str
) -> None:
    store = DirectoryBlockStore(tmp_path)
    data = os.urandom(100)

    def fail(*_: object) -> int:
        raise OSError(number, "disk")

    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(expected) as caught:
            store.put_block(raw_cid(data), data)
    assert type(caught.value) is expected
    assert everything(tmp_path) == []
    assert not store.has(raw_cid(data))
    store.put_block(raw_cid(data), data)
    assert store.get_block(raw_cid(data)) == data
    store.close()


def test_directory_that_vanished_is_unavailable_and_not_a_missing_block(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailable):
        store.get_block(raw_cid(b"x"))
    with pytest.raises(StorageUnavailable):
        store.check()
    store.close()


def test_file_far_larger_than_a_block_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    data = b"small"
    store.put_block(raw_cid(data), data)
    path = next(path for path in (tmp_path / "data").rglob("*") if path.is_file())
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(BlockCorrupt):
        store.get_block(raw_cid(data))
    store.close()


def test_block_that_was_damaged_or_deleted_is_healed_by_putting_it_again(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    data = os.urandom(5000)
    store.put_block(raw_cid(data), data)
    path = next(path for path in (tmp_path / "data").rglob("*") if path.is_file())
    path.write_bytes(data[:-1] + b"?")
    with pytest.raises(BlockCorrupt):
        store.get_block(raw_cid(data))
    store.put_block(raw_cid(data), data)
    assert store.get_block(raw_cid(data)) == data
    path.unlink()
    with pytest.raises(BlockMissing):
        store.get_block(raw_cid(data))
    store.put_block(raw_cid(data), data)
    assert store.get_block(raw_cid(data)) == data
    store.close()


def test_collection_leaves_files_that_are_not_ours(tmp_path: Path) -> None:
    store = DirectoryBlockStore(tmp_path)
    store.put_block(raw_cid(b"x"), b"x")
    shard = next((tmp_path / "data").iterdir())
    (shard / "README").write_text("somebody's note")
    assert store.collect_garbage() == (1, 1)
    assert (shard / "README").exists()
    store.close()


def test_put_writes_in_the_order_that_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DirectoryBlockStore(tmp_path)
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        steps.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().parent.name}")
        sync(descriptor)

    def renamed(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    blocks = [Block(raw_cid(bytes([number])), bytes([number])) for number in range(2)]
    store.put_blocks(blocks)
    renames = [at for at, step in enumerate(steps) if step == "rename"]
    contents = [at for at, step in enumerate(steps) if step == "sync incoming"]
    shards = [at for at, step in enumerate(steps) if step == "sync data"]
    assert (len(renames), len(contents)) == (2, 2)
    assert max(contents) < min(renames)  # bytes before names
    assert len([at for at in shards if at > max(renames)]) == 2  # and names before the answer
    database = store._pins._database
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_large_groups_are_synced_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.adapters.storage.directory._GROUP_BLOCKS", 3)
    store = DirectoryBlockStore(tmp_path)
    blocks = [Block(raw_cid(bytes([number])), bytes([number])) for number in range(10)]
    store.put_blocks(blocks)
    assert all(store.get_block(block.cid) == block.data for block in blocks)
    store.close()


CHILD = """
import os, sys
from pathlib import Path
from backend.adapters.storage.directory import DirectoryBlockStore
from backend.records.blobs import store_blobs

store = DirectoryBlockStore(Path(sys.argv[1]))
while True:
    blobs = [os.urandom(9000) for _ in range(3)]
    for address in store_blobs(store, [[blob] for blob in blobs]):
        print(address.root, address.blocks[0], flush=True)
"""


@pytest.mark.parametrize("change", ["DELETE FROM kept WHERE block = ?", "DELETE FROM kept WHERE root = ?"])
def test_pin_that_lost_a_row_of_a_block_keeps_it_no_more(tmp_path: Path, change: str) -> None:
    store = DirectoryBlockStore(tmp_path)
    (address,) = store_blobs(store, [[os.urandom(BLOCK_BYTES + 1)]])
    pin = Pin(address.root, address.blocks)
    assert store.keeps(pin)
    with closing(sqlite3.connect(tmp_path / "pins.db", isolation_level=None)) as table:
        changed = address.blocks[1] if "block" in change else address.root
        assert table.execute(change, (changed,)).rowcount > 0
    assert address.root in set(store.pins())
    assert not store.keeps(pin)
    store.close()


def test_killed_process_loses_no_blob_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[list[str]] = []
    for run in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(5 + 7 * run):
            acknowledged.append(child.stdout.readline().split())
        os.kill(child.pid, signal.SIGKILL)
        acknowledged += [line.split() for line in child.stdout if line.endswith("\n")]
        child.stdout.close()
        child.wait(timeout=30)
    store = DirectoryBlockStore(tmp_path)
    pinned = set(store.pins())
    store.collect_garbage()
    assert len(acknowledged) > 100
    for root, first in acknowledged:
        assert parse_cid(root) in pinned
        data = store.get_block(parse_cid(first))
        *_, last = Splitter([data])
        assert last.cid == root
        assert root_cid(store.get_block(parse_cid(root))) == root
    store.close()
