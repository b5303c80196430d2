"""Patients give an address for mail. It counts once a code that was sent there has come back."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.audit.entry import Agent
from backend.identity.codes import Code
from backend.identity.errors import EnrolmentCodeMalformed
from backend.notices.contact_book import EMPTY, ContactBook
from backend.notices.contact_types import Contact, ContactFile, ContactState, Pending, Wish
from backend.notices.errors import (
    ContactCodeExpired,
    ContactCodeMalformed,
    ContactCodeRefused,
    ContactCodesLimited,
    ContactUnknown,
    MailNotConfigured,
)
from backend.notices.letters import LetterName
from backend.notices.mail_addresses import checked, mailbox
from backend.notices.mailing import Letterbox
from backend.notices.ports import ContactStore
from backend.types import SubjectId, UnixSeconds

CODE_SECONDS: Final = 24 * 3600
MAX_ATTEMPTS: Final = 5  # at one code
CODES_OF_PATIENT: Final = 5  # a day
CODES_TO_ADDRESS: Final = 3  # a day, whoever asks
DAY_SECONDS: Final = 24 * 3600
TOKEN_BYTES: Final = 32


class Contacts:
    """``letterbox`` is None where no mail server is set."""

    def __init__(
        self,
        *,
        book: ContactBook,
        store: ContactStore,
        letterbox: Letterbox | None,
        clock: Callable[[], int],
    ) -> None:
        self._book = book
        self._store = store
        self._letterbox = letterbox
        self._clock = clock

    def forget(self, subject: SubjectId) -> None:
        """Remember no address of somebody who was erased."""
        self._book.forget(subject)

    def of(self, subject: SubjectId) -> ContactFile:
        """Raises ContactUnknown."""
        file = self._book.file(subject)
        if file == EMPTY:
            raise ContactUnknown
        return file

    def set(self, subject: SubjectId, wish: Wish, *, by: Agent) -> ContactFile:
        """Change language and kinds of the address that mail goes to, or have a code sent to another one.

        Until the code has come back, mail goes where it went. Raises MailAddressRefused, MailNotConfigured,
        ContactCodesLimited.
        """
        wish = replace(wish, address=checked(wish.address))
        if self._letterbox is None:
            raise MailNotConfigured
        contact = self._book.file(subject).contact
        if contact is not None and contact.state is ContactState.ACTIVE and _same(contact, wish):
            self._book.note(subject, "preferences", by=by)
            return self._book.change(subject, lambda now: _preferring(now, wish))
        self._count_code(subject, wish.address)
        self._book.note(subject, "asked", by=by)
        code = Code.new()
        pending = Pending(
            wish=wish,
            code_hash=self._hash(code, subject, wish.address),
            expires_at=UnixSeconds(self._clock() + CODE_SECONDS),
        )
        file = self._book.change(subject, lambda now: replace(now, pending=pending))
        self._letterbox.post_to(
            wish.address,
            LetterName.CONFIRM,
            subject=subject,
            language=wish.language,
            key=pending.code_hash,
            code=code.text,
            until=pending.expires_at,
        )
        return file

    def confirm(self, subject: SubjectId, typed: str, *, by: Agent) -> ContactFile:
        """Have mail go to the address that the code was sent to; the one before is told so.

        Raises ContactCodeMalformed, ContactCodeRefused, ContactCodeExpired.
        """
        try:
            code = Code.parse(typed)
        except EnrolmentCodeMalformed as failure:
            raise ContactCodeMalformed(field="code") from failure
        file = self._book.file(subject)
        pending = file.pending
        if pending is None or not self._store.count(
            self._book.digest("attempts", pending.code_hash), limit=MAX_ATTEMPTS, until=pending.expires_at
        ):
            raise ContactCodeRefused(field="code")
        if not hmac.compare_digest(pending.code_hash, self._hash(code, subject, pending.wish.address)):
            raise ContactCodeRefused(field="code")
        now = UnixSeconds(self._clock())
        if now >= pending.expires_at:
            raise ContactCodeExpired(field="code")
        # What tells of the change comes before it: a crash between may tell of it twice, never not at all.
        self._book.note(subject, "confirmed", by=by)
        self._tell_old(subject, file.contact, LetterName.CHANGED, key=pending.code_hash, but=pending.wish)
        confirmed = Contact(
            wish=pending.wish,
            state=ContactState.ACTIVE,
            token=secrets.token_urlsafe(TOKEN_BYTES),
            confirmed_at=now,
        )

        def confirming(current: ContactFile) -> ContactFile:
            if current.pending != pending:  # used, or replaced, since it was looked at
                raise ContactCodeRefused(field="code")
            return ContactFile(contact=confirmed)

        return self._book.change(subject, confirming)

    def remove(self, subject: SubjectId, *, by: Agent) -> None:
        """Keep no address, and tell it so. Raises ContactUnknown."""
        file = self.of(subject)
        self._book.note(subject, "removed", by=by)
        if file.contact is not None:
            self._tell_old(subject, file.contact, LetterName.REMOVED, key=file.contact.token, but=None)
        self._book.change(subject, lambda _: EMPTY)

    def unsubscribe(self, token: str) -> None:
        """See ``ContactBook.unsubscribe``."""
        self._book.unsubscribe(token)

    def _tell_old(
        self, subject: SubjectId, old: Contact | None, name: LetterName, *, key: str, but: Wish | None
    ) -> None:
        unchanged = old is not None and but is not None and _same(old, but)
        if self._letterbox is None or old is None or unchanged or old.state is not ContactState.ACTIVE:
            return
        self._letterbox.post_to(
            old.wish.address,
            name,
            subject=subject,
            language=old.wish.language,
            key=self._book.digest("old", key),
        )

    def _count_code(self, subject: SubjectId, address: str) -> None:
        now = self._clock()
        day = now // DAY_SECONDS
        ends = UnixSeconds((day + 1) * DAY_SECONDS)
        self._store.purge(now=UnixSeconds(now))
        for who, limit in (
            (f"patient/{subject:024x}", CODES_OF_PATIENT),
            (f"address/{mailbox(address)}", CODES_TO_ADDRESS),
        ):
            if not self._store.count(self._book.digest("codes", f"{who}/{day}"), limit=limit, until=ends):
                raise ContactCodesLimited(retry_after_seconds=ends - now)

    def _hash(self, code: Code, subject: SubjectId, address: str) -> str:
        return self._book.digest("code", f"{code.text}/{subject:024x}/{address}")


def _same(contact: Contact, wish: Wish) -> bool:
    return contact.wish.address == wish.address


def _preferring(file: ContactFile, wish: Wish) -> ContactFile:
    if file.contact is None or not _same(file.contact, wish):
        return file
    return ContactFile(contact=replace(file.contact, wish=wish))
