"""Whether a commitment stands: asked once at a pair of blocks, and again as soon as either is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from backend.adapters.ledger.commitments import CommitmentLedger
from backend.consent.ledger_types import LedgerView
from backend.types import BlockNumber, Bytes32, UnixSeconds

COMMITMENT, SECOND, OTHER = Bytes32(b"c" * 32), Bytes32(b"d" * 32), Bytes32(b"o" * 32)
VIEW = LedgerView(
    chain_id=1,
    head_number=BlockNumber(7),
    head_hash=Bytes32(b"7" * 32),
    head_timestamp=UnixSeconds(1),
    final_number=BlockNumber(7),
    final_hash=Bytes32(b"7" * 32),
)
LATER = replace(VIEW, head_number=BlockNumber(8), head_hash=Bytes32(b"8" * 32))


@dataclass
class Chain:
    """Answers as the chain and its record registry; ``at`` gives committed and withdrawn times by block."""

    current: LedgerView = VIEW
    at: dict[int, tuple[int, int]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    replaced_while_read: LedgerView | None = None

    def view(self) -> LedgerView:
        return self.current

    def commitments(
        self, _custodian: str, commitments: Sequence[Bytes32], *, block: int
    ) -> list[tuple[int, int]]:
        """All but ``OTHER``, which nobody committed to."""
        self.asked.append(block)
        if self.replaced_while_read is not None:
            self.current = self.replaced_while_read
        return [(0, 0) if each == OTHER else self.at.get(block, (0, 0)) for each in commitments]

    def address(self, _sender: object) -> str:
        return "0x" + "00" * 20


def ledger(chain: Any) -> CommitmentLedger:
    return CommitmentLedger(chain=chain, relayer=chain, registry=chain, effects=chain)


def test_standing_commitment_is_asked_once_at_a_block() -> None:
    chain = Chain(at={7: (1, 0)})
    commitments = ledger(chain)
    assert [commitments.committed([COMMITMENT]) for _ in range(3)] == [[True]] * 3
    assert chain.asked == [7]


def test_withdrawal_at_a_new_head_is_seen_at_once() -> None:
    chain = Chain(at={7: (1, 0), 8: (1, 2)})
    commitments = ledger(chain)
    assert commitments.committed([COMMITMENT]) == [True]
    chain.current = LATER
    assert commitments.committed([COMMITMENT]) == [False]


def test_block_of_the_same_number_and_another_hash_is_asked_again() -> None:
    chain = Chain(at={7: (1, 0)})
    commitments = ledger(chain)
    assert commitments.committed([COMMITMENT]) == [True]
    chain.current = replace(VIEW, head_hash=OTHER, final_hash=OTHER)
    chain.at = {}
    assert commitments.committed([COMMITMENT]) == [False]


def test_missing_commitment_is_asked_every_time() -> None:
    chain = Chain()
    commitments = ledger(chain)
    assert commitments.committed([COMMITMENT]) == [False]
    chain.at = {7: (1, 0)}
    assert commitments.committed([COMMITMENT]) == [True]


def test_commitment_only_at_the_head_does_not_stand() -> None:
    chain = Chain(current=LATER, at={8: (1, 0)})
    assert ledger(chain).committed([COMMITMENT]) == [False]


def test_answer_is_not_kept_when_the_block_was_replaced_while_it_was_read() -> None:
    chain = Chain(at={7: (1, 0)}, replaced_while_read=LATER)
    commitments = ledger(chain)
    commitments.committed([COMMITMENT])
    chain.current, chain.replaced_while_read = VIEW, None
    assert commitments.committed([COMMITMENT]) == [True]
    assert chain.asked == [7, 7]


def test_many_are_asked_together_and_answered_each_in_its_place() -> None:
    chain = Chain(at={7: (1, 0)})
    commitments = ledger(chain)
    assert commitments.committed([COMMITMENT]) == [True]
    assert commitments.committed([OTHER, SECOND, COMMITMENT, OTHER]) == [False, True, True, False]
    assert commitments.committed([SECOND, COMMITMENT]) == [True, True]
    assert chain.asked == [7, 7]
    assert commitments.committed([]) == []


def test_withdrawal_of_one_leaves_the_others() -> None:
    chain = Chain(current=LATER, at={7: (1, 0), 8: (1, 0)})
    assert ledger(chain).committed([COMMITMENT, OTHER, SECOND]) == [True, False, True]
