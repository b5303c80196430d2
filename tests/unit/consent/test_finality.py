"""A restriction is settled by the final block, waits at the head, and is sent again where none has it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backend.consent.finality import final_block_with
from backend.consent.ledger_types import LedgerView
from backend.outbox.errors import NotYet
from backend.outbox.types import Act
from backend.types import BlockNumber, Bytes32, UnixSeconds

NOW = 1_000


@dataclass
class Chain:
    head: int
    final: int

    def view(self) -> LedgerView:
        return LedgerView(
            1, BlockNumber(self.head), Bytes32(bytes(32)), UnixSeconds(NOW), BlockNumber(self.final),
            Bytes32(bytes(32)),
        )  # fmt: skip


def place(recorded_in: int | None, chain: Chain, *, attempts: int = 0) -> BlockNumber | None:
    act = Act("revocation", "id", "relayed", {}, fence=1, attempts=attempts, created_at=UnixSeconds(NOW))
    return final_block_with(
        lambda block: recorded_in is not None and block >= recorded_in, act, ledger=chain, now=NOW
    )


def test_final_block_that_has_it_settles_it() -> None:
    assert place(7, Chain(head=10, final=7)) == 7
    assert place(7, Chain(head=7, final=7)) == 7


def test_block_that_may_be_replaced_does_not() -> None:
    with pytest.raises(NotYet) as waits:
        place(8, Chain(head=10, final=7))
    assert NOW < waits.value.until <= NOW + 8


def test_it_is_looked_for_less_and_less_often_and_at_least_every_eight_seconds() -> None:
    untils = []
    for attempts in range(6):
        with pytest.raises(NotYet) as waits:
            place(8, Chain(head=10, final=7), attempts=attempts)
        untils.append(waits.value.until - NOW)
    assert untils == [1, 2, 4, 8, 8, 8]


def test_replaced_block_is_told_apart() -> None:
    assert place(None, Chain(head=10, final=7)) is None
    assert place(None, Chain(head=7, final=7)) is None
