from __future__ import annotations

from pathlib import Path

import pytest

from backend.backup.errors import BackupUnwritable
from backend.backup.own_keys import NEW_AFTER_SECONDS, OwnKeys
from backend.backup.recovery_key import read_private_half, service_path
from tests.support.memory_backup import DAY


class Scene:
    def __init__(self, root: Path) -> None:
        self.now = 1_800_000_000
        self.folder = root / "keys"
        self.keys = OwnKeys(self.folder, clock=lambda: self.now)

    def there(self) -> set[str]:
        """Ids of the keys whose private half is there."""
        return {read_private_half(path).service.id for path in self.folder.glob("*.key")}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_key_is_made_once_and_a_week_later_the_next(scene: Scene) -> None:
    first = scene.keys.current()
    assert scene.folder.stat().st_mode & 0o077 == 0
    scene.now += NEW_AFTER_SECONDS - 1
    assert scene.keys.current().id == first.id
    scene.now += 1
    second = scene.keys.current()
    assert second.id != first.id
    assert scene.there() == {first.id, second.id}


def test_key_goes_when_no_backup_needs_it_and_at_its_end_in_any_case(scene: Scene) -> None:
    first = scene.keys.current()
    scene.now += NEW_AFTER_SECONDS
    second = scene.keys.current()
    scene.keys.destroy_unneeded([first.key.id])
    assert scene.there() == {first.id, second.id}
    scene.keys.destroy_unneeded([second.key.id])
    assert scene.there() == {second.id}
    scene.now = second.expires_at
    scene.keys.destroy_unneeded([second.key.id])
    assert scene.there() == {scene.keys.current().id} != {second.id}
    assert len(list(scene.folder.iterdir())) == 2


def test_newest_key_is_kept_though_no_backup_is_made_with_it_yet(scene: Scene) -> None:
    made = scene.keys.current()
    scene.now += DAY
    scene.keys.destroy_unneeded([])
    assert scene.there() == {made.id}


def test_half_that_a_kill_left_alone_is_cleared_away(scene: Scene) -> None:
    left = scene.keys.current()
    (path,) = scene.folder.glob("*.key")
    service_path(path).unlink()
    scene.now += 1
    assert scene.keys.current().id != left.id
    assert left.id not in scene.there()


def test_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackupUnwritable):
        OwnKeys(tmp_path / "file" / "keys", clock=lambda: 1).current()
