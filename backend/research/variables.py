"""Variables a study may ask for: type, public domain and the consent category each needs.

The domain is declared in the study before any record is opened and never derived from data: what is outside
it falls into a level that the domain also declares ('<18', '>=90', 'other', 'missing'), so that the set of
levels tells nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache, reduce
from itertools import pairwise
from operator import or_

from backend.research.errors import StudyInvalid
from backend.research.time_to_event import CENSORED, EVENT, Course
from backend.research.us_states import STATE_CODES
from backend.research.view_variables import Source, Take

Value = str | Decimal | None  # None: not recorded, not determinable, or not permitted (these look alike)

MISSING = "missing"
OTHER = "other"
MAX_LEVELS = 1_100


class Kind(StrEnum):
    SEX = "sex"
    AGE = "age"  # completed years at the variable's reference date
    BIRTH_YEAR = "birth_year"
    POSTAL_REGION = "postal_region"  # first three digits of a US ZIP code
    STATE = "state"  # two-letter code of a US state
    COUNTRY = "country"
    CONDITION = "condition"  # present or absent in what is permitted
    LABORATORY = "laboratory"  # latest value in the declared unit
    VITAL_SIGN = "vital_sign"
    MEDICATION = "medication"  # present or absent in what is permitted
    SMOKING = "smoking"
    VIEW = "view"  # a column of one of the custodian's views
    TIME_TO_EVENT = "time_to_event"  # of a course over dates of views
    EVENT_STATUS = "event_status"  # of a course: whether the time ended with the event


class Role(StrEnum):
    """A quasi-identifier is generalised in a table; a sensitive column is released as its public level."""

    QUASI = "quasi"
    SENSITIVE = "sensitive"


NUMERIC = frozenset({Kind.AGE, Kind.BIRTH_YEAR, Kind.LABORATORY, Kind.VITAL_SIGN, Kind.TIME_TO_EVENT})
CODED = frozenset({Kind.CONDITION, Kind.LABORATORY, Kind.VITAL_SIGN, Kind.MEDICATION})
FOLLOWED = frozenset({Kind.TIME_TO_EVENT, Kind.EVENT_STATUS})
IDENTIFYING = frozenset(
    {Kind.SEX, Kind.AGE, Kind.BIRTH_YEAR, Kind.POSTAL_REGION, Kind.STATE, Kind.COUNTRY}
)  # always quasi-identifiers: what others may know about a person

# Bit of the consent category (tables version 1) that a patient must have permitted for the variable.
CATEGORY_BIT = {
    Kind.SEX: 0,
    Kind.AGE: 0,
    Kind.BIRTH_YEAR: 0,
    Kind.POSTAL_REGION: 1,
    Kind.STATE: 1,
    Kind.COUNTRY: 1,
    Kind.CONDITION: 5,
    Kind.LABORATORY: 10,
    Kind.VITAL_SIGN: 11,
    Kind.MEDICATION: 7,
    Kind.SMOKING: 20,
}
_FIXED_LEVELS = {
    Kind.SEX: ("female", "male", "other", "unknown"),
    Kind.CONDITION: ("present", "absent"),
    Kind.MEDICATION: ("present", "absent"),
    Kind.SMOKING: ("never", "former", "current", "unknown"),
    Kind.EVENT_STATUS: (EVENT, CENSORED),
    Kind.POSTAL_REGION: tuple(f"{number:03d}" for number in range(1_000)),
    Kind.STATE: STATE_CODES,
}
_ABOUT_A_PERSON = 0b111  # demographics, contact, identifiers
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_LEVEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.\-]{0,39}")


@dataclass(frozen=True, slots=True)
class Variable:
    """One column. ``edges`` are ascending decimal strings and make bins [a, b), with one below and one above.

    ``levels`` is declared for countries and for columns of views; the other categorical kinds have fixed
    levels. A column of a view has a ``source`` and either levels or edges. Time to event and its status have
    the same ``course``.
    ``reference_date`` (YYYY-MM-DD) belongs to AGE. ``unit`` is a UCUM code; values in another unit count as
    not recorded. ``active_only`` narrows conditions and medications to active ones.
    """

    name: str
    kind: Kind
    role: Role = Role.SENSITIVE
    system: str = ""
    code: str = ""
    unit: str = ""
    edges: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    reference_date: str = ""
    active_only: bool = False
    source: Source | None = None
    course: Course | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The columns of views that it is made of; none for a kind that knows how to read FHIR."""
        if self.course is not None:
            return self.course.sources
        return (self.source,) if self.source is not None else ()

    @property
    def categories(self) -> int:
        """Mask of the consent categories, all of which a patient must have permitted for the variable."""
        if self.sources:
            return reduce(or_, (source.categories for source in self.sources))
        return 1 << CATEGORY_BIT[self.kind]

    @property
    def domain(self) -> tuple[str, ...]:
        """Every level a value can have, in order; ``MISSING`` is the last."""
        return _domain(self)

    def level_of(self, value: Value) -> str:
        """The level of ``domain`` that a value belongs to."""
        if value is None:
            return MISSING
        if isinstance(value, Decimal):
            return _domain(self)[bisect_right(_edges(self), value)] if self.edges else OTHER
        if self.edges:
            return MISSING  # a word where a number was declared
        return value if value in _domain(self) and value != MISSING else OTHER


