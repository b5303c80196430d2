"""Following the log: what the end of the service leaves is told by the next one, and nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from backend.notices.feed import Feed

ENTRIES = 1_000
PATIENCE_SECONDS = 60


class Notices:
    """How far the feed has come, and nobody to remind."""

    def __init__(self) -> None:
        self.at = 0

    def cursor(self) -> int:
        return self.at

    def set_cursor(self, index: int) -> None:
        self.at = index

    def due_reminders(self, **_: Any) -> list[Any]:
        return []

    def late(self, **_: Any) -> int:
        return 0


def feed_of(notices: Notices, tell: Callable[[int], None]) -> tuple[Feed, Any]:
    log: Any = SimpleNamespace(state=SimpleNamespace(size=0), listener=None)
    unused: Any = None
    given: Any = notices
    telling: Any = SimpleNamespace(tell=lambda index, _event: tell(index))
    feed = Feed(
        log=log,
        reader=unused,
        telling=telling,
        reminding=unused,
        notices=given,
        subjects=list,
        publish_late=lambda _number: None,
        clock=lambda: 0,
    )
    return feed, log


def run(notices: Notices, tell: Callable[[int], None]) -> Feed:
    """A feed that hears of entries that there are already."""
    feed, log = feed_of(notices, tell)
    feed.start()
    for index in range(notices.at, ENTRIES):
        log.listener(index, object())
    log.state.size = ENTRIES
    return feed


def test_end_waits_for_one_entry_and_the_next_feed_goes_on_behind_it() -> None:
    notices, told = Notices(), list[int]()
    under_way, ending, all_told = threading.Event(), threading.Event(), threading.Event()

    def tell_slowly(index: int) -> None:
        told.append(index)
        under_way.set()
        assert ending.wait(PATIENCE_SECONDS)

    first = run(notices, tell_slowly)
    assert under_way.wait(PATIENCE_SECONDS)
    closing = threading.Thread(target=first.close)
    closing.start()
    while not first._ending.is_set():  # close has begun
        pass
    ending.set()
    closing.join(PATIENCE_SECONDS)
    assert not closing.is_alive()
    assert notices.at == len(told) == 1

    def tell(index: int) -> None:
        told.append(index)
        if index == ENTRIES - 1:
            all_told.set()

    second = run(notices, tell)
    assert all_told.wait(PATIENCE_SECONDS)
    second.close()
    assert told == list(range(ENTRIES))
    assert notices.at == ENTRIES
