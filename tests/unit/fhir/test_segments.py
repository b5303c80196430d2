"""Every resource in exactly one segment, its source text kept, its time known or unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.records.fhir import validate_bundle
from backend.records.fhir_dates import ALL_TIME, parse_span
from backend.records.fhir_json import Limits, read_bundle
from backend.records.labels import label_bundle
from backend.records.segments import Segment, segment
from backend.types import MAX_UINT40
from tests.unit.fhir.bundles import DEPRESSION, ME, bundle, condition, entry, observation, raw

DAY = 86_400


def segments_of(*entries: dict[str, Any]) -> tuple[Segment, ...]:
    return segment(validate_bundle(raw(bundle(*entries))))


def span_of(**members: Any) -> tuple[int, int]:
    made = [part for part in segments_of(observation(**members)) if part.kind == "laboratory"]
    return made[0].data_from, made[0].data_to


def entries_of(payload: bytes) -> list[tuple[str | None, str]]:
    source = read_bundle(payload, Limits())
    return [(part.members.get("fullUrl"), part.resource_text) for part in source.entries]


MIXED = st.lists(
    st.builds(
        lambda kind, code, when: (kind, code, when),
        st.sampled_from(["Observation", "Condition"]),
        st.sampled_from([DEPRESSION, "59621000", "86406008", "unknown-1"]),
        st.sampled_from(["1961-02", "2019-12-31T23:59:59Z", "2020-01-01T00:00:00Z", "2020", None]),
    ),
    max_size=8,
)


@settings(max_examples=50)
@given(MIXED)
def test_every_resource_is_in_exactly_one_segment_with_its_own_text(
    parts: list[tuple[str, str, Any]],
) -> None:
    entries = []
    for number, (kind, code, when) in enumerate(parts):
        made = condition(number, code) if kind == "Condition" else observation(number, code)
        made["resource"].pop("effectiveDateTime", None)
        if when:
            made["resource"]["onsetDateTime" if kind == "Condition" else "effectiveDateTime"] = when
        entries.append(made)
    body = raw(bundle(*entries))
    accepted = validate_bundle(body)
    made_of = [pair for part in segment(accepted) for pair in entries_of(part.payload)]
    assert sorted(made_of, key=str) == sorted(entries_of(body), key=str)
    assert segment(accepted) == segment(validate_bundle(body))
    labels = dict(zip((r.full_url for r in accepted.resources), label_bundle(accepted), strict=True))
    for part in segment(accepted):
        inside = [labels[url] for url, _ in entries_of(part.payload)]
        assert {(label.categories, label.sensitivities) for label in inside} == {
            (part.categories, part.sensitivities)
        }
        assert part.resources == len(inside)


def test_payload_is_the_documented_serialisation_byte_for_byte() -> None:
    text = '{"resourceType": "Observation","status":"final",  "code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"subject":{"reference":"urn:uuid:é"},"valueQuantity":{"value":13.50}}'
    body = (
        '{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:\\u00e9",'
        '"resource":{"resourceType":"Patient","id":"p"},"request":{"method":"POST","url":"Patient"}},'
        '{"resource":' + text + "}]}"
    ).encode()
    parts = {part.kind: part.payload.decode() for part in segment(validate_bundle(body))}
    assert parts["laboratory"] == (
        '{"resourceType":"Bundle","type":"collection","entry":[{"resource":' + text + "}]}"
    )
    assert parts["demographics"] == (
        '{"resourceType":"Bundle","type":"collection","entry":'
        '[{"fullUrl":"urn:uuid:é","resource":{"resourceType":"Patient","id":"p"}}]}'
    )


def test_kinds_are_named_by_code_and_differ_by_sensitivity() -> None:
    kinds = [part.kind for part in segments_of(condition(), condition(1, DEPRESSION), condition(2, "x1"))]
    assert kinds == ["demographics+identifiers", "conditions", "conditions/BH+MH", "conditions/UNLABELLED"]


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("2020", 1577836800, 366 * DAY),
        ("2021", 1609459200, 365 * DAY),
        ("2020-02", 1580515200, 29 * DAY),
        ("2020-12", 1606780800, 31 * DAY),
        ("2020-02-29", 1582934400, DAY),
        ("2020-01-01T00:00:00Z", 1577836800, 1),
        ("2020-01-01T01:00:00.999+01:00", 1577836800, 1),
        ("2019-12-31T23:59:60Z", 1577836799, 1),
    ],
)
def test_parse_span_is_half_open_in_utc(text: str, start: int, length: int) -> None:
    assert parse_span(text) == (start, start + length)


@pytest.mark.parametrize(
    "text", ["", "soon", "2020-13", "2020-02-30", "2020-01-01T10:00:00", "0000", "99999"]
)
def test_parse_span_of_anything_else_is_unknown(text: str) -> None:
    assert parse_span(text) is None


def test_time_before_1970_begins_at_zero_and_no_time_is_unknown() -> None:
    assert span_of(effectiveDateTime="1961-02-03") == (0, 1)
    undated = observation()
    del undated["resource"]["effectiveDateTime"]
    part = segments_of(undated)[1]
    assert (part.data_from, part.data_to) == ALL_TIME == (0, MAX_UINT40)


def test_what_happened_dates_a_resource_before_when_it_was_written_down() -> None:
    assert span_of(effectiveDateTime="2020-02-29", issued="2024-01-01T00:00:00Z") == parse_span("2020-02-29")
    made = observation(issued="2020-01-01T00:00:00Z")
    del made["resource"]["effectiveDateTime"]
    assert segments_of(made)[1].data_from == 1577836800


def test_months_are_separate_and_a_long_period_keeps_to_itself() -> None:
    long = entry(
        "CarePlan", status="active", intent="plan", subject=ME, period={"start": "2020-01", "end": "2022-03"}
    )
    short = entry(
        "CarePlan",
        1,
        status="active",
        intent="plan",
        subject=ME,
        period={"start": "2020-01-05", "end": "2020-01-06"},
    )
    parts = segments_of(
        observation(0, effectiveDateTime="2020-01-31T23:59:59Z"),
        observation(1, effectiveDateTime="2020-02-01T00:00:00Z"),
        observation(2, effectiveDateTime="2020-02-29"),
        long,
        short,
    )
    assert [(part.kind, part.resources) for part in parts[1:]] == [
        ("laboratory", 1), ("laboratory", 2), ("care_plans", 1), ("care_plans", 1),
    ]  # fmt: skip
    assert parts[2].data_from == 1580515200
    assert parts[2].data_to == 1580515200 + 29 * DAY
    assert parts[3].data_to - parts[3].data_from < 3 * DAY


def test_decimal_digits_survive() -> None:
    body = raw(bundle(observation(valueQuantity={"value": 123456}))).replace(
        b"123456", b"1.200000000000000000001e-2"
    )
    payload = segment(validate_bundle(body))[1].payload
    assert b'"value": 1.200000000000000000001e-2' in payload
    assert json.loads(payload)["entry"][0]["resource"]["status"] == "final"
