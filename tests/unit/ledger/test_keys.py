"""Which key counts where the head is ahead of the final block: permission waits, restriction does not."""

from __future__ import annotations

from typing import Any

import pytest

from backend.adapters.ledger.keys import KeyLedger
from backend.consent.ledger_types import BoundKey, LedgerView
from backend.types import BlockNumber, Bytes32, SubjectId, UnixSeconds

NONE = BoundKey(Bytes32(bytes(32)), 1, UnixSeconds(0))
FIRST = BoundKey(Bytes32(b"\x01" * 32), 1, UnixSeconds(100))
SECOND = BoundKey(Bytes32(b"\x02" * 32), 2, UnixSeconds(200))


class Chain:
    """The chain and its registry of keys, at the final block 5 and the head 8."""

    def __init__(self, final: BoundKey, head: BoundKey) -> None:
        self.keys = {5: final, 8: head}

    def view(self) -> LedgerView:
        return LedgerView(
            chain_id=1,
            head_number=BlockNumber(8),
            head_hash=Bytes32(b"8" * 32),
            head_timestamp=UnixSeconds(1),
            final_number=BlockNumber(5),
            final_hash=Bytes32(b"5" * 32),
        )

    def key(self, _subject: SubjectId, *, block: int) -> BoundKey:
        return self.keys[block]


@pytest.mark.parametrize(
    ("final", "head", "counts"),
    [
        (NONE, NONE, None),
        (NONE, FIRST, None),  # not final yet
        (FIRST, FIRST, FIRST),
        (FIRST, NONE, None),  # withdrawn, or its controller replaced
        (FIRST, SECOND, None),  # replaced: the old one no longer, the new one not yet
    ],
)
def test_key_counts_when_final_and_still_there_at_the_head(
    final: BoundKey, head: BoundKey, counts: BoundKey | None
) -> None:
    chain: Any = Chain(final, head)
    ledger = KeyLedger(chain=chain, relayer=chain, contract=chain, effects=chain)
    assert ledger.key_of(SubjectId(1)) == counts
    assert ledger.last_number(SubjectId(1)) == head.sequence
