"""Who may take part in a run: patients whose consent to this research is live at this moment.

Each patient and each variable is decided by the same decision as a read, for the study's purpose and the
action 'compute'. The records that are opened are those parts a decision permits, and each opening is in the
patient's audit log before a value leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from backend.audit.entry import Action, Agent
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import Answer, Decision, Requester, Segment
from backend.consent.evidence import EvidenceBook
from backend.consent.evidence_store import ConsentIndex
from backend.consent.tables import Tables
from backend.consent.terms import Grant
from backend.records.obligations import IN_FIGURES_ONLY, OF_A_STUDY
from backend.records.reading import ReadingService
from backend.records.trail import Reader
from backend.research.study import Study
from backend.research.types import Candidate, ResearchTerms, Resource
from backend.types import ConsentId, MemberId, SubjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSource:
    """Looks at every patient who ever signed a consent here."""

    index: ConsentIndex
    evidence: EvidenceBook
    decisions: DecisionService
    reading: ReadingService
    tables: Tables

    def of(self, study: Study, *, agent: Agent, researcher: MemberId) -> Iterator[Candidate]:
        """Yield the patients of whose data at least one variable may be used.

        Raises LedgerUnavailable and IndexUnavailable: a cohort is never made of those that could be asked.
        """
        variables = study.proposal.variables
        segments = [Segment(categories=1 << variable.category_bit, sensitivities=0) for variable in variables]
        for subject in self.index.subjects():
            question = self._question(subject, study, researcher)
            decisions = self.decisions.decide(question, segments)
            allowed = frozenset(
                variable.name
                for variable, decision in zip(variables, decisions, strict=True)
                if decision.answer is Answer.PERMIT
            )
            if allowed:
                consents = _consents(decisions)
                yield Candidate(
                    subject=subject,
                    consents=consents,
                    allowed=allowed,
                    terms=self._terms(subject, consents),
                    resources=self._opener(question, study, agent, researcher),
                    aggregate_only=any(
                        decision.answer is Answer.PERMIT and decision.obligations & IN_FIGURES_ONLY
                        for decision in decisions
                    ),
                )

    def _question(self, subject: SubjectId, study: Study, researcher: MemberId) -> Question:
        return Question(
            subject=subject,
            # A patient may consent to the researcher or to this study alone.
            requester=Requester(actor=researcher, organisations=(MemberId(study.study_id),)),
            purpose=self.tables.purposes.mask([study.proposal.purpose]),
            action=self.tables.actions.mask([Action.COMPUTE.value]),
            # Counts and histograms are figures, and a row of the table is de-identified; who asks for figures
            # only, or for nothing to leave, gets no row.
            fulfils=OF_A_STUDY,
        )

    def _terms(self, subject: SubjectId, consents: Sequence[ConsentId]) -> ResearchTerms:
        """The terms of all consents that were needed: each list of DUO terms, and the strictest numbers."""
        documents = self.evidence.documents(subject)
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

    def _opener(
        self, question: Question, study: Study, agent: Agent, researcher: MemberId
    ) -> Callable[[], Iterable[Resource]]:
        def resources() -> Iterable[Resource]:
            reader = Reader(
                agent=agent,
                organisation=researcher,
                question=question,
                purpose=study.proposal.purpose,
                action=Action.COMPUTE,
            )
            for payload in self.reading.collect(reader):
                for entry in json.loads(payload)["entry"]:
                    yield entry["resource"]

        return resources


def _consents(decisions: Sequence[Decision]) -> tuple[ConsentId, ...]:
    permitting = (decision for decision in decisions if decision.answer is Answer.PERMIT)
    return tuple(sorted({name for decision in permitting for name in decision.consent_ids}))
