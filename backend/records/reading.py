"""Reading records: decided segment by segment, audited before a byte leaves, the same to whoever may not.

A requester without permission gets one refusal, whether the record exists or not (invariant 10).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from backend.consent.deciding import DecisionService
from backend.consent.decision import require_permitted
from backend.consent.decision_types import Answer, Decision, reference_of_record
from backend.consent.decision_types import Segment as Asked
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.manifests import ManifestBook
from backend.records.ports import RecordIndex, VersionRow
from backend.records.references import release
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.trail import Reader, ReadingTrail
from backend.records.vault import Vault
from backend.types import RecordId, SubjectId, UnixSeconds

ATTEMPTS: Final = 3
COLLECT_PAGE: Final = 100
_Part = Callable[[SegmentManifest], bool]


@dataclass(frozen=True, slots=True)
class ReleasedSegment:
    """One permitted segment. ``payload`` is empty in a listing."""

    segment: SegmentManifest
    payload: bytes


@dataclass(frozen=True, slots=True)
class Released:
    """What may leave. Whether more exists is not told."""

    record_id: RecordId
    version: int
    document_type: str
    created_at: UnixSeconds
    segments: tuple[ReleasedSegment, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. ``last`` is where the next one begins; None when there is no more."""

    records: tuple[Released, ...]
    last: tuple[UnixSeconds, RecordId] | None


class _Judged(NamedTuple):
    """A record with the decision on each of its segments that was asked about."""

    manifest: Manifest
    decisions: tuple[Decision, ...]
    permitted: tuple[tuple[SegmentManifest, Decision], ...]


class ReadingService:
    """The only way out for records."""

    def __init__(
        self,
        *,
        index: RecordIndex,
        manifests: ManifestBook,
        vault: Vault,
        decisions: DecisionService,
        trail: ReadingTrail,
    ) -> None:
        self._index = index
        self._manifests = manifests
        self._vault = vault
        self._decisions = decisions
        self._trail = trail

    def read(
        self,
        record_id: RecordId,
        *,
        reader_of: Callable[[SubjectId], Reader],
        version: int | None = None,
        segment: str | None = None,
    ) -> Released:
        """Return the permitted segments of a record, or of one of its segments, with their content.

        ``reader_of`` builds the reader's question once the record's subject is known. Raises ConsentRequired
        (whatever the reason), LedgerUnavailable, IndexUnavailable, StorageUnavailable, AuditUnavailable, and
        an IntegrityError when what is stored is not what was stored.
        """
        row = self._manifests.row(record_id, version)
        if row is None:
            self._trail.unknown(reader_of(SubjectId(0)), record_id)
            raise ConsentRequired
        reader = reader_of(row.subject)
        for attempt in range(ATTEMPTS):
            try:
                return self._read(row, reader, lambda part: segment is None or part.name == segment)
            except RestrictionArrived:
                if attempt == ATTEMPTS - 1:
                    raise
        raise ConsentRequired

    def collect(self, reader: Reader) -> Sequence[bytes]:
        """Return the FHIR payloads of a subject that the reader may use, all records together.

        For computing, not for release: references stay. It is one use of the consents it rests on, and
        audited like a read, record by record.
        """
        with self._trail.unavailability(reader):
            manifests = [self._manifests.manifest(row) for row in self._current(reader.question.subject)]
            judged = self._judge(manifests, reader, lambda part: part.media_type == FHIR_MEDIA_TYPE)
        opened = self._open([record for record in judged if record.permitted], reader)
        return [payload for payloads in opened for payload in payloads]

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
        with self._trail.unavailability(reader):
            rows = self._index.list_current(reader.question.subject, after=after, limit=limit)
            judged = self._judge([self._manifests.manifest(row) for row in rows], reader, lambda _: True)
        listed = [
            _released(record.manifest, [ReleasedSegment(part, b"") for part, _ in record.permitted])
            for record in judged
            if record.permitted
        ]
        self._trail.listed(reader, [released.record_id for released in listed])
        more = len(rows) == limit
        return Listing(tuple(listed), (rows[-1].created_at, rows[-1].record_id) if more else None)

    def _read(self, row: VersionRow, reader: Reader, wanted: _Part) -> Released:
        with self._trail.unavailability(reader, row.record_id):
            (record,) = self._judge([self._manifests.manifest(row)], reader, wanted)
        if not record.permitted:
            self._trail.refused(reader, record.manifest, record.decisions)
            if record.decisions:
                require_permitted(record.decisions[0])
            raise ConsentRequired
        (payloads,) = self._open([record], reader)
        return _released(record.manifest, _clean(record.permitted, payloads))

    def _current(self, subject: SubjectId) -> Sequence[VersionRow]:
        found: list[VersionRow] = []
        after = None
        while rows := self._index.list_current(subject, after=after, limit=COLLECT_PAGE):
            found += rows
            after = (rows[-1].created_at, rows[-1].record_id)
        return found

    def _judge(self, manifests: Sequence[Manifest], reader: Reader, wanted: _Part) -> Sequence[_Judged]:
        """Decide about the wanted segments of all these records on the same evidence."""
        parts = [[part for part in manifest.segments if wanted(part)] for manifest in manifests]
        asked = [_asked(manifest, part) for manifest, of in zip(manifests, parts, strict=True) for part in of]
        decisions = iter(self._decisions.decide(reader.question, asked) if asked else ())
        judged = []
        for manifest, of in zip(manifests, parts, strict=True):
            decided = [(part, next(decisions)) for part in of]
            permitted = tuple(pair for pair in decided if pair[1].answer is Answer.PERMIT)
            judged.append(_Judged(manifest, tuple(decision for _, decision in decided), permitted))
        return judged

    def _open(self, judged: Sequence[_Judged], reader: Reader) -> Sequence[Sequence[bytes]]:
        """Return the permitted payloads of each record, once the entries that say so are durable."""
        opened = [
            [self._vault.read(record.manifest, part) for part, _ in record.permitted] for record in judged
        ]
        grounds = [decision for record in judged for _, decision in record.permitted]
        subject = reader.question.subject
        self._decisions.take_uses(subject, {name for decision in grounds for name in decision.consent_ids})
        for record in judged:
            guard = self._decisions.guard(grounds[0], subject)  # all rest on the evidence of one moment
            self._trail.permitted(reader, record.manifest, record.permitted, guard=guard)
        return opened


def _asked(manifest: Manifest, part: SegmentManifest) -> Asked:
    return Asked(
        categories=part.categories,
        sensitivities=part.sensitivities,
        data_from=part.data_from,
        data_to=part.data_to,
        references=frozenset({bytes(reference_of_record(manifest.record_id)), bytes(manifest.author)}),
    )


def _clean(
    permitted: Sequence[tuple[SegmentManifest, Decision]], payloads: Sequence[bytes]
) -> list[ReleasedSegment]:
    """Take references to what is not released out of FHIR segments; leave the rest byte for byte."""
    parts = [part for part, _ in permitted]
    fhir = [number for number, part in enumerate(parts) if part.media_type == FHIR_MEDIA_TYPE]
    cleaned = dict(zip(fhir, release(payloads[number] for number in fhir), strict=True))
    return [
        ReleasedSegment(part, cleaned.get(number, payload))
        for number, (part, payload) in enumerate(zip(parts, payloads, strict=True))
    ]


def _released(manifest: Manifest, segments: Sequence[ReleasedSegment]) -> Released:
    return Released(
        record_id=manifest.record_id,
        version=manifest.version,
        document_type=manifest.document_type,
        created_at=manifest.created_at,
        segments=tuple(segments),
    )
