"""Values at the edge: what cannot be meant is refused there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backend.api.schemas import Message, Moment, account, moment, record_id, seconds, subject_id
from backend.consent.terms import UNBOUNDED
from backend.errors import InvalidInput

MOMENT: TypeAdapter[Any] = TypeAdapter(Moment)
MESSAGE: TypeAdapter[Any] = TypeAdapter(Message)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "now", ""]
)
def test_moment_without_zone_or_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(text)


@given(st.integers(min_value=0, max_value=253_402_300_799))
@settings(max_examples=50)
def test_moment_survives_the_way_out_and_back(value: int) -> None:
    assert seconds(moment(value)) == value


def test_moment_that_is_unbounded_is_none() -> None:
    assert moment(UNBOUNDED) is None
    assert seconds(None) == UNBOUNDED


def test_seconds_before_1970_are_refused() -> None:
    with pytest.raises(InvalidInput):
        seconds(MOMENT.validate_python("1969-12-31T23:59:59Z"))


@pytest.mark.parametrize("message", [{"a": "\ud800"}, {"\udfff": 1}, {"a": [{"b": ["x\udc00"]}]}])
def test_message_with_a_lone_surrogate_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MESSAGE.validate_python(message)


def test_message_nested_deeply_is_read_without_recursion() -> None:
    nested: dict[str, Any] = {}
    for _ in range(50_000):
        nested = {"a": nested}
    MESSAGE.validate_python({"deep": [nested], "text": "é𝄞"})


@given(st.text())
@settings(max_examples=100)
def test_record_id_is_32_lower_case_hex_digits_or_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        record_id(text)


@pytest.mark.parametrize(
    "text", ["ab" * 15, "ab" * 17, "AB" * 16, " " + "ab" * 16, "ab " * 16, "٠" * 32, "0x" + "a" * 30]
)
def test_record_id_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        record_id(text)


def test_record_id_in_its_form_is_read() -> None:
    assert record_id("ab" * 16) == bytes.fromhex("ab" * 16)


def test_subject_zero_is_refused() -> None:
    with pytest.raises(InvalidInput):
        subject_id("0x" + "0" * 24)


def test_account_with_a_wrong_checksum_is_refused() -> None:
    right = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert account(right.lower(), field="account") == account(right, field="account") == right
    with pytest.raises(InvalidInput):
        account(right.replace("5aAe", "5AAe"), field="account")
