"""Whose own records may leave for a study: patients whose consent lets research take them out of the system.

A consent to computing is none to this. It must permit the action 'export', for the study's purpose, and a
condition of it that only figures may leave ('aggregate_only', 'no_export') is not met here, so that the
decision denies. Each record that is opened is in the patient's audit log, as an export, before it leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.audit.entry import Action, Agent
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import Answer, Requester, Segment
from backend.consent.tables import Tables
from backend.records.fhir_json import Number
from backend.records.judging import Part
from backend.records.obligations import DE_IDENTIFY, NOTIFY, REDACT_LABELS
from backend.records.reading import ReadingService, ReleasedSegment
from backend.records.trail import Reader
from backend.research.extraction import is_within, within
from backend.research.outputs import Records
from backend.research.types import Candidate, Individual, RecordEntries, ResearchTerms
from backend.types import ConsentId, RecordId, SubjectId

_FULFILLED = REDACT_LABELS | NOTIFY | DE_IDENTIFY


@dataclass(frozen=True, slots=True, kw_only=True)
class IndividualSource:
    """Adds to candidates what of their records may leave as such. ``terms``: those of given consents."""

    records: Records
    requester: Requester
    purpose: str
    agent: Agent
    decisions: DecisionService
    reading: ReadingService
    tables: Tables
    terms: Callable[[SubjectId, Sequence[ConsentId]], ResearchTerms]

    def added(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates. Raises LedgerUnavailable and IndexUnavailable, as they do themselves."""
        opening = _Opening(self)
        for candidate in candidates:
            yield replace(candidate, individual=self._individual(candidate.subject, opening))

    def _individual(self, subject: SubjectId, opening: _Opening) -> Individual | None:
        names = self.records.categories
        probes = [Segment(categories=self.tables.categories.mask([name]), sensitivities=0) for name in names]
        decisions = self.decisions.decide(self.question(subject), probes)
        permitting = {
            name: decision
            for name, decision in zip(names, decisions, strict=True)
            if decision.answer is Answer.PERMIT
        }
        if not permitting:
            return None
        consents = sorted({consent for decision in permitting.values() for consent in decision.consent_ids})
        return Individual(
            categories=frozenset(permitting),
            consents=tuple(consents),
            terms=self.terms(subject, consents),
            records=lambda: opening.records(subject),
            ahead=opening.ahead,
        )

    def question(self, subject: SubjectId) -> Question:
        return Question(
            subject=subject,
            requester=self.requester,
            purpose=self.tables.purposes.mask([self.purpose]),
            action=self.tables.actions.mask([Action.EXPORT.value]),
            fulfils=_FULFILLED,
        )

    def reader(self, subject: SubjectId) -> Reader:
        return Reader(
            agent=self.agent,
            organisation=self.requester.actor,
            question=self.question(subject),
            purpose=self.purpose,
            action=Action.EXPORT,
        )


class _Opening:
    """Opens the segments of the study's categories, of several patients together, each decided about."""

    def __init__(self, source: IndividualSource) -> None:
        self._source = source
        self._mask = source.tables.categories.mask(source.records.categories)
        self._ahead: dict[SubjectId, Sequence[ReleasedSegment]] = {}

    def ahead(self, subjects: Sequence[SubjectId]) -> None:
        def wanted(_: SubjectId) -> Part:
            return lambda part: is_within(part.categories, self._mask)

        readers = [self._source.reader(subject) for subject in subjects]
        self._ahead |= zip(subjects, self._source.reading.collect(readers, wanted), strict=True)

    def records(self, subject: SubjectId) -> Sequence[RecordEntries]:
        if subject not in self._ahead:
            self.ahead([subject])
        entries: dict[RecordId, list[tuple[str | None, dict[str, Any]]]] = {}
        for part in self._ahead.pop(subject):
            if part.record_id is None:
                raise TypeError("what was opened is a part of a record")
            for entry in self._entries(b"".join(part.pieces)):
                entries.setdefault(part.record_id, []).append(entry)
        return [RecordEntries(record_id, found) for record_id, found in entries.items()]

    def _entries(self, payload: bytes) -> Iterator[tuple[str | None, dict[str, Any]]]:
        for entry in json.loads(payload, parse_float=Number, parse_int=Number)["entry"]:
            yield entry.get("fullUrl"), dict(within(entry["resource"], self._mask))
