"""Whom a breach concerns: everybody whose data a token, a sign-in, a system, a person or a member was shown.

Told from the log alone, which every release of data stands in. What the log cannot tell is counted and said:
entries that no key opens, and entries from before they named tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.audit.entry import AgentKind, AuditEvent, Outcome
from backend.audit.search import LogSearch
from backend.consent.errors import EvidenceGone
from backend.errors import InvalidInput
from backend.records.manifest import Manifest
from backend.types import MemberId, RecordId, SubjectId

SHOWN: Final = frozenset({Outcome.PERMITTED, Outcome.CHANGED})
# What only somebody with a token is shown; other entries may come without one.
_UNDER_TOKENS: Final = frozenset(
    {codes.RECORD_READ, codes.RECORD_LISTED, codes.DECISION, codes.CONSENT_READ, codes.AUDIT_READ}
)
_WITH_TOKENS: Final = frozenset({AgentKind.ACCOUNT, AgentKind.STAFF, AgentKind.CLIENT})
_AT_ONCE: Final = 500
MAX_ENTRIES: Final = 1_000_000


class TooManyEntries(InvalidInput):
    """The time holds more entries than are looked through at once."""

    code = "too_many_entries"
    remedy = "Give a shorter time and put the answers together."


@dataclass(frozen=True, slots=True)
class Suspect:
    """What fell into wrong hands: exactly one of these. ``token`` and ``session`` are marks of the log."""

    token: bytes | None = None
    session: bytes | None = None
    client: str | None = None
    staff: str | None = None
    member: MemberId | None = None

    def __post_init__(self) -> None:
        given = [self.token, self.session, self.client, self.staff, self.member]
        if len(given) - given.count(None) != 1:
            raise InvalidInput("Name one: a token, a session, a client, a user or a member.", field="token")

    @property
    def is_by_token(self) -> bool:
        return self.token is not None or self.session is not None

    def acted(self, event: AuditEvent) -> bool:
        """Tell whether the entry is of something it did, or that was done for it."""
        actor = event.actor
        if self.token is not None:
            return actor.token == self.token
        if self.session is not None:
            return actor.session == self.session
        if self.client is not None:
            return (actor.kind, actor.id) == (AgentKind.CLIENT, self.client)
        if self.staff is not None:
            return (actor.kind, actor.id) == (AgentKind.STAFF, self.staff)
        return self.member is not None and (
            event.organisation == self.member or any(group.id == self.member for group in event.groups)
        )


@dataclass(slots=True)
class Concerned:
    """One patient. Times are unix milliseconds. ``read`` and ``listed`` count entries by record; the
    categories of a listing are those of the whole record, of which it may have shown a part. ``other``: what
    else was shown or done, by type of entry. ``gone``: records whose categories nobody can say any more."""

    subject: SubjectId
    first_ms: int
    last_ms: int
    read: Counter[RecordId] = field(default_factory=Counter)
    listed: Counter[RecordId] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    categories_read: int = 0
    categories_listed: int = 0
    gone: set[RecordId] = field(default_factory=set)

    @property
    def reads(self) -> int:
        return self.read.total()


@dataclass(slots=True)
class Refused:
    """What was tried on one patient's data and refused."""

    subject: SubjectId
    first_ms: int
    last_ms: int
    attempts: Counter[str] = field(default_factory=Counter)  # by type of entry


@dataclass(slots=True)
class Affected:
    """``unopened`` entries of that time are damaged or their key was erased, ``untold`` ones do not say by
    which token they came: whether they belong to the answer nobody knows. ``elsewhere`` counts entries of the
    suspect that are about no patient."""

    concerned: dict[SubjectId, Concerned] = field(default_factory=dict)
    refused: dict[SubjectId, Refused] = field(default_factory=dict)
    looked_at: int = 0
    unopened: int = 0
    untold: int = 0
    elsewhere: int = 0

    @property
    def complete(self) -> bool:
        return not (self.unopened or self.untold)


class BreachSearch:
    """``manifest_of`` gives a version of a record, None: the current one; it raises EvidenceGone."""

    def __init__(self, *, search: LogSearch, manifest_of: Callable[[RecordId, int | None], Manifest]) -> None:
        self._search = search
        self._manifest_of = manifest_of

    def affected(
        self, suspect: Suspect, start_ms: int | None, end_ms: int | None, *, most: int = MAX_ENTRIES
    ) -> Affected:
        """Look through the entries recorded from ``start_ms`` and before ``end_ms``.

        Raises TooManyEntries, AuditUnavailable, IndexUnavailable.
        """
        span = self._search.span(start_ms, end_ms)
        if span.high - span.low > most:
            raise TooManyEntries
        found = Affected(looked_at=span.high - span.low)
        left = span
        opened = 0
        while True:
            page = self._search.scan(
                None, left, newest_first=False, keep=lambda _: True, limit=_AT_ONCE, most=_AT_ONCE
            )
            opened += len(page.entries)
            for entry in page.entries:
                if entry.event is not None:
                    self._count(found, suspect, entry, entry.event)
            if page.rest is None:
                break
            left = page.rest
        found.unopened = found.looked_at - opened
        return found

    def _count(self, found: Affected, suspect: Suspect, entry: AccessEntry, event: AuditEvent) -> None:
        actor = event.actor
        if suspect.is_by_token and event.type in _UNDER_TOKENS and actor.kind in _WITH_TOKENS:
            found.untold += not actor.token
        if not suspect.acted(event):
            return
        if event.subject is None:
            found.elsewhere += 1
            return
        at = entry.recorded_at_ms
        if event.outcome is Outcome.DENIED:
            refused = found.refused.setdefault(event.subject, Refused(event.subject, at, at))
            refused.last_ms = at
            refused.attempts[event.type] += 1
        elif event.outcome in SHOWN:
            concerned = found.concerned.setdefault(event.subject, Concerned(event.subject, at, at))
            concerned.last_ms = at
            self._add(concerned, event)

    def _add(self, concerned: Concerned, event: AuditEvent) -> None:
        if event.type == codes.RECORD_READ:
            concerned.read.update(event.records)
            segments = {segment.decode("ascii", "backslashreplace") for segment in event.segments}
            for record in event.records:
                version = event.detail.get("version")
                concerned.categories_read |= self._categories(
                    concerned, record, version if isinstance(version, int) else None, segments
                )
        elif event.type == codes.RECORD_LISTED:
            concerned.listed.update(event.records)
            for record in event.records:
                concerned.categories_listed |= self._categories(concerned, record, None, None)
        else:
            concerned.other[event.type] += 1

    def _categories(
        self, concerned: Concerned, record: RecordId, version: int | None, segments: Iterable[str] | None
    ) -> int:
        try:
            manifest = self._manifest_of(record, version)
        except EvidenceGone:
            concerned.gone.add(record)
            return 0
        named = None if segments is None else set(segments)
        found = 0
        for part in manifest.segments:
            if named is None or part.name in named:
                found |= part.categories
        return found
