"""Who may take part in a run: patients whose consent to this research is live at this moment.

Each patient and each variable is decided by the same decision as a read, for the study's purpose and the
action 'compute'. The records that are opened are those parts a decision permits, and each opening is in the
patient's audit log before a value leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from backend.audit.entry import Action, Agent
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import Answer, Decision, Requester, Segment
from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex
from backend.consent.tables import Tables
from backend.consent.terms import Grant
from backend.records.judging import Part
from backend.records.obligations import IN_FIGURES_ONLY, OF_A_STUDY
from backend.records.reading import ReadingService
from backend.records.trail import Reader
from backend.research.cohort import CHUNK
from backend.research.extraction import PatientRecords, readable
from backend.research.individual import IndividualSource
from backend.research.study import Study, records_of
from backend.research.types import Candidate, Opened, ResearchTerms
from backend.research.variables import Value, Variable
from backend.research.views.types import View
from backend.types import ConsentId, MemberId, SubjectId

DECIDERS: Final = 4  # threads


@dataclass(frozen=True, slots=True)
class Use:
    """What patients are asked whether they permit: variables, for whom, for which purpose and action."""

    variables: tuple[Variable, ...]
    requester: Requester
    purpose: str
    action: Action
    agent: Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSource:
    """Looks at every patient who ever signed a consent here."""

    index: ConsentIndex
    evidence: EvidenceBook
    decisions: DecisionService
    reading: ReadingService
    tables: Tables
    views: Mapping[str, View] = field(default_factory=dict)

    def of(self, study: Study, *, agent: Agent, researcher: MemberId) -> Iterator[Candidate]:
        """Yield the patients of whose data at least one variable of the study may be used, with what of their
        records may leave as such, where the study asks for it. Raises as ``permitting``."""
        use = Use(
            variables=study.proposal.variables,
            # A patient may consent to the researcher or to this study alone.
            requester=Requester(actor=researcher, organisations=(MemberId(study.study_id),)),
            purpose=study.proposal.purpose,
            action=Action.COMPUTE,
            agent=agent,
        )
        records = records_of(study.proposal)
        if records is None:
            return self.permitting(use)
        source = IndividualSource(
            records=records,
            requester=use.requester,
            purpose=use.purpose,
            agent=agent,
            decisions=self.decisions,
            reading=self.reading,
            tables=self.tables,
            terms=self._terms,
        )
        return source.added(self.permitting(use))

    def permitting(self, use: Use) -> Iterator[Candidate]:
        """Yield the patients of whose data at least one variable may be used.

        Raises LedgerUnavailable and IndexUnavailable: a cohort is never made of those that could be asked.
        """
        masks = tuple(dict.fromkeys(variable.categories for variable in use.variables))
        segments = [Segment(categories=mask, sensitivities=0) for mask in masks]
        opening = _Opening(self.reading, use, self.views, lambda subject: self._question(subject, use))
        ahead = opening.ahead
        # One object each for what most patients have alike: of many patients only what differs is kept.
        alike: dict[ResearchTerms, ResearchTerms] = {}
        names: dict[frozenset[int], frozenset[str]] = {}
        for subject, decisions in self._decided(use, segments):
            permitted = frozenset(
                mask
                for mask, decision in zip(masks, decisions, strict=True)
                if decision.answer is Answer.PERMIT
            )
            if permitted:
                consents = _consents(decisions)
                terms = self._terms(subject, consents)
                if permitted not in names:
                    names[permitted] = frozenset(
                        variable.name for variable in use.variables if variable.categories in permitted
                    )
                yield Candidate(
                    subject=subject,
                    consents=consents,
                    allowed=names[permitted],
                    terms=alike.setdefault(terms, terms),
                    resources=_Records(opening, subject, names[permitted]),
                    aggregate_only=any(
                        decision.answer is Answer.PERMIT and decision.obligations & IN_FIGURES_ONLY
                        for decision in decisions
                    ),
                    ahead=ahead,
                )

    def _decided(
        self, use: Use, segments: Sequence[Segment]
    ) -> Iterator[tuple[SubjectId, tuple[Decision, ...]]]:
        """Everybody's decisions, some patients' at a time: most of it is waiting for chain and index."""

        def decide(subject: SubjectId) -> tuple[SubjectId, tuple[Decision, ...]]:
            return subject, self.decisions.decide(self._question(subject, use), segments)

        subjects = self.index.subjects()
        with ThreadPoolExecutor(DECIDERS) as pool:
            for start in range(0, len(subjects), CHUNK):
                yield from pool.map(decide, subjects[start : start + CHUNK])

    def _question(self, subject: SubjectId, use: Use) -> Question:
        return Question(
            subject=subject,
            requester=use.requester,
            purpose=self.tables.purposes.mask([use.purpose]),
            action=self.tables.actions.mask([use.action.value]),
            # Counts and histograms are figures, and a row of the table is de-identified; who asks for figures
            # only, or for nothing to leave, gets no row.
            fulfils=OF_A_STUDY,
        )

    def _terms(self, subject: SubjectId, consents: Sequence[ConsentId]) -> ResearchTerms:
        """The terms of all consents that were needed: each list of DUO terms, and the strictest numbers."""
        documents = self.evidence.remembered(subject)
        terms = [
            document.terms.research
            for document in (documents[name].document for name in consents)
            if isinstance(document, Grant)
        ]
        return ResearchTerms(
            duo=tuple(sorted({tuple(sorted(each.duo)) for each in terms})),
            minimum_cohort=max((each.minimum_cohort for each in terms), default=0),
            epsilon_cap=min((each.epsilon_cap for each in terms), default=0),
        )


class _Opening:
    """Opens the segments that some permitted variable reads, and no others, of several patients together.

    What was opened ahead is kept as bytes until its patient is asked for, once.
    """

    def __init__(
        self,
        reading: ReadingService,
        use: Use,
        views: Mapping[str, View],
        question: Callable[[SubjectId], Question],
    ) -> None:
        self._reading = reading
        self._use = use
        self._views = views
        self._question = question
        self._ahead: dict[SubjectId, Sequence[tuple[int, bytes]]] = {}
        self._alike: dict[Value, Value] = {}

    def records(self, subject: SubjectId, allowed: frozenset[str]) -> PatientRecords:
        if subject not in self._ahead:
            self._open({subject: allowed})
        return PatientRecords(_parsed(self._ahead.pop(subject)), self._views, self._alike)

    def ahead(self, candidates: Sequence[Candidate]) -> None:
        self._open({candidate.subject: candidate.allowed for candidate in candidates})

    def _open(self, allowed: Mapping[SubjectId, frozenset[str]]) -> None:
        def wanted(subject: SubjectId) -> Part:
            variables = [item for item in self._use.variables if item.name in allowed[subject]]
            return lambda part: any(readable(variable, part.categories) for variable in variables)

        readers = [self._reader(subject) for subject in allowed]
        for subject, parts in zip(allowed, self._reading.collect(readers, wanted), strict=True):
            self._ahead[subject] = [(part.segment.categories, b"".join(part.pieces)) for part in parts]

    def _reader(self, subject: SubjectId) -> Reader:
        use = self._use
        return Reader(
            agent=use.agent,
            organisation=use.requester.actor,
            question=self._question(subject),
            purpose=use.purpose,
            action=use.action,
        )


@dataclass(frozen=True, slots=True)
class _Records:
    """A candidate's ``resources``."""

    opening: _Opening
    subject: SubjectId
    allowed: frozenset[str]

    def __call__(self) -> PatientRecords:
        return self.opening.records(self.subject, self.allowed)


def _parsed(parts: Sequence[tuple[int, bytes]]) -> Iterator[Opened]:
    for categories, payload in parts:
        for entry in _json(payload)["entry"]:
            yield Opened(categories, entry["resource"])


def _json(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return json.loads(payload)  # what was stored was accepted by this reader, which is laxer


def _consents(decisions: Sequence[Decision]) -> tuple[ConsentId, ...]:
    permitting = (decision for decision in decisions if decision.answer is Answer.PERMIT)
    return tuple(sorted({name for decision in permitting for name in decision.consent_ids}))
