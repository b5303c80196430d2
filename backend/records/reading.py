"""Reading records: decided segment by segment, audited before a byte leaves, the same to whoever may not.

A requester without permission gets one refusal, whether the record exists or not (invariant 10).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision import require_permitted
from backend.consent.decision_types import Answer, Decision, Reason, reference_of_record
from backend.consent.decision_types import Segment as Asked
from backend.consent.errors import ConsentRequired, RestrictionArrived
from backend.errors import IntegrityError, Unavailable
from backend.keystore import KeyStore
from backend.records.manifest import Manifest, SegmentManifest, commitment, decode
from backend.records.ports import CommitmentLedger, RecordIndex, VersionRow
from backend.records.references import release
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.storing import place_of
from backend.records.vault import Vault
from backend.sealed import DocumentSealer
from backend.types import ConsentId, MemberId, RecordId, SubjectId, UnixSeconds

ATTEMPTS: Final = 3
COLLECT_PAGE: Final = 100


class ManifestRefused(IntegrityError):
    """A manifest is not the one whose commitment stands on the chain."""

    code = "manifest_refused"
    remedy = "Tell the operator: 'assent fsck' names the record. Nothing of it was released."


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, as the audit log names them, with the question the decision answers."""

    agent: Agent
    organisation: MemberId | None
    question: Question
    purpose: str  # code of the question's purpose
    action: Action


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


