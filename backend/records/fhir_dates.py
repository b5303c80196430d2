"""When a resource's data are from, as half-open intervals of unix seconds.

A date without a time is that whole day in UTC, a month the whole month, a year the whole year (FHIR R4,
"date", "dateTime", "instant"). Consents write times as unsigned 40-bit seconds, so the year 1970 and all
before it begin at 0. A resource that says no time at all is of unknown time: ``ALL_TIME``, which lies inside
an unbounded window and inside no other.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from backend.records.fhir_json import JsonObject
from backend.records.label_tables import LabelTables
from backend.types import MAX_UINT40

Span: TypeAlias = tuple[int, int]  # from, to: unix seconds, half open

ALL_TIME: Span = (0, MAX_UINT40)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def parse_span(text: str) -> Span | None:
    """Return the interval a FHIR date, dateTime or instant stands for; None where it is none of them."""
    matched = _DATE.fullmatch(text)
    try:
        if matched is None:
            # Second 60 is allowed in FHIR and unknown to datetime; it is counted with the second before.
            moment = datetime.fromisoformat(text.replace(":60", ":59"))
            if moment.tzinfo is None:
                return None
            start = _seconds(moment)
            end = start + 1
        else:
            year, month, day = (int(part) if part else 0 for part in matched.groups())
            start = _seconds(datetime(year, month or 1, day or 1, tzinfo=UTC))
            end = _end_of(year, month, day, start)
    except (ValueError, OverflowError):
        return None
    return max(start, 0), max(end, 1)


def _end_of(year: int, month: int, day: int, start: int) -> int:
    if day:
        return start + 86_400
    if month and month < 12:
        return _seconds(datetime(year, month + 1, 1, tzinfo=UTC))
    return start + 86_400 * (31 if month else 366 if _is_leap(year) else 365)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def resource_span(content: JsonObject, tables: LabelTables) -> Span:
    """Return the interval from the earliest to the latest time the resource says its data are of.

    When it happened counts (onset, effective, performed, occurrence, period); when it was written down counts
    only where nothing else is said. A missing end adds nothing: what lasts is dated by what is known of it.
    """
    rule = tables.resources.get(content["resourceType"])
    if rule is None:
        return ALL_TIME
    for elements in (rule.when, rule.else_when):
        spans = [span for element in elements for span in _spans(_at(content, element))]
        if any(span is None for span in spans):
            return ALL_TIME
        known = [span for span in spans if span is not None]
        if known:
            return min(start for start, _ in known), max(end for _, end in known)
    return ALL_TIME


def _at(content: JsonObject, path: str) -> Any:
    value: Any = content
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _spans(value: Any) -> list[Span | None]:
    if isinstance(value, str):
        return [parse_span(value)]
    if isinstance(value, dict):
        return [parse_span(value[end]) for end in ("start", "end") if isinstance(value.get(end), str)]
    return []
