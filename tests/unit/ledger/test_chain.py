"""What gas is paid for."""

from __future__ import annotations

import pytest

from backend.adapters.ledger.chain import MOST_WEI, price_above

GAS_TARGET_DENOMINATOR = 8  # BASE_FEE_MAX_CHANGE_DENOMINATOR of EIP-1559


def after_a_full_block(base_fee: int) -> int:
    """EIP-1559, of a block that used twice its target."""
    return base_fee + max(base_fee // GAS_TARGET_DENOMINATOR, 1)


@pytest.mark.parametrize("base_fee", [0, 1, 7, 100, 10**6])
def test_price_lasts_for_four_full_blocks_and_a_tip(base_fee: int) -> None:
    price = price_above(base_fee, least=1)
    for _ in range(4):
        base_fee = after_a_full_block(base_fee)
    assert price >= base_fee + 1


def test_price_is_nothing_where_gas_is_free() -> None:
    assert price_above(0, least=0) == 0
    assert price_above(1, least=0) > 1


def test_price_that_a_node_makes_up_is_bounded_and_never_below_the_least() -> None:
    assert price_above(10**30, least=1) == MOST_WEI
    assert price_above(10**30, least=2 * MOST_WEI) == 2 * MOST_WEI
