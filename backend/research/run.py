"""One run of an approved study: who takes part now, what is extracted, what is answered and released."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from backend.research.anonymize.errors import CohortTooSmall, ModelUnsatisfiable, TableUseless
from backend.research.anonymize.refusals import ReleaseOverlap
from backend.research.answers import Answers
from backend.research.budget import PrivacyBudget
from backend.research.canonical import digest_of
from backend.research.cohort import distinct, eligible, leaving, opened_ahead, respecting_minimum, snapshot
from backend.research.deidentify.copying import Export
from backend.research.dp import epsilon_of
from backend.research.duo import parse_use
from backend.research.errors import BudgetLedgerDamaged, ThresholdListsOverlap, ThresholdOverlap
from backend.research.exports.making import MadeExport, make
from backend.research.extraction import extract
from backend.research.figures.columns import Columns
from backend.research.paid_draws import PaidDraws
from backend.research.permits import require_permitted
from backend.research.plan import plan
from backend.research.ports import (
    AnswerStore,
    PermitReader,
    ReleasedResults,
    StudyKeys,
    ThresholdStore,
    UseStore,
)
from backend.research.pseudonyms import pseudonym, row_order, row_pseudonym
from backend.research.released import ReleasedTable
from backend.research.releases.ledger import ReleaseLedger
from backend.research.result import NamedAnswer, RunResult, ranges
from backend.research.standing_lists import StandingLists
from backend.research.study import Study, records_of, table_of, thresholds
from backend.research.thresholds import answer_thresholds
from backend.research.types import (
    NO_EPSILON_CAP,
    Candidate,
    Charge,
    NanoRho,
    Pseudonym,
    ThresholdAnswer,
)
from backend.research.variables import Value
from backend.types import SubjectId, UnixSeconds


class StudyRunner:
    """Runs studies. Holds nothing between runs; during one, the study's variables of those who take part."""

    def __init__(
        self,
        *,
        permits: PermitReader,
        keys: StudyKeys,
        budget: PrivacyBudget,
        draws: PaidDraws,
        answers: AnswerStore,
        thresholds: ThresholdStore,
        lists: StandingLists,
        uses: UseStore,
        results: ReleasedResults,
        releases: ReleaseLedger,
        versions_before: Callable[[Study], Sequence[Study]],
        clock: Callable[[], int],
    ) -> None:
        self._permits = permits
        self._keys = keys
        self._budget = budget
        self._stored = answers
        self._answers = Answers(draws=draws, store=answers)
        self._thresholds = thresholds
        self._lists = lists
        self._uses = uses
        self._results = results
        self._releases = releases
        self._versions_before = versions_before
        self._clock = clock

    def run(self, study: Study, candidates: Iterable[Candidate]) -> RunResult:
        """Answer the study's questions over the candidates whose terms fit it, and release its table, or the
        records of those who let them leave.

        It is a use of the records it opens, and of those that its stored answers were drawn from, where no
        result over the same consents was committed to before: each use is paid once.

        Raises StudyNotPermitted, BudgetExceeded (nothing charged, nothing opened), LedgerUnavailable and
        whatever a candidate's ``resources`` raises. A table that cannot be released is no error of the run,
        nor are records: the result names the reason's code. Calling again over unchanged consents costs
        nothing, also after a crash.
        """
        permit = require_permitted(study, self._permits.permit(study.study_id), self._clock())
        made = plan(study.proposal, delta_exponent=self._budget.policy.delta_exponent)
        cohort = _Cohort(study, list(candidates), self._keys.study_key(study.study_id))
        joined: dict[SubjectId, NanoRho] = {}

        def join() -> None:
            if not joined:  # a mark never moves: once is enough for a run
                joined.update(self._budget.join([candidate.subject for candidate in cohort.eligible]))

        def within(charge: Charge) -> Iterator[Candidate]:
            for candidate in cohort.eligible:
                if self._budget.within_cap(charge, joined[candidate.subject], candidate.terms.epsilon_cap):
                    yield candidate

        answers = self._answers.answer(
            study,
            made,
            cohort.snapshot,
            versions_before=[version.study_id for version in self._versions_before(study)],
            before_charge=join,
            open_rows=lambda charge: cohort.columns(within(charge)),
        )
        exact, exact_refusal = self._exact(study, cohort)
        table, refusal = cohort.table()
        export, export_refusal = cohort.export(datetime.fromtimestamp(self._clock(), UTC).date())
        # A permit that ended meanwhile stops the release; what was charged stays charged.
        require_permitted(study, self._permits.permit(study.study_id), self._clock())
        if table is not None:
            try:
                self._releases.admit(study.study_id, table.report.k_asked, table.class_of)
            except ReleaseOverlap as refused:
                table, refusal = None, refused.code
        run_id = digest_of(["assent-run-1", study.study_id.hex(), cohort.snapshot.hex(), permit.block])
        used = {*cohort.rows, *(() if export is None else export.subjects)}
        if not self._results.pays_for(study.study_id, cohort.snapshot):
            join()
            for charge in self._charges(study, cohort):
                used.update(candidate.subject for candidate in cohort.group(within(charge)))
        self._uses.record(study.study_id, run_id, sorted(used), at=UnixSeconds(self._clock()))
        included, excluded = ranges(answers[0])
        exponent = self._budget.policy.delta_exponent
        return RunResult(
            study=study.study_id,
            run_id=run_id,
            block=permit.block,
            included=included,
            excluded=excluded,
            answers=tuple(
                NamedAnswer(
                    question.name,
                    question.figure.kind,
                    question.figure.method,
                    question.figure.bound_squared,
                    answer,
                )
                for question, answer in zip(made.questions, answers, strict=True)
            ),
            thresholds=exact,
            threshold_refusal=exact_refusal,
            table=table,
            table_refusal=refusal,
            epsilon=f"{epsilon_of(made.rho, exponent):.6f}",
            delta_exponent=exponent,
            participants=tuple(sorted(cohort.pseudonym(subject) for subject in used)),
            snapshot=cohort.snapshot,
            row_pseudonyms=cohort.row_pseudonyms(table) if table is not None else (),
            export=export,
            export_refusal=export_refusal,
        )

    def _charges(self, study: Study, cohort: _Cohort) -> Iterator[Charge]:
        """Of the answers over these consents: whose records they were drawn from follows from them alone,
        also where an attempt that was never released drew them."""
        for charge_id in self._stored.charges(study.study_id, cohort.snapshot):
            charge = self._budget.charge(charge_id)
            if charge is None:
                raise BudgetLedgerDamaged
            yield charge

    def _exact(self, study: Study, cohort: _Cohort) -> tuple[tuple[ThresholdAnswer, ...], str]:
        """The exact figures of the permit's list, or none and the code of the reason.

        They are given once a study: the same figures over other patients would tell about those who came or
        left between.
        """
        asked = thresholds(study.proposal)
        if not asked:
            return (), ""
        given = self._thresholds.find(study.study_id)
        try:
            if given is None:
                self._lists.require_untold(study)
                answers = answer_thresholds(asked, cohort.uncapped(), study.proposal.by_name)
                given = self._thresholds.keep(study.study_id, cohort.snapshot, answers)
            if given[0] != cohort.snapshot:
                raise ThresholdOverlap
        except (ThresholdOverlap, ThresholdListsOverlap) as refused:
            return (), refused.code
        return given[1], ""


