"""Acts go on after any crash and take effect once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.errors import Conflict, IntegrityError, Unavailable
from backend.outbox.driver import WORKERS, Driver
from backend.outbox.errors import ActConflict, ActFailed, LeaseLost, NotYet
from backend.outbox.service import (
    FAILING_ATTEMPTS,
    LEASE_SECONDS,
    POLL_SECONDS,
    WAIT_SECONDS,
    Outbox,
)
from backend.outbox.types import DONE, FAILED, Act, Advance, Backlog
from backend.types import UnixSeconds
from tests.support.memory_acts import MemoryActStore


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


class World:
    """Two stores that an act writes, and the faults to inject before or after the write."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryActStore()
        self.written: list[str] = []
        self.fault: Exception | None = None
        self.fault_after_write: Exception | None = None
        self.pauses = 0
        self.on_pause: Callable[[], object] = lambda: None

    def outbox(self, holder: str = "a") -> Outbox:
        outbox = Outbox(store=self.store, clock=self.clock, holder=holder, pause=self._pause)
        outbox.register(
            "grant", {"first": self._write("first", "second"), "second": self._write("second", DONE)}
        )
        return outbox

    def _pause(self, seconds: float) -> None:
        self.pauses += 1
        self.on_pause()

    def _write(self, name: str, following: str):
        def step(act: Act) -> Advance:
            if self.fault is not None:
                raise self.fault
            if name not in self.written:  # a step is idempotent
                self.written.append(name)
            if self.fault_after_write is not None:
                raise self.fault_after_write
            return Advance(following, {name: True})

        return step


def test_drive_runs_all_steps_in_order() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    assert act.state == DONE
    assert world.written == ["first", "second"]
    assert act.data == {"first": True, "second": True}


def test_act_that_meets_damage_stays_and_goes_on_once_it_is_repaired() -> None:
    world = World()
    outbox = world.outbox()
    world.fault = IntegrityError()
    act = outbox.begin("grant", "1", state="first", data={})
    with pytest.raises(IntegrityError):
        outbox.drive(act)
    world.clock.now += LEASE_SECONDS + 60
    assert outbox.recover() == 0
    world.fault = None
    world.clock.now += LEASE_SECONDS + 60
    assert outbox.recover() == 1
    assert world.written == ["first", "second"]


def test_drive_stops_in_the_state_asked_for() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.drive(outbox.begin("grant", "1", state="first", data={}), until="second")
    assert act.state == "second"
    assert world.written == ["first"]


@pytest.mark.parametrize("where", ["fault", "fault_after_write"])
def test_recover_after_a_crash_in_a_step_finishes_the_act_once(where: str) -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.begin("grant", "1", state="first", data={})
    setattr(world, where, RuntimeError("the process dies here"))
    with pytest.raises(RuntimeError):
        outbox.drive(act)
    setattr(world, where, None)

    survivor = world.outbox("b")
    assert survivor.recover() == 0, "the lease has not run out"
    world.clock.now += LEASE_SECONDS
    assert survivor.recover() == 1
    assert world.written == ["first", "second"]
    assert survivor.recover() == 0


def test_unavailable_step_is_tried_again_later() -> None:
    world = World()
    outbox = world.outbox()
    world.fault = Unavailable()
    with pytest.raises(Unavailable):
        outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    world.fault = None
    world.clock.now += 1
    assert outbox.recover() == 1
    assert world.written == ["first", "second"]


def test_refused_step_fails_the_act_with_its_code() -> None:
    world = World()
    outbox = world.outbox()
    world.fault = Conflict()
    with pytest.raises(Conflict):
        outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    act = outbox.find("grant", "1")
    assert act is not None
    assert (act.state, act.data["failure"]) == (FAILED, "conflict")


def test_holder_whose_lease_was_taken_over_cannot_write_and_gets_the_outcome() -> None:
    world = World()
    slow = world.outbox("slow")
    act = slow.begin("grant", "1", state="first", data={})
    world.clock.now += LEASE_SECONDS
    assert world.outbox("quick").recover() == 1
    assert slow.drive(act).state == DONE, "it gets what the other one made of it"
    assert world.written == ["first", "second"]


def test_begin_again_returns_the_same_act_and_refuses_other_content() -> None:
    world = World()
    outbox = world.outbox()
    outbox.drive(outbox.begin("grant", "1", state="first", data={"digest": b"a"}))
    assert outbox.begin("grant", "1", state="first", data={"digest": b"a"}).state == DONE
    with pytest.raises(ActConflict):
        outbox.begin("grant", "1", state="first", data={"digest": b"b"})


def test_retry_while_another_carries_the_act_on_gets_its_outcome() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.begin("grant", "1", state="first", data={})
    stale = outbox.find("grant", "1")
    assert stale is not None
    outbox.drive(act, until="second")  # the other caller is under way ...
    world.on_pause = lambda: outbox.drive(outbox.begin("grant", "1", state="first", data={}))  # ... and ends
    assert outbox.drive(stale).state == DONE
    assert world.written == ["first", "second"]
    assert world.pauses == 1


def test_retry_waits_no_longer_than_it_said() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.begin("grant", "1", state="first", data={})
    outbox.drive(act, until="second")
    with pytest.raises(LeaseLost):
        outbox.drive(act)
    assert world.pauses == round(WAIT_SECONDS / POLL_SECONDS)


def test_who_has_nobody_to_answer_does_not_wait_for_another() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.begin("grant", "1", state="first", data={})
    outbox.drive(act, until="second")
    with pytest.raises(LeaseLost):
        outbox.drive(act, awaiting=False)
    assert world.pauses == 0


