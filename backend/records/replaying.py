"""Deciding again what the log says was decided: the same pure functions, on the evidence of that time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from backend.audit import codes
from backend.audit.entry import Action, AuditEvent, Outcome
from backend.consent import wording
from backend.consent.basis import Basis
from backend.consent.deciding import Question, resting_on
from backend.consent.decision import decide_many
from backend.consent.decision_types import Decision, DecisionInput, Reason, Segment
from backend.consent.errors import EvidenceGone
from backend.consent.evidence import EvidenceBook
from backend.consent.explaining import Explanation, explain
from backend.consent.past import Moment, PastLedger, PastQuestion, past_input, require_covered
from backend.consent.prepared import Prepared
from backend.consent.tables import Tables
from backend.errors import InvalidInput
from backend.keystore import SecretNotFound
from backend.records import trail
from backend.records.judging import asked_of, judge
from backend.records.manifest import Manifest
from backend.records.manifests import ManifestBook
from backend.types import ConsentId, RecordId, SubjectId, to_hex

DECIDED: Final = frozenset({codes.RECORD_READ, codes.DECISION})


class NotADecision(InvalidInput):
    """The entry is no read and no decision, or nothing could be decided when it was written."""

    code = "entry_not_a_decision"
    remedy = "Name the entry of a read (record.read) or of a decision (decision.explained)."


class Kept(Protocol):
    """What is kept of a patient. Both raise EvidenceGone for what was erased, and Unavailable errors."""

    def documents(self, subject: SubjectId) -> Mapping[ConsentId, Prepared]: ...

    def manifest(self, record_id: RecordId, version: int) -> Manifest: ...


@dataclass(frozen=True, slots=True)
class KeptInIndex:
    """Documents and manifests as they lie sealed in the index."""

    evidence: EvidenceBook
    manifests: ManifestBook

    def documents(self, subject: SubjectId) -> Mapping[ConsentId, Prepared]:
        try:
            return self.evidence.documents(subject)
        except SecretNotFound as gone:
            raise EvidenceGone("The patient's consents cannot be opened any more.") from gone

    def manifest(self, record_id: RecordId, version: int) -> Manifest:
        return self.manifests.kept(record_id, version)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment, or the data that a question was about, with why it was decided so."""

    name: str
    request: DecisionInput
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Replay:
    """``said`` is the entry's, ``again`` what comes out now; both have the same names."""

    event: AuditEvent
    said: Mapping[str, Any]
    again: Mapping[str, Any]
    parts: tuple[Part, ...]
    same_tables: bool  # whether the tables in force now are those of that time

    @property
    def differing(self) -> tuple[str, ...]:
        return tuple(name for name, value in self.said.items() if self.again[name] != value)

    def as_json(self, tables: Tables) -> dict[str, Any]:
        """Return all of it for programs, with sentences for people."""
        event, request = self.event, self.parts[0].request
        return {
            "type": event.type,
            "same": not self.differing,
            "differing": list(self.differing),
            "said": dict(self.said),
            "again": dict(self.again),
            "moment": {
                "finalBlock": event.final_block,
                "headBlock": event.head_block,
                "queuePosition": event.queue_position,
                "now": request.now,
            },
            "tables": {"digest": request.tables, "inForce": self.same_tables},
            "parts": [
                {
                    "segment": part.name,
                    "answer": part.explanation.decision.answer.value,
                    "reasons": [reason.value for reason in part.explanation.decision.reasons],
                    "sentence": wording.sentence(part.request, part.explanation.decision, tables),
                    "explanation": wording.explanation_to_json(part.explanation),
                }
                for part in self.parts
            ],
        }


