"""What custodians do with commitments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eth_utils.crypto import keccak

from tests.differential.acts import STRANGER, Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import InPerson, struct_hash
from tests.differential.outcome import Event
from tests.differential.record_model import Transfer
from tests.differential.world import World

RECORDS = "RecordRegistry"
TRANSFER_TYPE = "TransferCustody(address from,address to,bytes32[] commitments,uint40 submitBy)"
_SENDS = {"direct", "direct, wallet"}
WAYS: dict[str, set[str]] = {
    "Commit": _SENDS,
    "CommitBatch": _SENDS,
    "Withdraw": _SENDS,
    # Giver and taker, each by key or wallet; one may send.
    "TransferCustody": {
        *("relayed and relayed", "relayed, wallet and relayed", "relayed and relayed, wallet"),
        *(
            "direct and relayed",
            "relayed and direct",
            "direct, wallet and relayed",
            "relayed and direct, wallet",
        ),
    },
}


@dataclass(frozen=True)
class Commit(Act):
    commitment: bytes
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.records.commit(self.commitment, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, RECORDS, "commit", self.commitment)

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class Withdraw(Commit):
    def apply(self, world: World) -> list[Event]:
        return world.records.withdraw(self.commitment, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, RECORDS, "withdraw", self.commitment)


@dataclass(frozen=True)
class CommitBatch(Act):
    commitments: tuple[bytes, ...]
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.records.commit_batch(self.commitments, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, RECORDS, "commitBatch", list(self.commitments))

    def way(self, desk: Desk) -> str:
        return desk.way(InPerson(self.sender, "sends"))


@dataclass(frozen=True)
class TransferCustody(Act):
    giver: InPerson
    taker: InPerson
    commitments: tuple[bytes, ...]
    submit_by: int

    @cached_property
    def hashed(self) -> bytes:
        listed = bytes(keccak(b"".join(self.commitments)))
        return struct_hash(TRANSFER_TYPE, self.giver.account, self.taker.account, listed, self.submit_by)

    def apply(self, world: World) -> list[Event]:
        transfer = Transfer(self.hashed, self.giver, self.taker, self.commitments, self.submit_by)
        return world.records.transfer(transfer)

    def call(self, desk: Desk) -> Call:
        sides = self.giver, self.taker
        sender = next((by.account for by in sides if by.way == "sends"), STRANGER)
        signatures = [desk.sign(by, RECORDS, self.hashed) for by in sides]
        given = self.giver.account, self.taker.account, list(self.commitments), self.submit_by
        return desk.send(sender, RECORDS, "transferCustody", *given, *signatures)

    def way(self, desk: Desk) -> str:
        return f"{desk.way(self.giver)} and {desk.way(self.taker)}"
