from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from backend.keystore import Secret
from backend.records.context import ContentContext, SegmentKeyId, SuiteNumber
from backend.records.envelope_errors import SuiteRefused, WrapRefused
from backend.records.wrapping import (
    WRAPPED_BYTES,
    SegmentKey,
    unwrap_dek,
    unwrap_segment_key,
    wrap_dek,
    wrap_segment_key,
)
from backend.types import MemberId, RecordId, SubjectId

OTHER_KEYS = [
    {"tenant": MemberId(b"\x99" * 32)},
    {"subject": SubjectId(78)},
    {"kind": "c16.s0"},
    {"epoch": 4},
]


def test_dek_wrapped_for_its_place_opens_there(context: ContentContext, keys: Any) -> None:
    wrapped = wrap_dek(keys.dek, under=keys.laboratory, context=context)
    assert len(wrapped) == WRAPPED_BYTES
    assert unwrap_dek(wrapped, under=keys.laboratory, context=context) == keys.dek


@pytest.mark.parametrize(
    "other",
    [
        {"record_id": RecordId(b"\x99" * 16)},
        {"version": 2},
        {"segment": "c16.s0"},
        {"tenant": MemberId(b"\x99" * 32)},
    ],
)
def test_dek_moved_to_another_place_is_refused(
    context: ContentContext, keys: Any, other: dict[str, Any]
) -> None:
    wrapped = wrap_dek(keys.dek, under=keys.laboratory, context=context)
    with pytest.raises(WrapRefused):
        unwrap_dek(wrapped, under=keys.laboratory, context=dataclasses.replace(context, **other))


@pytest.mark.parametrize("other", OTHER_KEYS)
def test_dek_under_the_same_bytes_named_otherwise_is_refused(
    context: ContentContext, keys: Any, other: dict[str, Any]
) -> None:
    wrapped = wrap_dek(keys.dek, under=keys.laboratory, context=context)
    renamed = SegmentKey(dataclasses.replace(keys.laboratory.id, **other), keys.laboratory.secret)
    with pytest.raises(WrapRefused):
        unwrap_dek(wrapped, under=renamed, context=context)


def test_dek_with_any_flipped_bit_or_another_length_is_refused(context: ContentContext, keys: Any) -> None:
    wrapped = wrap_dek(keys.dek, under=keys.laboratory, context=context)
    for at in range(len(wrapped)):
        damaged = bytearray(wrapped)
        damaged[at] ^= 0x10
        with pytest.raises(WrapRefused):
            unwrap_dek(bytes(damaged), under=keys.laboratory, context=context)
    for other in (b"", wrapped[:-8], wrapped + bytes(8), wrapped[:-1]):
        with pytest.raises(WrapRefused):
            unwrap_dek(other, under=keys.laboratory, context=context)


@pytest.mark.parametrize("other", OTHER_KEYS)
def test_segment_key_opens_for_its_own_id_only(keys: Any, other: dict[str, Any]) -> None:
    wrapped = wrap_segment_key(keys.laboratory, master=keys.master, version=1)
    key_id: SegmentKeyId = keys.laboratory.id
    assert unwrap_segment_key(wrapped, key_id, master=keys.master, version=1) == keys.laboratory
    with pytest.raises(WrapRefused):
        unwrap_segment_key(wrapped, dataclasses.replace(key_id, **other), master=keys.master, version=1)
    with pytest.raises(WrapRefused):
        unwrap_segment_key(wrapped, key_id, master=Secret(b"\x99" * 32), version=1)
    with pytest.raises(WrapRefused):
        unwrap_segment_key(wrapped, key_id, master=keys.master, version=2)


def test_wrap_of_one_class_never_opens_as_another(context: ContentContext, keys: Any) -> None:
    same = SegmentKey(keys.laboratory.id, keys.master)
    with pytest.raises(WrapRefused):
        unwrap_dek(
            wrap_segment_key(keys.laboratory, master=keys.master, version=1), under=same, context=context
        )


def test_unwrap_under_a_suite_that_is_not_allowed_is_refused(context: ContentContext, keys: Any) -> None:
    wrapped = wrap_dek(keys.dek, under=keys.laboratory, context=context)
    none: frozenset[SuiteNumber] = frozenset()
    with pytest.raises(SuiteRefused):
        unwrap_dek(wrapped, under=keys.laboratory, context=context, allowed_suites=none)
    with pytest.raises(SuiteRefused):
        unwrap_segment_key(wrapped, keys.laboratory.id, master=keys.master, version=1, allowed_suites=none)


def test_segment_key_shows_no_secret_when_printed(keys: Any) -> None:
    assert keys.laboratory.secret.reveal().hex() not in repr(keys).lower()
    assert "redacted" in repr(keys.laboratory)
