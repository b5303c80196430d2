"""Notices: the texts that people are shown before they sign, published, kept for good, and named by hash.

The hash binds the words, their language and their media type, so that what the signed terms name is one text
and no other, whoever keeps it: the store is untrusted and every notice is hashed again when it is read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.errors import (
    NoticeDamaged,
    NoticeInAnotherLanguage,
    NoticeInvalid,
    NoticeNotPublished,
    NoticeUnknown,
)
from backend.consent.tables import LANGUAGES, check_language
from backend.consent.terms import ZERO32, Document, Kind
from backend.types import Bytes32, UnixSeconds

MEDIA_TYPES: Final = ("text/markdown", "text/plain")
MAX_BYTES: Final = 256 * 1024
_WITHOUT: Final = (Kind.DENY, Kind.REFUSAL)  # they restrict, and a missing text must not keep them out


@dataclass(frozen=True, slots=True)
class Notice:
    """A text in one language of ``LANGUAGES``; ``content`` is UTF-8."""

    language: str
    media_type: str
    content: bytes

    @property
    def hash(self) -> Bytes32:
        """SHA-256 over ``assent/notice/1``, language, media type, each with a line end, and the content."""
        head = f"assent/notice/1\n{self.language}\n{self.media_type}\n"
        return Bytes32(hashlib.sha256(head.encode() + self.content).digest())


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """As the store keeps it. ``published_at`` 0: it came with the program."""

    name: Bytes32
    notice: Notice
    published_at: UnixSeconds


class NoticeStore(Protocol):
    """Durable when a call returns. Raises IndexUnavailable."""

    def add(self, row: NoticeRow) -> None:
        """Keep a notice; one that is there keeps its date, and gets the text of its hash again."""

    def renew(self, name: Bytes32, published_at: UnixSeconds) -> None:
        """Date a notice that is there."""

    def get(self, name: Bytes32) -> NoticeRow | None: ...

    def newest(self, language: str) -> NoticeRow | None:
        """The first of ``all`` in this language."""

    def all(self) -> Sequence[NoticeRow]:
        """Newest first, between equals by hash."""


class NoticeChoice(Protocol):
    """What a draft asks of notices."""

    def choose(self, name: Bytes32 | None, language: str, *, field: str = "notice") -> Bytes32:
        """Return the notice for a draft: the one named, or the newest in its language.

        Raises NoticeNotPublished and NoticeInAnotherLanguage.
        """


def check_notice(notice: Notice) -> None:
    """Raise NoticeInvalid for what cannot be shown to people as it stands."""
    if notice.language not in LANGUAGES:
        raise NoticeInvalid(f"Notices are in {', '.join(LANGUAGES)}.", field="language")
    if notice.media_type not in MEDIA_TYPES:
        raise NoticeInvalid(f"Notices are {' or '.join(MEDIA_TYPES)}.", field="media_type")
    try:
        text = notice.content.decode("utf-8")
    except UnicodeDecodeError:
        raise NoticeInvalid("Not UTF-8.", field="text") from None
    if len(notice.content) > MAX_BYTES or not text.strip():
        raise NoticeInvalid(f"Text of 1 to {MAX_BYTES} bytes.", field="text")
    # Control and direction characters could make a page show another text than the one published.
    if not text.replace("\n", " ").replace("\t", " ").isprintable():
        raise NoticeInvalid("Printable characters, tabs and line ends (LF) only.", field="text")


class NoticeBook:
    """All notices of this custodian. Build it when the index answers: it keeps the built-in ones first."""

    def __init__(self, *, store: NoticeStore, audit: AuditLog, clock: Callable[[], int]) -> None:
        self._store = store
        self._audit = audit
        self._clock = clock
        self._known: dict[Bytes32, Notice] = {}  # checked before; a notice never changes
        for notice in built_in():
            # Kept like the others, so that what was signed over it can be shown when a release words it anew.
            self._store.add(NoticeRow(notice.hash, notice, UnixSeconds(0)))

    def publish(self, notice: Notice, *, by: Agent) -> Bytes32:
        """Keep a notice and make it the one that drafts in its language name. Again is harmless.

        Raises NoticeInvalid.
        """
        check_notice(notice)
        name, now = notice.hash, UnixSeconds(self._clock())
        self._store.add(NoticeRow(name, notice, now))
        self._store.renew(name, now)
        self._audit.append(
            AuditEvent(
                type=codes.NOTICE_PUBLISHED,
                outcome=Outcome.CHANGED,
                occurred_at_ms=now * 1000,
                actor=by,
                detail={"notice": bytes(name), "language": notice.language},
            )
        )
        return name

    def get(self, name: Bytes32) -> Notice:
        """Return the notice with this hash. Raises NoticeUnknown, and NoticeDamaged for another text."""
        found = self._find(name)
        if found is None:
            raise NoticeUnknown
        return found

    def all(self) -> Sequence[NoticeRow]:
        """All notices, newest first. Raises NoticeDamaged."""
        return [_sound(row) for row in self._store.all()]

    def current(self, language: str) -> Bytes32:
        """Return the hash of the newest notice in a language. Raises NoticeDamaged."""
        row = self._store.newest(check_language(language))
        if row is None:  # the built-in one was kept at the start
            raise NoticeDamaged
        return _sound(row).name

    def choose(self, name: Bytes32 | None, language: str, *, field: str = "notice") -> Bytes32:
        """As ``NoticeChoice`` says."""
        if name is None:
            return self.current(language)
        self._require(name, language, field)
        return name

    def require_published(self, document: Document, path: str = "") -> None:
        """Refuse signed terms whose notice is not kept here or is in another language than they are.

        A deny or a refusal may name none. Raises NoticeNotPublished and NoticeInAnotherLanguage.
        """
        terms = document.terms
        if terms.notice != ZERO32 or document.kind not in _WITHOUT:
            self._require(terms.notice, terms.language, path + "terms.notice")

    def _require(self, name: Bytes32, language: str, field: str) -> None:
        notice = self._find(name)
        if notice is None:
            raise NoticeNotPublished(field=field)
        if notice.language != language:
            raise NoticeInAnotherLanguage(field=field)

    def _find(self, name: Bytes32) -> Notice | None:
        known = self._known.get(name)
        if known is None:
            row = self._store.get(name)
            if row is None or row.name != name:
                return None
            known = self._known[name] = _sound(row).notice
        return known


class BuiltInNotices:
    """The notices of the program alone, for drafts that are made without a service."""

    def choose(self, name: Bytes32 | None, language: str, *, field: str = "notice") -> Bytes32:
        """As ``NoticeChoice`` says."""
        check_language(language)
        named = [notice for notice in built_in() if name in (None, notice.hash)]
        if not named:
            raise NoticeNotPublished(field=field)
        for notice in named:
            if notice.language == language:
                return notice.hash
        raise NoticeInAnotherLanguage(field=field)


def _sound(row: NoticeRow) -> NoticeRow:
    if row.notice.hash != row.name:
        raise NoticeDamaged
    return row


def built_in() -> tuple[Notice, ...]:
    """Return the notices that come with the program, one a language: for trying it out, and to start from."""
    folder = files("backend.consent").joinpath("data", "notices")
    return tuple(
        Notice(language, "text/markdown", folder.joinpath(f"{language}.md").read_bytes())
        for language in LANGUAGES
    )
