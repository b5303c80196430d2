"""The catalogue: views and variables that the custodian offers, out of files.

The default set is in ``data``. A custodian's own directory has the same shape (``views/*.json``, each a view
definition, and ``offers.json``) and comes beside it; a view or offer of the same name takes the default's
place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from backend.consent.tables import Tables
from backend.errors import AssentError, OperatorError
from backend.research.canonical import digest_of
from backend.research.errors import StudyInvalid
from backend.research.study import variable_json
from backend.research.time_to_event import Course, TimeUnit
from backend.research.variables import Kind, Role, Variable, validate_variable
from backend.research.view_variables import Source, Take, is_dated, source_of
from backend.research.views.parse import parse_view
from backend.research.views.types import View

DEFAULT: Final = Path(__file__).parent / "data"
MAX_OFFERS: Final = 200
_DATES: Final = ("index", "event", "end")
_TAKES: Final = (Take.LOWEST, Take.LOWEST, Take.HIGHEST)  # first, first and last date
_FIELDS: Final = frozenset(
    {
        *("name", "title", "kind", "role", "system", "code", "unit", "edges", "levels", "active_only"),
        *("reference_date", "source", "course", "counted"),
    }
)


class CatalogueInvalid(OperatorError):
    code = "catalogue_invalid"
    remedy = "Correct the named file of the catalogue; docs/catalogue.md has its form. Nothing was started."


@dataclass(frozen=True, slots=True)
class Offer:
    """A variable as it is offered, with the domain its counts have. A study may declare another domain."""

    variable: Variable
    title: str
    counted: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``documents`` are the view definitions as written, by name."""

    views: Mapping[str, View]
    documents: Mapping[str, Mapping[str, Any]]
    offers: tuple[Offer, ...]
    tables: Tables

    def source(
        self, view: str, column: str, take: Take, where: Sequence[tuple[str, str]], *, field: str
    ) -> Source | None:
        """The source of a study's variable; None for a view that is not offered.

        Raises StudyInvalid naming ``field`` for a column that cannot be taken so.
        """
        found = self.views.get(view)
        if found is None:
            return None
        categories = self.tables.categories.mask(found.categories)
        return source_of(found, column, take, where, categories=categories, field=field)

    def course(
        self, unit: TimeUnit, dates: Sequence[tuple[str, str, Sequence[tuple[str, str]]]], *, field: str
    ) -> Course:
        """The course over three dates (index, event, end), each a view, its column and its conditions.

        Raises StudyInvalid naming ``field`` for what is not offered or is no date.
        """
        sources = [
            self._date(view, column, take, where, field=f"{field}.{name}")
            for name, take, (view, column, where) in zip(_DATES, _TAKES, dates, strict=True)
        ]
        return Course(unit, *sources)

    def _date(
        self, view: str, column: str, take: Take, where: Sequence[tuple[str, str]], *, field: str
    ) -> Source:
        source = self.source(view, column, take, where, field=field)
        if source is None:
            raise StudyInvalid("the catalogue has no such view", field=f"{field}.view")
        if not is_dated(self.views[view].columns[column]):
            raise StudyInvalid("not a column of dates", field=f"{field}.column")
        return source

    def at(self, reference_date: str) -> tuple[Offer, ...]:
        """The offers with ages taken at ``reference_date`` (YYYY-MM-DD)."""
        return tuple(
            replace(offer, variable=replace(offer.variable, reference_date=reference_date))
            if offer.variable.kind is Kind.AGE
            else offer
            for offer in self.offers
        )


def digest_of_offers(offers: Sequence[Offer]) -> bytes:
    """SHA-256 (32 bytes) of the variables and their domains."""
    return digest_of([variable_json(offer.variable) for offer in offers])


def load_catalogue(own: Path | None, tables: Tables) -> Catalogue:
    """Read the default set and the custodian's own directory; raises CatalogueInvalid naming the file."""
    directories = [DEFAULT] if own is None else [DEFAULT, own]
    documents: dict[str, dict[str, Any]] = {}
    views: dict[str, View] = {}
    rows: dict[str, tuple[Path, dict[str, Any]]] = {}
    for directory in directories:
        for path in sorted((directory / "views").glob("*.json")):
            document = _read(path)
            view = _view(path, document, tables)
            documents[view.name], views[view.name] = document, view
        path = directory / "offers.json"
        if directory is DEFAULT or path.exists():
            found = _read(path).get("offers")
            if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
                raise CatalogueInvalid(f"{path.name}: 'offers' is a list of objects.")
            rows |= {str(item.get("name")): (path, item) for item in found}
    catalogue = Catalogue(views, documents, (), tables)
    offers = tuple(_offer(path, item, catalogue) for path, item in rows.values())
    if len(offers) > MAX_OFFERS:
        raise CatalogueInvalid(f"at most {MAX_OFFERS} variables are offered.")
    return replace(catalogue, offers=offers)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as failure:
        raise CatalogueInvalid(f"{path.name} cannot be read as JSON.") from failure
    if not isinstance(document, dict):
        raise CatalogueInvalid(f"{path.name} is no JSON object.")
    return document


def _view(path: Path, document: Mapping[str, Any], tables: Tables) -> View:
    try:
        view = parse_view(document)
        tables.categories.mask(view.categories)
    except AssentError as wrong:
        raise CatalogueInvalid(f"{path.name}: {wrong.field or 'view'}: {wrong.detail}") from wrong
    return view


def _offer(path: Path, item: Mapping[str, Any], catalogue: Catalogue) -> Offer:
    name = item.get("name")
    try:
        odd = sorted(set(item) - _FIELDS)
        if odd:
            raise CatalogueInvalid(f"{path.name}: {name}: there is no '{odd[0]}'.")
        variable = Variable(
            name=item["name"],
            kind=Kind(item["kind"]),
            role=Role(item.get("role", Role.SENSITIVE)),
            system=item.get("system", ""),
            code=item.get("code", ""),
            unit=item.get("unit", ""),
            edges=tuple(item.get("edges", ())),
            levels=tuple(item.get("levels", ())),
            # An age is taken at the start of the period in which it is counted.
            reference_date="2000-01-01" if item["kind"] == Kind.AGE else "",
            active_only=item.get("active_only", False),
            source=_source(item.get("source"), catalogue),
            course=_course(item.get("course"), catalogue),
        )
        validate_variable(variable, field=str(name))
        return Offer(variable, str(item["title"]), bool(item.get("counted", True)))
    except CatalogueInvalid:
        raise
    except AssentError as wrong:
        raise CatalogueInvalid(f"{path.name}: {wrong.field}: {wrong.detail}") from wrong
    except (KeyError, TypeError, ValueError) as wrong:
        raise CatalogueInvalid(f"{path.name}: {name} is not complete.") from wrong


def _source(item: Mapping[str, Any] | None, catalogue: Catalogue) -> Source | None:
    if item is None:
        return None
    where = [(str(column), str(value)) for column, value in item.get("where", ())]
    found = catalogue.source(item["view"], item["column"], Take(item["take"]), where, field="source")
    if found is None:
        raise StudyInvalid(f"no view is called {item['view']}.", field="source")
    return found


def _course(item: Mapping[str, Any] | None, catalogue: Catalogue) -> Course | None:
    if item is None:
        return None
    dates = [
        (
            item[name]["view"],
            item[name]["column"],
            [(str(column), str(value)) for column, value in item[name].get("where", ())],
        )
        for name in _DATES
    ]
    return catalogue.course(TimeUnit(item["unit"]), dates, field="course")
