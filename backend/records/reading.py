"""Reading records: decided segment by segment, audited before a byte leaves, the same to whoever may not.

A requester without permission gets one refusal, whether the record exists or not (invariant 10).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from backend.audit.entry import AuditEvent
from backend.audit.log import AuditLog
from backend.audit.sequencer import Guard
from backend.consent.deciding import DecisionService
from backend.consent.decision import require_permitted
from backend.consent.decision_types import Decision
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.consent.uses import UsesExhausted
from backend.errors import AssentError, IntegrityError, Unavailable
from backend.records import trail
from backend.records.deidentify import de_identify
from backend.records.delivery import deliver
from backend.records.frame import Source, describe
from backend.records.judging import Judged, Part, judge
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.manifests import ManifestBook
from backend.records.obligations import DE_IDENTIFY
from backend.records.ports import RecordIndex
from backend.records.references import release
from backend.records.sealing import RecipientKey
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.slot_book import KeyWithheld
from backend.records.streaming import Watch, is_streamed, watched
from backend.records.trail import Reader
from backend.records.vault import Vault
from backend.types import ConsentId, RecordId, SubjectId, UnixSeconds
from backend.waiting import about_to_wait

ATTEMPTS: Final = 3
GATHERERS: Final = 4  # threads that open the records of different patients for one computation
PROMPT_BYTES: Final = 32 * 1024  # of content: opening more takes too long for an event loop


@dataclass(frozen=True, slots=True)
class ReleasedSegment:
    """One permitted segment. ``payload`` is empty in a listing, and where the content leaves as a ``stream``:
    that can be read once, from where waiting is allowed, and raises StreamCut where the rest may not leave.
    ``record_id``: of the record it is a part of, where it was opened.
    """

    segment: SegmentManifest
    payload: bytes
    sealed: bool = False  # the content is a delivery to the reader's key
    stream: Iterator[bytes] | None = None
    record_id: RecordId | None = None

    @property
    def pieces(self) -> Iterable[bytes]:
        """The content, whichever way it leaves."""
        return (self.payload,) if self.stream is None else self.stream


Gathered: TypeAlias = tuple[Sequence[ReleasedSegment], Sequence[tuple[AuditEvent, Guard | None]]]


@dataclass(frozen=True, slots=True)
class Released:
    """What may leave. Whether more exists is not told."""

    record_id: RecordId
    version: int
    document_type: str
    created_at: UnixSeconds
    segments: tuple[ReleasedSegment, ...]
    obligations: int  # that were carried out, and hold for whoever receives it


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. ``last`` is where the next one begins; None when there is no more."""

    records: tuple[Released, ...]
    last: tuple[UnixSeconds, RecordId] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to read: a version of a record, by default the current one, whole or one segment.

    ``reader_of`` builds the reader's question once the record's subject is known. ``sealed_to`` names, for
    that subject, the key that content leaves sealed to; None: it leaves in clear. It is asked after a permit.
    """

    record_id: RecordId
    reader_of: Callable[[SubjectId], Reader]
    version: int | None = None
    segment: str | None = None
    sealed_to: Callable[[SubjectId], RecipientKey | None] = lambda _: None

    def names(self, part: SegmentManifest) -> bool:
        return self.segment is None or part.name == self.segment


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a read comes to. Nothing of it may leave before the entry is durable."""

    event: AuditEvent
    guard: Guard | None
    outcome: Released | AssentError

    def settle(self) -> Released:
        """Return what may leave, or raise why nothing may; the entry is durable."""
        if isinstance(self.outcome, AssentError):
            raise self.outcome
        return self.outcome


