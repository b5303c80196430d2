"""The daily backup: made when it is time, read back, told; and what stands in its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.backup.daily import FIRST_SECONDS, RETRY_SECONDS, DailyBackup
from backend.backup.errors import BackupDamaged, BackupIncomplete, BackupInterrupted, BackupUnwritable
from backend.backup.keeping import BASE_SECONDS
from backend.errors import AssentError, Unavailable
from tests.support.memory_backup import Scene


class Notes:
    """What was written to the log. ``before`` may fail, as a log does that is away."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    def verified(self, generation: str, at: int, counts: dict[str, int]) -> None:
        assert at
        self.kept.append((generation, f"{counts.get('blocks', 0)} blocks"))

    def refused(self, generation: str, at: int, code: str) -> None:
        assert at
        self.kept.append((generation, code))


class Day:
    def __init__(self, root: Path) -> None:
        self.scene = Scene(root)
        self.published: list[int] = []
        self.notes = Notes()
        self.daily = self.started()

    def started(self) -> DailyBackup:
        """As after a start of the service."""
        return DailyBackup(
            keeper=self.scene.keeper,
            shelf=self.scene.shelf,
            notes=self.notes,
            clock=lambda: self.scene.now,
            publish=self.published.append,
        )

    @property
    def generations(self) -> list[str]:
        return self.scene.shelf.generations() if self.scene.shelf.root.is_dir() else []

    def at(self, seconds: int) -> None:
        self.scene.now += seconds
        self.daily.run_once()

    def fails(self, error: type[AssentError], seconds: int) -> None:
        with pytest.raises(error):
            self.at(seconds)

    def spoil(self, part: str) -> None:
        """Change a byte of the newest base, as a bad disk does."""
        path = self.scene.shelf.path(self.scene.shelf.newest(), part)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    day = Day(tmp_path)
    yield day
    day.scene.site.blocks.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_is_made_soon_after_a_start_and_then_each_day_and_each_is_read_back(day: Day) -> None:
    day.scene.store(b"one")
    day.at(FIRST_SECONDS - 1)
    assert day.generations == []
    day.at(1)
    (first,) = day.generations
    assert day.scene.shelf.verified_at(first) == day.scene.now
    assert day.notes.kept == [(first, "2 blocks")]
    assert day.published == [day.scene.now]
    day.at(BASE_SECONDS - 1)
    assert day.generations == [first]
    day.at(1)
    assert len(day.generations) == 2
    assert day.scene.shelf.verified_at(day.generations[1]) == day.scene.now
    assert day.daily.status()["verified_at"] == day.scene.now


def test_base_that_an_anchor_had_made_is_read_back_too(day: Day) -> None:
    day.daily.ship()
    assert day.daily.status()["verified_at"] is None
    day.at(1)
    assert day.daily.status()["verified_at"] == day.scene.now
    day.at(1)
    assert len(day.notes.kept) == 1


def test_what_was_found_before_a_restart_is_known_after_it(day: Day) -> None:
    day.at(FIRST_SECONDS)
    found = day.scene.now
    day.scene.now += 10
    again = day.started()
    assert again.status()["verified_at"] == again.status()["watched_from"] == found


@pytest.mark.parametrize("part", ["index", "keys", "chain", "pins", "manifest"])
def test_backup_that_is_not_what_was_written_is_told_made_anew_and_the_last_good_one_kept(
    day: Day, part: str
) -> None:
    day.scene.site.index.put("records", "a")
    day.scene.site.keys.make("a key")
    day.scene.store(b"one")
    day.at(FIRST_SECONDS)
    (good,) = day.generations
    day.scene.now += BASE_SECONDS
    day.daily.ship()
    day.spoil(part)
    day.fails(BackupDamaged, 1)
    assert day.notes.kept[-1] == (day.generations[-1], "backup_damaged")
    status = day.daily.status()
    assert (status["refused"], status["error"]) == ("backup_damaged", None)
    assert day.scene.shelf.verified_at(day.generations[-1]) is None
    day.at(RETRY_SECONDS - 1)
    assert len(day.generations) == 2
    day.at(1)
    assert good in day.generations
    assert day.daily.status()["refused"] is None
    assert day.daily.status()["verified_at"] == day.scene.now


