"""The wrapper of ``KeyRegistry``, and the keys of patients as the services see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from backend.adapters.ledger.calls import BoundContract, Call
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.effects import Effect, Effects
from backend.adapters.ledger.relayer import Relayer
from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from backend.consent.ledger_types import BoundKey, Receipt
from backend.types import Address, BlockNumber, Bytes32, SubjectId, UnixSeconds

_FIRST_BLOCK = BlockNumber(0)
_GAS = 1_000_000  # a contract wallet may be asked for its signature


class KeyRegistry(BoundContract):
    """Every command carries the controller's signature and is relayed by anyone."""

    def __init__(
        self,
        address: Address,
        chain: Chain,
        *,
        former: KeyRegistry | None = None,
        since: BlockNumber = _FIRST_BLOCK,
    ) -> None:
        """``former``: the one that this one succeeded in block ``since``; it answers for those before."""
        super().__init__("KeyRegistry", address, chain)
        self._former = former
        self._since = since

    def key(self, subject: SubjectId, *, block: BlockNumber) -> BoundKey:
        """Return the key that counts in the block. Its hash and date are zero where none does."""
        if self._former is not None and block < self._since:
            return self._former.key(subject, block=block)
        key_hash, sequence, bound_at = self._view("keyOf", subject, block=block)[0]
        return BoundKey(Bytes32(key_hash), sequence, UnixSeconds(bound_at))

    def check_mediated(self, command: AllowMediated, signature: bytes, *, block: BlockNumber) -> None:
        """Raise LedgerRejected unless the controller signed it for the key that counts in the block."""
        self._view("checkMediated", *astuple(command), signature, block=block)

    def bind(self, command: BindKey, signature: bytes) -> Call:
        return self._call("bindKey", *astuple(command), signature, gas=_GAS)

    def withdraw(self, command: WithdrawKey, signature: bytes) -> Call:
        return self._call("withdrawKey", *astuple(command), signature, gas=_GAS)


class KeyLedger:
    """Implements ``backend.consent.ports.SubjectKeys``."""

    def __init__(self, *, chain: Chain, relayer: Relayer, contract: KeyRegistry, effects: Effects) -> None:
        self._chain = chain
        self._relayer = relayer
        self._contract = contract
        self._effects = effects

    def key_of(self, subject: SubjectId) -> BoundKey | None:
        view = self._chain.view()
        final = self._contract.key(subject, block=view.final_number)
        if not any(final.key_hash):
            return None
        if view.head_number != view.final_number:
            head = self._contract.key(subject, block=view.head_number)
            if head != final:
                return None
        return final

    def key_at(self, subject: SubjectId, *, block: BlockNumber) -> BoundKey:
        """Return the key as it stood in a block; its hash is zero where none counted."""
        return self._contract.key(subject, block=block)

    def last_number(self, subject: SubjectId) -> int:
        return self._contract.key(subject, block=self._chain.view().head_number).sequence

    def bind(self, command: BindKey, signature: bytes) -> Receipt:
        def fits(found: Mapping[str, Any]) -> bool:
            return (found["keyHash"], found["sequence"]) == (command.key_hash, command.sequence)

        key = command.subject.to_bytes(32)
        effect = Effect(self._contract.artifact, self._contract.address, "KeyBound", key, fits)
        receipt = self._effects.once(self._contract.bind(command, signature), effect)
        return self._effects.await_final(receipt)

    def withdraw(self, command: WithdrawKey, signature: bytes) -> Receipt:
        return self._relayer.submit(self._contract.withdraw(command, signature))

    def require_mediated(self, command: AllowMediated, signature: bytes) -> None:
        view = self._chain.view()
        for block in sorted({view.final_number, view.head_number}):
            self._contract.check_mediated(command, signature, block=block)
