"""Reading records: decided segment by segment, audited before a byte leaves, the same to whoever may not.

A requester without permission gets one refusal, whether the record exists or not (invariant 10).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from backend.audit.entry import AuditEvent
from backend.audit.log import AuditLog
from backend.audit.sequencer import Guard
from backend.consent.deciding import DecisionService
from backend.consent.decision import require_permitted
from backend.consent.decision_types import Answer, Decision, dependents_of_record, reference_of_record
from backend.consent.decision_types import Segment as Asked
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.consent.uses import UsesExhausted
from backend.errors import AssentError, IntegrityError, Unavailable
from backend.records import trail
from backend.records.deidentify import de_identify
from backend.records.delivery import deliver
from backend.records.frame import describe
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.manifests import ManifestBook
from backend.records.obligations import DE_IDENTIFY, united, withholds
from backend.records.ports import RecordIndex
from backend.records.references import release
from backend.records.sealing import RecipientKey
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.slot_book import KeyWithheld
from backend.records.trail import Reader
from backend.records.vault import Vault
from backend.types import RecordId, SubjectId, UnixSeconds
from backend.waiting import about_to_wait

ATTEMPTS: Final = 3
PROMPT_BYTES: Final = 32 * 1024  # of content: opening more takes too long for an event loop
_Part = Callable[[SegmentManifest], bool]


@dataclass(frozen=True, slots=True)
class ReleasedSegment:
    """One permitted segment. ``payload`` is empty in a listing."""

    segment: SegmentManifest
    payload: bytes
    sealed: bool = False  # the payload is a delivery to the reader's key


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


class _Decided(NamedTuple):
    """A record with the decision on each of its segments that was asked about."""

    manifest: Manifest
    decisions: tuple[Decision, ...]
    permitted: tuple[tuple[SegmentManifest, Decision], ...]
    withheld: int  # segments that are permitted and stay behind for a condition

    @property
    def obligations(self) -> int:
        return united(decision for _, decision in self.permitted)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to read: a version of a record, by default the current one, whole or one segment.

    ``reader_of`` builds the reader's question once the record's subject is known. With ``sealed_to``, content
    leaves as deliveries to that key only.
    """

    record_id: RecordId
    reader_of: Callable[[SubjectId], Reader]
    version: int | None = None
    segment: str | None = None
    sealed_to: RecipientKey | None = None

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
                event = trail.refused(reader, manifest, record.decisions, withheld=record.withheld)
                return Judgement(event, None, _refusal(record.decisions))
            (parts,), guard = self._open([record], reader, wanted.sealed_to)
            released = _released(record, self._leaving(manifest, _clean(record, parts), wanted.sealed_to))
        except (Unavailable, IntegrityError, UsesExhausted, KeyWithheld) as failure:
            return Judgement(trail.failed(reader, failure, record_id), None, failure)
        event = trail.permitted(reader, manifest, record.permitted, withheld=record.withheld)
        return Judgement(event, guard, released)

    def collect(self, reader: Reader) -> Sequence[bytes]:
        """Return the FHIR payloads of a subject that the reader may use, all records together.

        For computing, not for release: references stay. It is one use of the consents it rests on, and
        audited like a read, record by record.
        """
        with self._unavailability_logged(reader):
            manifests = self._manifests.of_subject(reader.question.subject)
            decided = self._decide(manifests, reader, lambda part: part.media_type == FHIR_MEDIA_TYPE)
        opened = [record for record in decided if record.permitted]
        if not opened:
            return ()
        parts, guard = self._open(opened, reader)
        for record in opened:
            event = trail.permitted(reader, record.manifest, record.permitted, withheld=record.withheld)
            self._audit.append(event, guard=guard)
        return [part.payload for of_record in parts for part in of_record]

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
        with self._unavailability_logged(reader):
            rows = self._index.list_current(reader.question.subject, after=after, limit=limit)
            decided = self._decide([self._manifests.manifest(row) for row in rows], reader, lambda _: True)
        listed = [
            _released(record, [ReleasedSegment(part, b"") for part, _ in record.permitted])
            for record in decided
            if record.permitted
        ]
        grounds = [decision for record in decided for _, decision in record.permitted]
        self._audit.append(trail.listed(reader, [released.record_id for released in listed], grounds))
        more = len(rows) == limit
        return Listing(tuple(listed), (rows[-1].created_at, rows[-1].record_id) if more else None)

    @contextmanager
    def _unavailability_logged(self, reader: Reader) -> Iterator[None]:
        try:
            yield
        except Unavailable as failure:
            self._audit.append(trail.failed(reader, failure))
            raise

    def _decide(self, manifests: Sequence[Manifest], reader: Reader, wanted: _Part) -> Sequence[_Decided]:
        """Decide about the wanted segments of all these records on the same evidence."""
        parts = [[part for part in manifest.segments if wanted(part)] for manifest in manifests]
        asked = [
            asked_of(manifest, part) for manifest, of in zip(manifests, parts, strict=True) for part in of
        ]
        decisions = iter(self._decisions.decide(reader.question, asked) if asked else ())
        decided = []
        for manifest, of in zip(manifests, parts, strict=True):
            pairs = [(part, next(decisions)) for part in of]
            permitting = [pair for pair in pairs if pair[1].answer is Answer.PERMIT]
            # The same for all that goes out together: a part with a name would tell whose the others are.
            obligations = united(decision for _, decision in permitting)
            permitted = tuple(pair for pair in permitting if not _withholds(obligations, pair[0]))
            withheld = len(permitting) - len(permitted)
            decided.append(_Decided(manifest, tuple(decision for _, decision in pairs), permitted, withheld))
        return decided

    def _open(
        self, decided: Sequence[_Decided], reader: Reader, recipient: RecipientKey | None = None
    ) -> tuple[Sequence[Sequence[ReleasedSegment]], Guard]:
        """Return the permitted segments of each record, and what guards their entries in the log."""
        grounds = [pair for record in decided for pair in record.permitted]
        if sum(part.size_bytes for part, _ in grounds) > PROMPT_BYTES:
            about_to_wait()
        opened = [
            [self._content(record.manifest, part, recipient) for part, _ in record.permitted]
            for record in decided
        ]
        subject = reader.question.subject
        consents = {name for _, decision in grounds for name in decision.consent_ids}
        self._decisions.take_uses(subject, consents)
        guard = self._decisions.guard(grounds[0][1], subject)  # all rest on the same evidence
        return opened, guard if reader.current is None else _both(reader.current, guard)

    def _content(
        self, manifest: Manifest, part: SegmentManifest, recipient: RecipientKey | None
    ) -> ReleasedSegment:
        """Return a segment opened, or as a delivery where the reader can open it and the service cannot."""
        try:
            return ReleasedSegment(part, self._vault.read(manifest, part))
        except KeyWithheld:
            if recipient is None:
                raise
            return ReleasedSegment(part, self._vault.deliver(manifest, part, recipient), sealed=True)

    def _leaving(
        self, manifest: Manifest, parts: Sequence[ReleasedSegment], recipient: RecipientKey | None
    ) -> Sequence[ReleasedSegment]:
        """Seal to the reader's key, where there is one, what is not sealed to it yet."""
        if recipient is None:
            return parts
        return [
            part
            if part.sealed
            else replace(part, payload=self._delivery(manifest, part, recipient), sealed=True)
            for part in parts
        ]

    def _delivery(self, manifest: Manifest, part: ReleasedSegment, recipient: RecipientKey) -> bytes:
        pieces = deliver(
            (part.payload,),
            source=describe(part.payload, part.segment.media_type),
            context=self._vault.context(manifest.record_id, manifest.version, part.segment.name),
            recipient=recipient,
        )
        return b"".join(pieces)


