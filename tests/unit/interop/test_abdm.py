"""ABDM's requests and artefacts: read without loss, never wider, refused with the member named."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.consent.states import State
from backend.consent.terms import UNBOUNDED, UNLIMITED_USES, Grant
from backend.errors import InvalidInput
from backend.interop.abdm import codes
from backend.interop.abdm.artefact import EXTENDED, Provider, artefact_id, consent_detail, status_of
from backend.interop.abdm.request import read_consent
from backend.types import ConsentId, RecordId
from scripts.vectors import world as w

Json = dict[str, Any]
DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "abdm.md").read_text()
EXAMPLE: Json = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])
NOW = 1_767_225_600  # 2026-01-01
CONSENT = ConsentId(b"\x07" * 32)
RECORD = RecordId(b"\x09" * 16)
HOUR = 3600


def changed(path: str, value: object) -> Json:
    source = copy.deepcopy(EXAMPLE)
    *above, last = path.split(".")
    owner = source
    for name in above:
        owner = owner[name]
    if value is None:
        del owner[last]
    else:
        owner[last] = value
    return source


def granted(source: Json, **narrower: Any) -> Grant:
    """The permit that gives all that was asked for, or less."""
    asked = read_consent(source, now=NOW).asked(w.SUBJECT, w.CLINIC, w.TABLES)
    names = (
        "purposes", "categories", "sensitivities", "actions", "data_from", "data_to", "erase_by",
        "uses_per_period", "period_seconds",
    )  # fmt: skip
    grant = w.grant()
    members = {name: getattr(asked, name) for name in names}
    terms = replace(grant.terms, **{**members, **narrower})
    return replace(grant, terms=terms, not_before=NOW, not_after=asked.not_after)


def detail(source: Json, grant: Grant) -> Json:
    found = consent_detail(
        grant,
        CONSENT,
        read_consent(source, now=None),
        Provider(w.CLINIC, [RECORD]),
        created_at=NOW,
        tables=w.TABLES,
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "value", "field", "code"),
    [
        ("purpose.code", "TREAT", "purpose.code", "abdm_unknown_code"),
        ("purpose.code", 1, "purpose.code", "abdm_malformed"),
        ("purpose", None, "purpose", "abdm_malformed"),
        ("purpose.text", "x" * 301, "purpose.text", "abdm_malformed"),
        ("patient.id", "", "patient.id", "abdm_malformed"),
        ("hiu", [], "hiu", "abdm_malformed"),
        ("requester", None, "requester", "abdm_malformed"),
        ("hip", {"id": 5}, "hip.id", "abdm_malformed"),
        ("careContexts", [{"patientReference": "1"}], "careContexts", "abdm_unsupported"),
        ("other", 1, "other", "abdm_malformed"),
        ("hiTypes", [], "hiTypes", "abdm_malformed"),
        ("hiTypes", ["Prescription", "Prescription"], "hiTypes", "abdm_malformed"),
        ("hiTypes", ["Prescription", "Invoice"], "hiTypes[1]", "abdm_unknown_code"),
        ("permission.accessMode", "EDIT", "permission.accessMode", "abdm_unknown_code"),
        ("permission.dateRange.to", "2019-01-01T00:00:00Z", "permission.dateRange.to", "abdm_window"),
        ("permission.dateRange.from", "2020-01-01T00:00:00", "permission.dateRange.from", "abdm_malformed"),
        ("permission.dateRange.from", "2020-13-01T00:00:00Z", "permission.dateRange.from", "abdm_malformed"),
        ("permission.dateRange.from", "1969-01-01T00:00:00Z", "permission.dateRange.from", "abdm_malformed"),
        ("permission.dateRange", None, "permission.dateRange", "abdm_malformed"),
        ("permission.dataEraseAt", "2025-12-31T23:59:59Z", "permission.dataEraseAt", "abdm_window"),
        ("permission.dataEraseAt", None, "permission.dataEraseAt", "abdm_malformed"),
        ("permission.frequency.unit", "MINUTE", "permission.frequency.unit", "abdm_unknown_code"),
        ("permission.frequency.value", 0, "permission.frequency.value", "abdm_malformed"),
        ("permission.frequency.value", True, "permission.frequency.value", "abdm_malformed"),
        ("permission.frequency.value", 10**9, "permission.frequency.value", "abdm_malformed"),
        ("permission.frequency.repeats", -1, "permission.frequency.repeats", "abdm_malformed"),
        ("permission.frequency.repeats", None, "permission.frequency", "abdm_malformed"),
    ],
)
def test_bad_member_is_refused_and_named(path: str, value: object, field: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_consent(changed(path, value), now=NOW)
    assert (refused.value.field, refused.value.code) == (f"consent.{field}", code)


@pytest.mark.parametrize(
    ("unit", "value", "repeats", "expected"),
    [
        ("HOUR", 1, 5, (5, HOUR)),
        ("DAY", 2, 1, (1, 48 * HOUR)),
        ("WEEK", 1, 0, (1, 168 * HOUR)),
        ("MONTH", 1, 3, (3, 31 * 24 * HOUR)),
        ("YEAR", 1, 3, (3, 366 * 24 * HOUR)),
    ],
)
def test_frequency_is_read_at_its_narrowest(
    unit: str, value: int, repeats: int, expected: tuple[int, int]
) -> None:
    assert codes.frequency(unit, value, repeats, field="f") == expected


def test_frequency_that_was_narrowed_is_said_in_full_hours_rounded_up() -> None:
    asked = EXAMPLE["permission"]["frequency"]
    assert codes.frequency_of(5, HOUR, asked) == asked
    assert codes.frequency_of(2, HOUR + 1, asked) == {"unit": "HOUR", "value": 2, "repeats": 2}
    assert codes.frequency_of(UNLIMITED_USES, 0, asked) is None


zones = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def times(first: int, last: int) -> st.SearchStrategy[datetime]:
    start, end = (datetime.fromtimestamp(at, UTC).replace(tzinfo=None) for at in (first, last))
    return st.datetimes(start, end, timezones=zones)


@st.composite
def sources(draw: st.DrawFn) -> Json:
    source = copy.deepcopy(EXAMPLE)
    source["purpose"]["code"] = draw(st.sampled_from(codes.PURPOSES))
    source["hiTypes"] = draw(st.lists(st.sampled_from(sorted(codes.HI_TYPES)), min_size=1, unique=True))
    permission = source["permission"]
    permission["accessMode"] = draw(st.sampled_from(sorted(codes.ACCESS_MODES)))
    permission["dateRange"] = {
        "from": draw(times(10**6, 10**9)).isoformat(),
        "to": draw(times(10**9 + 10**6, 2 * 10**9)).isoformat(),
    }
    permission["dataEraseAt"] = draw(times(NOW + 10**6, 4 * 10**9)).isoformat()
    permission["frequency"] = {
        "unit": draw(st.sampled_from(sorted(codes.UNITS))),
        "value": draw(st.integers(1, 30)),
        "repeats": draw(st.integers(0, 200)),
    }
    return source


@given(sources())
def test_request_is_never_wider_than_its_source(source: Json) -> None:
    asked = read_consent(source, now=NOW).asked(w.SUBJECT, w.CLINIC, w.TABLES)
    permission = source["permission"]

    def at(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    assert w.TABLES.purposes.codes(asked.purposes) == (source["purpose"]["code"],)
    known = {code for kind in source["hiTypes"] for code in codes.HI_TYPES[kind]}
    assert set(w.TABLES.categories.codes(asked.categories)) == known
    assert asked.sensitivities == asked.redelegation_depth == 0
    assert at(permission["dateRange"]["from"]) <= asked.data_from
    assert asked.data_to <= at(permission["dateRange"]["to"])
    assert asked.erase_by == asked.not_after <= at(permission["dataEraseAt"]) < UNBOUNDED
    frequency = permission["frequency"]
    assert asked.uses_per_period <= max(1, frequency["repeats"])
    assert asked.period_seconds >= frequency["value"] * codes.UNITS[frequency["unit"]]


@given(sources())
def test_artefact_of_a_full_grant_says_what_was_asked(source: Json) -> None:
    found = detail(source, granted(source))
    for name in ("purpose", "hiu", "requester", "hiTypes"):
        assert found[name] == source[name]
    again = read_consent({**source, "permission": found["permission"]}, now=NOW)
    assert again == replace(read_consent(source, now=NOW), source=again.source)
    assert found["permission"]["accessMode"] == source["permission"]["accessMode"]
    assert found["permission"]["frequency"] == source["permission"]["frequency"]


def test_artefact_of_a_narrower_grant_says_no_more_than_was_granted() -> None:
    source = changed("permission.accessMode", "STORE")
    grant = granted(source, categories=w.categories("laboratory", "medications"), actions=w.actions("access"))
    found = detail(source, grant)
    assert found["hiTypes"] == ["Prescription"]
    assert found["permission"]["accessMode"] == "VIEW"
    assert found["extension"]["exact"]["categories"] == ["medications", "laboratory"]
    assert set(found["extension"]["terms"]) == set(EXTENDED)
    assert found["consentId"] == artefact_id(CONSENT, w.CLINIC)
    none = replace(grant, terms=replace(grant.terms, actions=w.actions("collect")))
    assert (
        consent_detail(
            none,
            CONSENT,
            read_consent(source, now=None),
            Provider(w.CLINIC, []),
            created_at=NOW,
            tables=w.TABLES,
        )
        is None
    )


def test_document_shows_the_tables_and_members_as_they_are() -> None:
    for table in (codes.HI_TYPES, codes.ACCESS_MODES):
        for name, members in table.items():
            assert f"| {name} | {', '.join(members)} |" in DOCUMENT
    assert f"none below it: {', '.join(codes.PURPOSES)}." in DOCUMENT
    assert ", ".join(EXTENDED) in " ".join(DOCUMENT.split())
    assert read_consent(EXAMPLE, now=NOW).uses_per_period == 5


def test_every_state_has_a_status_but_a_draft_and_a_request_whose_consent_says_it() -> None:
    assert {status_of(state) for state in State if state not in {State.DRAFT, State.GRANTED}} == {
        "REQUESTED",
        "GRANTED",
        "DENIED",
        "REVOKED",
        "EXPIRED",
    }
