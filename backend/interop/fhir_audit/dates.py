"""FHIR's date parameters as half-open intervals of unix milliseconds (R4, search, 3.1.1.4.7).

What is searched is an instant. A parameter without time stands for the whole year, month or day, in UTC; one
with time needs a zone.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from backend.interop.fhir_audit.errors import SearchParameterMalformed

PREFIXES: Final = ("eq", "gt", "ge", "lt", "le", "sa", "eb")
_DATE: Final = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+ -]\d\d:\d\d))?)?)?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """Milliseconds from ``start`` up to but not including ``end``; None: without bound."""

    start: int | None = None
    end: int | None = None

    def __contains__(self, moment: int) -> bool:
        return (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)


def read_date(text: str, *, field: str) -> Interval:
    """Return the instants that the parameter finds. Raises SearchParameterMalformed."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise SearchParameterMalformed("A date is YYYY, YYYY-MM, YYYY-MM-DD, or has a zone.", field=field)
    prefix = found["prefix"] or "eq"
    if prefix not in PREFIXES:
        raise SearchParameterMalformed(f"The prefixes are {', '.join(PREFIXES)}.", field=field)
    try:
        start, end = _covered(found)
    except (ValueError, OverflowError) as failure:
        raise SearchParameterMalformed("There is no such date.", field=field) from failure
    match prefix:
        case "gt" | "sa":
            return Interval(start=end)
        case "ge":
            return Interval(start=start)
        case "lt" | "eb":
            return Interval(end=start)
        case "le":
            return Interval(end=end)
        case _:
            return Interval(start, end)


def _covered(found: re.Match[str]) -> tuple[int, int]:
    """Return the first millisecond that the text covers and the first after it."""
    year, month, day = int(found["year"]), int(found["month"] or 1), int(found["day"] or 1)
    if found["hour"] is None:
        start = datetime(year, month, day, tzinfo=UTC)
        if found["day"] is not None:
            days = 1
        elif found["month"] is not None:
            days = monthrange(year, month)[1]
        else:
            days = (datetime(year, 12, 31) - datetime(year, 1, 1)).days + 1  # noqa: DTZ001 - a difference
        return _milliseconds(start), _milliseconds(start) + days * 86_400_000
    moment = datetime(
        year,
        month,
        day,
        int(found["hour"]),
        int(found["minute"]),
        int(found["second"] or 0),
        tzinfo=_zone(found["zone"]),
    )
    start_ms = _milliseconds(moment)
    if found["second"] is None:
        return start_ms, start_ms + 60_000
    if found["fraction"] is None:
        return start_ms, start_ms + 1_000
    digits = min(len(found["fraction"]), 3)  # nothing here is finer than a millisecond
    start_ms += int(found["fraction"][:3].ljust(3, "0"))
    return start_ms, start_ms + 10 ** (3 - digits)


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    distance = timedelta(hours=int(text[1:3]), minutes=int(text[4:]))
    return timezone(-distance if text[0] == "-" else distance)  # a '+' that nobody escaped is a blank


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