class ReadingService:
    """The only way out for records."""

    def __init__(
        self,
        *,
        index: RecordIndex,
        manifests: ManifestBook,
        vault: Vault,
        decisions: DecisionService,
        audit: AuditLog,
    ) -> None:
        self._index = index
        self._manifests = manifests
        self._vault = vault
        self._decisions = decisions
        self._audit = audit

    @property
    def manifests(self) -> ManifestBook:
        return self._manifests

    @property
    def vault(self) -> Vault:
        return self._vault

    def read(self, wanted: Wanted) -> Released:
        """Return the permitted segments of what is wanted, with their content.

        Raises ConsentRequired (whatever the reason), LedgerUnavailable, IndexUnavailable, StorageUnavailable,
        AuditUnavailable, and an IntegrityError when what is stored is not what was stored.
        """
        for attempt in range(ATTEMPTS):
            judgement = self.judge(wanted)
            try:
                self._audit.append(judgement.event, guard=judgement.guard)
            except RestrictionArrived:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return judgement.settle()
        raise ConsentRequired

    def judge(self, wanted: Wanted) -> Judgement:
        """``read`` up to the entry in the audit log, for a caller that does not wait for it there.

        The entry is still to be appended, under the guard; RestrictionArrived then means: judge again.
        """
        record_id = wanted.record_id
        row = self._manifests.row(record_id, wanted.version)
        if row is None:
            event = trail.unknown(wanted.reader_of(SubjectId(0)), record_id)
            return Judgement(event, None, ConsentRequired())
        reader = wanted.reader_of(row.subject)
        try:
            manifest = self._manifests.manifest(row)
            (record,) = self._decide([manifest], reader, wanted.names)
            if not record.permitted:
                event = trail.refused(reader, record)
                return Judgement(event, None, _refusal(record.decisions))
            recipient = wanted.sealed_to(row.subject)
            (parts,), guard = self._open([record], reader, recipient)
            leaving = self._leaving(manifest, _clean(record, parts), recipient)
            released = _released(record, [self._watched(part, wanted, reader, record) for part in leaving])
        except (Unavailable, IntegrityError, UsesExhausted, KeyWithheld) as failure:
            return Judgement(trail.failed(reader, failure, record_id), None, failure)
        event = trail.permitted(reader, record, sealed_to=None if recipient is None else recipient.id)
        return Judgement(event, guard, released)

    def collect(
        self, readers: Sequence[Reader], wanted: Callable[[SubjectId], Part]
    ) -> Iterator[Sequence[ReleasedSegment]]:
        """Yield, for each reader, the wanted FHIR segments of its subject that it may use, of all records.

        For computing, not for release: references stay. It is one use of the consents it rests on, and
        audited like a read, record by record; the entries of these readers share commits, and are durable
        before the first segment is yielded. A subject that restricted meanwhile is decided about again.

        Raises LedgerUnavailable, IndexUnavailable, StorageUnavailable, AuditUnavailable, RestrictionArrived
        where that went on, and an IntegrityError when what is stored is not what was stored.
        """
        found: list[Sequence[ReleasedSegment]] = [()] * len(readers)
        waiting = list(range(len(readers)))
        for attempt in range(ATTEMPTS):
            asking = [readers[place] for place in waiting]
            gathered = dict(zip(waiting, self._gather_all(asking, wanted), strict=True))
            entries = [(place, entry) for place, (_, of) in gathered.items() for entry in of]
            outcomes = self._audit.append_all([entry for _, entry in entries])
            restricted: set[int] = set()
            for (place, _), outcome in zip(entries, outcomes, strict=True):
                if isinstance(outcome, RestrictionArrived) and attempt < ATTEMPTS - 1:
                    restricted.add(place)
                elif isinstance(outcome, Exception):
                    raise outcome
            for place in waiting:
                if place not in restricted:
                    found[place] = gathered[place][0]
            waiting = sorted(restricted)
            if not waiting:
                break
        yield from found

    def _gather_all(self, readers: Sequence[Reader], wanted: Callable[[SubjectId], Part]) -> list[Gathered]:
        """``_gather`` for each, some at a time: most of it is waiting for the stores."""
        about_to_wait()
        if len(readers) == 1:
            return [self._gather(readers[0], wanted)]
        with ThreadPoolExecutor(GATHERERS) as pool:
            return list(pool.map(lambda reader: self._gather(reader, wanted), readers))

    def _gather(self, reader: Reader, wanted: Callable[[SubjectId], Part]) -> Gathered:
        """One reader's segments, opened, and the entries that must be durable before they are used."""
        asked = wanted(reader.question.subject)
        with self._unavailability_logged(reader):
            manifests = self._manifests.of_subject(reader.question.subject)
            decided = self._decide(
                manifests, reader, lambda part: part.media_type == FHIR_MEDIA_TYPE and asked(part)
            )
        opened = [record for record in decided if record.permitted]
        if not opened:
            return (), ()
        try:
            parts, guard = self._open(opened, reader, withheld_left_out=True)
        except UsesExhausted:
            return (), ()  # somebody else took the last use meanwhile
        entries = [
            (trail.permitted(reader, _only(record, of_record)), guard)
            for record, of_record in zip(opened, parts, strict=True)
            if of_record
        ]
        return [part for of_record in parts for part in of_record], entries

    def list(
        self,
        reader: Reader,
        *,
        after: tuple[UnixSeconds, RecordId] | None,
        limit: int,
    ) -> Listing:
        """Return up to ``limit`` records of a subject with the segments the reader may see, without content.

        Records of which nothing may be seen are left out, as if they were not there.
        """
        for attempt in range(ATTEMPTS):
            try:
                return self._list(reader, after, limit)
            except RestrictionArrived:
                if attempt == ATTEMPTS - 1:
                    raise
        raise ConsentRequired

    def _list(self, reader: Reader, after: tuple[UnixSeconds, RecordId] | None, limit: int) -> Listing:
        with self._unavailability_logged(reader):
            rows = self._index.list_current(reader.question.subject, after=after, limit=limit)
            manifests = self._manifests.manifests(self._manifests.standing(rows))
            decided = self._decide(manifests, reader, lambda _: True)
        shown = [record for record in decided if record.permitted]
        listed = [
            _released(record, [ReleasedSegment(part, b"") for part, _ in record.permitted])
            for record in shown
        ]
        grounds = [decision for record in shown for _, decision in record.permitted]
        event = trail.listed(reader, [released.record_id for released in listed], grounds)
        self._audit.append(event, guard=self._none_erased(shown))
        more = len(rows) == limit
        return Listing(tuple(listed), (rows[-1].created_at, rows[-1].record_id) if more else None)

    @contextmanager
    def _unavailability_logged(self, reader: Reader) -> Iterator[None]:
        try:
            yield
        except Unavailable as failure:
            self._audit.append(trail.failed(reader, failure))
            raise

    def _watched(
        self, part: ReleasedSegment, wanted: Wanted, reader: Reader, record: Judged
    ) -> ReleasedSegment:
        """Let a stream go on only while its reader may have it, and write down when it was cut."""
        if part.stream is None:
            return part
        name = part.segment.name

        def still() -> None:
            self._require_still(wanted, record, name)

        def cut(failure: AssentError, released_bytes: int) -> None:
            event = trail.cut(reader, record, name, failure, released_bytes=released_bytes)
            self._audit.append(event)

        return replace(part, stream=watched(part.stream, Watch(still, cut)))

    def _require_still(self, wanted: Wanted, record: Judged, name: str) -> None:
        """Raise ConsentRequired unless the segment would be permitted anew, its use being made already.

        Raises also as ``read`` when that cannot be found out.
        """
        row = self._manifests.row(record.manifest.record_id, record.manifest.version)
        if row is None:
            raise ConsentRequired
        held = {consent for _, decision in record.permitted for consent in decision.consent_ids}
        reader, manifest = wanted.reader_of(row.subject), self._manifests.manifest(row)
        (again,) = self._decide([manifest], reader, wanted.names, held=held)
        if reader.current is not None:
            reader.current()
        if name not in {part.name for part, _ in again.permitted}:
            raise ConsentRequired

    def _decide(
        self,
        manifests: Sequence[Manifest],
        reader: Reader,
        wanted: Part,
        *,
        held: Collection[ConsentId] = (),
    ) -> Sequence[Judged]:
        """Decide about the wanted segments of all these records on the same evidence."""
        return judge(
            manifests, wanted, lambda asked: self._decisions.decide(reader.question, asked, held=held)
        )

    def _open(
        self,
        decided: Sequence[Judged],
        reader: Reader,
        recipient: RecipientKey | None = None,
        *,
        withheld_left_out: bool = False,
    ) -> tuple[Sequence[Sequence[ReleasedSegment]], Guard]:
        """Return the permitted segments of each record, and what guards their entries in the log.

        ``withheld_left_out``: without those that their patient keeps end to end.
        """
        grounds = [pair for record in decided for pair in record.permitted]
        if sum(part.size_bytes for part, _ in grounds) > PROMPT_BYTES:
            about_to_wait()
        opened: list[list[ReleasedSegment]] = []
        for record in decided:
            opened.append([])
            for part, _ in record.permitted:
                try:
                    opened[-1].append(self._content(record.manifest, part, recipient))
                except KeyWithheld:
                    if not withheld_left_out:
                        raise
        subject = reader.question.subject
        consents = {name for _, decision in grounds for name in decision.consent_ids}
        self._decisions.take_uses(subject, consents)
        guards = [
            self._decisions.guard(grounds[0][1], subject),  # all rest on the same evidence
            self._none_erased(decided),
        ]
        return opened, _all([*guards, *filter(None, [reader.current])])

    def _none_erased(self, records: Sequence[Judged]) -> Guard:
        """A record may have been locked before the decision's position was taken, and after it was found."""

        def check() -> None:
            for record in records:
                if self._manifests.erases(record.manifest.subject, record.manifest.record_id):
                    raise RestrictionArrived

        return check

    def _content(
        self, manifest: Manifest, part: SegmentManifest, recipient: RecipientKey | None
    ) -> ReleasedSegment:
        """Return a segment opened, or as a delivery where the reader can open it and the service cannot."""
        record_id = manifest.record_id
        try:
            if is_streamed(media_type=part.media_type, size_bytes=part.size_bytes):
                stream = self._vault.read_stream(manifest, part).data
                return ReleasedSegment(part, b"", stream=stream, record_id=record_id)
            return ReleasedSegment(part, self._vault.read(manifest, part), record_id=record_id)
        except KeyWithheld:
            if recipient is None:
                raise
            delivery = self._vault.deliver(manifest, part, recipient)
            return ReleasedSegment(part, delivery, sealed=True, record_id=record_id)

    def _leaving(
        self, manifest: Manifest, parts: Sequence[ReleasedSegment], recipient: RecipientKey | None
    ) -> Sequence[ReleasedSegment]:
        """Seal to the reader's key, where there is one, what is not sealed to it yet."""
        if recipient is None:
            return parts
        return [part if part.sealed else self._delivery(manifest, part, recipient) for part in parts]

    def _delivery(
        self, manifest: Manifest, part: ReleasedSegment, recipient: RecipientKey
    ) -> ReleasedSegment:
        context = self._vault.context(manifest.record_id, manifest.version, part.segment.name)
        if part.stream is not None:
            kept = part.segment
            source = Source(kept.media_type, kept.size_bytes, kept.sha256)
            sealed = deliver(part.stream, source=source, context=context, recipient=recipient)
            return replace(part, stream=sealed, sealed=True)
        source = describe(part.payload, part.segment.media_type)
        sealed = deliver((part.payload,), source=source, context=context, recipient=recipient)
        return replace(part, payload=b"".join(sealed), sealed=True)


