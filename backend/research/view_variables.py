"""A variable that is a column of one of the custodian's views: which rows count, and what is taken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from backend.research.errors import StudyInvalid, ViewFailed
from backend.research.fhir_values import moment
from backend.research.types import Resource
from backend.research.views.parse import NUMBERS
from backend.research.views.rows import rows
from backend.research.views.types import Cell, Column, Row, View

MAX_CONDITIONS: Final = 8
MAX_ROWS: Final = 50_000  # of one patient; beyond, the value cannot be determined
_YEAR: Final = re.compile(r"([0-9]{4})(-.*)?")
_DATED: Final = frozenset({"date", "dateTime", "instant"})
Taken = str | Decimal | None


class Take(StrEnum):
    """What becomes of the rows of one patient."""

    ANY = "any"  # 'present' when there is a row, else 'absent'
    COUNT = "count"  # how many rows
    ONLY = "only"  # the value that all rows have; none when they differ
    LATEST = "latest"  # the value of the row with the latest date
    LOWEST = "lowest"
    HIGHEST = "highest"


@dataclass(frozen=True, slots=True)
class Source:
    """``digest`` (hex) is of the view as the board signs it; a changed view is another one.

    ``categories`` is the mask of the consent categories the view needs. ``where`` keeps the rows in which
    each of these columns has exactly this text.
    """

    view: str
    digest: str
    column: str
    take: Take
    categories: int
    where: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "view": self.view,
            "digest": self.digest,
            "column": self.column,
            "take": self.take.value,
            "categories": self.categories,
            "where": [list(condition) for condition in sorted(self.where)],
        }

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> Source:
        """Raises KeyError, TypeError or ValueError for what ``as_json`` would not have written."""
        return cls(
            view=item["view"],
            digest=item["digest"],
            column=item["column"],
            take=Take(item["take"]),
            categories=item["categories"],
            where=tuple((name, value) for name, value in item["where"]),
        )


def source_of(
    view: View, column: str, take: Take, where: Iterable[tuple[str, str]], *, categories: int, field: str
) -> Source:
    """Name a column of a view; raises StudyInvalid naming ``field`` for one that cannot be taken so."""
    conditions = tuple(sorted(where))
    found = view.columns.get(column)
    if found is None:
        raise StudyInvalid("the view has no such column", field=f"{field}.column")
    if found.collection:
        raise StudyInvalid("a column of collections is no variable", field=f"{field}.column")
    if take is Take.LATEST and not view.when:
        raise StudyInvalid("the rows of this view have no date", field=f"{field}.take")
    if take in (Take.LOWEST, Take.HIGHEST) and not is_number(found):
        raise StudyInvalid("only numbers and dates are ordered", field=f"{field}.take")
    if len(conditions) > MAX_CONDITIONS or any(name not in view.columns for name, _ in conditions):
        raise StudyInvalid(f"conditions name columns, {MAX_CONDITIONS} at most", field=f"{field}.where")
    return Source(view.name, view.digest, column, take, categories, conditions)


def is_dated(column: Column) -> bool:
    """Whether its values are dates."""
    return column.type in _DATED


def is_number(column: Column) -> bool:
    """Whether its values are put into bins: numbers, and dates by their year."""
    return column.type in NUMBERS or column.type in _DATED


def rows_of(view: View, resources: Iterable[Resource]) -> list[Row] | None:
    """All rows of a patient; None when there are too many. A resource that does not fit gives none."""
    found: list[Row] = []
    for resource in resources:
        try:
            found += rows(view, resource)
        except ViewFailed:
            continue  # odd input is as if it had not been recorded
        if len(found) > MAX_ROWS:
            return None
    return found


def chosen(source: Source, found: Iterable[Row]) -> list[Row]:
    """The rows that count."""
    return [row for row in found if all(_text(row[name]) == value for name, value in source.where)]


def take(source: Source, view: View, found: list[Row] | None) -> Taken:
    """The patient's value; None when it was not recorded or cannot be determined."""
    if found is None:
        return None
    kept = chosen(source, found)
    if source.take is Take.COUNT:
        return Decimal(len(kept))
    column = view.columns[source.column]
    if source.take is Take.ANY:
        return "present" if any(row[column.name] is not None for row in kept) else "absent"
    if source.take is Take.LATEST:
        return _latest(kept, column, view.when)
    values = [value for value in (_value(row[column.name], column) for row in kept) if value is not None]
    if source.take is Take.ONLY:
        return values[0] if len(set(values)) == 1 else None
    numbers = [value for value in values if isinstance(value, Decimal)]
    if not numbers:
        return None
    return min(numbers) if source.take is Take.LOWEST else max(numbers)


def _latest(kept: list[Row], column: Column, when: str) -> Taken:
    """Of rows with one date the last given counts."""
    newest, value = None, None
    for row in kept:
        at, candidate = moment(row[when]), _value(row[column.name], column)
        if at is not None and candidate is not None and (newest is None or at >= newest):
            newest, value = at, candidate
    return value


def _value(cell: Cell, column: Column) -> Taken:
    if isinstance(cell, bool):
        return _text(cell)
    if isinstance(cell, int | Decimal):
        number = Decimal(cell)
        return number if number.is_finite() else None
    if not isinstance(cell, str):
        return None
    if column.type in _DATED:
        year = _YEAR.fullmatch(cell)
        return Decimal(year.group(1)) if year else None
    return cell


def _text(cell: Cell) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell) if isinstance(cell, str | int | Decimal) else None
