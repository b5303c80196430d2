"""What was read at a block never answers for another block or question, and stays small."""

from __future__ import annotations

from backend.adapters.ledger.block_cache import BlockCache
from backend.types import Bytes32

A, B = Bytes32(b"a" * 32), Bytes32(b"b" * 32)


def test_cache_asked_for_another_block_or_key_has_nothing() -> None:
    cache = BlockCache[str, int](8)
    cache.put(A, "one", 1)
    assert cache.get(A, "one") == 1
    assert cache.get(B, "one") is None
    assert cache.get(A, "two") is None
    assert cache.get(None, "one") is None


def test_cache_that_is_full_drops_the_least_recently_used() -> None:
    cache = BlockCache[int, int](2)
    for number in (1, 2):
        cache.put(A, number, number)
    cache.get(A, 1)
    cache.put(A, 3, 3)
    assert (cache.get(A, 1), cache.get(A, 2), cache.get(A, 3)) == (1, None, 3)
