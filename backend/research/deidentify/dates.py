"""Dates moved by a whole number of days, the same for everything of one patient.

Order and distances stay; no date stays that happened. Times go to UTC first: the offset of local time changes
with the season, and so would tell how far the dates were moved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from backend.research.pseudonyms import date_shift
from backend.research.types import StudyId
from backend.types import SubjectId

POOLED_AGE = 90  # ages over 89 are one group: 45 CFR 164.514(b)(2)(i)(C)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


class DatePolicy(StrEnum):
    """Safe Harbor by the letter takes all of a date but its year; shifting rests on an expert's judgement."""

    SHIFTED = "shifted"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Calendar:
    """How the dates of one patient are written. ``days`` is how far back they go.

    ``earliest``: dates before it (as shifted) would tell an age over 89, and go.
    """

    days: int
    policy: DatePolicy
    earliest: date | None = None

    def moved(self, text: str) -> str | None:
        """The FHIR date, dateTime or instant, moved; None for one that cannot be read or must not stay."""
        found = _moved(text, self.days)
        if found is None:
            return None
        day, written = found
        if self.earliest is not None and day < self.earliest:
            return None
        return f"{day.year:04d}" if self.policy is DatePolicy.YEAR else written


def calendar_of(
    patients: Sequence[Mapping[str, object]],
    *,
    study_key: bytes,
    study: StudyId,
    subject: SubjectId,
    policy: DatePolicy,
    on: date,
) -> tuple[Calendar, str | None]:
    """Return the patient's calendar, and what is to stand as their birth date.

    ``patients`` are the Patient resources of their records; where these differ, the earliest birth and the
    latest death count. The age that counts is the one at death, or on the day ``on`` of the export. Where it
    is over 89, the birth date is the year that makes it 90, and nothing earlier stays.
    """
    days = date_shift(study_key, study, subject)
    plain = Calendar(days, policy)
    births = [found for patient in patients if (found := _moved(str(patient.get("birthDate", "")), days))]
    deaths = [
        found for patient in patients if (found := _moved(str(patient.get("deceasedDateTime", "")), days))
    ]
    end = max(deaths)[0] if deaths else on - timedelta(days=days)
    if not births:
        # The age is not known: whatever is older than 89 years might tell that it is over 89.
        return Calendar(days, policy, _years_before(end, POOLED_AGE)), None
    born = min(births)
    if _years_before(end, POOLED_AGE) < born[0]:
        return plain, f"{born[0].year:04d}" if policy is DatePolicy.YEAR else born[1]
    pooled = end.year - POOLED_AGE
    return Calendar(days, policy, date(pooled, 1, 1)), f"{pooled:04d}"


def _moved(text: str, days: int) -> tuple[date, str] | None:
    """(the first day it means, how it is written), both moved."""
    try:
        if _TIME.fullmatch(text):
            moved = datetime.fromisoformat(text).astimezone(UTC) - timedelta(days=days)
            fraction = text.partition(".")[2]
            digits = re.match(r"\d*", fraction)
            tail = f".{digits[0]}" if digits is not None and digits[0] else ""
            return moved.date(), f"{moved:%Y-%m-%dT%H:%M:%S}{tail}Z"
        if _DATE.fullmatch(text):
            day = date.fromisoformat((text + "-01-01")[:10]) - timedelta(days=days)
            return day, day.isoformat()[: len(text)]
    except (ValueError, OverflowError):
        return None
    return None


def _years_before(day: date, years: int) -> date:
    # Whoever was born on 29 February is a year older on 1 March.
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return date(day.year - years, 3, 1)
