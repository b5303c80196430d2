from __future__ import annotations

import dataclasses
import os
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.keystore import Secret
from backend.records.blocks import Splitter
from backend.records.context import ContentContext, SuiteNumber
from backend.records.envelope import (
    Opened,
    ciphertext_size,
    encrypt,
    open_,
    open_bytes,
    seal,
    seal_bytes,
    sealed_size,
)
from backend.records.envelope_errors import EnvelopeRefused, FrameInvalid, SourceChanged, SuiteRefused
from backend.records.frame import Source, describe
from backend.types import MemberId, RecordId

FHIR = "application/fhir+json"
MIB = 1 << 20


def sealed(data: bytes, context: ContentContext, keys: Any) -> bytes:
    return b"".join(seal_bytes(data, FHIR, context=context, dek=keys.dek, erasure_share=keys.erasure_share))


def opened(ciphertext: bytes, context: ContentContext, keys: Any, piece: int = MIB) -> tuple[Source, bytes]:
    pieces = [ciphertext[at : at + piece] for at in range(0, len(ciphertext), piece)]
    return open_bytes(pieces, context=context, dek=keys.dek, erasure_share=keys.erasure_share)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=40_000), piece=st.integers(1000, 50_000))
def test_open_of_what_was_sealed_gives_the_document_back(
    context: ContentContext, keys: Any, data: bytes, piece: int
) -> None:
    ciphertext = sealed(data, context, keys)
    assert len(ciphertext) == sealed_size(describe(data, FHIR))
    assert opened(ciphertext, context, keys, piece) == (describe(data, FHIR), data)


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 32768, 5 * MIB + 1])
def test_ciphertext_size_is_exact_around_chunk_borders(size: int) -> None:
    ciphertext = b"".join(encrypt([bytes(size)], key=Secret(b"k" * 32), context=b"c"))
    assert len(ciphertext) == ciphertext_size(size)


def test_seal_twice_gives_different_ciphertexts(context: ContentContext, keys: Any) -> None:
    assert sealed(b"same", context, keys) != sealed(b"same", context, keys)


def test_open_with_any_flipped_bit_is_refused(context: ContentContext, keys: Any) -> None:
    ciphertext = sealed(b"potassium 5.9", context, keys)
    for at in range(len(ciphertext)):
        damaged = bytearray(ciphertext)
        damaged[at] ^= 1 << (at % 8)
        with pytest.raises(EnvelopeRefused):
            opened(bytes(damaged), context, keys)


def test_open_of_a_shortened_or_lengthened_ciphertext_is_refused(context: ContentContext, keys: Any) -> None:
    ciphertext = sealed(os.urandom(40_000), context, keys)
    chunk_ends = [56, 56 + 16_400, 56 + 2 * 16_400]
    for cut in [0, 1, 55, *chunk_ends, len(ciphertext) - 1]:
        with pytest.raises((EnvelopeRefused, FrameInvalid)):
            opened(ciphertext[:cut], context, keys)
    with pytest.raises(EnvelopeRefused):
        opened(ciphertext + b"\0", context, keys)


@pytest.mark.parametrize(
    "other",
    [
        {"record_id": RecordId(b"\x99" * 16)},
        {"version": 2},
        {"segment": "c16.s0"},
        {"tenant": MemberId(b"\x99" * 32)},
    ],
)
def test_open_in_the_place_of_another_segment_is_refused(
    context: ContentContext, keys: Any, other: dict[str, Any]
) -> None:
    ciphertext = sealed(b"potassium 5.9", context, keys)
    with pytest.raises(EnvelopeRefused):
        opened(ciphertext, dataclasses.replace(context, **other), keys)


@pytest.mark.parametrize("lost", ["dek", "erasure_share"])
@pytest.mark.parametrize("value", [b"\0" * 32, b"\x99" * 32])
def test_open_without_one_of_the_two_shares_is_refused(
    context: ContentContext, keys: Any, lost: str, value: bytes
) -> None:
    ciphertext = sealed(b"potassium 5.9", context, keys)
    with pytest.raises(EnvelopeRefused):
        opened(ciphertext, context, dataclasses.replace(keys, **{lost: Secret(value)}))


