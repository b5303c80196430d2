"""Uses are counted exactly, whoever takes them at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pymongo.database import Database

from backend.adapters.index.use_store import MongoUseStore
from backend.consent.terms import UNLIMITED_USES
from backend.consent.uses import Taken, UseLimit
from backend.types import ConsentId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

CONSENT = ConsentId(b"\x07" * 32)
NOW = UnixSeconds(1_790_000_000)


@pytest.mark.parametrize("limit", [UseLimit(5, UNLIMITED_USES, 0), UseLimit(UNLIMITED_USES, 5, 60)])
def test_of_many_at_once_as_many_win_as_there_are_uses(
    mongo: Database[dict[str, Any]], limit: UseLimit
) -> None:
    store = MongoUseStore(mongo, MemoryKeyStore())
    consent = ConsentId(bytes([limit.max_uses % 251]) * 32)
    with ThreadPoolExecutor(16) as threads:
        won = list(threads.map(lambda _: store.take(consent, limit, now=NOW), range(16)))
    assert sum(won) == 5
    assert store.taken([consent])[consent].made == 5


def test_use_is_free_again_when_the_period_of_the_first_is_over(mongo: Database[dict[str, Any]]) -> None:
    store, limit = MongoUseStore(mongo, MemoryKeyStore()), UseLimit(UNLIMITED_USES, 2, 100)
    times = (0, 50, 99, 100, 101, 149, 150)
    won = [store.take(CONSENT, limit, now=UnixSeconds(NOW + after)) for after in times]
    assert won == [True, True, False, True, False, False, True]
    assert store.taken([CONSENT]) == {CONSENT: Taken(4, (UnixSeconds(NOW + 100), UnixSeconds(NOW + 150)))}


def test_use_after_the_clock_was_put_back_counts_as_of_the_later_time(
    mongo: Database[dict[str, Any]],
) -> None:
    store, limit = MongoUseStore(mongo, MemoryKeyStore()), UseLimit(UNLIMITED_USES, 3, 100)
    consent = ConsentId(b"\x08" * 32)
    assert store.take(consent, limit, now=NOW)
    assert store.take(consent, limit, now=UnixSeconds(NOW - 1000))
    assert store.taken([consent])[consent].at == (NOW, NOW)


def test_consent_nobody_used_has_no_count(mongo: Database[dict[str, Any]]) -> None:
    assert MongoUseStore(mongo, MemoryKeyStore()).taken([ConsentId(b"\x09" * 32)]) == {}
