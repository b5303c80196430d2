"""What becomes of a message by whose fault its failure is, whatever the channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import pytest

from backend.keystore import SecretNotFound
from backend.notices.delivering import MAX_PAUSE_SECONDS, Deliveries
from backend.notices.types import Delivery, DeliveryState, Failure, Fault, Message
from backend.sealed import DocumentSealer
from backend.types import SubjectId, UnixSeconds
from tests.support.memory_keys import MemoryKeyStore

NOW = 1_000_000
GIVE_UP = 3600


class Store:
    def __init__(self) -> None:
        self.rows: dict[str, Delivery] = {}

    def put(self, delivery: Delivery) -> None:
        self.rows.setdefault(delivery.message_id, delivery)

    def get(self, message_id: str) -> Delivery | None:
        return self.rows.get(message_id)

    def due(self, *, now: UnixSeconds, but_to: Collection[str], limit: int) -> Sequence[Delivery]:
        waiting = (row for row in self.rows.values() if row.state is DeliveryState.WAITING)
        return [row for row in waiting if row.due_at <= now and row.receiver not in but_to][:limit]

    def claim(self, delivery: Delivery, *, until: UnixSeconds) -> bool:
        if self.rows[delivery.message_id].due_at != delivery.due_at:
            return False
        self.rows[delivery.message_id] = replace(delivery, due_at=until)
        return True

    def settle(
        self, message_id: str, *, state: DeliveryState, attempts: int, due_at: UnixSeconds, failure: str
    ) -> None:
        self.rows[message_id] = replace(
            self.rows[message_id], state=state, attempts=attempts, due_at=due_at, failure=failure
        )

    def listed(self, state: DeliveryState | None, *, receiver: str | None, limit: int) -> Sequence[Delivery]:
        return list(self.rows.values())

    def count(self, state: DeliveryState) -> int:
        return sum(row.state is state for row in self.rows.values())

    def purge(self, *, before: UnixSeconds) -> None:
        pass


class Line:
    """A channel that answers as told and remembers what came."""

    name = "line"
    lease_seconds = 30

    def __init__(self) -> None:
        self.came: list[str] = []
        self.answer: Callable[[str], Failure | None] = lambda _: None

    def owner(self, receiver: str) -> SubjectId | None:
        return SubjectId(int(receiver))

    def send(self, delivery: Delivery, body: bytes) -> Failure | None:
        assert body == delivery.message_id.encode()
        self.came.append(delivery.message_id)
        return self.answer(delivery.message_id)


class Bench:
    def __init__(self) -> None:
        self.store, self.line, self.keys, self.now = Store(), Line(), MemoryKeyStore(), NOW
        self.deliveries = Deliveries(
            store=self.store,
            channel=self.line,
            sealer=DocumentSealer(self.keys),
            publish=lambda *_: None,
            clock=lambda: self.now,
            give_up_seconds=GIVE_UP,
            spread=lambda: 1.0,
        )

    def put(self, message_id: str, receiver: str = "1", not_before: int = 0) -> None:
        body = message_id.encode()
        self.deliveries.put(Message(message_id, receiver, "x", body, not_before=not_before))

    def run(self) -> list[str]:
        """Send what is due, and return what came meanwhile."""
        before = len(self.line.came)
        self.deliveries.send_due()
        deadline = time.monotonic() + 60
        while self.deliveries._busy:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return self.line.came[before:]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.deliveries._workers.shutdown()


def test_fault_of_everyone_pauses_all_receivers_for_a_while(bench: Bench) -> None:
    bench.line.answer = lambda _: Failure("connect", Fault.EVERYONE)
    bench.put("a")
    assert bench.run() == ["a"]
    bench.put("b", "2")
    assert bench.run() == []
    bench.line.answer = lambda _: None
    bench.now += MAX_PAUSE_SECONDS
    assert sorted(bench.run()) == ["a", "b"]
    assert bench.store.count(DeliveryState.DELIVERED) == 2


def test_fault_of_a_receiver_pauses_that_one_alone(bench: Bench) -> None:
    bench.line.answer = lambda name: Failure("busy") if name == "a" else None
    bench.put("a")
    assert bench.run() == ["a"]
    bench.put("b", "1")
    bench.put("c", "2")
    assert bench.run() == ["c"]
    bench.line.answer = lambda _: None
    bench.now += MAX_PAUSE_SECONDS
    assert sorted(bench.run()) == ["a", "b"]


def test_failure_for_good_ends_a_message_and_the_next_is_tried_at_once(bench: Bench) -> None:
    bench.line.answer = lambda name: Failure("no", Fault.MESSAGE, for_good=True) if name == "a" else None
    bench.put("a")
    bench.put("b")
    assert bench.run() == ["a", "b"]
    assert (bench.store.rows["a"].state, bench.store.rows["a"].failure) == (DeliveryState.DEAD, "no")


def test_message_is_given_up_once_its_time_is_over_counted_from_when_it_might_be_sent(bench: Bench) -> None:
    later = NOW + 10 * GIVE_UP
    bench.line.answer = lambda _: Failure("busy")
    bench.put("a", not_before=later)
    assert bench.run() == []
    bench.now = later
    tries = 0
    while bench.store.rows["a"].state is DeliveryState.WAITING:
        tries += len(bench.run())
        bench.now += MAX_PAUSE_SECONDS
    assert tries > 5
    assert later + GIVE_UP / 2 < bench.now <= later + GIVE_UP + MAX_PAUSE_SECONDS
    assert bench.store.rows["a"].state is DeliveryState.DEAD


def test_message_that_another_sender_holds_is_not_sent_until_its_lease_is_over(bench: Bench) -> None:
    bench.put("a")
    assert bench.store.claim(bench.store.rows["a"], until=UnixSeconds(NOW + bench.line.lease_seconds))
    assert bench.run() == []
    bench.now += bench.line.lease_seconds
    assert bench.run() == ["a"]


def test_message_of_an_erased_patient_is_given_up_unread(bench: Bench) -> None:
    bench.put("a")
    bench.keys.erase("patient", f"documents/{1:024x}")
    with pytest.raises(SecretNotFound):
        bench.keys.get("patient", f"documents/{1:024x}")
    assert bench.run() == []
    assert bench.store.rows["a"].failure == "erased"
    assert bench.store.rows["a"].state is DeliveryState.DEAD
