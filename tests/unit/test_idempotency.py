"""Idempotency keys: what a retry draws, when it is told that the act is over, and what a mark gives away."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.idempotency import Attempt, Idempotency, IdempotencyKeyReused
from tests.support.memory_marks import MemoryMarks

NOW = 1_800_000_000


@pytest.fixture
def marks() -> MemoryMarks:
    return MemoryMarks()


@pytest.fixture
def acts(marks: MemoryMarks) -> Idempotency:
    return Idempotency(key=b"k" * 32, marks=marks, clock=lambda: NOW)


def run(
    acts: Idempotency,
    *,
    caller: str = "staff:1",
    act: str = "users",
    key: str | None = "one",
    request: bytes = b"{}",
) -> Attempt:
    with acts.attempt(caller=caller, act=act, key=key, request=request) as attempt:
        return attempt


def test_retry_draws_the_same_and_is_told_that_the_act_is_over(acts: Idempotency) -> None:
    first, again = run(acts), run(acts)
    assert (first.finished, again.finished) == (False, True)
    assert first.draw("id") == again.draw("id")
    assert first.draw("id") != first.draw("secret")
    assert len(first.draw("id", 16)) == 16


def test_caller_act_and_key_each_make_another_attempt(acts: Idempotency) -> None:
    drawn = [
        run(acts, **members).draw("id")
        for members in ({}, {"caller": "staff:2"}, {"act": "clients"}, {"key": "two"}, {"key": None})
    ]
    assert len(set(drawn)) == len(drawn)


def test_members_of_the_place_cannot_be_shifted_into_each_other(acts: Idempotency) -> None:
    assert run(acts, act="a", key="b/c").draw("id") != run(acts, act="a/b", key="c").draw("id")


def test_request_without_a_key_is_never_the_same_attempt_and_leaves_no_mark(
    acts: Idempotency, marks: MemoryMarks
) -> None:
    assert run(acts, key=None).draw("id") != run(acts, key=None).draw("id")
    assert marks.rows == {}


def test_key_with_another_request_is_refused_and_runs_nothing(acts: Idempotency) -> None:
    run(acts)
    with pytest.raises(IdempotencyKeyReused):
        run(acts, request=b'{"name": "other"}')
    assert run(acts).finished


def test_act_that_failed_is_not_over_and_its_retry_counts_from_the_first_try(marks: MemoryMarks) -> None:
    clock = itertools.count(NOW)
    acts = Idempotency(key=b"k" * 32, marks=marks, clock=lambda: next(clock))
    with (
        pytest.raises(ZeroDivisionError),
        acts.attempt(caller="a", act="b", key="c", request=b"") as first,
    ):
        raise ZeroDivisionError
    with acts.attempt(caller="a", act="b", key="c", request=b"") as again:
        assert not again.finished
    assert (again.begun_at, again.draw("id")) == (first.begun_at, first.draw("id"))


def test_tries_at_once_run_one_after_the_other_and_one_does_the_act(acts: Idempotency) -> None:
    inside = threading.Lock()
    finished = []

    def act(_: int) -> None:
        with acts.attempt(caller="a", act="b", key="c", request=b"") as attempt:
            assert inside.acquire(blocking=False), "two tries at once"
            time.sleep(0.01)
            finished.append(attempt.finished)
            inside.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(8)))
    assert sorted(finished) == [False] + [True] * 7


def test_mark_tells_neither_request_nor_caller_nor_what_was_drawn(
    acts: Idempotency, marks: MemoryMarks
) -> None:
    attempt = run(acts, caller="staff:visible", key="visible", request=b"visible")
    (mark,) = marks.rows.values()
    assert "visible" not in repr(mark)
    assert attempt.seed.hex() not in (mark.mark_id, mark.fingerprint)
    assert attempt.seed.hex() not in repr(attempt)
    other = Idempotency(key=b"o" * 32, marks=MemoryMarks(), clock=lambda: NOW)
    assert run(other).draw("id") != run(acts).draw("id")
