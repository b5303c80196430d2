"""Record commitments on the chain (port ``records.ports.CommitmentLedger``)."""

from __future__ import annotations

from collections.abc import Sequence

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.effects import Effects
from backend.adapters.ledger.records import RecordRegistry
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import Receipt
from backend.types import Bytes32

_LARGEST_BATCH = 200  # 12 million gas: fits a block of any network


class CommitmentLedger:
    """Commitments of this custodian's account."""

    def __init__(self, *, chain: Chain, relayer: Relayer, registry: RecordRegistry, effects: Effects) -> None:
        self._chain = chain
        self._relayer = relayer
        self._registry = registry
        self._effects = effects
        self._custodian = relayer.address(Sender.CUSTODIAN)

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

    def committed(self, commitment: Bytes32) -> bool:
        """Return whether it stands at the final block and is not withdrawn at the head."""
        view = self._chain.view()
        since, _ = self._registry.commitment(self._custodian, commitment, block=view.final_number)
        if not since:
            return False
        _, withdrawn_at = self._registry.commitment(self._custodian, commitment, block=view.head_number)
        return not withdrawn_at

    def withdraw(self, commitment: Bytes32) -> Receipt:
        """Mark it as withdrawn, on erasure; twice does nothing."""
        return self._relayer.submit(self._registry.withdraw(commitment))
