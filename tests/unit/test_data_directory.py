"""The data directory is used by one program at a time and refuses a full disk, by name."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from backend.adapters import data_directory
from backend.adapters.data_directory import (
    DataDirectory,
    DataDirectoryInUse,
    DataDirectoryUnusable,
    DiskFull,
)


def test_open_while_another_holds_it_is_refused(tmp_path: Path) -> None:
    first, second = DataDirectory(tmp_path), DataDirectory(tmp_path)
    first.open()
    with pytest.raises(DataDirectoryInUse):
        second.open()
    first.close()
    second.open()
    second.close()


def test_open_where_a_file_stands_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryUnusable):
        DataDirectory(tmp_path / "file").open()


def test_open_on_a_full_disk_is_refused_and_lets_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(1, 1, 0)
    with monkeypatch.context() as patched:
        patched.setattr(data_directory.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(DiskFull):
            DataDirectory(tmp_path).open()
    again = DataDirectory(tmp_path)
    again.open()
    again.close()


def test_open_makes_the_directory_for_the_owner_only(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.open()
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    directory.close()


def test_holders_before_are_known_to_who_has_the_lock_and_not_to_a_copy(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.open()
    assert directory.succeed("one") == ()
    assert directory.succeed("two") == ("one",)
    assert directory.succeed("three") == ("one", "two")
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    copy = DataDirectory(tmp_path / "copy")
    copy.open()
    assert copy.succeed("four") == ()
    for each in (directory, copy):
        each.close()


def test_holders_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.open()
    directory.succeed("one")
    (tmp_path / "holders.json").write_text("[]")
    assert directory.succeed("two") == ()
    directory.close()
