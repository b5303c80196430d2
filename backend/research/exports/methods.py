"""The paragraph for a paper's methods section, and what a release says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend.research.exports.making import MINIMUM_PATIENTS


@dataclass(frozen=True, slots=True)
class ReleasedExport:
    """What names a release: ids as hex. ``made`` is ``MadeExport.as_json``."""

    study: str
    release: str
    custodian: str
    at: int  # unix seconds
    block: int
    categories: Sequence[str]
    minimum: int
    made: Mapping[str, Any]


def methods_paragraph(released: ReleasedExport) -> str:
    """Say what was done, with the figures of this release."""
    day = datetime.fromtimestamp(released.at, UTC).date().isoformat()
    made = released.made
    files, removed = made["files"], made["removed"]
    resources = sum(file["count"] for file in files)
    listed = ", ".join(f"{file['count']} {file['type']}" for file in files)
    counted = ", ".join(f"{name.replace('_', ' ')}: {number}" for name, number in removed.items())
    said = [
        f"Records were released on {day} by custodian {released.custodian} as release {released.release} of",
        f"study {released.study}: {resources} HL7 FHIR R4 resources ({listed}) of {made['patients']}",
        f"patients whose consent to taking them out for research was in force at block {released.block},",
        f"of the categories {', '.join(released.categories)}. Groups of fewer than",
        f"{max(released.minimum, MINIMUM_PATIENTS)} patients are not released. The records were",
        "de-identified after the list of Safe Harbor (45 CFR 164.514(b)(2)), but for dates: all dates of a",
        "patient were moved back by the same 1 to 365 days, keyed per patient and study, after going to UTC.",
        "So intervals are true and dates are not; seasons and weekdays are not those of the events. Ages",
        "over 89 are 90.",
        "Of addresses, state and three digits of the ZIP code may stay. Only elements, resource types and",
        "code systems of a published list were copied; free text was not. What was taken away or changed:",
        f"{counted or 'nothing'}. Counts are of what the consents covered; what they did not was not opened.",
        "No other value was altered, and the order of patients and resources is random. Pseudonyms and ids",
        "hold for this study and recipient only. De-identified is not anonymous: whoever uses these records",
        "is bound not to look for the persons behind them.",
    ]
    return " ".join(said) + "\n"
