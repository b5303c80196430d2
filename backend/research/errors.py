"""Errors of the research package. No text tells a number, a value or who is in a cohort."""

from __future__ import annotations

from backend.errors import (
    Conflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    NotPermitted,
    Unavailable,
)


class StudyInvalid(InvalidInput):
    code = "study_invalid"
    remedy = "Correct the named field of the proposal and send it again."


class DuoTermInvalid(InvalidInput):
    code = "duo_term_invalid"
    remedy = (
        "Use a term of the GA4GH Data Use Ontology as 'DUO:0000007:MONDO_0005148'; see docs/anonymization.md."
    )


class ViewInvalid(InvalidInput):
    code = "view_invalid"
    remedy = "Correct the named element of the view definition; docs/catalogue.md says what is supported."


class ViewFailed(InvalidInput):
    """For whoever tries a view. Over a patient's records it is caught: the value counts as not recorded."""

    code = "view_failed"
    remedy = "The view does not fit this resource. Correct its paths, types or conditions."


class RunNotFound(NotFound):
    code = "study_run_not_found"


class RunResultTooLarge(Conflict):
    code = "study_run_result_too_large"
    remedy = "The run's table is too large to be handed out here. Ask for fewer columns, or for answers only."


class CatalogueDisabled(Conflict):
    code = "catalogue_disabled"
    remedy = "This custodian spends no privacy budget on counts of its catalogue (ASSENT_CATALOGUE_EPSILON)."


class ViewChanged(Conflict):
    code = "view_changed"
    remedy = "The study names a view that is no longer what it was. Propose it again with today's catalogue."


class StudyNotFound(NotFound):
    code = "study_not_found"


class StudyStateConflict(Conflict):
    code = "study_state"
    remedy = "The study's state does not allow this. Read the study and decide again."


class AmendsNothing(Conflict):
    """The study to be amended or renewed is not one's own, was never permitted, or is over."""

    code = "study_amends_nothing"
    remedy = "Amend or renew a study of your own before its permit ends; propose a new one afterwards."


class StudyNotPermitted(NotPermitted):
    code = "study_not_permitted"
    remedy = (
        "The ethics board's permit must be live on the chain, for exactly this proposal, within its period."
    )


class BudgetExceeded(Conflict):
    """Depends on the ledger alone, never on a cohort or on data."""

    code = "privacy_budget_exceeded"
    remedy = (
        "Nothing was charged. The budget of the custodian, the study or the researcher does not suffice: ask "
        "for less epsilon, or wait for the next budget period."
    )


class ChargeConflict(Conflict):
    code = "privacy_charge_conflict"
    remedy = "This charge was made before with another amount or for another study."


class LedgerBusy(Unavailable):
    code = "privacy_ledger_busy"
    remedy = "Too many charges at once. Nothing was charged; try again shortly."


class BudgetLedgerDamaged(IntegrityError):
    code = "privacy_ledger_damaged"
    remedy = "The ledger of spent privacy budget does not verify. No answer is given; tell the operator."


class PrivacyLedgerRolledBack(IntegrityError):
    """The audit log has a head of the privacy ledger that the ledger itself no longer has."""

    code = "privacy_ledger_rolled_back"
    remedy = (
        "The ledger of spent privacy budget is older than the audit log says, or another one. Put the newest "
        "copy of the index back ('assent restore'); a budget that was spent is never given again."
    )


class PrivacyMarksDamaged(IntegrityError):
    code = "privacy_marks_damaged"
    remedy = (
        "A row that tells from when on patients' own privacy budgets count is not what was written. Stop the "
        "service, have 'assent fsck' name the row, and put the newest copy of the index back "
        "('assent restore')."
    )


class PrivacyMarksRolledBack(IntegrityError):
    """A row is missing that the audit log or the row after it knows."""

    code = "privacy_marks_rolled_back"
    remedy = (
        "Rows that tell from when on patients' own privacy budgets count are missing. Stop the service and "
        "put the newest copy of the index back ('assent restore')."
    )


class RunResultRemoved(NotFound):
    code = "run_result_removed"
    remedy = (
        "The time for which results are kept is over: docs/erasure.md. The hash on the chain and the entries "
        "of the audit log stay; use the copy that you fetched."
    )


class TableRemoved(Conflict):
    """Stands in the place of a table with a row of somebody who was erased since."""

    code = "table_removed"
    remedy = "The table of this run is not there any more. Run the study again for one of those who consent."


class ThresholdOverlap(Conflict):
    """Depends on who is in which cell, and does not tell in which."""

    code = "threshold_overlap"
    remedy = (
        "The exact figures of this permit together could single out a small group, or were given before over "
        "other patients. None of them is given; the protected figures are."
    )


class ThresholdListsOverlap(Conflict):
    """Depends on what studies ask for, never on data."""

    code = "threshold_lists_overlap"
    remedy = (
        "The exact figures of this study, held against those of other permits, would tell the number of a "
        "group that neither tells alone. Ask for the same groups as they do, or for protected figures."
    )


class ContributionUnbounded(IntegrityError):
    code = "contribution_unbounded"
    remedy = "One patient appears more than once in an aggregate. Nothing was released."


class NoiseUncalibrated(IntegrityError):
    code = "noise_uncalibrated"
    remedy = "The noise would cost more than was charged. Nothing was released; tell the operator."


class StudyDamaged(IntegrityError):
    code = "study_damaged"
    remedy = "A stored study is not what was stored. It cannot run; tell the operator."
