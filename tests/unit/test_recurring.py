"""Rounds come again whatever the one before raised, at once when asked for, and end with ``close``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from backend.errors import Unavailable
from backend.recurring import Recurring

LONG = 3600.0
LOG = logging.getLogger("assent.tested")


class Rounds(Recurring):
    """Counts its rounds, of which each begins with ``then``."""

    def __init__(self, *, every_seconds: float = LONG, waits_first: bool = False) -> None:
        super().__init__(
            name="rounds",
            every_seconds=every_seconds,
            log=LOG,
            failing="a round failed",
            waits_first=waits_first,
        )
        self.then: Callable[[], object] = lambda: None
        self.begun = threading.Semaphore(0)
        self.number = 0

    def _round(self) -> None:
        self.number += 1
        self.begun.release()
        self.then()

    def ask(self) -> None:
        self._soon()


@contextmanager
def started(rounds: Rounds) -> Iterator[Rounds]:
    others = set(threading.enumerate())
    rounds.start()
    try:
        yield rounds
    finally:
        rounds.close()
    assert set(threading.enumerate()) <= others


@pytest.mark.parametrize("failure", [Unavailable("index"), RuntimeError("a defect")], ids=repr)
def test_round_that_fails_is_logged_and_followed_by_others(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = Rounds(every_seconds=0.01)

    def fail_once() -> None:
        if rounds.number == 1:
            raise failure

    rounds.then = fail_once
    with started(rounds):
        for _ in range(3):
            assert rounds.begun.acquire(timeout=30)
    (record,) = caplog.records
    assert record.getMessage().startswith("a round failed")
    assert (record.exc_info is None) == isinstance(failure, Unavailable)


def test_first_round_waits_where_it_is_to_and_comes_when_asked_for() -> None:
    with started(Rounds(waits_first=True)) as rounds:
        assert not rounds.begun.acquire(timeout=0.1)
        rounds.ask()
        assert rounds.begun.acquire(timeout=30)


def test_round_asked_for_during_another_follows_it() -> None:
    rounds, goes_on = Rounds(), threading.Event()
    rounds.then = lambda: goes_on.wait(30)
    with started(rounds):
        assert rounds.begun.acquire(timeout=30)
        rounds.ask()
        goes_on.set()
        assert rounds.begun.acquire(timeout=30)


def test_close_between_two_rounds_is_never_overlooked() -> None:
    rounds = Rounds()

    class Wake(threading.Event):
        def clear(self) -> None:
            """What another thread's ``close`` does comes right before."""
            rounds._ending.set()
            self.set()
            super().clear()

    rounds._wake = Wake()
    with started(rounds):
        rounds._thread.join(30)
        assert not rounds._thread.is_alive()
    assert rounds.number == 0


def test_close_waits_for_the_round_and_not_for_the_next_one() -> None:
    rounds = Rounds()
    rounds.then = lambda: rounds._ending.wait(30)
    with started(rounds):
        assert rounds.begun.acquire(timeout=30)
    assert rounds.number == 1
    assert rounds._ending.is_set()