class ReadingService:
    """The only way out for records."""

    def __init__(
        self,
        *,
        index: RecordIndex,
        vault: Vault,
        keys: KeyStore,
        sealer: DocumentSealer,
        ledger: CommitmentLedger,
        decisions: DecisionService,
        audit: AuditLog,
    ) -> None:
        self._index = index
        self._vault = vault
        self._keys = keys
        self._sealer = sealer
        self._ledger = ledger
        self._decisions = decisions
        self._audit = audit

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
        row = self._row(record_id, version)
        if row is None:
            self._refuse_unknown(record_id, reader_of)
            raise ConsentRequired
        reader = reader_of(row.subject)
        for attempt in range(ATTEMPTS):
            try:
                return self._read(row, reader, segment)
            except RestrictionArrived:
                if attempt == ATTEMPTS - 1:
                    raise
        raise ConsentRequired

    def collect(self, reader: Reader) -> Sequence[bytes]:
        """Return the FHIR payloads of a subject that the reader may use, all records together.

        For computing, not for release: references stay. Audited like a read, record by record.
        """
        payloads: list[bytes] = []
        after = None
        while rows := self._index.list_current(reader.question.subject, after=after, limit=COLLECT_PAGE):
            for row in rows:
                payloads += self._collect(row, reader)
            after = (rows[-1].created_at, rows[-1].record_id)
        return payloads

    def _collect(self, row: VersionRow, reader: Reader) -> Sequence[bytes]:
        with self._unavailability_logged((row.record_id,), reader):
            manifest = self._manifest(row)
            parts = [part for part in manifest.segments if part.media_type == FHIR_MEDIA_TYPE]
            decisions = self._decide(reader, [_asked(manifest, part) for part in parts])
        permitted = [
            (part, decision)
            for part, decision in zip(parts, decisions, strict=True)
            if decision.answer is Answer.PERMIT
        ]
        if not permitted:
            return ()
        payloads = [self._vault.read(manifest, part) for part, _ in permitted]
        settled = [decision for _, decision in permitted]
        self._append(manifest, [part for part, _ in permitted], settled, reader, Outcome.PERMITTED)
        return payloads

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
        with self._unavailability_logged((), reader):
            rows = self._index.list_current(reader.question.subject, after=after, limit=limit)
            manifests = [self._manifest(row) for row in rows]
            asked = [_asked(manifest, part) for manifest in manifests for part in manifest.segments]
            decisions = iter(self._decide(reader, asked))
        listed = []
        for manifest in manifests:
            permitted = [
                ReleasedSegment(part, b"")
                for part in manifest.segments
                if next(decisions).answer is Answer.PERMIT
            ]
            if permitted:
                listed.append(_released(manifest, permitted))
        self._audit.append(
            AuditEvent(
                type=codes.RECORD_LISTED,
                outcome=Outcome.PERMITTED if listed else Outcome.DENIED,
                occurred_at_ms=_now_ms(),
                actor=reader.agent,
                organisation=reader.organisation,
                subject=reader.question.subject,
                purpose=reader.purpose,
                action=reader.action,
                records=tuple(released.record_id for released in listed),
            )
        )
        more = len(rows) == limit
        return Listing(tuple(listed), (rows[-1].created_at, rows[-1].record_id) if more else None)

    def _read(self, row: VersionRow, reader: Reader, name: str | None) -> Released:
        with self._unavailability_logged((row.record_id,), reader):
            manifest = self._manifest(row)
            parts = [part for part in manifest.segments if name is None or part.name == name]
            decisions = self._decide(reader, [_asked(manifest, part) for part in parts])
        permitted = [
            (part, decision)
            for part, decision in zip(parts, decisions, strict=True)
            if decision.answer is Answer.PERMIT
        ]
        if not permitted:
            self._append(manifest, (), decisions, reader, Outcome.DENIED)
            require_permitted(decisions[0]) if decisions else None
            raise ConsentRequired
        payloads = [self._vault.read(manifest, part) for part, _ in permitted]
        settled = [decision for _, decision in permitted]
        self._decisions.take_uses(
            manifest.subject, {name for decision in settled for name in decision.consent_ids}
        )
        self._append(manifest, [part for part, _ in permitted], settled, reader, Outcome.PERMITTED)
        return _released(manifest, _clean([part for part, _ in permitted], payloads))

    @contextmanager
    def _unavailability_logged(self, records: tuple[RecordId, ...], reader: Reader) -> Iterator[None]:
        """A failure to find out is no refusal, and the patient sees all the same that somebody tried."""
        try:
            yield
        except Unavailable as failure:
            self._audit.append(
                AuditEvent(
                    type=codes.RECORD_READ if records else codes.RECORD_LISTED,
                    outcome=Outcome.UNAVAILABLE,
                    occurred_at_ms=_now_ms(),
                    actor=reader.agent,
                    organisation=reader.organisation,
                    subject=reader.question.subject,
                    purpose=reader.purpose,
                    action=reader.action,
                    records=records,
                    reasons=(failure.code,),
                )
            )
            raise

    def _decide(self, reader: Reader, asked: Sequence[Asked]) -> tuple[Decision, ...]:
        return self._decisions.decide(reader.question, asked) if asked else ()

    def _append(
        self,
        manifest: Manifest,
        parts: Sequence[SegmentManifest],
        decisions: Sequence[Decision],
        reader: Reader,
        outcome: Outcome,
    ) -> None:
        first = decisions[0] if decisions else None
        event = self._event(
            manifest,
            reader,
            outcome,
            segments=tuple(part.name.encode() for part in parts)[:512],
            consents=tuple(sorted({name for decision in decisions for name in decision.consent_ids}))[:512],
            reasons=tuple(sorted({reason.value for decision in decisions for reason in decision.reasons})),
            decision=first,
        )
        guard = None
        if outcome is Outcome.PERMITTED and first is not None:
            guard = self._decisions.guard(first, manifest.subject)
        self._audit.append(event, guard=guard)

    def _event(
        self,
        manifest: Manifest,
        reader: Reader,
        outcome: Outcome,
        *,
        segments: tuple[bytes, ...] = (),
        consents: tuple[ConsentId, ...] = (),
        reasons: tuple[str, ...] = (),
        decision: Decision | None = None,
    ) -> AuditEvent:
        return AuditEvent(
            type=codes.RECORD_READ,
            outcome=outcome,
            occurred_at_ms=_now_ms(),
            actor=reader.agent,
            organisation=reader.organisation,
            subject=manifest.subject,
            purpose=reader.purpose,
            action=reader.action,
            records=(manifest.record_id,),
            segments=segments,
            consents=consents,
            reasons=reasons,
            final_block=decision.final_block if decision else None,
            head_block=decision.head_block if decision else None,
            queue_position=decision.queue_position if decision else None,
            obligations=decision.obligations if decision else 0,
            detail={"version": manifest.version},
        )

    def _refuse_unknown(self, record_id: RecordId, reader_of: Callable[[SubjectId], Reader]) -> None:
        reader = reader_of(SubjectId(0))
        self._audit.append(
            AuditEvent(
                type=codes.RECORD_READ,
                outcome=Outcome.DENIED,
                occurred_at_ms=_now_ms(),
                actor=reader.agent,
                organisation=reader.organisation,
                purpose=reader.purpose,
                action=reader.action,
                records=(record_id,),
                reasons=(Reason.NO_PERMIT.value,),
            )
        )

    def _row(self, record_id: RecordId, version: int | None) -> VersionRow | None:
        if version is None:
            return self._index.current(record_id)
        return self._index.version(record_id, version)

    def _manifest(self, row: VersionRow) -> Manifest:
        act_id = f"{row.record_id.hex()}/{row.version}"
        encoded = self._sealer.open(row.manifest, subject=row.subject, place=place_of(act_id))
        salt = self._keys.get("salt", f"record/{act_id}")
        manifest = decode(encoded)
        stands = commitment(encoded, salt)
        if (manifest.record_id, manifest.version, manifest.subject) != (
            row.record_id,
            row.version,
            row.subject,
        ):
            raise ManifestRefused
        if not self._ledger.committed(stands):
            raise ManifestRefused
        return manifest


def _asked(manifest: Manifest, part: SegmentManifest) -> Asked:
    return Asked(
        categories=part.categories,
        sensitivities=part.sensitivities,
        data_from=part.data_from,
        data_to=part.data_to,
        references=frozenset({bytes(reference_of_record(manifest.record_id)), bytes(manifest.author)}),
    )


def _clean(parts: Sequence[SegmentManifest], payloads: Sequence[bytes]) -> list[ReleasedSegment]:
    """Take references to what is not released out of FHIR segments; leave the rest byte for byte."""
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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
