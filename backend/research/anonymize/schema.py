"""The schema of a table: what each column is, and whether and how it may leave.

Every column of a file has to stand in the schema and the other way round; nothing is assumed of a column
that nobody described.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import yaml

from backend.research.anonymize.refusals import SchemaInvalid

DEFAULT_DELIMITER = ","
UNDECIDED = "CHECK"  # what a drafted schema says where a person has to decide


class Role(StrEnum):
    """What a column is to its readers."""

    IDENTIFIER = "identifier"  # names a person: never leaves
    PATIENT = "patient"  # tells which rows are one person's: leaves as a pseudonym or not at all
    QUASI = "quasi"  # others may know it of a person: leaves generalised
    SENSITIVE = "sensitive"  # what must not be learnt of a person: leaves as it is, under l and t
    INSENSITIVE = "insensitive"  # neither: leaves as it is


@dataclass(frozen=True, slots=True)
class Column:
    """``hierarchy`` is the name of the hierarchy's file, of a quasi-identifier only."""

    name: str
    role: Role
    hierarchy: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """``columns`` in the order in which they are released; ``delimiter`` is the one of CSV files."""

    columns: tuple[Column, ...]
    delimiter: str = DEFAULT_DELIMITER

    def of_role(self, role: Role) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.role is role)

    @property
    def quasi(self) -> tuple[str, ...]:
        return self.of_role(Role.QUASI)

    @property
    def sensitive(self) -> tuple[str, ...]:
        return self.of_role(Role.SENSITIVE)

    @property
    def patient(self) -> str | None:
        return next(iter(self.of_role(Role.PATIENT)), None)

    @property
    def released(self) -> tuple[str, ...]:
        """The columns that leave under their own name, in order."""
        leaving = (Role.QUASI, Role.SENSITIVE, Role.INSENSITIVE)
        return tuple(column.name for column in self.columns if column.role in leaving)

    def require_columns(self, found: tuple[str, ...]) -> None:
        """Raise SchemaInvalid unless a file has exactly these columns, each once."""
        described = {column.name for column in self.columns}
        for name in found:
            if name not in described:
                raise SchemaInvalid(f"column {name!r} of the file is not in the schema", field=name)
        if len(set(found)) != len(found):
            raise SchemaInvalid("the file names a column twice")
        for column in self.columns:
            if column.name not in found:
                raise SchemaInvalid(
                    f"column {column.name!r} of the schema is not in the file", field=column.name
                )


def parse_schema(text: str) -> Schema:
    """Read the YAML form. Raises SchemaInvalid, naming the column or the key at fault."""
    try:
        # Nodes keep every scalar as it was written: a column may be called 'no' or '1'.
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as wrong:
        raise SchemaInvalid("the schema is not YAML") from wrong
    document = _plain(node) if node is not None else None
    top = _mapping(document, "the schema")
    if "draft" in top:
        raise SchemaInvalid(
            "the schema is still a draft: check every role, then remove 'draft'", field="draft"
        )
    _only(top, {"columns", "delimiter"}, "the schema")
    delimiter = top.get("delimiter", DEFAULT_DELIMITER)
    if delimiter == "\\t":
        delimiter = "\t"
    if (
        not isinstance(delimiter, str)
        or len(delimiter) != 1
        or not delimiter.isascii()
        or delimiter in '"\r\n'
    ):
        raise SchemaInvalid(
            "the delimiter is one ASCII character, no quote and no line end", field="delimiter"
        )
    columns = tuple(_column(name, entry) for name, entry in _mapping(top.get("columns"), "'columns'").items())
    schema = Schema(columns, delimiter)
    if not schema.quasi:
        raise SchemaInvalid("no column has the role 'quasi': nothing would be protected", field="columns")
    if len(schema.of_role(Role.PATIENT)) > 1:
        raise SchemaInvalid("more than one column has the role 'patient'", field="columns")
    return schema


def _column(name: str, entry: object) -> Column:
    where = f"column {name!r}"
    given = _mapping(entry, where, field=name)
    _only(given, {"role", "hierarchy"}, where, field=name)
    role = given.get("role")
    if role == UNDECIDED:
        raise SchemaInvalid(f"{where} is still a draft: decide its role", field=name)
    if role not in {known.value for known in Role}:
        known = ", ".join(known.value for known in Role)
        raise SchemaInvalid(f"{where} has no known role ({known})", field=name)
    hierarchy = given.get("hierarchy", "")
    if not isinstance(hierarchy, str):
        raise SchemaInvalid(f"{where}: the hierarchy is the name of a file", field=name)
    if hierarchy == UNDECIDED:
        raise SchemaInvalid(f"{where} is still a draft: name its hierarchy", field=name)
    if role == Role.QUASI and not hierarchy:
        raise SchemaInvalid(f"{where} is a quasi-identifier without a hierarchy", field=name)
    if role != Role.QUASI and hierarchy:
        raise SchemaInvalid(f"{where} has a hierarchy but is no quasi-identifier", field=name)
    return Column(name, Role(role), hierarchy)


def _mapping(value: object, where: str, *, field: str | None = None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not value or not all(isinstance(key, str) and key for key in value):
        raise SchemaInvalid(f"{where} is a mapping of names, and not empty", field=field)
    return value


def _only(given: Mapping[str, Any], known: set[str], where: str, *, field: str | None = None) -> None:
    for key in given:
        if key not in known:
            raise SchemaInvalid(f"{where} has an unknown key {key!r}", field=field or key)


def _plain(node: yaml.Node) -> object:
    """The node as maps, lists and strings; refuses a key given twice, where libraries take the last."""
    if isinstance(node, yaml.MappingNode):
        made: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in made:
                raise SchemaInvalid(f"the schema names {name!r} twice", field=name)
            made[name] = _plain(value)
        return made
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return str(node.value)
