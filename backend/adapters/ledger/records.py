"""The wrapper of ``RecordRegistry``."""

from __future__ import annotations

from collections.abc import Sequence

from backend.adapters.ledger.calls import BoundContract, Call, Sender, read_together
from backend.adapters.ledger.chain import Chain
from backend.consent.member_terms import TransferCustody
from backend.types import Address, BlockNumber, Bytes32, UnixSeconds

_AT_ONCE = 500
_GAS = 200_000
_GAS_ITEM = 60_000
_GAS_TRANSFER = 1_400_000  # two contract wallets may be asked


class RecordRegistry(BoundContract):
    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("RecordRegistry", address, chain)

    def commitments(
        self, custodian: Address, commitments: Sequence[Bytes32], *, block: BlockNumber
    ) -> list[tuple[UnixSeconds, UnixSeconds]]:
        """Return when each was committed and when withdrawn, 0 where it was not; in few requests."""
        view = self.artifact.functions["commitmentOf"]
        found: list[tuple[UnixSeconds, UnixSeconds]] = []
        for start in range(0, len(commitments), _AT_ONCE):
            asked = [
                (self.address, view.encode((custodian, each)))
                for each in commitments[start : start + _AT_ONCE]
            ]
            for answer in read_together(self._chain, asked, block=block):
                committed_at, withdrawn_at = view.decode(answer)
                found.append((UnixSeconds(committed_at), UnixSeconds(withdrawn_at)))
        return found

    def commit_batch(self, commitments: Sequence[Bytes32]) -> Call:
        """Commit to all; those this custodian committed to before are passed over."""
        gas = _GAS + _GAS_ITEM * len(commitments)
        return self._call("commitBatch", list(commitments), gas=gas, sender=Sender.CUSTODIAN)

    def withdraw(self, commitment: Bytes32) -> Call:
        return self._call("withdraw", commitment, gas=_GAS, sender=Sender.CUSTODIAN)

    def transfer_custody(
        self, transfer: TransferCustody, giver_signature: bytes, receiver_signature: bytes
    ) -> Call:
        """Pass commitments on to another custodian, all or none; the first dates stay."""
        return self._call(
            "transferCustody",
            transfer.from_,
            transfer.to,
            list(transfer.commitments),
            transfer.submit_by,
            giver_signature,
            receiver_signature,
            gas=_GAS_TRANSFER + _GAS_ITEM * len(transfer.commitments),
        )

    def is_transferred(self, transfer: Bytes32, *, block: BlockNumber) -> bool:
        """Return whether the transfer with this struct hash was made."""
        return bool(self._view("isTransferred", transfer, block=block)[0])
