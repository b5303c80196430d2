"""What notices need of stores and of the network. Writes are durable on return; all raise Unavailable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from backend.notices.contact_types import ContactRow
from backend.notices.types import Delivery, DeliveryState, Failure, Reminder, RevocationNotice, Told
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

    def due(self, *, now: UnixSeconds, but_to: Collection[str], limit: int) -> Sequence[Delivery]:
        """Waiting ones whose time has come, the longest due first, to other receivers than ``but_to``."""

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

    def listed(self, state: DeliveryState | None, *, receiver: str | None, limit: int) -> Sequence[Delivery]:
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
        """Add it. The same again, whenever due, changes nothing."""

    def due_reminders(self, *, now: UnixSeconds, limit: int) -> Sequence[Reminder]: ...

    def drop_reminder(self, reminder: Reminder) -> None: ...


class Channel(Protocol):
    """One way by which messages reach receivers, such as webhooks or mail."""

    @property
    def name(self) -> str: ...

    @property
    def lease_seconds(self) -> int:
        """Longer than a try takes: a killed sender's message is sent again after it."""

    def owner(self, receiver: str) -> SubjectId | None:
        """Return under whose key messages to the receiver are sealed; None: the custodian's."""

    def send(self, delivery: Delivery, body: bytes) -> Failure | None:
        """Try once, within the lease. None when it arrived; raise only Unavailable, for a store."""


class MailSender(Protocol):
    """Hands mail over to a server."""

    def send(self, address: str, content: bytes) -> Failure | None:
        """Hand over one mail to one address, within a bounded time. Where the receiver is at fault for good,
        the address takes no mail."""


class ContactStore(Protocol):
    """One sealed file a patient, and counters that expire."""

    def get(self, subject: SubjectId) -> ContactRow | None: ...

    def put(self, row: ContactRow) -> bool:
        """Add revision 1, or replace the revision before by compare-and-swap; False if another came first."""

    def remove(self, subject: SubjectId, *, revision: int) -> bool:
        """Remove this revision; False if another came first."""

    def by_token(self, token_hash: str) -> SubjectId | None: ...

    def count(self, key: str, *, limit: int, until: UnixSeconds) -> bool:
        """Count one under a key and return True, unless ``limit`` were counted before. Atomic."""

    def purge(self, *, now: UnixSeconds) -> None:
        """Forget counters that have expired."""


class Dialect(Protocol):
    """Tells members of a consent in the form of another standard."""

    def told(self, subject: SubjectId, consent: ConsentId) -> Sequence[Told]:
        """Return who is to be told what of the state of a consent now; nothing where it is none of its own.

        Raises Unavailable, also while the state is about to change: then again later.
        """


class Sender(Protocol):
    """Calls endpoints, and only those that may be called."""

    def check(self, url: str) -> None:
        """Raise WebhookRefused for an address that messages are never sent to."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """POST the body, within a bounded time. Return None for a 2xx, else what went wrong in a word."""
