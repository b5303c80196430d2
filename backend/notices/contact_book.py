"""Keeps patients' addresses for mail, sealed under each patient's key: gone when the patient is erased."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.errors import Conflict
from backend.keystore import SecretNotFound
from backend.notices.contact_types import Contact, ContactFile, ContactRow, ContactState
from backend.notices.ports import ContactStore
from backend.recent import RecentCache
from backend.sealed import DocumentSealer
from backend.types import SubjectId

_TRIES = 8
EMPTY = ContactFile()


class ContactBook:
    """``key``: 32 bytes of the key store; without it the index tells neither tokens nor codes."""

    def __init__(
        self,
        *,
        store: ContactStore,
        sealer: DocumentSealer,
        key: bytes,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._key = key
        self._audit = audit
        self._clock = clock
        self._recent: RecentCache[SubjectId, ContactFile] = RecentCache()

    def file(self, subject: SubjectId) -> ContactFile:
        """Return what is kept of the patient, which may be nothing."""
        row = self._store.get(subject)
        return EMPTY if row is None else self._open(row)

    def active(self, subject: SubjectId) -> Contact | None:
        """Return the address that mail goes to now. May be two seconds old."""
        contact = self._recent.get(subject, lambda: self.file(subject)).contact
        return contact if contact is not None and contact.state is ContactState.ACTIVE else None

    def forget(self, subject: SubjectId) -> None:
        """Forget the address of somebody who was erased."""
        self._recent.forget(subject)

    def change(self, subject: SubjectId, change: Callable[[ContactFile], ContactFile]) -> ContactFile:
        """Keep what ``change`` makes of the file, and return it. What it raises is raised; it may be asked
        again when somebody else changed the file meanwhile."""
        for _ in range(_TRIES):
            row = self._store.get(subject)
            before = EMPTY if row is None else self._open(row)
            after = change(before)
            if after == before or self._keep(subject, row, after):
                self._recent.forget(subject)
                return after
        raise Conflict

    def by_token(self, token: str) -> SubjectId | None:
        """Return whose mails the token stops."""
        return self._store.by_token(self.digest("token", token))

    def unsubscribe(self, token: str) -> None:
        """Send no more mail to the address that the token came with. Unknown and used ones change nothing."""
        subject = self.by_token(token)
        contact = None if subject is None else self.file(subject).contact
        if subject is not None and contact is not None and contact.token == token:
            self._end(subject, contact, ContactState.UNSUBSCRIBED)

    def refused(self, subject: SubjectId, address: str) -> None:
        """Note that the address takes no mail."""
        file = self.file(subject)
        if file.contact is not None and file.contact.wish.address == address:
            self._end(subject, file.contact, ContactState.SUSPENDED)

        def mark(now: ContactFile) -> ContactFile:
            if now.pending is None or now.pending.wish.address != address:
                return now
            return replace(now, pending=replace(now.pending, refused=True))

        self.change(subject, mark)

    def note(self, subject: SubjectId, change: str, *, by: Agent) -> None:
        """Write to the audit log that something changes, before it does."""
        self._audit.append(
            AuditEvent(
                type=codes.CONTACT_CHANGED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=self._clock() * 1000,
                actor=by,
                subject=subject,
                detail={"change": change},
            )
        )

    def digest(self, label: str, text: str) -> str:
        """Return a keyed hash, 64 hex digits."""
        return _digest(self._key, label, text)

    def _end(self, subject: SubjectId, contact: Contact, state: ContactState) -> None:
        if contact.state is not ContactState.ACTIVE:
            return
        self.note(subject, state.value, by=Agent.service("mail"))

        def end(now: ContactFile) -> ContactFile:
            return replace(now, contact=replace(contact, state=state)) if now.contact == contact else now

        self.change(subject, end)

    def _keep(self, subject: SubjectId, row: ContactRow | None, file: ContactFile) -> bool:
        if file == EMPTY:
            return row is None or self._store.remove(subject, revision=row.revision)
        return self._store.put(
            ContactRow(
                subject=subject,
                sealed=self._sealer.seal(file.encode(), subject=subject, place=place_of(subject)),
                token_hash=token_hash(self._key, file),
                revision=1 if row is None else row.revision + 1,
            )
        )

    def _open(self, row: ContactRow) -> ContactFile:
        try:
            opened = self._sealer.open(row.sealed, subject=row.subject, place=place_of(row.subject))
        except SecretNotFound:  # the patient was erased
            return EMPTY
        return ContactFile.decode(opened)


def token_hash(key: bytes, file: ContactFile) -> str:
    """Return by what a file is found from the link in a mail; empty without a confirmed address."""
    return "" if file.contact is None else _digest(key, "token", file.contact.token)


def _digest(key: bytes, label: str, text: str) -> str:
    return hmac.digest(key, f"{label}\0{text}".encode(), "sha256").hex()


def place_of(subject: SubjectId) -> str:
    """Return where a patient's file is sealed for."""
    return f"contacts/{subject:024x}"