def _both(first: Guard, second: Guard) -> Guard:
    def check() -> None:
        first()
        second()

    return check


def _refusal(decisions: Sequence[Decision]) -> AssentError:
    try:
        if decisions:
            require_permitted(decisions[0])
    except AssentError as refusal:
        return refusal
    return ConsentRequired()


def _withholds(obligations: int, part: SegmentManifest) -> bool:
    return withholds(obligations, sensitivities=part.sensitivities, media_type=part.media_type)


def asked_of(manifest: Manifest, part: SegmentManifest) -> Asked:
    """Return what a decision about one segment of a record is asked."""
    belongs_to = map(dependents_of_record, (manifest.record_id, *manifest.related))
    return Asked(
        categories=part.categories,
        sensitivities=part.sensitivities,
        data_from=part.data_from,
        data_to=part.data_to,
        references=frozenset({reference_of_record(manifest.record_id), manifest.author, *belongs_to}),
    )


def _clean(record: _Decided, parts: Sequence[ReleasedSegment]) -> list[ReleasedSegment]:
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


def _released(record: _Decided, segments: Sequence[ReleasedSegment]) -> Released:
    manifest = record.manifest
    return Released(
        record_id=manifest.record_id,
        version=manifest.version,
        document_type=manifest.document_type,
        created_at=manifest.created_at,
        segments=tuple(segments),
        obligations=record.obligations,
    )
