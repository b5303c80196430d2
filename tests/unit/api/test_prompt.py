"""Reads on the event loop: nothing leaves before its entry is durable, and what waits goes to a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.api.prompt import PromptLog, PromptReading, prompt
from backend.audit.entry import ANONYMOUS, AuditEvent, Outcome
from backend.audit.errors import AuditClosed, AuditUnavailable, StaleSeal
from backend.audit.types import AppendedEntry
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.records.reading import Judgement, Released, Wanted
from backend.types import LogIndex, RecordId, UnixSeconds
from backend.waiting import MustWait, about_to_wait, without_waiting

RELEASED = Released(RecordId(bytes(16)), 1, "attachment", UnixSeconds(0), (), 0)
ENTRY = AppendedEntry(LogIndex(0), bytes(32))
EVENT = AuditEvent(type="record.read", outcome=Outcome.PERMITTED, occurred_at_ms=0, actor=ANONYMOUS)


@dataclass
class Waiting:
    answer: Any
    abandoned: bool = False


@dataclass
class Log:
    """Answers what a test tells it to, from a thread of its own, as the sequencer does."""

    outcome: AppendedEntry | Exception | None = ENTRY
    closed: bool = False
    timeout_seconds: float = 5.0
    rounds: list[list[Waiting]] = field(default_factory=list)

    def prepare(self, event: AuditEvent, *, guard: Any, answer: Any) -> Waiting:
        return Waiting(answer)

    def submit(self, entries: Iterable[Waiting]) -> None:
        if self.closed:
            raise AuditClosed
        self.rounds.append(list(entries))
        if self.outcome is not None:
            self.answer()

    def answer(self) -> None:
        outcome = self.outcome or ENTRY
        threading.Thread(target=lambda: [waiting.answer(outcome) for waiting in self.rounds[-1]]).start()


@dataclass
class Reading:
    waits: bool = False
    outcome: Released | ConsentRequired = RELEASED
    threads: list[str] = field(default_factory=list)

    def judge(self, wanted: Wanted) -> Judgement:
        if self.waits:
            about_to_wait()
        return Judgement(EVENT, None, self.outcome)

    def read(self, wanted: Wanted) -> Released:
        self.threads.append(threading.current_thread().name)
        return self.judge(wanted).settle()


def wanted() -> Wanted:
    return Wanted(RELEASED.record_id, reader_of=lambda _: pytest.fail("nobody asks"))


def run(reading: Reading, log: Log, *, times: int = 1) -> list[Released]:
    reader = PromptReading(reading=reading, log=PromptLog(log))  # type: ignore[arg-type]

    async def all_at_once() -> list[Released]:
        return await asyncio.gather(*(reader.read(wanted()) for _ in range(times)))

    return asyncio.run(all_at_once())


def test_read_in_memory_needs_no_thread() -> None:
    reading = Reading()
    assert run(reading, Log()) == [RELEASED]
    assert reading.threads == []


def test_read_that_must_wait_goes_to_a_thread() -> None:
    reading = Reading(waits=True)
    log = Log()
    assert run(reading, log) == [RELEASED]
    assert reading.threads not in ([], ["MainThread"])
    assert log.rounds == []


def test_reads_of_one_turn_go_to_the_log_together() -> None:
    log = Log()
    assert run(Reading(), log, times=5) == [RELEASED] * 5
    assert [len(entries) for entries in log.rounds] == [5]


def test_nothing_is_released_before_the_entry_is_durable() -> None:
    async def scene() -> None:
        log = Log(outcome=None)
        reader = PromptReading(reading=Reading(), log=PromptLog(log))  # type: ignore[arg-type]
        reads = [asyncio.ensure_future(reader.read(wanted())) for _ in range(2)]
        done, _ = await asyncio.wait(reads, timeout=0.05)
        assert not done
        log.answer()
        assert await asyncio.gather(*reads) == [RELEASED] * 2

    asyncio.run(scene())


def test_refusal_is_raised_once_its_entry_is_durable() -> None:
    log = Log()
    with pytest.raises(ConsentRequired):
        run(Reading(outcome=ConsentRequired()), log)
    assert len(log.rounds) == 1


@pytest.mark.parametrize("overtaken", [RestrictionArrived(), StaleSeal()])
def test_read_that_was_overtaken_is_made_anew(overtaken: Exception) -> None:
    reading = Reading()
    assert run(reading, Log(outcome=overtaken)) == [RELEASED]
    assert len(reading.threads) == 1


def test_log_that_fails_releases_nothing() -> None:
    with pytest.raises(AuditUnavailable):
        run(Reading(), Log(outcome=AuditUnavailable()))
    with pytest.raises(AuditClosed):
        run(Reading(), Log(closed=True))


def test_log_that_does_not_answer_releases_nothing_and_is_told_to_forget() -> None:
    log = Log(outcome=None, timeout_seconds=0.01)
    with pytest.raises(AuditUnavailable):
        run(Reading(), log)
    assert [waiting.abandoned for waiting in log.rounds[0]] == [True]


def test_answer_after_the_loop_has_ended_disturbs_nobody() -> None:
    log = Log(outcome=None, timeout_seconds=0.01)
    with pytest.raises(AuditUnavailable):
        run(Reading(), log)
    log.rounds[0][0].answer(ENTRY)


def test_prompt_runs_in_place_unless_it_must_wait() -> None:
    def where() -> str:
        return threading.current_thread().name

    def waiting() -> str:
        about_to_wait()
        return where()

    assert asyncio.run(prompt(where)) == "MainThread"
    assert asyncio.run(prompt(waiting)) != "MainThread"


def test_waiting_is_forbidden_in_this_thread_and_this_stretch_only() -> None:
    about_to_wait()
    with without_waiting():
        with pytest.raises(MustWait):
            about_to_wait()
        other = threading.Thread(target=about_to_wait)
        other.start()
        other.join()
    about_to_wait()
