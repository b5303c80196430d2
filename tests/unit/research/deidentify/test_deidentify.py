"""Nothing that tells who a patient is leaves; what leaves still holds together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backend.records.fhir import conforms
from backend.records.fhir_json import Number
from backend.research.deidentify.copying import Copied, Export, deidentify
from backend.research.deidentify.dates import DatePolicy
from backend.research.deidentify.errors import ExportInvalid
from backend.research.deidentify.places import SPARSE_PREFIXES, coarse_address
from backend.research.deidentify.tally import Rule
from backend.research.pseudonyms import date_shift, row_pseudonym
from backend.research.types import RecordEntries, StudyId
from backend.types import MemberId, RecordId, SubjectId
from scripts.generate_bundles import generate

SYNTHEA = Path(__file__).resolve().parents[5] / "shared" / "data" / "synthea"
STUDY, OTHER = StudyId(b"s" * 32), StudyId(b"o" * 32)
KEY = b"k" * 32
SUBJECT = SubjectId(77)
ON = date(2026, 11, 26)
LAB, OTHER_LAB = MemberId(b"r" * 32), MemberId(b"q" * 32)
EXPORT = Export(STUDY, LAB, KEY, ON)
SHIFT = date_shift(KEY, STUDY, SUBJECT)

Entries = list[tuple[str | None, dict[str, Any]]]


def entries_of(bundle: dict[str, Any]) -> Entries:
    return [(entry.get("fullUrl"), entry["resource"]) for entry in bundle["entry"]]


def bundles() -> list[Any]:
    generated = [pytest.param(bundle, id=f"generated-{at}") for at, bundle in enumerate(generate(6, 3))]
    published = [pytest.param(path, id=path.stem) for path in sorted(SYNTHEA.glob("*.json"))]
    return generated + (published or [pytest.param(None, id="synthea")])


@pytest.fixture(params=bundles())
def record(request: pytest.FixtureRequest) -> Entries:
    if request.param is None:
        pytest.skip("the Synthea bundles are not here (../shared/data/synthea)")
    if isinstance(request.param, Path):
        return entries_of(json.loads(request.param.read_text(), parse_float=Number, parse_int=Number))
    return entries_of(request.param)


def released(entries: Entries, export: Export = EXPORT, subject: SubjectId = SUBJECT) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts(entries, export, subject)]


def texts(entries: Entries, export: Export = EXPORT, subject: SubjectId = SUBJECT) -> list[str]:
    return [text for _, text in of_records(entries, export=export, subject=subject).resources]


def of_records(*records: Entries, export: Export = EXPORT, subject: SubjectId = SUBJECT) -> Copied:
    named = [RecordEntries(RecordId(bytes([number]) * 16), each) for number, each in enumerate(records)]
    return deidentify(named, subject, export)


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from walk(value, f"{path}.{name}")
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, path)
    else:
        yield path, node


TELLING = re.compile(
    r"\.(id|fullUrl|family|given|prefix|text|div|display|line|city|value(String|Address)?|reference|url|data|"
    r"description|note|comment|birthDate|issued|district|county|uid|title)$"
)


def identifying(entries: Entries) -> set[str]:
    """Every string of the input that names somebody or something, was typed by people, or is an id."""
    found = {url for url, _ in entries if url}
    for _, resource in entries:
        for path, value in walk(resource):
            if isinstance(value, str) and not isinstance(value, Number) and TELLING.search(path):
                found.add(value)
        for address in resource.get("address", []):
            found.add(address.get("postalCode", ""))
    # Some displays are the codes themselves.
    codes = {value for _, resource in entries for path, value in walk(resource) if path.endswith(".code")}
    return {text for text in found - codes if len(text) > 3}


def test_no_identifying_string_of_the_input_is_in_the_output(record: Entries) -> None:
    output = "\n".join(texts(record))
    known = identifying(record)
    assert len(known) > 20
    words = set(re.findall(r'"([^"\\]*)"', output))
    assert known & words == set()
    # Whatever has a space or a dash in it cannot be part of another word by chance.
    assert {text for text in known if re.search(r"[ \-]", text) and text in output} == set()


def test_references_resolve_ids_are_new_and_resources_are_valid(record: Entries) -> None:
    output = released(record)
    names = {f"{resource['resourceType']}/{resource['id']}" for resource in output}
    assert len(names) == len(output) > 5
    references = [
        value for resource in output for path, value in walk(resource) if path.endswith(".reference")
    ]
    assert references
    assert set(references) <= names
    assert all(conforms(resource) for resource in output)
    (patient,) = (resource for resource in output if resource["resourceType"] == "Patient")
    assert patient["id"] == row_pseudonym(KEY, STUDY, LAB, SUBJECT)


def times(resources: Sequence[dict[str, Any]]) -> list[str]:
    stamp = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")
    return [
        value
        for resource in resources
        for _, value in walk(resource)
        if isinstance(value, str) and stamp.fullmatch(value)
    ]


def test_all_times_move_by_the_same_whole_days(record: Entries) -> None:
    kept = [resource for _, resource in record]
    before = {
        (kind, element): [
            resource[element] for resource in kept if resource["resourceType"] == kind and element in resource
        ]
        for kind, element in [("Observation", "effectiveDateTime"), ("Immunization", "occurrenceDateTime")]
    }
    output = released(record)
    for (kind, element), texts in before.items():
        after = [
            resource[element]
            for resource in output
            if resource["resourceType"] == kind and element in resource
        ]
        assert len(after) == len(texts)  # none is lost and the order of resources stays
        moved = {moment(one) - moment(other) for one, other in zip(texts, after, strict=True)}
        assert {(gap.days, gap.seconds) for gap in moved} <= {(SHIFT, 0)}
    assert set(times(output)) & set(times(kept)) <= accidental(kept)


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def accidental(resources: Sequence[dict[str, Any]]) -> set[str]:
    """Days of the record that are others of its days, moved."""
    return {text for text in times(resources) if "T" not in text}


def test_export_is_the_same_within_a_study_and_another_one_elsewhere(record: Entries) -> None:
    once = of_records(record)
    assert of_records(record) == once
    ids = {json.loads(text)["id"] for _, text in once.resources}
    for export, subject in [
        (Export(OTHER, LAB, KEY, ON), SUBJECT),
        (Export(STUDY, OTHER_LAB, KEY, ON), SUBJECT),
        (Export(STUDY, LAB, b"x" * 32, ON), SUBJECT),
        (EXPORT, SubjectId(78)),
    ]:
        assert {resource["id"] for resource in released(record, export, subject)}.isdisjoint(ids)


PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "gender": "female",
    "birthDate": "1980-05-17",
}


CHOLESTEROL: dict[str, Any] = {"coding": [{"system": "http://loinc.org", "code": "2093-3"}]}


def observation(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": CHOLESTEROL,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2020-03-01T10:00:00-05:00",
    } | members


def only(
    resource: dict[str, Any], patient: dict[str, Any] = PATIENT, export: Export = EXPORT
) -> dict[str, Any] | None:
    found = released([(None, patient), (None, resource)], export)
    return next((item for item in found if item["resourceType"] != "Patient"), None)


def the_patient(patient: dict[str, Any], *others: dict[str, Any], export: Export = EXPORT) -> dict[str, Any]:
    return next(
        item
        for item in released([(None, patient), *((None, other) for other in others)], export)
        if item["resourceType"] == "Patient"
    )


def test_times_go_to_utc_so_that_summer_time_does_not_tell_the_shift() -> None:
    winter = only(observation())
    summer = only(observation(effectiveDateTime="2020-07-01T10:00:00.250-04:00"))
    assert winter is not None
    assert summer is not None
    assert winter["effectiveDateTime"].endswith("T15:00:00Z")
    assert summer["effectiveDateTime"].endswith("T14:00:00.250Z")


def test_partial_dates_keep_their_precision_and_order() -> None:
    found = [
        only(observation(effectiveDateTime=text)) for text in ("2019", "2020-02", "2020-03", "2020-03-01")
    ]
    dates = [item["effectiveDateTime"] for item in found if item is not None]
    assert [len(text) for text in dates] == [4, 7, 7, 10]
    assert dates[1] <= dates[2]


def test_by_the_letter_of_safe_harbor_only_years_stay() -> None:
    strict = Export(STUDY, LAB, KEY, ON, DatePolicy.YEAR)
    found = only(observation(), export=strict)
    assert found is not None
    assert re.fullmatch(r"\d{4}", found["effectiveDateTime"])
    assert re.fullmatch(r"\d{4}", the_patient(PATIENT, export=strict)["birthDate"])
    # An instant has to have a time: it goes.
    assert "issued" not in (only(observation(issued="2020-03-01T10:00:00Z"), export=strict) or {})


def test_ages_over_89_are_one_group_in_dates_and_numbers() -> None:
    end = (ON.toordinal() - SHIFT, ON)
    year = date.fromordinal(end[0]).year
    old = {**PATIENT, "birthDate": "1930-01-02"}
    assert the_patient(old)["birthDate"] == f"{year - 90:04d}"
    assert the_patient({**PATIENT, "birthDate": "1937-12-31"})["birthDate"] != f"{year - 90:04d}"
    # Nothing older than the group's beginning stays of such a patient, and all of others.
    assert "effectiveDateTime" not in (only(observation(effectiveDateTime="1931-01-01"), old) or {})
    young = {**PATIENT, "birthDate": "1930-01-02", "deceasedDateTime": "1990-01-01"}
    assert len(the_patient(young)["birthDate"]) == 10
    assert "effectiveDateTime" in (only(observation(effectiveDateTime="1931-01-01"), young) or {})
    ripe = the_patient({**PATIENT, "birthDate": "1900-01-02", "deceasedDateTime": "1995-01-01"})
    assert int(ripe["deceasedDateTime"][:4]) - int(ripe["birthDate"]) == 90

    def years(value: int, unit: str = "a") -> dict[str, Any]:
        return {"value": value, "unit": "years", "system": "http://unitsofmeasure.org", "code": unit}

    condition = {
        "resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}]},
    }  # fmt: skip
    for value, unit, expected in [(93, "a", 90), (89, "a", 89), (1_100, "mo", 1_080), (40_000, "d", 32_850)]:
        found = only({**condition, "onsetAge": years(value, unit)})
        assert found is not None
        assert found["onsetAge"]["value"] == expected
    aged = only(
        observation(
            code={"coding": [{"system": "http://loinc.org", "code": "30525-0"}]}, valueQuantity=years(97)
        )
    )
    assert aged is not None
    assert aged["valueQuantity"]["value"] == 90
    pressure = only(observation(valueQuantity={**years(97), "code": "mm[Hg]"}))
    assert pressure is not None
    assert pressure["valueQuantity"]["value"] == 97


@pytest.mark.parametrize(
    ("unit", "expected"), [("mg/dL", "mg/dL"), ("{score}", "1"), ("10*3/uL", "10*3/uL"), ("{RBC}/uL", "/uL")]
)
def test_units_stay_without_their_annotations(unit: str, expected: str) -> None:
    quantity = {"value": 5.1, "unit": SECRET, "system": "http://unitsofmeasure.org", "code": unit}
    found = only(observation(valueQuantity=quantity))
    assert found is not None
    assert found["valueQuantity"] == {
        "value": 5.1,
        "unit": expected,
        "system": quantity["system"],
        "code": expected,
    }


def test_without_a_birth_date_nothing_of_ninety_years_ago_stays() -> None:
    unknown = {name: value for name, value in PATIENT.items() if name != "birthDate"}
    assert "effectiveDateTime" not in (only(observation(effectiveDateTime="1930-01-01"), unknown) or {})
    assert "effectiveDateTime" in (only(observation(effectiveDateTime="2001-01-01"), unknown) or {})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ({"country": "US", "state": "MA", "city": "Boston", "line": ["1 Main"], "postalCode": "02134-1234"},
         {"country": "US", "state": "MA", "postalCode": "021"}),
        ({"country": "US", "postalCode": "03601"}, {"country": "US", "postalCode": "000"}),
        ({"state": "Massachusetts", "postalCode": "2134"}, None),
        ({"country": "DE", "state": "BE", "postalCode": "10115"}, {"country": "DE"}),
        ({"country": "Ruritania (by the sea)"}, None),
    ],
)  # fmt: skip
def test_address_keeps_state_and_three_digits(
    address: dict[str, Any], expected: dict[str, str] | None
) -> None:
    assert coarse_address(address) == expected
    assert the_patient({**PATIENT, "address": [address]}).get("address") == ([expected] if expected else None)


def test_sparse_areas_are_those_of_both_censuses() -> None:
    assert len(SPARSE_PREFIXES) == 21
    assert all(re.fullmatch(r"\d{3}", prefix) for prefix in SPARSE_PREFIXES)


SECRET = "Musterfrau"


@pytest.mark.parametrize(
    "members",
    [
        {"note": [{"text": SECRET}]},
        {"text": {"status": "generated", "div": f"<div>{SECRET}</div>"}},
        {"extension": [{"url": "http://example.org/x", "valueString": SECRET}]},
        {"_status": {"extension": [{"url": "http://example.org/x", "valueString": SECRET}]}},
        {"identifier": [{"value": SECRET}]},
        {"meta": {"source": SECRET, "tag": [{"code": SECRET}]}},
        {"valueString": SECRET},
        {"unheardOf": SECRET},
        {"contained": [{"resourceType": "Patient", "id": "x", "name": [{"family": SECRET}]}]},
        {"performer": [{"reference": f"Practitioner/{SECRET}", "display": SECRET}]},
        {"encounter": {"reference": f"Encounter/{SECRET}"}},
        {"encounter": {"identifier": {"value": SECRET}, "display": SECRET}},
        {"category": [{"coding": [{"system": "http://example.org/own", "code": SECRET}], "text": SECRET}]},
        {"method": {"coding": [{"system": "http://snomed.info/sct", "code": SECRET, "display": SECRET}]}},
        {"method": {"coding": [{"system": "http://snomed.info/sct", "code": "44054006", "display": SECRET}]}},
        {"valueQuantity": {"value": 1, "unit": SECRET}},
        {"valueQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": f"{{{SECRET}}}"}},
        {"effectiveDateTime": SECRET},
        {"component": [{"code": CHOLESTEROL | {"text": SECRET}, "valueString": SECRET}]},
    ],
)  # fmt: skip
def test_text_that_people_write_and_numbers_of_others_go(members: dict[str, Any]) -> None:
    found = only(observation(**members))
    assert found is not None
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(
    "members",
    [
        {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]},
        {"implicitRules": "http://example.org/rules"},
        {"subject": {"reference": "Patient/other"}},
        {"subject": {"display": SECRET}},
        {"status": SECRET},
        {"code": {"text": SECRET}},
    ],
)
def test_resource_that_would_say_something_else_or_is_of_somebody_else_goes(members: dict[str, Any]) -> None:
    assert only(observation(**members)) is None


def test_resources_of_other_types_go_with_what_needs_them() -> None:
    practitioner = {"resourceType": "Practitioner", "id": "d", "name": [{"family": SECRET}]}
    assert only(practitioner) is None
    report = {
        "resourceType": "DiagnosticReport", "id": "r", "status": "final", "code": CHOLESTEROL,
        "subject": {"reference": "Patient/p1"},
        "result": [{"reference": "Observation/o1"}, {"reference": "Observation/bad"}],
    }  # fmt: skip
    bad = observation(id="bad", status=SECRET)
    output = released([(None, PATIENT), (None, observation()), (None, bad), (None, report)])
    made = {resource["resourceType"]: resource for resource in output}
    assert len(output) == 3
    assert made["DiagnosticReport"]["result"] == [{"reference": f"Observation/{made['Observation']['id']}"}]


def test_export_of_no_or_two_patients_is_refused() -> None:
    for patients in ([], [PATIENT, {**PATIENT, "id": "p2"}]):
        with pytest.raises(ExportInvalid):
            of_records([(None, patient) for patient in patients])


def test_input_is_left_as_it_was(record: Entries) -> None:
    before = deepcopy(record)
    of_records(record)
    assert record == before


def test_records_of_one_patient_share_pseudonym_and_calendar_and_nothing_else() -> None:
    old = [(None, PATIENT | {"birthDate": "1981-01-01"}), (None, observation())]
    new = [(None, PATIENT), (None, observation(effectiveDateTime="2021-03-01"))]
    copied = of_records(old, new)
    assert [kind for kind, _ in copied.resources] == ["Observation", "Patient", "Observation"]
    first, patient, second = (json.loads(text) for _, text in copied.resources)
    assert first["subject"] == second["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert first["id"] != second["id"]  # the same name in two records names two things
    gap = moment(second["effectiveDateTime"]).date() - moment(first["effectiveDateTime"]).date()
    assert gap.days == (date(2021, 3, 1) - date(2020, 3, 1)).days
    assert patient["birthDate"] == (date(1980, 5, 17) - timedelta(days=SHIFT)).isoformat()
    assert copied.tally[Rule.MERGED] == 1


def test_age_over_89_in_one_record_pools_the_dates_of_all() -> None:
    old = [(None, PATIENT | {"birthDate": "1920-01-02"}), (None, observation(effectiveDateTime="1930-01-01"))]
    resources = [json.loads(text) for _, text in of_records(old, [(None, PATIENT)]).resources]
    (patient,) = (item for item in resources if item["resourceType"] == "Patient")
    assert re.fullmatch(r"\d{4}", patient["birthDate"])
    assert not any("effectiveDateTime" in item for item in resources)


def test_record_that_does_not_say_whose_it_is_stays_behind() -> None:
    copied = of_records([(None, observation())], [(None, PATIENT)])
    assert [kind for kind, _ in copied.resources] == ["Patient"]
    assert copied.tally[Rule.NOT_ABOUT] == 1


def test_what_went_is_counted_by_rule() -> None:
    full = PATIENT | {
        "name": [{"family": SECRET}, {"family": SECRET}],
        "address": [{"country": "US", "postalCode": "02134"}],
        "extension": [{"url": "http://example.org/x", "valueString": SECRET}],
    }
    measured = observation(
        note=[{"text": SECRET}],
        unheardOf=1,
        issued="not a time",
        method={"coding": [{"system": "http://example.org", "code": "x"}], "text": SECRET},
        encounter={"reference": "Encounter/gone"},
        onsetAge=1,
        code={"coding": [{"system": "http://loinc.org", "code": "30525-0"}]},
        valueQuantity={"value": 97},
    )
    bad = observation(id="bad", status=SECRET, note=[{"text": SECRET}])
    of_other = observation(id="c", subject={"reference": "Patient/other"})
    turned = observation(id="m", modifierExtension=[{"url": "http://example.org/not", "valueBoolean": True}])
    entries = [full, measured, bad, of_other, turned, {"resourceType": "Practitioner", "id": "d"}]
    tally = of_records([(None, resource) for resource in entries]).tally
    assert tally == {
        Rule.IDENTIFIERS: 2,
        Rule.PLACES: 1,
        Rule.EXTENSIONS: 1,
        Rule.TEXTS: 2,  # the note and the method's text; what went whole counts as one resource
        Rule.ELEMENTS: 2,
        Rule.CODES: 1,
        Rule.REFERENCES: 1,
        Rule.DATES: 1,
        Rule.DATES_MOVED: 2,
        Rule.AGES: 1,
        Rule.INCOMPLETE: 1,
        Rule.NOT_ABOUT: 1,
        Rule.MODIFIED: 1,
        Rule.OTHER_TYPES: 1,
    }
