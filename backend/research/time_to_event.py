"""Time to event of one patient: from an index date to an event, or to the end of observation without it.

As in survival analysis (Kalbfleisch and Prentice 2002, chapter 1; AVAL and CNSR of CDISC ADaM BDS-TTE): each
patient has a time and a status, 'event' or 'censored'. The dates are columns of the custodian's views. Only
whole dates count, as they are written: a partial one leaves the time open, and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Any, Final

from backend.research.view_variables import Source, chosen
from backend.research.views.types import Row

EVENT: Final = "event"
CENSORED: Final = "censored"
_WHOLE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(T.*)?")
_HUNDREDTH: Final = Decimal("0.01")

Rows = Callable[[Source], list[Row] | None]


class TimeUnit(StrEnum):
    DAYS = "days"
    MONTHS = "months"  # of 30.4375 days
    YEARS = "years"  # of 365.25 days


_DAYS: Final = {
    TimeUnit.DAYS: Decimal(1),
    TimeUnit.MONTHS: Decimal("30.4375"),
    TimeUnit.YEARS: Decimal("365.25"),
}


@dataclass(frozen=True, slots=True)
class Course:
    """``index`` (its first date) begins the time; ``event`` (its first date) ends it. Who has no event is
    censored at the last date of ``end``."""

    unit: TimeUnit
    index: Source
    event: Source
    end: Source

    @property
    def sources(self) -> tuple[Source, Source, Source]:
        return self.index, self.event, self.end

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit.value,
            "index": self.index.as_json(),
            "event": self.event.as_json(),
            "end": self.end.as_json(),
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Course:
        """Raises KeyError, TypeError or ValueError for what ``as_json`` would not have written."""
        index, event, end = (Source.from_json(item[name]) for name in ("index", "event", "end"))
        return cls(TimeUnit(item["unit"]), index, event, end)


@dataclass(frozen=True, slots=True)
class Followed:
    """``time`` in the course's unit, cut to hundredths; whole days."""

    time: Decimal
    happened: bool

    @property
    def status(self) -> str:
        return EVENT if self.happened else CENSORED


def follow(course: Course, rows: Rows) -> Followed | None:
    """A patient's time and status; None where there is no index date, the event was before it, nothing was
    observed after it, or a date that decides is not whole.

    ``rows`` gives all rows of a source's view, None for too many.
    """
    found = {source: rows(source) for source in course.sources}
    if any(each is None for each in found.values()):
        return None
    index, event = _dates(course.index, found), _dates(course.event, found)
    # One that is not whole may be the first.
    if not index or None in index or None in event:
        return None
    start = min(day for day in index if day is not None)
    events = [day for day in event if day is not None]
    if events:
        first = min(events)
        return None if first < start else _since(start, first, course.unit, happened=True)
    # Here one that is not whole only shortens what is known to have been observed.
    ends = [day for day in _dates(course.end, found) if day is not None]
    if not ends or max(ends) < start:
        return None
    return _since(start, max(ends), course.unit, happened=False)


def _dates(source: Source, found: Mapping[Source, list[Row] | None]) -> list[date | None]:
    """The date of each row that counts and has one; None for one that is not whole."""
    return list(_read(source, found[source] or []))


def _read(source: Source, rows: list[Row]) -> Iterator[date | None]:
    for row in chosen(source, rows):
        cell = row[source.column]
        if cell is None:
            continue
        whole = _WHOLE.fullmatch(cell) if isinstance(cell, str) else None
        try:
            yield date.fromisoformat(whole.group(1)) if whole else None
        except ValueError:
            yield None


def _since(start: date, end: date, unit: TimeUnit, *, happened: bool) -> Followed:
    time = Decimal((end - start).days) / _DAYS[unit]
    return Followed(time if unit is TimeUnit.DAYS else time.quantize(_HUNDREDTH, ROUND_DOWN), happened)
