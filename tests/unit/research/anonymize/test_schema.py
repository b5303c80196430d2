"""A schema describes every column of a file, and nothing is assumed where it does not."""

from __future__ import annotations

import pytest

from backend.research.anonymize.refusals import SchemaInvalid
from backend.research.anonymize.schema import Role, parse_schema

GOOD = """
delimiter: ";"
columns:
  age: {role: quasi, hierarchy: age.csv}
  no: {role: sensitive}
  id: {role: patient}
  name: {role: identifier}
  ward: {role: insensitive}
"""


def test_schema_reads_roles_in_order_and_keeps_names_as_written() -> None:
    schema = parse_schema(GOOD)
    assert schema.delimiter == ";"
    assert [column.name for column in schema.columns] == ["age", "no", "id", "name", "ward"]
    assert (schema.quasi, schema.sensitive, schema.patient) == (("age",), ("no",), "id")
    assert schema.of_role(Role.IDENTIFIER) == ("name",)
    assert schema.released == ("age", "no", "ward")  # neither who it is nor which rows are theirs
    assert schema.columns[0].hierarchy == "age.csv"


def test_delimiter_is_a_comma_unless_said_and_may_be_a_tab() -> None:
    assert parse_schema("columns: {a: {role: quasi, hierarchy: h}}").delimiter == ","
    assert parse_schema('delimiter: "\\t"\ncolumns: {a: {role: quasi, hierarchy: h}}').delimiter == "\t"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", None),
        ("columns: [", None),
        ("columns: {}", None),
        ("- a", None),
        ("columns: {age: quasi}", "age"),
        ("columns: {age: {role: quasi}}", "age"),
        ("columns: {age: {role: quasi, hierarchy: ''}}", "age"),
        ("columns: {age: {role: quasi, hierarchy: [h]}}", "age"),
        ("columns: {age: {role: quasi, hierarchy: h, width: 5}}", "age"),
        ("columns: {age: {role: secret}}", "age"),
        ("columns: {age: {hierarchy: h}}", "age"),
        ("columns: {age: {role: sensitive, hierarchy: h}}", "age"),
        ("columns: {age: {role: sensitive}}", "columns"),
        ("columns: {a: {role: quasi, hierarchy: h}, a: {role: insensitive}}", "a"),
        ("columns: {a: {role: quasi, hierarchy: h}, p: {role: patient}, q: {role: patient}}", "columns"),
        ("columns: {a: {role: quasi, hierarchy: h}}\nkolumns: 1", "kolumns"),
        ("columns: {a: {role: quasi, hierarchy: h}}\ndelimiter: ;;", "delimiter"),
        ("columns: {a: {role: quasi, hierarchy: h}}\ndelimiter: '\"'", "delimiter"),
        ("columns: {a: {role: CHECK}}", "a"),
        ("columns: {a: {role: quasi, hierarchy: CHECK}}", "a"),
        ("draft: not checked yet\ncolumns: {a: {role: quasi, hierarchy: h}}", "draft"),
    ],
)
def test_schema_that_leaves_something_open_is_refused_by_name(text: str, field: str | None) -> None:
    with pytest.raises(SchemaInvalid) as refusal:
        parse_schema(text)
    assert refusal.value.field == field
    if field not in (None, "columns"):
        assert field in str(refusal.value)


def test_file_and_schema_name_the_same_columns() -> None:
    schema = parse_schema(GOOD)
    schema.require_columns(("ward", "age", "no", "id", "name"))
    with pytest.raises(SchemaInvalid, match="'weight' of the file") as more:
        schema.require_columns(("age", "no", "id", "name", "ward", "weight"))
    assert more.value.field == "weight"
    with pytest.raises(SchemaInvalid, match="'ward' of the schema") as less:
        schema.require_columns(("age", "no", "id", "name"))
    assert less.value.field == "ward"
    with pytest.raises(SchemaInvalid, match="twice"):
        schema.require_columns(("age", "no", "id", "name", "ward", "ward"))