class Replayer:
    """``digest``: what decisions of today name as their tables."""

    def __init__(self, *, kept: Kept, ledger: PastLedger, tables: Tables, digest: str) -> None:
        self._kept = kept
        self._ledger = ledger
        self._tables = tables
        self._digest = digest

    def replay(self, event: AuditEvent) -> Replay:
        """Decide again. Raises NotADecision, EvidenceGone, and Unavailable errors."""
        subject, moment = event.subject, _moment(event)
        if event.type not in DECIDED or subject is None or moment is None:
            raise NotADecision
        if event.purpose is None or event.action is None:
            raise NotADecision
        if not event.basis:
            raise EvidenceGone("The entry does not keep what it was decided from.")
        basis = Basis.decode(event.basis)
        manifest = None
        if event.type == codes.RECORD_READ:
            manifest = self._kept.manifest(event.records[0], int(event.detail["version"]))
        first = basis.segment if manifest is None else asked_of(manifest, manifest.segments[0])
        if first is None:
            raise EvidenceGone("The entry does not keep what was asked about.")
        tables = event.detail.get("tables")
        request = past_input(
            PastQuestion(
                subject,
                self._tables.purposes.mask([event.purpose]),
                self._tables.actions.mask([event.action.value]),
                first,
            ),
            moment,
            basis,
            documents=self._kept.documents(subject),
            ledger=self._ledger,
            tables=tables.hex() if isinstance(tables, bytes) else "",
        )
        if Reason.EVIDENCE_INCOMPLETE.value not in event.reasons:
            require_covered(request)
        if manifest is None:
            again, parts = self._question(event, request, first)
        else:
            again, parts = self._read(event, request, basis, manifest)
        same = request.tables == self._digest
        return Replay(event, self._said(event), self._said(again), parts, same)

    def _question(
        self, event: AuditEvent, request: DecisionInput, segment: Segment
    ) -> tuple[AuditEvent, tuple[Part, ...]]:
        explanation = explain(replace(request, segment=segment))
        decision = explanation.decision
        again = replace(
            event,
            outcome=trail.outcome_of(decision.answer),
            consents=decision.consent_ids,
            reasons=tuple(reason.value for reason in decision.reasons),
            obligations=decision.obligations,
        )
        return again, (Part("", request, explanation),)

    def _read(
        self, event: AuditEvent, request: DecisionInput, basis: Basis, manifest: Manifest
    ) -> tuple[AuditEvent, tuple[Part, ...]]:
        only = None if basis.only is None else frozenset(basis.only)

        def decide(segments: Sequence[Segment]) -> tuple[Decision, ...]:
            decisions = decide_many(request, segments)
            return decisions if only is None else tuple(resting_on(only, each) for each in decisions)

        asked = frozenset(basis.asked) or {part.name for part in manifest.segments}
        (record,) = judge([manifest], lambda part: part.name in asked, decide)
        question = Question(
            request.subject, request.requester, request.purpose, request.action, request.fulfils, only
        )
        reader = trail.Reader(
            event.actor,
            event.organisation,
            question,
            event.purpose or "",
            event.action or Action.ACCESS,
            event.groups,
        )
        again = trail.permitted(reader, record) if record.permitted else trail.refused(reader, record)
        parts = []
        for part in manifest.segments:
            if part.name in asked:
                about = replace(request, segment=asked_of(manifest, part))
                parts.append(Part(part.name, about, explain(about)))
        return again, tuple(parts)

    def _said(self, event: AuditEvent) -> dict[str, Any]:
        """Return what an entry says of its decision, and nothing about when and by whom."""
        return {
            "outcome": event.outcome.value,
            "reasons": sorted(event.reasons),
            "consents": sorted(map(to_hex, event.consents)),
            "obligations": list(self._tables.obligations.codes(event.obligations)),
            "segments": sorted(segment.decode("ascii", "backslashreplace") for segment in event.segments),
            "withheld": event.detail.get("withheld", 0),
            "teams": sorted(to_hex(group.id) for group in event.groups if group.membership),
        }


def _moment(event: AuditEvent) -> Moment | None:
    if event.outcome is Outcome.UNAVAILABLE:
        return None
    if event.final_block is None or event.head_block is None or event.queue_position is None:
        return None
    return Moment(event.final_block, event.head_block, event.queue_position)
