"""JSON of signed messages: exact both ways, and nothing unknown or missing gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings

from backend.consent.errors import InvalidTerms
from backend.consent.terms import Delegation, Grant, OpenSubject
from backend.consent.terms_json import from_json, to_json
from backend.types import UnixSeconds
from scripts.vectors import world as w
from tests.unit.consent.strategies import messages


@settings(max_examples=30)
@given(messages("Grant"))
def test_grant_survives_json(grant: Grant) -> None:
    assert from_json(Grant, json.loads(json.dumps(to_json(grant)))) == grant


@settings(max_examples=30)
@given(messages("Delegation"))
def test_delegation_survives_json(delegation: Delegation) -> None:
    assert from_json(Delegation, json.loads(json.dumps(to_json(delegation)))) == delegation


def test_wide_integers_are_decimal_strings_and_narrow_ones_numbers() -> None:
    data = to_json(w.grant())
    assert data["subject"] == str(w.SUBJECT)
    assert isinstance(data["terms"]["purposes"], str)
    assert isinstance(data["notAfter"], int)


def test_integers_are_read_from_numbers_and_from_digits() -> None:
    data = to_json(w.grant())
    data["subject"], data["notAfter"] = int(data["subject"]), str(data["notAfter"])
    assert from_json(Grant, data) == w.grant()


def change(path: str, value: Any) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(to_json(w.grant(w.Kind.PERMIT, w.Rule(permit=False)))))
    at = data
    *parents, last = path.split(".")
    for step in parents:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    return dict(data)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("extra", 1, "extra"),
        ("terms.Purposes", "1", "terms.Purposes"),
        ("terms.rules.0.effect", True, "terms.rules[0].effect"),
        ("notAfter", -1, "notAfter"),
        ("notAfter", 2**40, "notAfter"),
        ("notAfter", 1.5, "notAfter"),
        ("notAfter", True, "notAfter"),
        ("notAfter", None, "notAfter"),
        ("notAfter", "0x10", "notAfter"),
        ("notAfter", " 10", "notAfter"),
        ("notAfter", "010", "notAfter"),
        ("notAfter", "١٠", "notAfter"),
        ("subject", str(2**96), "subject"),
        ("subject", "9" * 5000, "subject"),
        ("terms", None, "terms"),
        ("terms", [], "terms"),
        ("terms.salt", "0x" + "00" * 31, "terms.salt"),
        ("terms.salt", "00" * 33, "terms.salt"),
        ("terms.salt", "0x" + "zz" * 32, "terms.salt"),
        ("terms.language", 7, "terms.language"),
        ("terms.rules", {}, "terms.rules"),
        ("terms.rules", [1], "terms.rules[0]"),
        ("terms.rules", [{}] * 65, "terms.rules"),
        ("terms.rules.0.permit", 1, "terms.rules[0].permit"),
        ("terms.rules.0.grantees", ["0x11"], "terms.rules[0].grantees[0]"),
        ("terms.research.duo", "DUO:0000042", "terms.research.duo"),
    ],
)
def test_bad_member_is_refused_by_its_path(path: str, value: Any, field: str) -> None:
    with pytest.raises(InvalidTerms) as refusal:
        from_json(Grant, change(path, value))
    assert refusal.value.field == field


@pytest.mark.parametrize("path", ["epoch", "terms.salt", "terms.research.duo", "terms.rules.0.permit"])
def test_missing_member_is_refused(path: str) -> None:
    data: Any = json.loads(json.dumps(to_json(w.grant(w.Kind.PERMIT, w.Rule(permit=False)))))
    at = data
    *parents, last = path.split(".")
    for step in parents:
        at = at[int(step)] if step.isdigit() else at[step]
    del at[last]
    with pytest.raises(InvalidTerms):
        from_json(Grant, data)


def test_address_in_lower_case_is_read_and_a_wrong_checksum_is_not() -> None:
    data = to_json(OpenSubject(w.SUBJECT, w.PATIENT, UnixSeconds(1)))
    assert from_json(OpenSubject, {**data, "controller": w.PATIENT.lower()}).controller == w.PATIENT
    wrong = w.PATIENT.replace("E", "e", 1)
    for controller in (wrong, w.PATIENT[:-1], "0x", w.PATIENT[2:] + "00"):
        with pytest.raises(InvalidTerms) as refusal:
            from_json(OpenSubject, {**data, "controller": controller})
        assert refusal.value.field == "controller"
