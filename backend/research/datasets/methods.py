"""The paragraph for a paper's methods section: what was done to the data, in sentences to be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend.research.study_terms import Dataset, DiversityRule, TableMode

_MODES = {
    TableMode.STRICT: "No two classes overlap, so that none can be narrowed down by another.",
    TableMode.MAX_UTILITY: "Classes may lie inside one another; the recipient is bound by contract.",
    TableMode.FULL_DOMAIN: "Each column was generalised to one level for all rows, those of least loss.",
}
_DIVERSITY = {
    DiversityRule.DISTINCT: "at least {l} different values of each sensitive column",
    DiversityRule.ENTROPY: "an entropy of each sensitive column of at least log({l})",
    DiversityRule.RECURSIVE: "recursive ({c}, {l})-diversity of each sensitive column",
}


@dataclass(frozen=True, slots=True)
class Released:
    """What names a release: ids as hex."""

    study: str
    release: str
    custodian: str
    at: int  # unix seconds
    included: tuple[int, int]


def methods_paragraph(
    released: Released, report: Mapping[str, Any], dataset: Dataset, quasi_identifiers: Sequence[str]
) -> str:
    """Say what was done, with the figures of this release (``result.report_json``)."""
    rows = report["rows_released"] + report["rows_suppressed"]
    day = datetime.fromtimestamp(released.at, UTC).date().isoformat()
    low, high = released.included
    said = [
        f"Data were released on {day} by custodian {released.custodian} as release {released.release}",
        f"of study {released.study}, one row a patient, from patients whose consent to this study was in",
        f"force at that moment (with 95 % confidence between {low} and {high - 1} took part in it).",
        f"The quasi-identifiers ({', '.join(quasi_identifiers)}) were generalised by published",
        f"hierarchies so that each combination is shared by at least {report['k_asked']} patients",
        f"(k-anonymity, Sweeney 2002; reached: {report['k_reached']}, in {report['classes']} classes).",
    ]
    if dataset.diversity is not DiversityRule.NONE:
        rule = _DIVERSITY[dataset.diversity].format(l=dataset.l, c=dataset.c)
        said.append(f"Each class has {rule} (l-diversity, Machanavajjhala et al. 2007).")
    if dataset.t:
        said += [
            f"In each class the distribution of each sensitive column is within {dataset.t} of that of the",
            "whole table, with equal ground distance (t-closeness, Li et al. 2007).",
        ]
    said += [
        _MODES[dataset.mode],
        f"{report['rows_suppressed']} of {rows} rows were left out; the mean normalised loss of the",
        f"quasi-identifiers is {float(report['loss']):.4f}.",
        "No value was altered otherwise, and the order of rows is random. The release was verified from",
        "its published values by a program that shares no code with the one that made it. Pseudonyms hold",
        "for this study and recipient only.",
    ]
    return " ".join(said) + "\n"