# A run asks both for each patient and question.
@lru_cache(maxsize=1_024)
def _domain(variable: Variable) -> tuple[str, ...]:
    if variable.kind in NUMERIC or variable.edges:
        inner = tuple(f"[{low},{high})" for low, high in pairwise(variable.edges))
        return (f"<{variable.edges[0]}", *inner, f">={variable.edges[-1]}", MISSING)
    named = _FIXED_LEVELS.get(variable.kind, variable.levels)
    if variable.source is not None and variable.source.take is Take.ANY:
        named = ("present", "absent")
    return tuple(dict.fromkeys((*named, OTHER, MISSING)))


@lru_cache(maxsize=1_024)
def _edges(variable: Variable) -> list[Decimal]:
    return [Decimal(edge) for edge in variable.edges]


def validate_variable(variable: Variable, *, field: str) -> None:
    """Raise StudyInvalid naming ``field`` unless the variable is complete, public and consistent."""
    _require(
        _NAME.fullmatch(variable.name) is not None,
        "a name is snake_case, 1 to 40 characters",
        f"{field}.name",
    )
    numeric, coded = variable.kind in NUMERIC, variable.kind in CODED
    _require(
        bool(variable.code and variable.system) == coded and bool(variable.code) == coded,
        "conditions, laboratory values, vital signs and medications (only) need a system and a code",
        f"{field}.code",
    )
    measured = variable.kind in (Kind.LABORATORY, Kind.VITAL_SIGN)
    _require(bool(variable.unit) == measured, "a UCUM unit belongs to measured values", f"{field}.unit")
    _require(
        (variable.source is not None) == (variable.kind is Kind.VIEW),
        "a column of a view, and nothing else, has a source",
        f"{field}.source",
    )
    _require(
        (variable.course is not None) == (variable.kind in FOLLOWED),
        "a time to event and its status, and nothing else, have a course",
        f"{field}.course",
    )
    if variable.source is not None:
        _require_view_domain(variable, variable.source, field)
    else:
        _require(bool(variable.edges) == numeric, "bin edges belong to numeric variables", f"{field}.edges")
        countries = variable.kind is Kind.COUNTRY
        _require(bool(variable.levels) == countries, "levels are declared for countries", f"{field}.levels")
    if numeric:
        in_years = variable.kind in (Kind.AGE, Kind.BIRTH_YEAR)
        _require_ascending(variable.edges, whole=in_years, field=f"{field}.edges")
    _require(
        len(set(variable.levels)) == len(variable.levels)
        and all(_LEVEL.fullmatch(level) and level not in (MISSING, OTHER) for level in variable.levels),
        "levels are distinct words; 'other' and 'missing' are added by themselves",
        f"{field}.levels",
    )
    aged = variable.kind is Kind.AGE
    _require(
        _is_date(variable.reference_date) if aged else not variable.reference_date,
        "an age needs its reference date, YYYY-MM-DD",
        f"{field}.reference_date",
    )
    # Ages over 89 stand together (45 CFR 164.514(b)(2)(i)(C)).
    _require(
        not aged or Decimal(variable.edges[-1]) <= 90,
        "the last edge of an age is at most 90",
        f"{field}.edges",
    )
    _require(
        not variable.active_only or variable.kind in (Kind.CONDITION, Kind.MEDICATION),
        "only conditions and medications can be active",
        f"{field}.active_only",
    )
    _require(
        variable.role is Role.QUASI
        or (
            variable.kind not in IDENTIFYING
            and not (variable.sources and variable.categories & _ABOUT_A_PERSON)
        ),
        "what others may know about a person is a quasi-identifier",
        f"{field}.role",
    )
    _require(len(variable.domain) <= MAX_LEVELS, "too many levels", field)


def _require_view_domain(variable: Variable, source: Source, field: str) -> None:
    if source.take is Take.ANY:
        _require(not variable.edges and not variable.levels, "'any' has levels of its own", f"{field}.levels")
        return
    counted = source.take is Take.COUNT
    ordered = counted or source.take in (Take.LOWEST, Take.HIGHEST)
    _require(
        bool(variable.edges) != bool(variable.levels) and (bool(variable.edges) or not ordered),
        "a column of a view has bin edges (numbers, years of dates, counts) or levels (words)",
        f"{field}.edges",
    )
    if variable.edges:
        _require_ascending(variable.edges, whole=False, field=f"{field}.edges")


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _require_ascending(edges: tuple[str, ...], *, whole: bool, field: str) -> None:
    _require(2 <= len(edges) <= 200, "give 2 to 200 edges", field)
    try:
        numbers = [Decimal(edge) for edge in edges]
    except InvalidOperation as wrong:
        raise StudyInvalid("edges are decimal numbers", field=field) from wrong
    _require(all(number.is_finite() and abs(number) < 10**9 for number in numbers), "edges are finite", field)
    _require(all(low < high for low, high in pairwise(numbers)), "edges ascend", field)
    _require(
        not whole or all(number == int(number) >= 0 for number in numbers), "edges are whole years", field
    )
    _require(not whole or numbers[-1] - numbers[0] <= 200, "years span at most 200", field)


def _require(holds: bool, detail: str, field: str) -> None:
    if not holds:
        raise StudyInvalid(detail, field=field)
