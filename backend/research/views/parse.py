"""Reads a view definition (SQL on FHIR v2.0) and refuses one that cannot be run as it says.

Supported: resource, select with column (name, path, type, collection), nested select, forEach,
forEachOrNull, unionAll, where, constant. Not supported, and refused: ``repeat``. Elements that describe only
(status, publisher, tags) are not read, but for two extensions of ours: ``urn:assent:category`` (valueCode, at
least one) and, if rows have a date, ``urn:assent:when`` (valueString, the column with it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from backend.research.canonical import digest_of
from backend.research.errors import ViewInvalid
from backend.research.views.fhirpath import Constant, parse_path
from backend.research.views.types import Column, Select, View

CATEGORY: Final = "urn:assent:category"
WHEN: Final = "urn:assent:when"
MAX_COLUMNS: Final = 100
MAX_DEPTH: Final = 6
MAX_WHERE: Final = 20
MAX_CONSTANTS: Final = 50
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # invariant sql-name
_RESOURCE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
TEXTS: Final = frozenset(
    {
        *("string", "code", "id", "uri", "url", "canonical", "oid", "uuid", "markdown", "base64Binary"),
        *("date", "dateTime", "instant", "time"),
    }
)
NUMBERS: Final = frozenset({"decimal", "integer", "integer64", "positiveInt", "unsignedInt"})
TYPES: Final = TEXTS | NUMBERS | {"boolean"}
_CONSTANTS: Final = {f"value{name[0].upper()}{name[1:]}": name for name in TYPES}
_SELECT: Final = frozenset({"column", "select", "forEach", "forEachOrNull", "unionAll"})


def parse_view(document: Any) -> View:
    """Return the view; raises ViewInvalid naming the element."""
    view = _object(document, "")
    name = view.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ViewInvalid("a name is letters, digits and underscores and begins with a letter", field="name")
    resource = view.get("resource")
    if not isinstance(resource, str) or not _RESOURCE.fullmatch(resource):
        raise ViewInvalid("name one FHIR resource type", field="resource")
    title = view.get("title", name)
    if not isinstance(title, str) or not 0 < len(title) <= 200:
        raise ViewInvalid("a title is text of 1 to 200 characters", field="title")
    constants = _constants(view.get("constant", []))
    names = frozenset(constants)
    # The selects of a view stand beside each other like those inside a select.
    root = _select({"select": view.get("select")}, "", names, start=resource, depth=0)
    where = _list(view.get("where", []), "where", most=MAX_WHERE)
    conditions = tuple(
        parse_path(
            _object(item, f"where.{place}").get("path"),
            field=f"where.{place}.path",
            start=resource,
            constants=names,
        )
        for place, item in enumerate(where)
    )
    columns = [column.name for column in root.all_columns()]
    if not columns or len(columns) > MAX_COLUMNS:
        raise ViewInvalid(f"a view has 1 to {MAX_COLUMNS} columns", field="select")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ViewInvalid(f"two columns are called {twice[0]}", field="select")
    categories, when = _extensions(view.get("extension", []))
    if when and when not in columns:
        raise ViewInvalid("the column that dates a row is no column", field="extension")
    return View(
        name=name,
        title=title,
        resource=resource,
        root=root,
        where=conditions,
        constants=constants,
        categories=categories,
        when=when,
        digest=digest_of(_without_floats(view)).hex(),
    )


def _select(item: Any, field: str, constants: frozenset[str], *, start: str, depth: int) -> Select:
    select = _object(item, field)
    if depth > MAX_DEPTH:
        raise ViewInvalid(f"selects are nested {MAX_DEPTH} deep at most", field=field)
    odd = sorted(set(select) - _SELECT)
    if odd:
        raise ViewInvalid(f"'{odd[0]}' is not supported in a select", field=field)
    if "forEach" in select and "forEachOrNull" in select:
        raise ViewInvalid("a select has forEach or forEachOrNull, not both", field=field)
    prefix = f"{field}." if field else ""
    key = "forEachOrNull" if "forEachOrNull" in select else "forEach"
    for_each = None
    if key in select:
        for_each = parse_path(select[key], field=f"{prefix}{key}", start=start, constants=constants)
        start = for_each.type
    columns = tuple(
        _column(_object(column, f"{prefix}column.{place}"), f"{prefix}column.{place}", constants, start)
        for place, column in enumerate(_list(select.get("column", []), f"{prefix}column", most=MAX_COLUMNS))
    )
    selects = tuple(
        _select(nested, f"{prefix}select.{place}", constants, start=start, depth=depth + 1)
        for place, nested in enumerate(_list(select.get("select", []), f"{prefix}select", most=MAX_COLUMNS))
    )
    union = tuple(
        _select(nested, f"{prefix}unionAll.{place}", constants, start=start, depth=depth + 1)
        for place, nested in enumerate(_list(select.get("unionAll", []), f"{prefix}unionAll", most=20))
    )
    if not columns and not selects and not union:
        raise ViewInvalid("a select has columns, selects or a union", field=field or "select")
    shapes = {tuple((c.name, c.type, c.collection) for c in branch.all_columns()) for branch in union}
    if len(shapes) > 1:
        raise ViewInvalid("the selects of a union have the same columns in the same order", field=field)
    typed = any(not column.path.is_plain for column in columns) or any(
        nested.typed or (nested.for_each is not None and not nested.for_each.is_plain)
        for nested in (*selects, *union)
    )
    return Select(columns, selects, union, for_each, or_null=key == "forEachOrNull", typed=typed)


def _column(item: Mapping[str, Any], field: str, constants: frozenset[str], start: str) -> Column:
    path = parse_path(item.get("path"), field=f"{field}.path", start=start, constants=constants)
    name, kind, collection = item.get("name"), item.get("type", ""), item.get("collection", False)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ViewInvalid("a column's name is letters, digits and underscores", field=f"{field}.name")
    if kind and kind not in TYPES:
        raise ViewInvalid("a column has a FHIR primitive type", field=f"{field}.type")
    if not isinstance(collection, bool):
        raise ViewInvalid("collection is true or false", field=f"{field}.collection")
    return Column(name, path, kind, collection)


def _constants(items: Any) -> dict[str, Constant]:
    found: dict[str, Constant] = {}
    for place, item in enumerate(_list(items, "constant", most=MAX_CONSTANTS)):
        field = f"constant.{place}"
        constant = _object(item, field)
        name = constant.get("name")
        values = [key for key in constant if key in _CONSTANTS]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in found:
            raise ViewInvalid("each constant has a name of its own", field=field)
        if len(values) != 1:
            raise ViewInvalid("a constant has one value of a FHIR primitive type", field=field)
        found[name] = _constant(constant[values[0]], _CONSTANTS[values[0]], field)
    return found


def _constant(value: Any, kind: str, field: str) -> Constant:
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in NUMBERS and isinstance(value, int | float) and not isinstance(value, bool):
        return value if isinstance(value, int) else Decimal(str(value))
    if kind in TEXTS and isinstance(value, str) and 0 < len(value) <= 200:
        return value
    raise ViewInvalid(f"the constant is no {kind}", field=field)


def _extensions(items: Any) -> tuple[tuple[str, ...], str]:
    categories: list[str] = []
    when = ""
    for item in _list(items, "extension", most=40):
        extension = _object(item, "extension")
        if extension.get("url") == CATEGORY:
            categories.append(_text(extension.get("valueCode")))
        elif extension.get("url") == WHEN:
            when = _text(extension.get("valueString"))
    if not categories or len(set(categories)) != len(categories):
        raise ViewInvalid(f"name the consent categories it needs in extensions {CATEGORY}", field="extension")
    return tuple(sorted(categories)), when


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ViewInvalid("an extension of ours has a text", field="extension")
    return value


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ViewInvalid("this is a JSON object", field=field or None)
    return value


def _list(value: Any, field: str, *, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ViewInvalid(f"this is a list of {most} at most", field=field)
    return value


def _without_floats(value: Any) -> Any:
    if isinstance(value, float):
        return str(Decimal(str(value)))
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    return [_without_floats(item) for item in value] if isinstance(value, list) else value
