"""Finds the stops that others send: in the pool of the node, before they are mined, and in new blocks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from backend.adapters.ledger.abi import artifact, decode_or_none
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import SentStop
from backend.errors import LedgerUnavailable
from backend.types import Address, Bytes32, ConsentId, SubjectId

_log = logging.getLogger(__name__)
_REGISTRY: Final = "ConsentRegistry"
_EVENTS: Final = ("ConsentRevoked", "AllRevoked")
_MOST_BLOCKS: Final = 100  # of one request; what lies further back counts at the head all the same
_SELECTOR_BYTES: Final = 4


class SentStops:
    """One reader of one node. ``registries``: all that succeeded one another. ``own``: accounts whose
    transactions are this service's."""

    def __init__(self, *, chain: Chain, registries: Iterable[Address], own: Iterable[Address]) -> None:
        self._chain = chain
        self._registries = [address.lower() for address in registries]
        self._own = {account.lower() for account in own}
        self._topics = ["0x" + artifact(_REGISTRY).topic(event).hex() for event in _EVENTS]
        self._filter: str | None = None
        self._shows_pool = True
        self._next_block: int | None = None
        self._unread: dict[str, None] = {}  # hashes of transactions, until the node was asked for these

    def new(self) -> list[SentStop]:
        """Return what came since the last call, the first time nothing. Raise LedgerUnavailable."""
        self._unread |= dict.fromkeys(self._from_pool())
        with suppress(LedgerUnavailable):  # while no view is to be had the pool still tells
            self._unread |= dict.fromkeys(self._from_blocks())
        calls = [("eth_getTransactionByHash", [each]) for each in self._unread]
        found = self._chain.rpc().batch(calls) if calls else []
        self._unread.clear()
        return [stop for each in found if isinstance(each, dict) for stop in self._stops_in(each)]

    def _from_pool(self) -> list[str]:
        if not self._shows_pool:
            return []
        try:
            if self._filter is None:
                self._filter = self._chain.rpc().call("eth_newPendingTransactionFilter")
            return list(self._chain.rpc().call("eth_getFilterChanges", self._filter))
        except RpcError as refusal:
            if self._filter is None:
                _log.warning("the node does not show its pool; stops of others count from their block")
                self._shows_pool = False
            self._filter = None  # the node forgot it: it was restarted, or long not asked
            _log.debug("no changes of the pool: %s", refusal.message)
            return []

    def _from_blocks(self) -> list[str]:
        head = self._chain.view().head_number
        first = head + 1 if self._next_block is None else max(self._next_block, head + 1 - _MOST_BLOCKS)
        if first > head:
            self._next_block = first
            return []
        query = {
            "address": self._registries,
            "topics": [self._topics],
            "fromBlock": hex(first),
            "toBlock": hex(head),
        }
        try:
            logs = self._chain.rpc().call("eth_getLogs", query)
        except RpcError as refusal:
            raise LedgerUnavailable("The node did not show the events of new blocks.") from refusal
        self._next_block = head + 1
        return [str(log["transactionHash"]) for log in logs]

    def _stops_in(self, transaction: dict[str, Any]) -> list[SentStop]:
        """Return the stops that a transaction carries with a signature that says it all by itself."""
        is_other = str(transaction["from"]).lower() not in self._own
        if not is_other or str(transaction["to"]).lower() not in self._registries:
            return []
        data = bytes.fromhex(str(transaction["input"])[2:])
        match self._decoded(data):
            case ("revoke", (consent, signature)):
                return [SentStop(signature, consent=ConsentId(Bytes32(consent)))]
            case ("revokeBatch", (names, signatures)):
                pairs = zip(names, signatures, strict=False)
                return [SentStop(signature, consent=ConsentId(Bytes32(name))) for name, signature in pairs]
            case ("revokeAll", (subject, epoch, signature)):
                return [SentStop(signature, subject=SubjectId(subject), epoch=epoch)]
            case _:
                return []

    def _decoded(self, data: bytes) -> tuple[str, tuple[Any, ...]] | None:
        functions = artifact(_REGISTRY).functions
        for name in ("revoke", "revokeBatch", "revokeAll"):
            if functions[name].selector == data[:_SELECTOR_BYTES]:
                values = decode_or_none(functions[name].inputs, data[_SELECTOR_BYTES:])
                return None if values is None else (name, values)
        return None
