"""The wrapper of ``AuditAnchor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.adapters.ledger.calls import BoundContract, Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.types import Address, BlockNumber, Bytes32, MemberId

_GAS = 500_000
_GAS_PROOF_NODE = 10_000


@dataclass(frozen=True, slots=True)
class AnchoredHead:
    """The last checkpoint of one log on the chain. ``size`` 0: none."""

    size: int
    root: Bytes32
    block: BlockNumber


class AuditAnchor(BoundContract):
    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("AuditAnchor", address, chain)

    def log_id(self, custodian: MemberId, origin: Bytes32, *, block: BlockNumber) -> Bytes32:
        """Return the id of this custodian's log; ``origin`` is the hash of the checkpoint's origin line."""
        return Bytes32(self._view("logIdOf", custodian, origin, block=block)[0])

    def head(self, log_id: Bytes32, *, block: BlockNumber) -> AnchoredHead:
        size, root, number, _ = self._view("headOf", log_id, block=block)
        return AnchoredHead(size, Bytes32(root), BlockNumber(number))

    def anchor(self, origin: Bytes32, size: int, root: Bytes32, proof: Sequence[bytes]) -> Call:
        gas = _GAS + _GAS_PROOF_NODE * len(proof)
        return self._call("anchor", origin, size, root, list(proof), gas=gas, sender=Sender.CUSTODIAN)