def test_block_that_is_not_what_was_written_is_told(day: Day) -> None:
    root = day.scene.store(b"one")
    day.daily.ship()
    (path,) = (day.scene.shelf.root / "blocks").glob(f"*/{root}")
    path.write_bytes(b"other")
    day.fails(BackupDamaged, 1)


def test_record_that_could_not_be_copied_is_told_unless_it_was_let_go_of(day: Day) -> None:
    bad = day.scene.store(b"bad")
    (path,) = (day.scene.root / "blocks" / "data").glob(f"*/{bad}")
    path.chmod(0o600)
    path.write_bytes(b"other")
    day.fails(BackupIncomplete, FIRST_SECONDS)
    assert day.daily.status()["refused"] == "backup_incomplete"
    day.scene.now += RETRY_SECONDS
    day.scene.keeper.renew()
    day.scene.site.blocks.unpin(bad)
    day.at(0)
    assert day.daily.status()["refused"] is None


def test_directory_that_is_full_is_tried_again_and_not_each_second(day: Day) -> None:
    day.scene.room = False
    day.fails(BackupUnwritable, FIRST_SECONDS)
    assert day.daily.status()["error"] == "backup_unwritable"
    day.scene.room = True
    day.at(RETRY_SECONDS - 1)
    assert day.generations == []
    day.at(1)
    assert len(day.generations) == 1
    assert day.daily.status()["error"] is None


def test_one_that_is_asked_for_is_made_at_once_in_the_background_and_read_back(day: Day) -> None:
    day.daily.start()
    try:
        for number in (1, 2):
            day.scene.now += 1
            day.daily.make()
            assert day.daily.status()["running"]
            until(lambda: not day.daily.status()["running"])
            assert len(day.generations) == number
            assert day.daily.status()["verified_at"] == day.scene.now
            assert day.daily.status()["generation"] == day.generations[-1]
    finally:
        day.daily.close()


def test_store_that_is_away_ends_nothing_but_the_try(day: Day) -> None:
    day.scene.site.index.put("records", "a")

    def fail(collection: str) -> None:
        raise Unavailable

    day.scene.site.index.before_reading = fail
    day.daily.start()
    try:
        day.daily.make()
        until(lambda: day.daily.status()["error"] == "unavailable")
        day.scene.site.index.before_reading = lambda _collection: None
        until(lambda: not day.daily.status()["running"])
        day.daily.make()
        until(lambda: day.daily.status()["verified_at"] is not None)
    finally:
        day.daily.close()


def test_close_in_the_middle_of_one_waits_for_no_more_of_it(day: Day) -> None:
    for number in range(100_000):
        day.scene.site.index.tables.setdefault("records", {})[str(number)] = {"_id": str(number)}
    reached = []

    def slow(collection: str) -> None:
        reached.append(collection)
        time.sleep(0.01)

    day.scene.site.index.before_reading = slow
    day.daily.start()
    day.daily.make()
    until(lambda: len(reached) > 3)
    day.daily.close()
    assert len(reached) < 50_000  # of what takes a quarter of an hour
    assert not [path for path in day.scene.shelf.root.iterdir() if path.name.startswith(".")]
    with pytest.raises(BackupInterrupted):
        day.daily.ship()
    assert day.generations == []


def test_close_while_one_is_read_back_leaves_it_unverified_and_reaches_on(day: Day) -> None:
    day.daily.ship()
    day.scene.keeper.end()
    day.scene.site.index.put("records", "a")
    with pytest.raises(BackupInterrupted):
        day.daily.run_once()
    assert day.scene.shelf.verified_at(day.generations[0]) is None
    assert day.daily.status()["refused"] is None
