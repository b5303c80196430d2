"""A mark never moves, is in the log before it counts, and is missed when it is taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.research.errors import PrivacyMarksDamaged, PrivacyMarksRolledBack
from backend.research.joining import Joining
from backend.research.types import ChainHead, NanoRho
from backend.types import SubjectId
from tests.support.memory_chains import MemoryChainLog, MemoryJoinStore

ANNA, BEN, CAI = SubjectId(1), SubjectId(2), SubjectId(3)


def joining(store: MemoryJoinStore, log: MemoryChainLog) -> Joining:
    return Joining(store=store, log=log, ledger="hospital", clock=lambda: 1_790_000_000)


def test_mark_stays_where_it_was_first_set_and_is_in_the_log() -> None:
    store, log = MemoryJoinStore(), MemoryChainLog()
    assert joining(store, log).join([ANNA, BEN], NanoRho(0)) == {ANNA: 0, BEN: 0}
    assert joining(store, log).join([ANNA, CAI], NanoRho(9)) == {ANNA: 0, CAI: 9}
    assert log.newest == ChainHead("hospital", 2, store.kept[1][0].digest)
    heads = len(log.heads)
    running = joining(store, log)
    running.open(log.newest)
    assert running.join([ANNA, BEN, CAI], NanoRho(20)) == {ANNA: 0, BEN: 0, CAI: 9}
    assert len(log.heads) == heads


@pytest.mark.parametrize("place", [0, 1])
def test_entry_that_was_taken_away_is_missed_at_start_and_by_who_runs(place: int) -> None:
    store, log = MemoryJoinStore(), MemoryChainLog()
    running = joining(store, log)
    running.join([ANNA], NanoRho(0))
    running.join([BEN], NanoRho(5))
    store.kept.pop(place)
    with pytest.raises(PrivacyMarksRolledBack):
        joining(store, log).open(log.newest)
    with pytest.raises(PrivacyMarksRolledBack):
        running.join([CAI], NanoRho(9))


def test_entry_that_was_changed_is_refused() -> None:
    store, log = MemoryJoinStore(), MemoryChainLog()
    joining(store, log).join([ANNA], NanoRho(0))
    entry, subjects = store.kept[0]
    store.kept[0] = (replace(entry, spent=NanoRho(7)), subjects)
    with pytest.raises(PrivacyMarksDamaged):
        joining(store, log).open(log.newest)


def test_mark_whose_head_a_crash_kept_from_the_log_gets_it_before_it_counts() -> None:
    store, log = MemoryJoinStore(), MemoryChainLog()
    joining(store, MemoryChainLog()).join([ANNA], NanoRho(0))
    joining(store, log).join([ANNA], NanoRho(4))
    assert log.newest == ChainHead("hospital", 1, store.kept[0][0].digest)