def _all(guards: Sequence[Guard]) -> Guard:
    def check() -> None:
        for guard in guards:
            guard()

    return check


def _refusal(decisions: Sequence[Decision]) -> AssentError:
    try:
        if decisions:
            require_permitted(decisions[0])
    except AssentError as refusal:
        return refusal
    return ConsentRequired()


def _only(record: Judged, opened: Sequence[ReleasedSegment]) -> Judged:
    """The record without the permitted segments that were not opened."""
    names = {part.segment.name for part in opened}
    return replace(record, permitted=tuple(pair for pair in record.permitted if pair[0].name in names))


def _clean(record: Judged, parts: Sequence[ReleasedSegment]) -> list[ReleasedSegment]:
    """Take references to what is not released out of FHIR segments, or more where a condition says so; leave
    the rest byte for byte."""
    fhir = [number for number, part in enumerate(parts) if part.segment.media_type == FHIR_MEDIA_TYPE]
    going = [parts[number].payload for number in fhir]
    if record.obligations & DE_IDENTIFY:
        about_to_wait()
        released = de_identify(going, now=int(time.time()))
    else:
        released = release(going)
    cleaned = dict(zip(fhir, released, strict=True))
    return [replace(part, payload=cleaned.get(number, part.payload)) for number, part in enumerate(parts)]


def _released(record: Judged, segments: Sequence[ReleasedSegment]) -> Released:
    manifest = record.manifest
    return Released(
        record_id=manifest.record_id,
        version=manifest.version,
        document_type=manifest.document_type,
        created_at=manifest.created_at,
        segments=tuple(segments),
        obligations=record.obligations,
    )
