"""What the operator does with members; in this deployment the admission delay is zero."""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.acts import Act, Desk
from tests.differential.chain import Call
from tests.differential.member_model import Credential
from tests.differential.outcome import Event
from tests.differential.world import World

MEMBERS = "ParticipantRegistry"
WAYS: dict[str, set[str]] = {
    name: {"direct"} for name in ("Admit", "Amend", "Reinstate", "ReduceRoles", "Suspend", "Remove")
}


@dataclass(frozen=True)
class Admit(Act):
    member: bytes
    new: Credential
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.members.admit(self.member, self.new, self.sender)

    def call(self, desk: Desk) -> Call:
        return self._written(desk, "admit")

    def _written(self, desk: Desk, function: str) -> Call:
        new = self.new.account, self.new.roles, self.new.expiry, self.new.credential, self.new.key
        return desk.send(self.sender, MEMBERS, function, self.member, *new)


@dataclass(frozen=True)
class Amend(Admit):
    def apply(self, world: World) -> list[Event]:
        return world.members.amend(self.member, self.new, self.sender)

    def call(self, desk: Desk) -> Call:
        return self._written(desk, "amend")


@dataclass(frozen=True)
class ReduceRoles(Act):
    member: bytes
    roles: int
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.members.reduce_roles(self.member, self.roles, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MEMBERS, "reduceRoles", self.member, self.roles)


@dataclass(frozen=True)
class Suspend(Act):
    member: bytes
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.members.suspend(self.member, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MEMBERS, "suspend", self.member)


@dataclass(frozen=True)
class Reinstate(Suspend):
    def apply(self, world: World) -> list[Event]:
        return world.members.reinstate(self.member, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MEMBERS, "reinstate", self.member)


@dataclass(frozen=True)
class Remove(Suspend):
    def apply(self, world: World) -> list[Event]:
        return world.members.remove(self.member, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, MEMBERS, "remove", self.member)
