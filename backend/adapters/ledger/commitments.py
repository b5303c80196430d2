"""Record commitments on the chain (port ``records.ports.CommitmentLedger``)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import compress

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.effects import Effects
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.records import RecordRegistry
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import LedgerView, Receipt
from backend.errors import LedgerUnavailable
from backend.types import Bytes32

_LARGEST_BATCH = 200  # 12 million gas: fits a block of any network
_REMEMBERED = 100_000  # 32 bytes each


class CommitmentLedger:
    """Commitments of this custodian's account."""

    def __init__(self, *, chain: Chain, relayer: Relayer, registry: RecordRegistry, effects: Effects) -> None:
        self._chain = chain
        self._relayer = relayer
        self._registry = registry
        self._effects = effects
        self._custodian = relayer.address(Sender.CUSTODIAN)
        self._lock = threading.Lock()
        self._blocks: tuple[Bytes32, Bytes32] | None = None  # hashes at which what follows was read
        self._standing: set[Bytes32] = set()

    def commit_records(self, commitments: Sequence[Bytes32]) -> Receipt:
        """Record them; those already recorded by this custodian are passed over. Final on return.

        Return the receipt of the last transaction: there are several only above 200 commitments.
        """
        if not commitments:
            raise ValueError("there is nothing to commit")
        for start in range(0, len(commitments), _LARGEST_BATCH):
            batch = commitments[start : start + _LARGEST_BATCH]
            receipt = self._relayer.submit(self._registry.commit_batch(batch))
        return self._effects.await_final(receipt)

    def committed(self, commitments: Sequence[Bytes32]) -> list[bool]:
        """Return whether each stands at the final block and is not withdrawn at the head.

        A yes is remembered until either block is another one, so every withdrawal is seen.
        """
        view = self._chain.view()
        blocks = (view.final_hash, view.head_hash)
        with self._lock:
            known = self._standing if self._blocks == blocks else set()
            standing = {each for each in commitments if each in known}
        unknown = [each for each in commitments if each not in standing]
        if unknown:
            found = self._standing_of(unknown, view)
            after = self._chain.view()
            if (after.final_hash, after.head_hash) == blocks:  # not replaced while we read
                self._remember(found, blocks)
            standing |= found
        return [each in standing for each in commitments]

    def withdraw_records(self, commitments: Sequence[Bytes32]) -> None:
        """Withdraw those that stand, on erasure; final on return. Raise LedgerUnavailable."""
        standing = list(compress(commitments, self.committed(commitments)))
        if not standing:
            return
        for outcome in self._relayer.submit_many([self._registry.withdraw(each) for each in standing]):
            if not isinstance(outcome, LedgerRejected):
                self._effects.await_final(outcome)
        if any(self.committed(standing)):
            raise LedgerUnavailable("The chain did not take the withdrawals.")

    def withdraw(self, commitment: Bytes32) -> Receipt:
        """Mark it as withdrawn, on erasure; twice does nothing."""
        return self._relayer.submit(self._registry.withdraw(commitment))

    def _standing_of(self, commitments: Sequence[Bytes32], view: LedgerView) -> set[Bytes32]:
        final = self._registry.commitments(self._custodian, commitments, block=view.final_number)
        standing = [each for each, (since, _) in zip(commitments, final, strict=True) if since]
        if view.head_number == view.final_number:
            now = [times for times in final if times[0]]
        else:
            now = self._registry.commitments(self._custodian, standing, block=view.head_number)
        return {each for each, (_, withdrawn_at) in zip(standing, now, strict=True) if not withdrawn_at}

    def _remember(self, found: set[Bytes32], blocks: tuple[Bytes32, Bytes32]) -> None:
        with self._lock:
            if self._blocks != blocks or len(self._standing) >= _REMEMBERED:
                self._blocks = blocks
                self._standing = set()
            self._standing |= found
