"""Binding and withdrawing an encryption key, and the check of a move to mediated reading."""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.acts import Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import InPerson, struct_hash
from tests.differential.outcome import Event
from tests.differential.world import World

KEYS = "KeyRegistry"
BIND = "BindKey(uint96 subject,bytes32 keyHash,uint32 sequence,uint40 submitBy)"
WITHDRAW = "WithdrawKey(uint96 subject,uint32 sequence)"
ALLOW = "AllowMediated(uint96 subject,bytes32 segmentKind,uint32 sequence,uint40 submitBy)"
_SIGNED = {"relayed", "relayed, wallet"}
WAYS: dict[str, set[str]] = {
    "BindKey": _SIGNED | {"direct", "direct, wallet"},
    "WithdrawKey": _SIGNED | {"direct", "direct, wallet"},
    "CheckMediated": _SIGNED,
}


@dataclass(frozen=True)
class BindKey(Act):
    subject: int
    key_hash: bytes
    sequence: int
    submit_by: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.keys.bind(self.subject, self.key_hash, self.sequence, self.submit_by, self.by)

    def call(self, desk: Desk) -> Call:
        given = self.subject, self.key_hash, self.sequence, self.submit_by
        signature = desk.sign(self.by, KEYS, struct_hash(BIND, *given))
        return desk.relay(self.by, KEYS, "bindKey", *given, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class WithdrawKey(Act):
    subject: int
    sequence: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.keys.withdraw(self.subject, self.sequence, self.by)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, KEYS, struct_hash(WITHDRAW, self.subject, self.sequence))
        return desk.relay(self.by, KEYS, "withdrawKey", self.subject, self.sequence, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class CheckMediated(Act):
    """A view, and so an act that leaves nothing."""

    subject: int
    segment_kind: bytes
    sequence: int
    submit_by: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.keys.check_mediated(self.subject, self.sequence, self.submit_by, self.by)

    def call(self, desk: Desk) -> Call:
        given = self.subject, self.segment_kind, self.sequence, self.submit_by
        signature = desk.sign(self.by, KEYS, struct_hash(ALLOW, *given))
        return desk.relay(self.by, KEYS, "checkMediated", *given, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)
