"""What notices need of stores and of the network. Writes are durable on return; all raise Unavailable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from backend.notices.types import Delivery, DeliveryState, Reminder, RevocationNotice
from backend.types import ConsentId, LogIndex, MemberId, SubjectId, UnixSeconds


class EndpointStore(Protocol):
    """Sealed endpoints by client id."""

    def put(self, client_id: str, sealed: bytes) -> None: ...

    def get(self, client_id: str) -> bytes | None: ...

    def remove(self, client_id: str) -> None: ...

    def client_ids(self) -> Sequence[str]: ...


class DeliveryStore(Protocol):
    def put(self, delivery: Delivery) -> None:
        """Add it. The same message id again changes nothing."""

    def get(self, message_id: str) -> Delivery | None: ...

    def due(self, *, now: UnixSeconds, but_of: Collection[str], limit: int) -> Sequence[Delivery]:
        """Waiting ones whose time has come, the longest due first, of other clients than ``but_of``."""

    def claim(self, delivery: Delivery, *, until: UnixSeconds) -> bool:
        """Put off by compare-and-swap on ``due_at``, so that nobody else sends it meanwhile."""

    def settle(
        self,
        message_id: str,
        *,
        state: DeliveryState,
        attempts: int,
        due_at: UnixSeconds,
        failure: str,
    ) -> None: ...

    def listed(self, state: DeliveryState | None, *, client_id: str | None, limit: int) -> Sequence[Delivery]:
        """Newest first."""

    def count(self, state: DeliveryState) -> int: ...

    def purge(self, *, before: UnixSeconds) -> None:
        """Forget what was delivered or given up and was made before."""


class NoticeStore(Protocol):
    """Revocation notices, reminders, and how far the log has been read."""

    def cursor(self) -> LogIndex | None: ...

    def set_cursor(self, index: LogIndex) -> None: ...

    def put_notice(self, notice: RevocationNotice) -> RevocationNotice:
        """Add it, or return the one of this id that was there before."""

    def notice(self, notice_id: str) -> RevocationNotice | None: ...

    def set_delivered(self, notice_id: str, at: UnixSeconds) -> None:
        """Note the first time only."""

    def set_acknowledged(self, notice_id: str, at: UnixSeconds) -> bool:
        """Note the first time only; False if it was noted before."""

    def notices_of(
        self, *, subject: SubjectId | None, member: MemberId | None, consent: ConsentId | None, limit: int
    ) -> Sequence[RevocationNotice]:
        """Newest first; None does not narrow."""

    def late(self, *, now: UnixSeconds) -> int:
        """How many notices are past their deadline without acknowledgement."""

    def put_reminder(self, reminder: Reminder) -> None:
        """Add it. One of the same consent and days again changes nothing."""

    def due_reminders(self, *, now: UnixSeconds, limit: int) -> Sequence[Reminder]: ...

    def drop_reminder(self, reminder: Reminder) -> None: ...


class Sender(Protocol):
    """Calls endpoints, and only those that may be called."""

    def check(self, url: str) -> None:
        """Raise WebhookRefused for an address that messages are never sent to."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """POST the body, within a bounded time. Return None for a 2xx, else what went wrong in a word."""