def test_driver_carries_on_several_acts_at_once_and_ends_when_all_are_done() -> None:
    outbox = Outbox(store=MemoryActStore(), clock=Clock(), holder="a")
    together = threading.Barrier(WORKERS, timeout=60)

    def step(_: Act) -> Advance:
        together.wait()
        return Advance(DONE, {})

    outbox.register("grant", {"first": step})
    driver = Driver(outbox)
    driver.start()
    for number in range(2 * WORKERS):
        driver.hand_over(outbox.begin("grant", str(number), state="first", data={}))
    driver.close(timeout_seconds=120)
    assert outbox.unfinished("grant") == []


def test_start_hands_over_what_it_has_no_time_for() -> None:
    outbox, done = Outbox(store=MemoryActStore(), clock=Clock(), holder="a"), list[str]()

    def step(act: Act) -> Advance:
        done.append(act.act_id)
        return Advance(DONE, {})

    outbox.register("grant", {"first": step})
    for number in range(3):
        outbox.begin("grant", str(number), state="first", data={})
    left: list[Act] = []
    assert outbox.recover(takeover=True, seconds=0, hand_over=left.append) == 0
    assert (len(left), done) == (3, [])
    for act in left:  # under a lease of its own: nobody else takes it up meanwhile
        assert outbox.recover() == 0
        outbox.drive(act)
    assert sorted(done) == ["0", "1", "2"]
    assert outbox.recover(takeover=True, seconds=60, hand_over=left.append) == 0


def test_driver_takes_up_what_is_left_and_ends_it_behind() -> None:
    clock = Clock()
    outbox = Outbox(store=MemoryActStore(), clock=clock, holder="a")
    outbox.register("grant", {"first": lambda _: Advance(DONE, {})})
    outbox.begin("grant", "1", state="first", data={})
    clock.now += LEASE_SECONDS + 1
    driver = Driver(outbox)
    driver.start()
    deadline = time.monotonic() + 60
    while outbox.unfinished("grant"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver.close()


def test_retry_does_not_wait_for_one_that_could_not_go_on() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.begin("grant", "1", state="first", data={})
    second = outbox.drive(act, until="second")
    world.fault = Unavailable()
    with pytest.raises(Unavailable):
        outbox.drive(second)
    world.fault = None
    with pytest.raises(LeaseLost):
        outbox.drive(act)
    assert world.pauses == 0


def test_retry_of_a_refused_act_is_refused_with_its_code() -> None:
    world = World()
    outbox = world.outbox()
    world.fault = Conflict()
    with pytest.raises(Conflict):
        outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    world.fault = None
    with pytest.raises(ActFailed, match="conflict"):
        outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    assert world.written == []


def test_drive_to_a_state_that_is_behind_does_nothing() -> None:
    world = World()
    outbox = world.outbox()
    act = outbox.drive(outbox.begin("grant", "1", state="first", data={}), until="second")
    assert outbox.drive(act, until="first") == act


def test_many_callers_at_once_all_get_the_outcome_of_one() -> None:
    """Real threads: each loses the race for a step at some time, and none is told so."""
    world = World()
    outbox = Outbox(store=world.store, clock=world.clock, holder="a")
    start = threading.Barrier(8)

    def slow(following: str):
        def step(act: Act) -> Advance:
            time.sleep(0.01)
            return Advance(following, {})

        return step

    outbox.register("grant", {"first": slow("second"), "second": slow("third"), "third": slow(DONE)})

    def call(_: int) -> str:
        start.wait()
        return outbox.drive(outbox.begin("grant", "1", state="first", data={})).state

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(8))) == [DONE] * 8


def test_step_that_waits_for_a_time_is_taken_up_then_and_not_before() -> None:
    world = World()
    outbox = world.outbox()
    world.fault = NotYet(UnixSeconds(world.clock.now + 5_000))
    with pytest.raises(NotYet):
        outbox.drive(outbox.begin("grant", "1", state="first", data={}))
    world.fault = None
    world.clock.now += 4_999
    assert outbox.recover() == 0
    assert world.written == []
    world.clock.now += 1
    assert outbox.recover() == 1
    assert world.written == ["first", "second"]


def test_backlog_tells_what_fails_from_what_is_under_way_or_waits_for_its_time() -> None:
    world = World()
    outbox = world.outbox()
    for act_id, attempts, due_in in (
        ("fails", FAILING_ATTEMPTS, 30),
        ("under way", 1, 30),
        ("waits", FAILING_ATTEMPTS, 24 * 3600),
    ):
        act = Act("grant", act_id, "first", {}, fence=1, attempts=attempts, created_at=UnixSeconds(900))
        world.store.insert(act, holder="a", leased_until=UnixSeconds(world.clock.now + due_in))
    over = Act("refusal", "1", DONE, {}, fence=1, attempts=9, created_at=UnixSeconds(1))
    world.store.insert(over, holder="a", leased_until=UnixSeconds(0))
    assert outbox.backlog() == [Backlog("grant", waiting=3, failing=1, oldest_at=UnixSeconds(900))]


def test_act_that_another_caller_carries_on_is_no_warning_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    outbox = world.outbox()
    driver = Driver(outbox)
    driver.start()
    act = outbox.begin("grant", "1", state="first", data={})
    world.store.claim("grant", "1", holder="b", now=UnixSeconds(5_000), until=UnixSeconds(6_000))
    driver.hand_over(act)
    driver.hand_over(outbox.begin("unknown", "2", state="first", data={}))
    driver.close()
    kept = world.store.get("grant", "1")
    assert kept is not None
    assert kept.state == "first"
    assert [record.message for record in caplog.records] == ["act failed unexpectedly"]
