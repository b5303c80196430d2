from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.records.padding import MINIMUM_BYTES, padded_size


@pytest.mark.parametrize(
    ("size", "expected"),
    # Worked out by hand from the paper's algorithm: E = floor(log2 L), S = floor(log2 E) + 1 bits are kept.
    [(0, 4096), (1, 4096), (4096, 4096), (4097, 4352), (5000, 5120), (65536, 65536), (65537, 67584)],
)
def test_padded_size_of_a_known_size_is_the_padme_size(size: int, expected: int) -> None:
    assert padded_size(size) == expected


@given(st.integers(0, 2**45))
def test_padded_size_never_shrinks_and_costs_under_twelve_percent(size: int) -> None:
    padded = padded_size(size)
    assert padded >= max(size, MINIMUM_BYTES)
    assert padded <= max(size, MINIMUM_BYTES) * 1.12


@given(st.integers(0, 2**45))
def test_padded_size_of_a_padded_size_is_itself(size: int) -> None:
    assert padded_size(padded_size(size)) == padded_size(size)


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_padded_size_keeps_the_order_of_sizes(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert padded_size(low) <= padded_size(high)


def test_padded_size_refuses_a_negative_size() -> None:
    with pytest.raises(ValueError, match="negative"):
        padded_size(-1)
