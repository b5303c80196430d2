"""Ctrl-C ends what goes on until then, also where the interrupt was swallowed by what happened to run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from backend.commands.terminal import until_interrupted


def _interrupted(wait: Callable[[float], None]) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    wait(10)


def test_wait_ends_by_itself_or_by_the_interrupt() -> None:
    with until_interrupted() as wait:
        wait(0.01)
        with pytest.raises(KeyboardInterrupt):
            _interrupted(wait)


def test_interrupt_that_was_swallowed_ends_the_next_wait() -> None:
    with until_interrupted() as wait:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        with pytest.raises(KeyboardInterrupt):
            wait(0)


def test_interrupt_counts_where_the_program_was_started_to_ignore_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with until_interrupted() as wait, pytest.raises(KeyboardInterrupt):
            _interrupted(wait)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
