"""The wrapper of ``WitnessPairs``: where the accounts of two witnesses are made."""

from __future__ import annotations

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.calls import BoundContract
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.relayer import Relayer
from backend.consent.ledger_types import Receipt
from backend.consent.witnessed import Pair
from backend.types import Address

_GAS = 600_000


class WitnessPairs(BoundContract):
    """Implements ``backend.consent.paper_ports.Pairs``."""

    def __init__(self, address: Address, chain: Chain, relayer: Relayer) -> None:
        super().__init__("WitnessPairs", address, chain)
        self._relayer = relayer
        self._creation = artifact("WitnessPair").creation

    def address_of(self, pair: Pair) -> Address:
        return pair.address(self.address, self._creation)

    def open(self, pair: Pair) -> Receipt:
        return self._relayer.submit(self._call("open", pair.first, pair.second, pair.salt, gas=_GAS))
