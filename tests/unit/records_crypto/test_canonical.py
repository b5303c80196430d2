from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.records import canonical
from backend.records.envelope_errors import NotCanonical

plain = st.recursive(
    st.integers(-(2**63), 2**63) | st.binary(max_size=40) | st.text(max_size=20) | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(plain)
def test_decode_of_an_encoding_gives_the_value_back(value: Any) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("1801"),  # one in two bytes
        bytes.fromhex("9f01ff"),  # a list without its length
        bytes.fromhex("5f4101ff"),  # bytes in pieces
        bytes.fromhex("a2616201616102"),  # keys out of order
        bytes.fromhex("a2616101616102"),  # a key twice
        bytes.fromhex("0101"),  # something after the end
        bytes.fromhex("1a000000ff"),  # a longer head than needed
        bytes.fromhex("fb3ff0000000000000"),  # a float that fits in half the bytes
        bytes.fromhex("62ff"),  # cut short
        bytes.fromhex("62c328"),  # text that is no UTF-8
        b"",
    ],
)
def test_decode_of_another_encoding_is_refused(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(data)


def test_decode_of_deep_nesting_is_refused() -> None:
    with pytest.raises(NotCanonical):
        canonical.decode(b"\x81" * 100_000 + b"\x01")


@given(st.binary(max_size=60))
def test_decode_of_any_bytes_either_refuses_or_reads_their_only_encoding(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except NotCanonical:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "value",
    [{}, {"a": 1, "b": 2}, {"a": "text"}, {"a": True}, [("a", 1)], 7],
)
def test_decode_map_with_unknown_missing_or_mistyped_fields_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical.decode_map(canonical.encode(value), {"a": int})
