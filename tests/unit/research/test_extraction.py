"""Values come out of FHIR as recorded, or not at all; never guessed, never from what is not permitted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.extraction import extract
from backend.research.variable_lines import leaf_of, lines_of
from backend.research.variables import CATEGORY_BIT, FOLLOWED, Kind, Role, Value, Variable

SYNTHEA = Path(__file__).parents[4] / "shared" / "data" / "synthea"
SNOMED, LOINC, RXNORM = (
    "http://snomed.info/sct",
    "http://loinc.org",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
)

SEX = Variable("sex", Kind.SEX, Role.QUASI)
AGE = Variable("age", Kind.AGE, Role.QUASI, edges=("0", "18", "90"), reference_date="2026-03-01")
YEAR = Variable("year", Kind.BIRTH_YEAR, Role.QUASI, edges=("1930", "2010"))
ZIP3 = Variable("zip3", Kind.POSTAL_REGION, Role.QUASI)
STATE = Variable("state", Kind.STATE, Role.QUASI)
COUNTRY = Variable("country", Kind.COUNTRY, Role.QUASI, levels=("US", "DE"))
DIABETES = Variable("diabetes", Kind.CONDITION, system=SNOMED, code="44054006")
HB = Variable("hb", Kind.LABORATORY, system=LOINC, code="718-7", unit="g/dL", edges=("10", "12.5", "15"))
SYSTOLIC = Variable(
    "systolic", Kind.VITAL_SIGN, system=LOINC, code="8480-6", unit="mm[Hg]", edges=("120", "140")
)
METFORMIN = Variable("metformin", Kind.MEDICATION, system=RXNORM, code="860975")
SMOKING = Variable("smoking", Kind.SMOKING)
ALL = (SEX, AGE, YEAR, ZIP3, STATE, COUNTRY, DIABETES, HB, SYSTOLIC, METFORMIN, SMOKING)


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": "urn:other", "code": "1"}, {"system": system, "code": code}]}


def patient(**fields: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", **fields}


def observation(code: str, at: str, value: Any, unit: str = "g/dL", **fields: Any) -> dict[str, Any]:
    quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": coded(LOINC, code),
        "effectiveDateTime": at,
        "valueQuantity": quantity,
    } | fields


def value_of(variable: Variable, *resources: Any) -> Value:
    return extract([variable], frozenset({variable.name}), resources)[variable.name]


def test_extract_variable_that_is_not_permitted_is_missing_whatever_is_there() -> None:
    resources = [patient(gender="male", birthDate="1980-01-01"), {"resourceType": "Condition"}]
    row = extract(ALL, frozenset({"sex"}), resources)
    assert row.pop("sex") == "male"
    assert set(row.values()) == {None}


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1980-03-01", 46),
        ("1980-03-02", 45),
        ("1980-02", 46),  # any day of February is before the reference date
        ("1980-03", None),  # the first of March or a later day
        ("1980", None),
        ("2026-03-02", None),
        ("2026-03-01", 0),
        ("1900-01-01", 126),
        ("not a date", None),
        ("2024-W01-1", None),
        (1980, None),
        (None, None),
    ],
)
def test_extract_age_is_completed_years_and_never_a_guess(born: Any, age: int | None) -> None:
    assert value_of(AGE, patient(birthDate=born)) == (None if age is None else Decimal(age))


def test_extract_address_prefers_the_current_home() -> None:
    person = patient(
        address=[
            {"use": "old", "postalCode": "10001", "state": "NY"},
            {"use": "work", "postalCode": "90210", "state": "CA"},
            {"use": "home", "postalCode": "60601", "state": "IL", "period": {"end": "2020"}},
            {"use": "home", "postalCode": "02139-4307", "state": "massachusetts", "country": "us"},
        ]
    )
    assert [value_of(variable, person) for variable in (ZIP3, STATE, COUNTRY)] == ["021", "MA", "US"]
    assert value_of(ZIP3, patient(address=[{"postalCode": "SW1A 1AA"}])) is None
    assert value_of(STATE, patient(address={"state": "Bavaria"})) is None


def test_extract_newest_patient_resource_counts() -> None:
    old = patient(gender="male", meta={"lastUpdated": "2020-01-01T00:00:00Z"})
    new = patient(gender="female", meta={"lastUpdated": "2024-01-01T00:00:00Z"})
    assert value_of(SEX, new, old) == "female"


def test_extract_condition_counts_only_what_is_held_and_asked() -> None:
    condition = {"resourceType": "Condition", "code": coded(SNOMED, "44054006")}
    refuted = condition | {"verificationStatus": coded("x", "refuted")}
    resolved = condition | {"clinicalStatus": coded("x", "resolved")}
    active = condition | {"clinicalStatus": coded("x", "active")}
    only_active = replace(DIABETES, active_only=True)
    assert value_of(DIABETES, condition) == "present"
    assert value_of(DIABETES, refuted) == "absent"
    assert value_of(DIABETES, {"resourceType": "Condition", "code": coded("urn:icd", "44054006")}) == "absent"
    assert value_of(only_active, resolved) == "absent"
    assert value_of(only_active, resolved, active) == "present"


def test_extract_measurement_is_the_latest_final_one_in_the_declared_unit() -> None:
    readings = [
        observation("718-7", "2020-01-01", 11.5),
        observation("718-7", "2024-05-01T10:00:00+02:00", 13.25),
        observation("718-7", "2022", 9),
        observation("718-7", "2025-01-01", 130, unit="g/L"),
        observation("718-7", "2025-01-01", 99, status="entered-in-error"),
        observation("718-7", "2025-01-01", True),
        observation("718-7", "2025-01-01", float("nan")),
        observation("718-7", "2025-01-01", 5, valueQuantity={"value": 5, "comparator": "<", "code": "g/dL"}),
        observation("789-8", "2025-01-01", 4),
    ]
    assert value_of(HB, *readings) == Decimal("13.25")
    assert value_of(HB, *reversed(readings)) == Decimal("13.25")
    assert HB.level_of(Decimal("13.25")) == "[12.5,15)"
    levels = [HB.level_of(Decimal(text)) for text in ("9.99", "10", "12.5", "15")]
    assert levels == ["<10", "[10,12.5)", "[12.5,15)", ">=15"]


def test_extract_measurement_inside_a_panel_is_found() -> None:
    part = {
        "code": coded(LOINC, "8480-6"),
        "valueQuantity": observation("x", "", 128, unit="mm[Hg]")["valueQuantity"],
    }
    panel = observation("85354-9", "2024-01-01", 0, valueQuantity=None, component=[part])
    assert value_of(SYSTOLIC, panel) == Decimal(128)


def test_extract_medication_in_place_and_by_reference() -> None:
    concept = coded(RXNORM, "860975")
    order = {"resourceType": "MedicationRequest", "status": "stopped", "medicationCodeableConcept": concept}
    active_only = replace(METFORMIN, active_only=True)
    assert value_of(METFORMIN, order) == "present"
    assert value_of(active_only, order) == "absent"
    assert value_of(METFORMIN, order | {"status": "cancelled"}) == "absent"
    medication = {"resourceType": "Medication", "id": "m1", "code": concept}
    by_reference = {"resourceType": "MedicationStatement", "status": "active"}
    elsewhere = by_reference | {"medicationReference": {"reference": "urn:uuid:m1"}}
    inside = by_reference | {"medicationReference": {"reference": "#m1"}, "contained": [medication]}
    assert value_of(METFORMIN, elsewhere, medication) == "present"
    assert value_of(METFORMIN, inside) == "present"
    assert value_of(METFORMIN, elsewhere) == "absent"


def test_extract_smoking_status_is_the_latest_known() -> None:
    def smoking(at: str, code: str) -> dict[str, Any]:
        return observation("72166-2", at, 0, valueQuantity=None, valueCodeableConcept=coded(SNOMED, code))

    assert value_of(SMOKING, smoking("2020", "449868002"), smoking("2023", "8517006")) == "former"
    assert value_of(SMOKING, smoking("2020", "266919005"), smoking("2023", "0")) == "never"
    assert value_of(SMOKING) is None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["final", "2020-01-01", "718-7", LOINC, SNOMED, "44054006", "male", "#m1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "coding",
                    "system",
                    "status",
                    "value",
                    "valueQuantity",
                    "address",
                    "use",
                    "state",
                    "meta",
                    "lastUpdated",
                    "birthDate",
                    "gender",
                    "component",
                    "reference",
                    "medicationReference",
                    "contained",
                    "effectiveDateTime",
                    "effectivePeriod",
                    "end",
                    "period",
                    "postalCode",
                    "country",
                    "id",
                    "verificationStatus",
                    "clinicalStatus",
                    "valueCodeableConcept",
                    "entry",
                    "resource",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
kinds = st.sampled_from(
    ["Patient", "Condition", "Observation", "MedicationRequest", "Medication", "Bundle", None, 7, ["x"]]
)


@settings(max_examples=200)
@given(st.lists(st.tuples(kinds, json_values), max_size=4))
def test_extract_odd_resources_give_values_of_the_domain_and_raise_nothing(
    content: list[tuple[Any, Any]],
) -> None:
    resources = [
        ({"resourceType": kind} | body if isinstance(body, dict) else body) for kind, body in content
    ]
    row = extract(ALL, frozenset(variable.name for variable in ALL), resources)
    for variable in ALL:
        assert variable.level_of(row[variable.name]) in variable.domain
        of_variable_has(variable, row[variable.name])


def of_variable_has(variable: Variable, value: Value) -> None:
    assert leaf_of(variable, value) in {line[0] for line in lines_of(variable)}


@pytest.mark.parametrize("variable", ALL, ids=lambda variable: variable.name)
def test_hierarchies_cover_the_whole_public_domain(variable: Variable) -> None:
    hierarchy = Hierarchy.parse(lines_of(variable), column=variable.name)
    values: list[Value] = [None, "nowhere"]
    if variable.edges:
        values = [None, *(Decimal(number) for number in range(-5, 2_100))]
    assert all(leaf_of(variable, value) in hierarchy.leaves for value in values)
    assert set(hierarchy.names[-1]) == {"*"}


def test_hierarchy_of_years_widens_on_round_numbers_and_cuts_at_the_ends() -> None:
    lines = {line[0]: line for line in lines_of(AGE)}
    assert lines["34"] == ("34", "30-34", "30-39", "20-39", "*")
    assert lines[">=90"][:4] == (">=90",) * 4
    years = {line[0]: line for line in lines_of(YEAR)}
    assert years["1930"] == ("1930", "1930-1934", "1930-1939", "1930-1939", "*")


def test_every_kind_names_the_consent_category_it_needs() -> None:
    assert set(CATEGORY_BIT) == set(Kind) - {Kind.VIEW} - FOLLOWED  # a view says which it needs


def test_extract_synthea_bundles_find_plausible_values(proposal_with: Callable[..., Any]) -> None:
    if not SYNTHEA.is_dir():
        pytest.skip("the sample bundles are not here (../shared/data/synthea)")
    found: list[dict[str, Value]] = []
    for path in sorted(SYNTHEA.glob("*.json"))[:8]:
        found.append(
            extract(ALL, frozenset(variable.name for variable in ALL), [json.loads(path.read_text())])
        )
    assert all(row["sex"] in ("male", "female") and row["state"] == "MA" for row in found)
    assert all(row["year"] is not None and row["smoking"] is not None for row in found)
    assert any(row["hb"] is not None for row in found)
