from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from backend.keystore import Secret
from backend.records.context import SegmentKeyId, SuiteNumber
from backend.records.envelope_errors import SuiteRefused, WrapRefused
from backend.records.sealing import (
    SEALED_BYTES,
    RecipientKey,
    RecipientPrivateKey,
    SlotTarget,
    open_segment_key,
    seal_segment_key,
)
from backend.types import MAX_UINT40, ConsentId, MemberId, SubjectId, UnixSeconds

CLINIC = RecipientPrivateKey(Secret(b"\x0a" * 32))
STRANGER = RecipientPrivateKey(Secret(b"\x0b" * 32))


def target_for(key: SegmentKeyId) -> SlotTarget:
    return SlotTarget(
        key=key,
        recipient=CLINIC.public.id,
        consent=ConsentId(b"\x0c" * 32),
        expiry=UnixSeconds(2_000_000_000),
        chain_id=31_337,
        contract=b"\x0d" * 20,
    )


def test_segment_key_sealed_to_a_reader_opens_for_that_reader(keys: Any) -> None:
    target = target_for(keys.laboratory.id)
    sealed = seal_segment_key(keys.laboratory, RecipientKey(CLINIC.public.encoded), target)
    assert len(sealed) == SEALED_BYTES
    assert open_segment_key(sealed, CLINIC, target) == keys.laboratory


def test_segment_key_does_not_open_for_a_stranger(keys: Any) -> None:
    target = target_for(keys.laboratory.id)
    sealed = seal_segment_key(keys.laboratory, CLINIC.public, target)
    with pytest.raises(WrapRefused):
        open_segment_key(sealed, STRANGER, target)
    with pytest.raises(WrapRefused):
        STRANGER.open(sealed, target.encode())


@pytest.mark.parametrize(
    "other",
    [
        {"consent": ConsentId(b"\x99" * 32)},
        {"expiry": UnixSeconds(MAX_UINT40)},
        {"chain_id": 1},
        {"contract": b"\x99" * 20},
    ],
)
def test_sealed_key_under_another_target_is_refused(keys: Any, other: dict[str, Any]) -> None:
    target = target_for(keys.laboratory.id)
    sealed = seal_segment_key(keys.laboratory, CLINIC.public, target)
    with pytest.raises(WrapRefused):
        open_segment_key(sealed, CLINIC, dataclasses.replace(target, **other))


@pytest.mark.parametrize(
    "other",
    [{"tenant": MemberId(b"\x99" * 32)}, {"subject": SubjectId(78)}, {"kind": "c16.s0"}, {"epoch": 4}],
)
def test_sealed_key_named_otherwise_is_refused(keys: Any, other: dict[str, Any]) -> None:
    target = target_for(keys.laboratory.id)
    sealed = seal_segment_key(keys.laboratory, CLINIC.public, target)
    renamed = dataclasses.replace(target, key=dataclasses.replace(target.key, **other))
    with pytest.raises(WrapRefused):
        open_segment_key(sealed, CLINIC, renamed)


def test_sealed_key_that_was_altered_is_refused(keys: Any) -> None:
    target = target_for(keys.laboratory.id)
    sealed = seal_segment_key(keys.laboratory, CLINIC.public, target)
    for at in (0, 1087, 1088, 1119, 1120, 1151, 1152, 1167):
        damaged = bytearray(sealed)
        damaged[at] ^= 1
        with pytest.raises(WrapRefused):
            open_segment_key(bytes(damaged), CLINIC, target)
    for other in (b"", sealed[:-1], sealed + b"\0"):
        with pytest.raises(WrapRefused):
            open_segment_key(other, CLINIC, target)


def test_seal_to_a_target_of_another_reader_or_key_is_refused(keys: Any) -> None:
    target = target_for(keys.laboratory.id)
    with pytest.raises(ValueError, match="another"):
        seal_segment_key(keys.laboratory, STRANGER.public, target)
    other = dataclasses.replace(target, key=dataclasses.replace(target.key, epoch=9))
    with pytest.raises(ValueError, match="another"):
        seal_segment_key(keys.laboratory, CLINIC.public, other)


def test_open_under_a_suite_that_is_not_allowed_is_refused(keys: Any) -> None:
    target = target_for(keys.laboratory.id)
    none: frozenset[SuiteNumber] = frozenset()
    with pytest.raises(SuiteRefused):
        open_segment_key(bytes(SEALED_BYTES), CLINIC, target, allowed_suites=none)


def test_private_key_shows_nothing_when_printed() -> None:
    assert repr(CLINIC) == "RecipientPrivateKey(redacted)"
