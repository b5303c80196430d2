"""Sends what waits: at least once, tried again for days, then given up where the operator sees it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Final

from backend.errors import AssentError
from backend.keystore import SecretNotFound
from backend.notices.errors import DeliveryUnknown
from backend.notices.ports import Channel, DeliveryStore
from backend.notices.types import Delivery, DeliveryState, Failure, Fault, Message
from backend.recurring import Recurring
from backend.sealed import DocumentSealer
from backend.types import UnixSeconds

_LOG = logging.getLogger("assent.notices")
FIRST_WAIT_SECONDS: Final = 5
MAX_WAIT_SECONDS: Final = 6 * 3600
MAX_PAUSE_SECONDS: Final = 60
KEEP_SECONDS: Final = 30 * 24 * 3600
WORKERS: Final = 4
AT_ONCE: Final = 16  # to one receiver, one after the other
LOOK_EVERY_SECONDS: Final = 1.0
TIDY_EVERY_SECONDS: Final = 60.0


class Deliveries(Recurring):
    """``publish`` gets how many wait, and how many were given up. ``start`` before use, ``close`` at the end.

    Messages to one receiver are sent one after the other, so a slow one holds one worker and no more. Their
    order is not promised: what failed comes later.
    """

    def __init__(
        self,
        *,
        store: DeliveryStore,
        channel: Channel,
        sealer: DocumentSealer,
        publish: Callable[[int, int], None],
        clock: Callable[[], int],
        give_up_seconds: int,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # nosec B311 - jitter
    ) -> None:
        super().__init__(
            name=channel.name,
            every_seconds=LOOK_EVERY_SECONDS,
            log=_LOG,
            failing="messages could not be looked up",
        )
        self._store = store
        self._channel = channel
        self._sealer = sealer
        self._publish = publish
        self._clock = clock
        self._give_up_seconds = give_up_seconds
        self._spread = spread
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._paused: dict[str, int] = {}  # receiver -> until when: a try failed just now
        self._all_paused_until = 0
        self._tidied = -TIDY_EVERY_SECONDS
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix=channel.name)

    def close(self) -> None:
        """Finish the tries under way; what waits stays in the store."""
        super().close()
        self._workers.shutdown(wait=True)

    def put(self, message: Message) -> None:
        """Keep a message to be sent. The same id again changes nothing."""
        due_at = UnixSeconds(max(self._clock(), message.not_before))
        owner = self._channel.owner(message.receiver)
        self._store.put(
            Delivery(
                message_id=message.message_id,
                receiver=message.receiver,
                topic=message.topic,
                sealed=self._sealer.seal(message.body, subject=owner, place=place_of(message.message_id)),
                notice_id=message.notice_id,
                created_at=due_at,
                due_at=due_at,
            )
        )
        self._soon()

    def again(self, message_id: str) -> Delivery:
        """Have one that was given up, or waits, tried now and from then on. Raises DeliveryUnknown."""
        delivery = self._store.get(message_id)
        if delivery is None or delivery.state is DeliveryState.DELIVERED:
            raise DeliveryUnknown
        now = UnixSeconds(self._clock())
        with self._lock:
            self._paused.pop(delivery.receiver, None)
        self._settle(delivery, DeliveryState.WAITING, attempts=0, due_at=now, failure=delivery.failure)
        self._soon()
        return self._store.get(message_id) or delivery

    def listed(self, state: DeliveryState | None, *, receiver: str | None, limit: int) -> Sequence[Delivery]:
        return self._store.listed(state, receiver=receiver, limit=limit)

    def counts(self) -> tuple[int, int]:
        """Return how many wait, and how many were given up in the last 30 days."""
        return self._store.count(DeliveryState.WAITING), self._store.count(DeliveryState.DEAD)

    def send_due(self) -> int:
        """Hand what is due to the workers; return how many messages that were."""
        now = UnixSeconds(self._clock())
        with self._lock:
            if now < self._all_paused_until:
                return 0
            self._paused = {receiver: until for receiver, until in self._paused.items() if until > now}
            unavailable = self._busy | set(self._paused)
        due = self._store.due(now=now, but_to=unavailable, limit=WORKERS * AT_ONCE)
        handed = 0
        for receiver, group in groupby(sorted(due, key=lambda each: each.receiver), lambda e: e.receiver):
            some = list(group)[:AT_ONCE]
            with self._lock:
                self._busy.add(receiver)
            self._workers.submit(self._send_all, receiver, some)
            handed += len(some)
        return handed

    def _send_all(self, receiver: str, due: Sequence[Delivery]) -> None:
        try:
            for delivery in due:
                if self._ending.is_set() or not self._send(delivery):
                    break
        except AssentError as failure:
            _LOG.warning("message not sent", extra={"code": failure.code})
        except Exception:  # noqa: BLE001 - the worker must outlive a defect; it is logged
            _LOG.exception("message not sent")
        finally:
            with self._lock:
                self._busy.discard(receiver)
            self._soon()

    def _send(self, delivery: Delivery) -> bool:
        """Try once; return whether the receiver's next message may be tried now."""
        now = UnixSeconds(self._clock())
        if now < self._all_paused_until:
            return False
        if not self._store.claim(delivery, until=UnixSeconds(now + self._channel.lease_seconds)):
            return True
        attempts = delivery.attempts + 1
        failure = self._try(delivery)
        now = UnixSeconds(self._clock())
        if failure is None:
            self._settle(delivery, DeliveryState.DELIVERED, attempts=attempts, due_at=now, failure="")
            return True
        if failure.for_good:
            self._settle(delivery, DeliveryState.DEAD, attempts=attempts, due_at=now, failure=failure.word)
            return True
        wait = max(
            1, round(min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 20), MAX_WAIT_SECONDS) * self._spread())
        )
        if attempts > 1 and now + wait > delivery.created_at + self._give_up_seconds:
            self._settle(delivery, DeliveryState.DEAD, attempts=attempts, due_at=now, failure=failure.word)
            _LOG.warning(
                "a message was given up", extra={"channel": self._channel.name, "failure": failure.word}
            )
        else:
            due_at = UnixSeconds(now + wait)
            self._settle(
                delivery, DeliveryState.WAITING, attempts=attempts, due_at=due_at, failure=failure.word
            )
        # Not for as long as the message itself: it may be this one that is not liked.
        until = now + min(wait, MAX_PAUSE_SECONDS)
        with self._lock:
            if failure.fault is Fault.EVERYONE:
                self._all_paused_until = until
            else:
                self._paused[delivery.receiver] = until
        return False

    def _try(self, delivery: Delivery) -> Failure | None:
        try:
            body = self._sealer.open(
                delivery.sealed,
                subject=self._channel.owner(delivery.receiver),
                place=place_of(delivery.message_id),
            )
        except SecretNotFound:
            return Failure("erased", Fault.MESSAGE, for_good=True)
        return self._channel.send(delivery, body)

    def _settle(
        self, delivery: Delivery, state: DeliveryState, *, attempts: int, due_at: UnixSeconds, failure: str
    ) -> None:
        self._store.settle(
            delivery.message_id, state=state, attempts=attempts, due_at=due_at, failure=failure
        )

    def _tidy(self) -> None:
        self._store.purge(before=UnixSeconds(self._clock() - KEEP_SECONDS))
        self._publish(*self.counts())

    def _round(self) -> None:
        self.send_due()
        if time.monotonic() - self._tidied >= TIDY_EVERY_SECONDS:
            self._tidy()
            self._tidied = time.monotonic()


def place_of(message_id: str) -> str:
    """The place of a message's sealed body, as ``DocumentSealer`` binds it."""
    return f"messages/{message_id}"
