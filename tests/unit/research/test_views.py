"""Views give the rows that SQL on FHIR v2 says, and refuse what they cannot run."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backend.research.errors import ViewFailed, ViewInvalid
from backend.research.views.fhirpath import Path, parse_path
from backend.research.views.parse import parse_view
from backend.research.views.rows import rows

ANNA: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "anna",
    "active": True,
    "gender": "female",
    "birthDate": "1961-04-30",
    "multipleBirthInteger": 2,
    "name": [
        {"use": "official", "family": "Ritter", "given": ["Anna", "Maria"]},
        {"use": "maiden", "family": "Lang"},
    ],
    "telecom": [{"system": "phone", "value": "1"}],
    "contact": [
        {"telecom": [{"system": "email", "value": "2"}, {"system": "phone", "value": "3"}]},
        {"name": {"family": "Ohne"}},
    ],
    "extension": [
        {"url": "urn:a", "valueString": "tall"},
        {"url": "urn:b", "extension": [{"url": "code", "valueCode": "x"}]},
    ],
    "managingOrganization": {"reference": "Organization/o1/_history/3"},
}
EMPTY = {"resourceType": "Patient", "id": "nobody"}
READING: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "r1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "subject": {"reference": "Patient/anna"},
    "effectiveDateTime": "2024-05-01",
    "component": [
        {"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": {"value": 121.5, "unit": "mmHg"}},
        {"code": {"coding": [{"code": "8462-4"}]}, "valueString": "low"},
    ],
}


def view(*selects: dict[str, Any], resource: str = "Patient", **fields: Any) -> dict[str, Any]:
    return {
        "name": "tried",
        "resource": resource,
        "select": list(selects),
        "extension": [{"url": "urn:assent:category", "valueCode": "demographics"}],
        **fields,
    }


def columns(**paths: str) -> dict[str, Any]:
    return {"column": [{"name": name, "path": path} for name, path in paths.items()]}


def run(definition: dict[str, Any], resource: dict[str, Any]) -> list[dict[str, Any]]:
    before = copy.deepcopy(resource)
    found = rows(parse_view(definition), resource)
    assert resource == before
    return found


def cell(path: str, resource: dict[str, Any] = ANNA, **column: Any) -> Any:
    definition = view({"column": [{"name": "c", "path": path, **column}]}, resource=resource["resourceType"])
    (row,) = run(definition, resource)
    return row["c"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", "anna"),
        ("gender", "female"),
        ("active", True),
        ("multipleBirth.ofType(integer)", 2),
        ("multipleBirth.ofType(boolean)", None),
        ("multipleBirth.ofType(integer) + 1", 3),
        ("multipleBirth.ofType(integer) / 4", Decimal("0.5")),
        ("name.first().family", "Ritter"),
        ("name[1].family", "Lang"),
        ("name.where(use = 'maiden').family", "Lang"),
        ("name.where(use = 'maiden').exists()", True),
        ("name.exists(use = 'nickname')", False),
        ("name.given.join('|')", "Anna|Maria"),
        ("photo.empty()", True),
        ("active.not()", False),
        ("extension('urn:a').value.ofType(string)", "tall"),
        ("extension('urn:b').extension('code').value.ofType(code)", "x"),
        ("birthDate < @1970-01-01", True),
        ("gender = 'female' and active", True),
        ("gender = 'male' or active = false", False),
        ("gender != 'male'", True),
        ("Patient.gender", "female"),
        ("$this.gender", "female"),
        ("$this.gender = $this.gender", True),
        ("'word'", "word"),
        ("3", 3),
        ("getResourceKey()", "Patient/anna"),
        ("managingOrganization.getReferenceKey()", "Organization/o1"),
        ("managingOrganization.getReferenceKey(Organization)", "Organization/o1"),
        ("managingOrganization.getReferenceKey(Patient)", None),
        ("nosuchelement", None),
    ],
)
def test_path_gives_value(path: str, value: Any) -> None:
    assert cell(path) == value
    assert type(cell(path)) is type(value)


def test_keys_of_a_resource_and_of_a_reference_to_it_join() -> None:
    assert cell("subject.getReferenceKey(Patient)", READING) == cell("getResourceKey()", ANNA)
    for odd in ("https://elsewhere.test/Patient/anna", "#anna", "urn:uuid:anna", "Patient/", 7):
        assert cell("subject.getReferenceKey()", {**READING, "subject": {"reference": odd}}) is None


def test_select_beside_another_makes_each_row_with_each() -> None:
    first, second = columns(family="family"), columns(system="system")
    found = run(view({"forEach": "name", **first}, {"forEach": "contact.telecom", **second}), ANNA)
    assert [(row["family"], row["system"]) for row in found] == [
        ("Ritter", "email"),
        ("Ritter", "phone"),
        ("Lang", "email"),
        ("Lang", "phone"),
    ]


def test_for_each_without_items_has_no_row_and_or_null_has_one() -> None:
    part = {"column": [{"name": "f", "path": "family"}, {"name": "g", "path": "given", "collection": True}]}
    assert run(view(columns(id="id"), {"forEach": "name", **part}), EMPTY) == []
    assert run(view(columns(id="id"), {"forEachOrNull": "name", **part}), EMPTY) == [
        {"id": "nobody", "f": None, "g": ()}
    ]
    assert run(view({"forEachOrNull": "name", **part}), ANNA) == [
        {"f": "Ritter", "g": ("Anna", "Maria")},
        {"f": "Lang", "g": ()},
    ]


def test_for_each_inside_for_each_repeats_the_outer_row() -> None:
    inner = {"forEach": "telecom", **columns(system="system")}
    outer = {"forEach": "contact", "select": [inner], **columns(family="name.family")}
    assert run(view(outer), ANNA) == [
        {"family": None, "system": "email"},
        {"family": None, "system": "phone"},
    ]
    outer["select"] = [{"forEachOrNull": "telecom", **columns(system="system")}]
    assert run(view(outer), ANNA)[-1] == {"family": "Ohne", "system": None}


def test_for_each_keeps_the_type_of_what_it_finds() -> None:
    part = columns(code="code.coding.code", number="value.ofType(Quantity).value")
    expected = [{"code": "8480-6", "number": Decimal("121.5")}, {"code": "8462-4", "number": None}]
    assert run(view({"forEach": "component", **part}, resource="Observation"), READING) == expected
    nested = {"forEach": "component", "select": [part]}
    assert run(view(nested, resource="Observation"), READING) == expected
    deeper = {"forEach": "component", "select": [{"forEach": "value.ofType(Quantity)", **columns(u="unit")}]}
    assert run(view(deeper, resource="Observation"), READING) == [{"u": "mmHg"}]


def test_for_each_of_this_gives_values_themselves() -> None:
    assert run(view({"forEach": "name.given", **columns(given="$this")}), ANNA) == [
        {"given": "Anna"},
        {"given": "Maria"},
    ]


def test_union_gives_the_rows_of_each_select_with_duplicates() -> None:
    one = {"forEach": "telecom", **columns(v="value", s="system")}
    other = {"forEach": "contact.telecom", **columns(v="value", s="system")}
    found = run(view({"column": [{"name": "id", "path": "id"}], "unionAll": [one, other, one]}), ANNA)
    assert [row["v"] for row in found] == ["1", "2", "3", "1"]
    assert [*found[0]] == ["id", "v", "s"]
    nested = {"unionAll": [one, {"unionAll": [other]}]}
    assert [row["v"] for row in run(view(nested), ANNA)] == ["1", "2", "3"]
    assert run(view({"unionAll": [one, other]}), EMPTY) == []


def test_columns_come_in_the_order_of_the_definition() -> None:
    definition = view(
        {
            "column": [{"name": "a", "path": "'A'"}],
            "select": [{"column": [{"name": "c", "path": "'C'"}]}],
            "unionAll": [{"column": [{"name": "e", "path": "'E'"}]}],
        },
        columns(g="'G'"),
    )
    assert [*run(definition, ANNA)[0]] == ["a", "c", "e", "g"]
    assert [*parse_view(definition).columns] == ["a", "c", "e", "g"]


def test_where_keeps_what_holds_and_refuses_what_is_no_boolean() -> None:
    def with_where(*paths: str) -> dict[str, Any]:
        return view(columns(id="id"), where=[{"path": path} for path in paths])

    assert len(run(with_where("active", "gender = 'female'"), ANNA)) == 1
    assert run(with_where("active", "gender = 'male'"), ANNA) == []
    assert run(with_where("active = true"), EMPTY) == []  # nothing is not true
    with pytest.raises(ViewFailed):
        run(with_where("gender"), ANNA)
    with pytest.raises(ViewFailed):
        run(with_where("active | false"), ANNA)


def test_other_resource_types_have_no_rows() -> None:
    assert run(view(columns(id="id")), READING) == []


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"valueCode": "female"}, "gender = %c", True),
        ({"valueString": "maiden"}, "name.where(use = %c).family = 'Lang'", True),
        ({"valueInteger": 2}, "multipleBirth.ofType(integer) = %c", True),
        ({"valueDecimal": 2.5}, "multipleBirth.ofType(integer) < %c", True),
        ({"valueBoolean": False}, "active = %c", False),
        ({"valueDate": "1961-04-30"}, "birthDate = %c", True),
        ({"valueDate": "1950-01-01"}, "birthDate < %c", False),
    ],
)
def test_constant_stands_for_its_value(value: dict[str, Any], path: str, found: bool) -> None:
    definition = view(columns(x=path), constant=[{"name": "c", **value}])
    assert run(definition, ANNA) == [{"x": found}]


def test_cell_of_several_values_needs_a_collection() -> None:
    with pytest.raises(ViewFailed):
        cell("name.family")
    assert cell("name.family", collection=True) == ("Ritter", "Lang")
    assert cell("photo.url", collection=True) == ()


def test_cell_holds_only_scalars_of_the_declared_type() -> None:
    assert cell("birthDate", type="date") == "1961-04-30"
    for path, kind in (("name.first()", ""), ("gender", "integer"), ("active", "string"), ("3", "boolean")):
        with pytest.raises(ViewFailed):
            cell(path, **({"type": kind} if kind else {}))
    with pytest.raises(ViewFailed):  # words are not added to numbers
        cell("gender + multipleBirth.ofType(integer)")


def test_rows_of_one_resource_are_bounded() -> None:
    many = {**ANNA, "telecom": [{"value": str(number)} for number in range(101)]}
    part = [{"forEach": "telecom", **columns(**{f"v{number}": "value"})} for number in range(2)]
    with pytest.raises(ViewFailed):
        run(view(*part), many)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "1st"}, "name"),
        ({"name": None}, "name"),
        ({"resource": "patient"}, "resource"),
        ({"select": None}, "select"),
        ({"select": []}, "select"),
        ({"select": [{"forEach": "name"}]}, "select.0"),
        ({"select": [{"forEach": "@@", **columns(a="id")}]}, "select.0.forEach"),
        ({"select": [{"forEach": 1, **columns(a="id")}]}, "select.0.forEach"),
        ({"select": [{"forEach": "name", "forEachOrNull": "name", **columns(a="use")}]}, "select.0"),
        ({"select": [{"repeat": ["item"], **columns(a="id")}]}, "select.0"),
        ({"select": [columns(a="id b")]}, "select.0.column.0.path"),
        ({"select": [columns(a="(id")]}, "select.0.column.0.path"),
        ({"select": [columns(a="")]}, "select.0.column.0.path"),
        ({"select": [columns(a="name.repeat(given)")]}, "select.0.column.0.path"),
        ({"select": [columns(a="name.`repeat`(given)")]}, "select.0.column.0.path"),
        ({"select": [columns(a="today()")]}, "select.0.column.0.path"),
        ({"select": [columns(a="birthDate.lowBoundary()")]}, "select.0.column.0.path"),
        ({"select": [columns(a="name.where(trace('x').exists())")]}, "select.0.column.0.path"),
        ({"select": [columns(a="%unknown")]}, "select.0.column.0.path"),
        ({"select": [columns(a="%context.id")]}, "select.0.column.0.path"),
        ({"select": [columns(a="id"), columns(a="gender")]}, "select"),
        ({"select": [{"column": [{"name": "a-b", "path": "id"}]}]}, "select.0.column.0.name"),
        (
            {"select": [{"column": [{"name": "a", "path": "id", "type": "Quantity"}]}]},
            "select.0.column.0.type",
        ),
        ({"select": [{"unionAll": [columns(a="id", b="id"), columns(b="id", a="id")]}]}, "select.0"),
        ({"select": [{"unionAll": [columns(a="id"), columns(b="id")]}]}, "select.0"),
        ({"where": [{"path": "active and"}]}, "where.0.path"),
        ({"constant": [{"name": "a"}]}, "constant.0"),
        ({"constant": [{"name": "a", "valueInteger": "1"}]}, "constant.0"),
        ({"constant": [{"name": "a", "valueInteger": 1, "valueCode": "x"}]}, "constant.0"),
        ({"extension": []}, "extension"),
        (
            {
                "extension": [
                    {"url": "urn:assent:category", "valueCode": "demographics"},
                    {"url": "urn:assent:when", "valueString": "nowhere"},
                ]
            },
            "extension",
        ),
    ],
)
def test_view_that_cannot_be_run_as_it_says_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ViewInvalid) as refused:
        parse_view({**view(columns(id="id")), **change})
    assert refused.value.field == field


def test_digest_changes_with_the_definition_only() -> None:
    definition = view(columns(id="id"))
    assert parse_view(definition).digest == parse_view(copy.deepcopy(definition)).digest
    assert parse_view(definition).digest != parse_view(view(columns(id="gender"))).digest


@pytest.mark.parametrize(
    ("start", "text", "plain"),
    [
        ("Condition", "code.coding.code", True),
        ("Observation", "component.code.coding.code", True),
        ("Observation", "value", False),
        ("Observation", "component.value", False),
        ("Observation", "component.value.unit", False),
        ("Observation", "component.interpretation.text", True),
        ("", "value", False),
        ("Patient", "name and name", False),
        ("Patient", "name.first().family", False),
    ],
)
def test_path_through_a_choice_element_is_left_to_the_library(start: str, text: str, plain: bool) -> None:
    assert parse_path(text, field="path", start=start).is_plain is plain


NAMES = st.sampled_from(["name", "given", "family", "contact", "telecom", "system", "id", "period", "start"])
JSON = st.recursive(
    st.text(max_size=3) | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(names=st.lists(NAMES, min_size=1, max_size=3), content=st.dictionaries(NAMES, JSON, max_size=4))
def test_plain_path_is_followed_as_the_library_follows_it(names: list[str], content: dict[str, Any]) -> None:
    path = parse_path(".".join(names), field="path", start="Patient")
    assume(path.is_plain)
    slow = Path(path.text, None)
    resource = {"resourceType": "Patient", **content}
    assert list(path.items(resource, {}, typed=False)) == list(slow.items(resource, {}, typed=False))
