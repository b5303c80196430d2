from __future__ import annotations

import pytest

from backend.recent import RecentCache


def test_recent_cache_is_bounded_forgets_and_keeps_no_failure() -> None:
    moment = [0.0]
    cache = RecentCache[int, int](capacity=2, monotonic=lambda: moment[0])
    assert [cache.get(key, lambda key=key: key * 10) for key in (1, 2, 3)] == [10, 20, 30]  # type: ignore[misc]
    assert cache.get(1, lambda: 11) == 11  # pushed out
    assert cache.get(3, lambda: 31) == 30
    moment[0] = 2.0
    assert cache.get(3, lambda: 32) == 32
    cache.forget()
    assert cache.get(3, lambda: 33) == 33
    with pytest.raises(ZeroDivisionError):
        cache.get(4, lambda: 1 // 0)
    assert cache.get(4, lambda: 40) == 40


def test_recent_cache_does_not_keep_a_value_loaded_before_it_was_told_to_forget() -> None:
    cache = RecentCache[int, int]()

    def load() -> int:
        cache.forget()
        return 1

    assert cache.get(1, load) == 1
    assert cache.get(1, lambda: 2) == 2


def test_recent_cache_forgets_one_key_and_what_is_being_loaded() -> None:
    cache = RecentCache[int, int]()
    assert [cache.get(key, lambda: 1) for key in (1, 2)] == [1, 1]

    def load() -> int:
        cache.forget(1)
        return 1

    assert cache.get(3, load) == 1
    assert [cache.get(key, lambda: 2) for key in (1, 2, 3)] == [2, 1, 2]


def test_heavy_values_make_room_for_themselves_alone() -> None:
    cache: RecentCache[str, int] = RecentCache(capacity=10, weigh=lambda _key, value: value)
    for name, weight in (("a", 4), ("b", 4), ("c", 5)):
        cache.get(name, lambda weight=weight: weight)  # type: ignore[misc]
    loaded: list[str] = []

    def load(name: str, weight: int) -> int:
        loaded.append(name)
        return weight

    assert cache.get("b", lambda: load("b", 4)) == 4
    assert cache.get("c", lambda: load("c", 5)) == 5
    assert loaded == []
    cache.forget("b")
    assert cache.get("a", lambda: load("a", 4)) == 4
    assert cache.get("c", lambda: load("c", 5)) == 5
    assert loaded == ["a"]
    assert cache.get("whale", lambda: load("whale", 11)) == 11
    assert cache.get("whale", lambda: load("whale", 11)) == 11
    assert loaded == ["a", "whale", "whale"]
