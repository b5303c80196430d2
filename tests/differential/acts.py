"""What an act is: something somebody does at a time, known to the model and to the chain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from tests.differential.chain import Call, Chain, function, wallet_run
from tests.differential.documents import Deputy, Domain, InPerson, struct_hash
from tests.differential.outcome import Event
from tests.differential.people import account_of, with_high_s
from tests.differential.world import World

STRANGER = account_of("stranger")


@dataclass(frozen=True)
class Act(ABC):
    """``time``: of its block. Its fields are values, so that a printed act can be played again."""

    time: int

    @property
    def name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def apply(self, world: World) -> list[Event]:
        """Change the model. Raise Refused."""

    @abstractmethod
    def call(self, desk: Desk) -> Call:
        """Return the call that does it on the chain."""

    def way(self, desk: Desk) -> str:
        """The way in."""
        return "direct"


@dataclass(frozen=True)
class Desk:
    """Where calls are written and signed."""

    chain: Chain

    def sign(self, by: InPerson | Deputy, contract: str, hashed: bytes) -> bytes:
        """Return what ``by`` signs of this struct hash, spoilt if it has a flaw; empty if it is the
        sender."""
        if by.way == "sends" or by.flaw == "empty":
            return b""
        domain = self.chain.domain(contract)
        if by.flaw == "other command":
            hashed = struct_hash("Other(bytes32 value)", hashed)
        elif by.flaw == "other contract":
            domain = Domain(domain.name, domain.chain_id, self.chain.addresses["Coin"])
        elif by.flaw == "other chain":
            domain = Domain(domain.name, domain.chain_id + 1, domain.contract)
        signature = self.chain.cast.sign(by.account, domain.digest(hashed))
        if by.flaw == "short" or (by.flaw == "high s" and self.chain.cast.is_wallet(by.account)):
            return signature[:64]
        return with_high_s(signature) if by.flaw == "high s" else signature

    def send(self, sender: str, contract: str, name: str, *arguments: Any) -> Call:
        """Return the call that this account makes; a wallet's owner has the wallet make it."""
        to, data = self.chain.addresses[contract], function(contract, name).encode(arguments)
        if self.chain.cast.is_wallet(sender):
            return Call(self.chain.cast.owner(sender), sender, wallet_run(to, data))
        return Call(sender, to, data)

    def relay(self, by: InPerson | Deputy, contract: str, name: str, *arguments: Any) -> Call:
        """Return the call that a stranger makes of what ``by`` signed, or ``by`` itself if it sends."""
        return self.send(by.account if by.way == "sends" else STRANGER, contract, name, *arguments)

    def way(self, by: InPerson | Deputy) -> str:
        if isinstance(by, InPerson):
            named = {"sends": "direct", "signs": "relayed", "batch": "batch"}[by.way]
        elif len(by.chain) > 1:
            named = "sub-delegate"
        else:
            named = "guardian" if by.chain and by.chain[0].kind == 4 else "delegate"
        return f"{named}, wallet" if self.chain.cast.is_wallet(by.account) else named
