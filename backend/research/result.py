"""What a run gives: protected answers, perhaps a table, and a digest over all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backend.research.canonical import digest_of
from backend.research.exports.making import MadeExport
from backend.research.figures.counting import EXCLUDED, INCLUDED
from backend.research.released import ReleasedTable, ReleaseReport
from backend.research.thresholds import METHOD
from backend.research.types import Answer, Pseudonym, StudyId, ThresholdAnswer
from backend.types import BlockNumber

RANGE_STEP = 10


@dataclass(frozen=True, slots=True)
class ProtectedRange:
    """Half-open [low, high) in steps of 10, from a noisy count and its error bar; right 19 times in 20."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class NamedAnswer:
    """An answer under the name that the proposal gave it. ``method`` says how its error bars were made, and
    what they mean."""

    name: str
    kind: str
    method: str
    bound_squared: int  # squared L2 norm of what one patient's row can change
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        answer = self.answer
        return {
            "name": self.name,
            "kind": self.kind,
            "id": answer.answer_id.hex(),
            "levels": list(answer.levels),
            "values": list(answer.values),
            "error_95": answer.error_95,
            "sigma": answer.sigma,
            "rho": answer.rho,
            "estimates": [
                {"name": each.name, "value": each.value, "low": each.low, "high": each.high}
                for each in answer.estimates
            ],
            "method": self.method,
            "contribution": {"rows": 1, "norm_squared": self.bound_squared},
        }


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is said of a result when it is committed to. ``snapshot``: of the consents it was made under;
    ``participants``: of how many patients' data it is a use; ``published``: the exclusive upper end of the
    range that is published of it."""

    digest: bytes
    run_id: bytes
    snapshot: bytes
    participants: int
    published: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """``answers`` are named as in the proposal; ``table_refusal`` is an error code where there is no table.

    ``epsilon`` (a decimal string) is what the answers of this run cost in all, at 10^-``delta_exponent``.
    ``participants`` are the study pseudonyms of those whose data it is a use of, and who are paid for it
    (``StudyRunner.run``): for the custodian and the patients, never for the researcher, and outside the
    digest.
    """

    study: StudyId
    run_id: bytes
    block: BlockNumber
    included: ProtectedRange
    excluded: ProtectedRange
    answers: tuple[NamedAnswer, ...]
    thresholds: tuple[ThresholdAnswer, ...]
    threshold_refusal: str
    table: ReleasedTable | None
    table_refusal: str
    epsilon: str
    delta_exponent: int
    participants: tuple[Pseudonym, ...]
    snapshot: bytes  # of the consents it was made under (``cohort.snapshot``); outside the digest, too
    row_pseudonyms: tuple[Pseudonym, ...]  # of the table's rows, for a dataset; outside the digest, too
    export: MadeExport | None = None
    export_refusal: str = ""  # an error code where records were asked for and there are none

    def as_json(self) -> dict[str, Any]:
        """Canonical-JSON material of what the researcher gets."""
        return {
            "schema": 1,
            "study": self.study.hex(),
            "run": self.run_id.hex(),
            "block": self.block,
            "included": [self.included.low, self.included.high],
            "excluded": [self.excluded.low, self.excluded.high],
            "answers": [named.as_json() for named in self.answers],
            "thresholds": [
                {"name": each.name, "levels": list(each.levels), "values": list(each.values)}
                for each in self.thresholds
            ],
            "threshold_method": METHOD if self.thresholds else "",
            "threshold_refusal": self.threshold_refusal,
            "table": _table_json(self.table) if self.table is not None else None,
            "table_refusal": self.table_refusal,
            "epsilon": self.epsilon,
            "delta_exponent": self.delta_exponent,
            **self._export_json(),
        }

    def _export_json(self) -> dict[str, Any]:
        """Nothing where no records were asked for."""
        if self.export is None:
            return {"fhir": None, "fhir_refusal": self.export_refusal} if self.export_refusal else {}
        return {"fhir": self.export.as_json(), "fhir_refusal": ""}

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON: what is committed to."""
        return digest_of(self.as_json())


def ranges(answer: Answer) -> tuple[ProtectedRange, ProtectedRange]:
    """(included, excluded) out of the noisy participants answer: no further cost."""
    found = {
        level: ProtectedRange(
            max(0, value - answer.error_95) // RANGE_STEP * RANGE_STEP,
            (max(0, value + answer.error_95) // RANGE_STEP + 1) * RANGE_STEP,
        )
        for level, value in zip(answer.levels, answer.values, strict=True)
    }
    return found[INCLUDED], found[EXCLUDED]


def _table_json(table: ReleasedTable) -> dict[str, Any]:
    return {
        "columns": list(table.columns),
        "quasi_identifiers": list(table.quasi_identifiers),
        "rows": [list(row) for row in table.rows],
        "report": report_json(table.report),
    }


def report_json(report: ReleaseReport) -> dict[str, Any]:
    """Losses and averages as decimal strings with six digits."""
    return {
        "k_asked": report.k_asked,
        "k_reached": report.k_reached,
        "rows_released": report.rows_released,
        "rows_suppressed": report.rows_suppressed,
        "classes": report.classes,
        "class_sizes": list(report.class_sizes),
        "average_class": f"{report.average_class:.6f}",
        "loss": f"{report.loss:.6f}",
        "loss_by_column": {name: f"{loss:.6f}" for name, loss in report.loss_by_column.items()},
    }
