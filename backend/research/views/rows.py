"""Runs a view over one resource (SQL on FHIR v2.0, processing model)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from backend.research.errors import ViewFailed
from backend.research.types import Resource
from backend.research.views.fhirpath import Constant, Path
from backend.research.views.parse import NUMBERS, TEXTS
from backend.research.views.types import Cell, Column, Row, Scalar, Select, View

MAX_ROWS: Final = 10_000  # of one resource


def rows(view: View, resource: Resource) -> list[Row]:
    """The rows of one resource; none for a resource of another type or one that a condition leaves out.

    Raises ViewFailed when a condition is not a Boolean, a cell would hold several values or no scalar, a
    value has not the declared type, or there would be more than ``MAX_ROWS`` rows.
    """
    if resource.get("resourceType") != view.resource:
        return []
    if not all(_holds(path, resource, view.constants) for path in view.where):
        return []
    return _rows(view.root, resource, view.constants)


def _holds(path: Path, resource: Any, constants: Mapping[str, Constant]) -> bool:
    found = path.items(resource, constants, typed=False)
    if len(found) > 1 or (found and not isinstance(found[0], bool)):
        raise ViewFailed(f"the condition '{path.text}' is neither true nor false")
    return bool(found) and found[0]


def _rows(select: Select, node: Any, constants: Mapping[str, Constant]) -> list[Row]:
    if select.for_each is None:
        return _product(select, node, constants)
    items = select.for_each.items(node, constants, typed=select.typed)
    if not items and select.or_null:
        return [{column.name: () if column.collection else None for column in select.all_columns()}]
    found: list[Row] = []
    for item in items:
        found += _product(select, item, constants)
        _bound(len(found))
    return found


def _product(select: Select, node: Any, constants: Mapping[str, Constant]) -> list[Row]:
    """Each row of each part with each row of the other parts."""
    product: list[Row] = [{column.name: _cell(column, node, constants) for column in select.columns}]
    parts: Iterable[list[Row]] = (_rows(nested, node, constants) for nested in select.selects)
    for part in parts:
        _bound(len(product) * len(part))
        product = [left | right for left in product for right in part]
    if select.union:
        together = [row for branch in select.union for row in _rows(branch, node, constants)]
        _bound(len(product) * len(together))
        product = [left | right for left in product for right in together]
    return product


def _bound(count: int) -> None:
    if count > MAX_ROWS:
        raise ViewFailed("too many rows of one resource")


def _cell(column: Column, node: Any, constants: Mapping[str, Constant]) -> Cell:
    found = tuple(_scalar(item, column) for item in column.path.items(node, constants, typed=False))
    if column.collection:
        return found
    if len(found) > 1:
        raise ViewFailed(f"column {column.name} has several values and is no collection")
    return found[0] if found else None


def _scalar(value: Any, column: Column) -> Scalar:
    if isinstance(value, bool):
        fits = column.type in ("", "boolean")
    elif isinstance(value, int | Decimal):
        fits = column.type == "" or column.type in NUMBERS
    else:
        fits = isinstance(value, str) and (column.type == "" or column.type in TEXTS)
    if not fits:
        raise ViewFailed(f"a value of column {column.name} is not of its type")
    return value  # type: ignore[no-any-return]
