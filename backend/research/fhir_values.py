"""Reading single values out of FHIR R4 JSON that may be incomplete, partial or odd, without ever guessing.

Whatever does not have the expected shape is treated as not there; nothing here raises on odd input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
_BIRTH_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of a list, or the one object, or nothing."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, Mapping):
            yield item


def text(value: Any) -> str:
    """A string as it is, anything else as ''."""
    return value if isinstance(value, str) else ""


def has_code(concept: Any, system: str, code: str) -> bool:
    """Whether a CodeableConcept has exactly this coding."""
    return any(
        coding.get("system") == system and coding.get("code") == code
        for found in objects(concept)
        for coding in objects(found.get("coding"))
    )


def codes(concept: Any) -> set[str]:
    """All codes of a CodeableConcept, whatever their system (for HL7's own small status lists)."""
    return {
        coding["code"]
        for found in objects(concept)
        for coding in objects(found.get("coding"))
        if isinstance(coding.get("code"), str)
    }


def moment(value: Any) -> datetime | None:
    """A FHIR dateTime, date or instant as a time in UTC; a partial date counts as its first moment.

    Times without an offset (only dates have none in FHIR) count as UTC.
    """
    if not isinstance(value, str):
        return None
    text = value + {4: "-01-01", 7: "-01"}.get(len(value), "")
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def latest_moment(resource: Mapping[str, Any]) -> datetime | None:
    """When an Observation was true: its effective time, or when it was issued."""
    period = resource.get("effectivePeriod")
    ends = (period.get("end"), period.get("start")) if isinstance(period, Mapping) else ()
    for value in (
        resource.get("effectiveDateTime"),
        resource.get("effectiveInstant"),
        *ends,
        resource.get("issued"),
    ):
        found = moment(value)
        if found is not None:
            return found
    return None


def quantity(value: Any, unit: str) -> Decimal | None:
    """The number of a Quantity in exactly the UCUM ``unit``; None for another unit or a comparator ('<5').

    Units are not converted: a number in another unit is not the declared variable.
    """
    if not isinstance(value, Mapping) or value.get("comparator"):
        return None
    number = value.get("value")
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return None
    if value.get("system") != UCUM or value.get("code") != unit:
        return None
    found = Decimal(str(number))
    return found if found.is_finite() else None


def birth_year(value: Any) -> int | None:
    """The year of a FHIR date of any precision."""
    found = moment(value)
    return found.year if found is not None and _BIRTH_DATE.fullmatch(value) else None


def age_in_years(value: Any, at: date) -> int | None:
    """Completed years from a FHIR birth date to ``at``; None when a partial date leaves two answers open."""
    year = birth_year(value)
    if year is None:
        return None
    parts = [int(part) for part in value.split("-")]
    earliest = [*parts, 1, 1][:3]
    latest = [*parts, 12, 31] if len(parts) == 1 else [*parts, 31][:3]
    youngest, oldest = (
        at.year - year - ((at.month, at.day) < (born[1], born[2])) for born in (latest, earliest)
    )
    return oldest if youngest == oldest and oldest >= 0 else None
