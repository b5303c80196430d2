"""Scratch files on a real disk: nameless, gone with their process, and never on the last free bytes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.adapters.storage.scratch import ScratchDirectory
from backend.records.storage_ports import StorageFull, StorageUnavailable

MIB = 1 << 20


def test_scratch_file_has_no_name_and_gives_back_what_was_written(tmp_path: Path) -> None:
    scratch = ScratchDirectory(tmp_path / "scratch", reserve_bytes=0)
    data = os.urandom(MIB)
    file = scratch.new()
    file.write(data)
    file.write(b"more")
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [b"".join(file.read_again()) for _ in range(2)] == [data + b"more"] * 2
    file.close()
    with pytest.raises(StorageUnavailable):
        file.write(b"x")
    with pytest.raises(StorageUnavailable):
        list(file.read_again())


def test_start_removes_what_a_kill_left(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "left").write_bytes(b"x")
    ScratchDirectory(tmp_path / "scratch", reserve_bytes=0)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_room_is_for_the_document_twice_and_for_what_must_stay_free(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    scratch = ScratchDirectory(tmp_path / "scratch", reserve_bytes=0)
    scratch.require_room(free // 4)
    with pytest.raises(StorageFull):
        scratch.require_room(free // 2)
    kept = ScratchDirectory(tmp_path / "scratch", reserve_bytes=free * 2)
    file = kept.new()
    with pytest.raises(StorageFull):
        file.write(b"x")
    file.close()
