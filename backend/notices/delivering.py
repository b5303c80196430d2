"""Sends what waits: at least once, signed, tried again for days, then given up where the operator sees it."""

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
from backend.notices import signing
from backend.notices.endpoints import Endpoints
from backend.notices.errors import DeliveryUnknown
from backend.notices.ports import DeliveryStore, NoticeStore, Sender
from backend.notices.types import Delivery, DeliveryState, Message
from backend.sealed import DocumentSealer
from backend.types import UnixSeconds

_LOG = logging.getLogger("assent.notices")
FIRST_WAIT_SECONDS: Final = 5
MAX_WAIT_SECONDS: Final = 6 * 3600
MAX_PAUSE_SECONDS: Final = 60
KEEP_SECONDS: Final = 30 * 24 * 3600
LEASE_SECONDS: Final = 20  # longer than a try takes: a killed sender's message is sent again after it
WORKERS: Final = 4
AT_ONCE: Final = 16  # of one client, one after the other
LOOK_EVERY_SECONDS: Final = 1.0
TIDY_EVERY_SECONDS: Final = 60.0


class Deliveries:
    """``publish`` gets how many wait, and how many were given up. ``start`` before use, ``close`` at the end.

    One client's messages are sent one after the other, so a slow endpoint holds one worker and no more. Their
    order is not promised: what failed comes later.
    """

    def __init__(
        self,
        *,
        store: DeliveryStore,
        notices: NoticeStore,
        endpoints: Endpoints,
        sender: Sender,
        sealer: DocumentSealer,
        publish: Callable[[int, int], None],
        clock: Callable[[], int],
        give_up_seconds: int,
        spread: Callable[[], float] = lambda: random.uniform(0.5, 1.0),  # nosec B311 - jitter
    ) -> None:
        self._store = store
        self._notices = notices
        self._endpoints = endpoints
        self._sender = sender
        self._sealer = sealer
        self._publish = publish
        self._clock = clock
        self._give_up_seconds = give_up_seconds
        self._spread = spread
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._paused: dict[str, int] = {}  # client id -> until when: its endpoint failed just now
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="webhooks")
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Finish the tries under way; what waits stays in the store."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._workers.shutdown(wait=True)

    def put(self, message: Message) -> None:
        """Keep a message to be sent. The same id again changes nothing."""
        now = UnixSeconds(self._clock())
        self._store.put(
            Delivery(
                message_id=message.message_id,
                client_id=message.client_id,
                topic=message.topic,
                sealed=self._sealer.seal(message.body, subject=None, place=_place(message.message_id)),
                notice_id=message.notice_id,
                created_at=now,
                due_at=now,
            )
        )
        self._wake.set()

    def again(self, message_id: str) -> Delivery:
        """Have one that was given up, or waits, tried now and from then on. Raises DeliveryUnknown."""
        delivery = self._store.get(message_id)
        if delivery is None or delivery.state is DeliveryState.DELIVERED:
            raise DeliveryUnknown
        now = UnixSeconds(self._clock())
        with self._lock:
            self._paused.pop(delivery.client_id, None)
        self._settle(delivery, DeliveryState.WAITING, attempts=0, due_at=now, failure=delivery.failure)
        self._wake.set()
        return self._store.get(message_id) or delivery

    def listed(self, state: DeliveryState | None, *, client_id: str | None, limit: int) -> Sequence[Delivery]:
        return self._store.listed(state, client_id=client_id, limit=limit)

    def send_due(self) -> int:
        """Hand what is due to the workers; return how many messages that were."""
        now = UnixSeconds(self._clock())
        with self._lock:
            self._paused = {client: until for client, until in self._paused.items() if until > now}
            unavailable = self._busy | set(self._paused)
        due = self._store.due(now=now, but_of=unavailable, limit=WORKERS * AT_ONCE)
        handed = 0
        for client_id, group in groupby(sorted(due, key=lambda each: each.client_id), lambda e: e.client_id):
            some = list(group)[:AT_ONCE]
            with self._lock:
                self._busy.add(client_id)
            self._workers.submit(self._send_all, client_id, some)
            handed += len(some)
        return handed

    def _send_all(self, client_id: str, due: Sequence[Delivery]) -> None:
        try:
            for delivery in due:
                if self._stop.is_set() or not self._send(delivery):
                    break
        except AssentError as failure:
            _LOG.warning("message not sent", extra={"code": failure.code})
        except Exception:  # noqa: BLE001 - the worker must outlive a defect; it is logged
            _LOG.exception("message not sent")
        finally:
            with self._lock:
                self._busy.discard(client_id)
            self._wake.set()

    def _send(self, delivery: Delivery) -> bool:
        """Try once; return whether the client's next message may be tried now."""
        now = UnixSeconds(self._clock())
        if not self._store.claim(delivery, until=UnixSeconds(now + LEASE_SECONDS)):
            return True
        attempts = delivery.attempts + 1
        endpoint = self._endpoints.live(delivery.client_id)
        if endpoint is None:
            self._settle(delivery, DeliveryState.DEAD, attempts=attempts, due_at=now, failure="no_endpoint")
            return True
        body = self._sealer.open(delivery.sealed, subject=None, place=_place(delivery.message_id))
        secrets = self._endpoints.secrets_of(endpoint)
        failure = self._sender.send(
            endpoint.url, signing.headers(delivery.message_id, now, body, secrets), body
        )
        now = UnixSeconds(self._clock())
        if failure is None:
            if delivery.notice_id is not None:
                self._notices.set_delivered(delivery.notice_id, now)
            self._settle(delivery, DeliveryState.DELIVERED, attempts=attempts, due_at=now, failure="")
            return True
        wait = max(
            1, round(min(FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 20), MAX_WAIT_SECONDS) * self._spread())
        )
        if attempts > 1 and now + wait > delivery.created_at + self._give_up_seconds:
            self._settle(delivery, DeliveryState.DEAD, attempts=attempts, due_at=now, failure=failure)
            _LOG.warning(
                "a message was given up; 'assent webhooks list' shows it",
                extra={"client": delivery.client_id, "failure": failure},
            )
        else:
            due_at = UnixSeconds(now + wait)
            self._settle(delivery, DeliveryState.WAITING, attempts=attempts, due_at=due_at, failure=failure)
        with self._lock:
            # Not for as long as the message itself: it may be this one that the endpoint does not like.
            self._paused[delivery.client_id] = now + min(wait, MAX_PAUSE_SECONDS)
        return False

    def _settle(
        self, delivery: Delivery, state: DeliveryState, *, attempts: int, due_at: UnixSeconds, failure: str
    ) -> None:
        self._store.settle(
            delivery.message_id, state=state, attempts=attempts, due_at=due_at, failure=failure
        )

    def _tidy(self) -> None:
        self._store.purge(before=UnixSeconds(self._clock() - KEEP_SECONDS))
        self._publish(self._store.count(DeliveryState.WAITING), self._store.count(DeliveryState.DEAD))

    def _run(self) -> None:
        tidied = -TIDY_EVERY_SECONDS
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self.send_due()
                if time.monotonic() - tidied >= TIDY_EVERY_SECONDS:
                    self._tidy()
                    tidied = time.monotonic()
            except AssentError as failure:
                _LOG.warning("messages could not be looked up", extra={"code": failure.code})
            except Exception:  # noqa: BLE001 - the thread must outlive a defect; it is logged
                _LOG.exception("messages could not be looked up")
            self._wake.wait(LOOK_EVERY_SECONDS)


def _place(message_id: str) -> str:
    return f"messages/{message_id}"