class _Cohort:
    """The candidates of one run. A row is extracted once, when first needed, and only for who takes part."""

    def __init__(self, study: Study, candidates: list[Candidate], key: bytes) -> None:
        self._study = study
        self._key = key
        self._variables = study.proposal.by_name
        self._all = distinct(candidates)
        self.snapshot = snapshot(self._all)
        self.eligible = eligible(self._all, frozenset(self._variables), parse_use(study.proposal.duo))
        self.rows: dict[SubjectId, dict[str, Value]] = {}

    def pseudonym(self, subject: SubjectId) -> Pseudonym:
        return pseudonym(self._key, self._study.study_id, subject)

    def row_pseudonyms(self, table: ReleasedTable) -> tuple[Pseudonym, ...]:
        researcher = self._study.proposal.researcher
        return tuple(
            row_pseudonym(self._key, self._study.study_id, researcher, subject) for subject in table.subjects
        )

    def group(self, within: Iterable[Candidate]) -> list[Candidate]:
        """Those of ``within`` whose minimum cohort is reached."""
        return respecting_minimum(within, self._study.proposal.minimum_cohort)

    def columns(self, within: Iterable[Candidate]) -> Columns:
        """The rows of those of ``within`` whose minimum cohort is reached."""
        group = self.group(within)
        self._extract(group)
        return Columns(
            self._variables,
            [self.pseudonym(candidate.subject) for candidate in group],
            [self._row(candidate) for candidate in group],
            candidates=len(self._all),
        )

    def uncapped(self) -> Columns:
        """The rows of those who set no cap of epsilon, which exact figures could not keep."""
        return self.columns(
            candidate for candidate in self.eligible if candidate.terms.epsilon_cap == NO_EPSILON_CAP
        )

    def table(self) -> tuple[ReleasedTable | None, str]:
        """The study's table, or None and the code of the reason ('' when no table was asked for)."""
        proposal = self._study.proposal
        table = table_of(proposal)
        if table is None:
            return None, ""
        # Only a run that makes a table needs the engine, whose compiler takes 60 MB and half a second.
        from backend.research.release import release  # noqa: PLC0415

        in_rows = [candidate for candidate in self.eligible if not candidate.aggregate_only]
        group = respecting_minimum(in_rows, max(proposal.minimum_cohort, table.k))
        self._extract(group)
        study = self._study.study_id
        rows = [
            (
                row_order(self._key, study, candidate.subject, self.snapshot),
                candidate.subject,
                self._row(candidate),
            )
            for candidate in group
        ]
        try:
            return release(proposal, table, rows), ""
        except (CohortTooSmall, ModelUnsatisfiable, TableUseless) as refused:
            return None, refused.code

    def export(self, on: date) -> tuple[MadeExport | None, str]:
        """The records that the study asks for, or None and the reason's code ('' when it asks for none)."""
        study = self._study
        if records_of(study.proposal) is None:
            return None, ""
        group = leaving(self.eligible, parse_use(study.proposal.duo))
        for_whom = Export(study.study_id, study.proposal.researcher, self._key, on)
        try:
            made = make(
                group,
                for_whom,
                minimum=study.proposal.minimum_cohort,
                order=lambda subject: row_order(self._key, study.study_id, subject, self.snapshot),
            )
        except CohortTooSmall as refused:
            return None, refused.code
        return made, ""

    def _extract(self, group: Sequence[Candidate]) -> None:
        for candidate in opened_ahead([member for member in group if member.subject not in self.rows]):
            self._row(candidate)

    def _row(self, candidate: Candidate) -> dict[str, Value]:
        row = self.rows.get(candidate.subject)
        if row is None:
            row = extract(self._study.proposal.variables, candidate.allowed, candidate.resources())
            self.rows[candidate.subject] = row
        return row
