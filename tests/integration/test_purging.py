"""Expired marks, counters and families vanish from the real index while the world is open, and only then."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from backend.bootstrap import World, clock, open_world
from backend.settings import Settings

EXPIRED = {
    "used_once": {"_id": "sign-in/old", "until": 1},
    "sign_in_attempts": {"_id": "staff:old", "count": 5, "last_at": 1, "locked_until": 900, "version": 5},
    "token_families": {"_id": "old", "principal": "staff:1", "ended": True, "expires_at": 1},
}


def live() -> dict[str, dict[str, object]]:
    now = clock()
    return {
        "used_once": {"_id": "sign-in/live", "until": now + 3600},
        "sign_in_attempts": {
            "_id": "staff:live", "count": 5, "last_at": now, "locked_until": now + 900, "version": 5,
        },
        "token_families": {"_id": "live", "principal": "staff:1", "ended": False, "expires_at": now + 3600},
    }  # fmt: skip


def test_world_purges_at_its_interval_and_stops_with_the_rest(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    world = open_world(Settings(data_directory=tmp_path / "data", purge_interval_seconds=1))
    kept = live()
    try:
        for name, expired in EXPIRED.items():
            world.stores.database[name].insert_many([expired, kept[name]])
        deadline = time.monotonic() + 60
        while any(_ids(world, name) != {str(one["_id"])} for name, one in kept.items()):
            assert time.monotonic() < deadline, [_ids(world, name) for name in EXPIRED]
            time.sleep(0.05)
        assert "purging" in _names(others)
    finally:
        world.close()
    assert "purging" not in _names(others)


def _ids(world: World, name: str) -> set[str]:
    return {str(found["_id"]) for found in world.stores.database[name].find()}


def _names(others: set[threading.Thread]) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread not in others]
