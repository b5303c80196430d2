"""What is looked for in final blocks: each sort by itself, and again after a failure."""

from __future__ import annotations

import threading
from contextlib import closing

from backend.consent.recorded import RecordedWatch
from backend.errors import LedgerUnavailable

PATIENCE_SECONDS = 60


class Reader:
    """Fails so many times, and then says that it came through."""

    def __init__(self, what: str, *, failures: float) -> None:
        self.what = what
        self.failures = failures
        self.came_through = threading.Event()

    def step(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise LedgerUnavailable
        self.came_through.set()


def test_one_that_cannot_be_taken_is_tried_again_and_holds_up_no_other() -> None:
    stuck, failing = Reader("stops", failures=float("inf")), Reader("emergencies", failures=2)
    watches = [RecordedWatch(each, interval_seconds=0.001) for each in (stuck, failing)]
    with closing(watches[0]), closing(watches[1]):
        for watch in watches:
            watch.start()
        assert failing.came_through.wait(PATIENCE_SECONDS)
    assert not stuck.came_through.is_set()
