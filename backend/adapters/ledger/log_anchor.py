"""One audit log's place on the chain (port ``audit.ports.Anchor``)."""

from __future__ import annotations

from collections.abc import Sequence

from web3 import Web3

from backend.adapters.ledger.anchors import AuditAnchor
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown
from backend.adapters.ledger.relayer import Relayer
from backend.audit.errors import LogForked, LogRolledBack
from backend.audit.types import AnchorRecord
from backend.errors import AssentError
from backend.types import BlockNumber, Bytes32, MemberId

_BEHIND = "CheckpointBehind"
_FORKED = ("CheckpointForks", "ConsistencyProofInvalid", _BEHIND)


class LogAnchor:
    """The log named ``origin`` (the first line of its checkpoints) of the member ``custodian``."""

    def __init__(
        self,
        *,
        chain: Chain,
        relayer: Relayer,
        contract: AuditAnchor,
        effects: Effects,
        custodian: MemberId,
        origin: str,
    ) -> None:
        self._chain = chain
        self._relayer = relayer
        self._contract = contract
        self._effects = effects
        self._origin = Bytes32(bytes(Web3.keccak(text=origin)))
        # abi.encode of two words, hashed: the same as the contract's logIdOf (tested against it).
        self._log_id = Bytes32(bytes(Web3.keccak(custodian + self._origin)))

    @property
    def log_id(self) -> Bytes32:
        """The log's id in the contract, 32 bytes."""
        return self._log_id

    def anchored(self) -> AnchorRecord | None:
        """Return the last anchored checkpoint at the final block. Raise LedgerUnavailable.

        Also where the chain gives no permission: a log that was rolled back is refused then, too.
        """
        head = self._contract.head(self._log_id, block=self._chain.shown().final_number)
        if head.size == 0:
            return None
        return self._record(head.size, head.root, head.block, None)

    def anchor(self, size: int, root: bytes, consistency_proof: Sequence[bytes]) -> AnchorRecord:
        """Anchor a checkpoint; return when it is final. The same again gives the record of the first time.

        Raise LogForked or LogRolledBack where the contract holds another history, LedgerRejected where this
        account may not anchor, LedgerUnavailable in doubt.
        """
        call = self._contract.anchor(self._origin, size, Bytes32(root), consistency_proof)
        try:
            receipt = self._relayer.submit(call)
        except LedgerRejected as refusal:
            raise self._reason(refusal) from refusal
        if not receipt.logs:  # it was anchored before: name the block that did it
            receipt = self._effects.find(self._anchoring(size, root)) or receipt
        self._effects.await_final(receipt)
        return self._record(size, root, receipt.block_number, receipt.transaction_hash)

    def _reason(self, refusal: LedgerRejected) -> AssentError:
        if refusal.name not in _FORKED:
            return refusal
        view = self._chain.view()
        final = self._contract.head(self._log_id, block=view.final_number)
        if final != self._contract.head(self._log_id, block=view.head_number):
            # The proof began at the final checkpoint, and a newer one is on its way: no fork, only early.
            return OutcomeUnknown("An earlier checkpoint is not final yet.")
        return LogRolledBack(refusal.detail) if refusal.name == _BEHIND else LogForked(refusal.detail)

    def _anchoring(self, size: int, root: bytes) -> Effect:
        return Effect(
            self._contract.artifact,
            self._contract.address,
            "CheckpointAnchored",
            self._log_id,
            lambda found: (found["size"], found["root"]) == (size, root),
        )

    def _record(self, size: int, root: bytes, block: BlockNumber, transaction: bytes | None) -> AnchorRecord:
        return AnchorRecord(
            size=size,
            root=root,
            chain_id=self._chain.chain_id,
            log_id=self._log_id,
            contract=self._contract.address,
            block=block,
            transaction=transaction,
        )