def test_open_with_the_two_shares_exchanged_is_refused(context: ContentContext, keys: Any) -> None:
    ciphertext = sealed(b"potassium 5.9", context, keys)
    exchanged = dataclasses.replace(keys, dek=keys.erasure_share, erasure_share=keys.dek)
    with pytest.raises(EnvelopeRefused):
        opened(ciphertext, context, exchanged)


def test_open_releases_nothing_of_a_damaged_chunk(context: ContentContext, keys: Any) -> None:
    data = os.urandom(200_000)
    damaged = bytearray(sealed(data, context, keys))
    damaged[100_000] ^= 1
    document = stream(bytes(damaged), context, keys)
    released = bytearray()
    with pytest.raises(EnvelopeRefused):
        drain(document, released)
    assert 0 < len(released) < 100_000
    assert data.startswith(bytes(released))


def drain(document: Opened, released: bytearray) -> None:
    for piece in document.data:
        released += piece


def test_open_of_a_damaged_first_chunk_shows_no_header(context: ContentContext, keys: Any) -> None:
    damaged = bytearray(sealed(os.urandom(200_000), context, keys))
    damaged[60] ^= 1
    with pytest.raises(EnvelopeRefused):
        stream(bytes(damaged), context, keys)


def stream(ciphertext: bytes, context: ContentContext, keys: Any) -> Opened:
    pieces = [ciphertext[at : at + 1000] for at in range(0, len(ciphertext), 1000)]
    return open_(pieces, context=context, dek=keys.dek, erasure_share=keys.erasure_share)


def test_seal_and_open_under_a_suite_that_is_not_allowed_are_refused(
    context: ContentContext, keys: Any
) -> None:
    shares = {"dek": keys.dek, "erasure_share": keys.erasure_share}
    none: frozenset[SuiteNumber] = frozenset()
    with pytest.raises(SuiteRefused):
        seal([], source=describe(b"", FHIR), context=context, allowed_suites=none, **shares)
    with pytest.raises(SuiteRefused):
        open_([], context=context, allowed_suites=none, **shares)
    unknown = dataclasses.replace(context, suite=SuiteNumber(2))
    with pytest.raises(SuiteRefused):
        seal_bytes(b"", FHIR, context=unknown, **shares)
    with pytest.raises(SuiteRefused):
        open_([], context=unknown, allowed_suites=frozenset({SuiteNumber(2)}), **shares)


def test_seal_of_a_document_that_changed_meanwhile_is_refused(context: ContentContext, keys: Any) -> None:
    with pytest.raises(SourceChanged):
        list(
            seal(
                [b"other"],
                source=describe(b"first", FHIR),
                context=context,
                dek=keys.dek,
                erasure_share=keys.erasure_share,
            )
        )


def test_seal_split_and_open_of_256_mib_stay_below_16_mib_of_memory(
    context: ContentContext, keys: Any
) -> None:
    piece, count = os.urandom(MIB), 256
    digest = sha256()
    for _ in range(count):
        digest.update(piece)
    source = Source("application/dicom", count * MIB, digest.digest())
    shares = {"dek": keys.dek, "erasure_share": keys.erasure_share}

    def document() -> Iterator[bytes]:
        return (piece for _ in range(count))

    tracemalloc.start()
    try:
        splitter = Splitter(seal(document(), source=source, context=context, **shares))
        # The raw blocks, in order, are the ciphertext; the root that ends them is not part of it.
        blocks = (block.data for block in splitter if block.cid.startswith("bafkrei"))
        document_again = open_(blocks, context=context, **shares)
        size = sum(len(data) for data in document_again.data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == count * MIB
    assert splitter.address.size_bytes == sealed_size(source)
    assert peak < 16 * MIB


@pytest.mark.parametrize(
    "bad",
    [{"tenant": b""}, {"record_id": b"1"}, {"version": 0}, {"segment": ""}, {"segment": "A b"}, {"suite": 0}],
)
def test_context_with_a_malformed_part_is_refused(context: ContentContext, bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        dataclasses.replace(context, **bad)
