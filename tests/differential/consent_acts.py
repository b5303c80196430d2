"""The acts of the consent contract, each through every way in that it has."""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.acts import Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import Delegation, Deputy, Grant, InPerson, struct_hash
from tests.differential.outcome import Event, Refused
from tests.differential.world import World

REGISTRY = "ConsentRegistry"
_IN_PERSON = {"direct", "direct, wallet", "relayed", "relayed, wallet"}
_AS_DELEGATE = {"delegate", "delegate, wallet", "sub-delegate", "sub-delegate, wallet"}
_AS_GUARDIAN = {"guardian", "guardian, wallet"}
# Each act and all the ways in to it. The test fails if one of them was never gone with success.
WAYS: dict[str, set[str]] = {
    "OpenSubject": {"relayed", "relayed, wallet"},
    "OpenUnderGuardian": {"relayed", "relayed, wallet"},
    "AddGuardian": {"relayed", "relayed, wallet"},
    "GiveGrant": _IN_PERSON | _AS_DELEGATE | _AS_GUARDIAN | {"batch"},
    "Revoke": _IN_PERSON | _AS_DELEGATE | _AS_GUARDIAN | {"batch"},
    "RevokeAhead": {"relayed", "relayed, wallet"} | _AS_DELEGATE | _AS_GUARDIAN,
    "RevokeAll": _IN_PERSON | _AS_GUARDIAN,
    "Delegate": _IN_PERSON | _AS_DELEGATE | _AS_GUARDIAN,
    "EndDelegation": {"relayed", "relayed, wallet"},
    "EndGuardianship": {"direct"},
    "EndForCause": _IN_PERSON | _AS_GUARDIAN,
}


@dataclass(frozen=True)
class OpenSubject(Act):
    subject: int
    by: InPerson
    submit_by: int
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.consents.open_subject(self.subject, self.by, self.submit_by, self.sender)

    def call(self, desk: Desk) -> Call:
        hashed = struct_hash("OpenSubject", self.subject, self.by.account, self.submit_by)
        signature = desk.sign(self.by, REGISTRY, hashed)
        arguments = self.subject, self.by.account, self.submit_by, signature
        return desk.send(self.sender, REGISTRY, "openSubject", *arguments)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class OpenUnderGuardian(Act):
    guardianship: Delegation
    by: InPerson
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.consents.open_under_guardian(self.guardianship, self.by, self.sender)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, REGISTRY, self.guardianship.id)
        arguments = self.guardianship.header(), signature
        return desk.send(self.sender, REGISTRY, "openSubjectUnderGuardian", *arguments)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class AddGuardian(OpenUnderGuardian):
    def apply(self, world: World) -> list[Event]:
        return world.consents.add_guardian(self.guardianship, self.by, self.sender)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, REGISTRY, self.guardianship.id)
        return desk.send(self.sender, REGISTRY, "addGuardian", self.guardianship.header(), signature)


@dataclass(frozen=True)
class ByAnyone(Act):
    """An act that a controller, a delegate or a guardian may do."""

    by: InPerson | Deputy

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)

    def _chain(self) -> list[tuple[object, ...]]:
        assert isinstance(self.by, Deputy)
        return [link.header() for link in self.by.chain]

    def _leaf(self) -> bytes:
        assert isinstance(self.by, Deputy)
        return self.by.chain[0].id if self.by.chain else bytes(32)


@dataclass(frozen=True)
class GiveGrant(ByAnyone):
    header: Grant

    def apply(self, world: World) -> list[Event]:
        try:
            return world.consents.grant(self.header, self.by)
        except Refused as refused:
            if self.by.way != "batch":
                raise
            fields = {"id": self.header.id, "subject": self.header.subject, "reason": refused.errors}
            return [Event("GrantRejected", **fields)]

    def call(self, desk: Desk) -> Call:
        header = self.header.header()
        if isinstance(self.by, Deputy):
            signature = desk.sign(
                self.by, REGISTRY, struct_hash("DelegatedGrant", self.header.id, self._leaf())
            )
            return desk.relay(self.by, REGISTRY, "grantByDelegate", header, self._chain(), signature)
        if self.by.way == "sends":
            return desk.send(self.by.account, REGISTRY, "grantDirect", header)
        signature = desk.sign(self.by, REGISTRY, self.header.id)
        if self.by.way == "batch":
            return desk.relay(self.by, REGISTRY, "grantBatch", [header], [signature])
        return desk.relay(self.by, REGISTRY, "grant", header, signature)


@dataclass(frozen=True)
class GrantBatch(Act):
    """Many at once. ``signatures`` fewer than items are a broken batch."""

    items: tuple[GiveGrant, ...]
    missing: int = 0

    def apply(self, world: World) -> list[Event]:
        if self.missing:
            raise Refused({"BatchLengthsDiffer"})
        return [event for item in self.items for event in item.apply(world)]

    def call(self, desk: Desk) -> Call:
        signatures = [desk.sign(item.by, REGISTRY, item.header.id) for item in self.items]
        headers = [item.header.header() for item in self.items]
        kept = signatures[: len(signatures) - self.missing]
        return desk.relay(self.items[0].by, REGISTRY, "grantBatch", headers, kept)

    def way(self, desk: Desk) -> str:
        return "batch"


@dataclass(frozen=True)
class Revoke(ByAnyone):
    id: bytes

    def apply(self, world: World) -> list[Event]:
        try:
            return world.consents.revoke(self.id, self.by)
        except Refused as refused:
            if self.by.way != "batch":
                raise
            return [Event("RevocationRejected", id=self.id, reason=refused.errors)]

    def call(self, desk: Desk) -> Call:
        if isinstance(self.by, Deputy):
            signature = desk.sign(self.by, REGISTRY, struct_hash("DelegatedRevoke", self.id, self._leaf()))
            return desk.relay(self.by, REGISTRY, "revokeByDelegate", self.id, self._chain(), signature)
        if self.by.way == "sends":
            return desk.send(self.by.account, REGISTRY, "revokeDirect", self.id)
        signature = desk.sign(self.by, REGISTRY, struct_hash("Revoke", self.id))
        if self.by.way == "batch":
            return desk.relay(self.by, REGISTRY, "revokeBatch", [self.id], [signature])
        return desk.relay(self.by, REGISTRY, "revoke", self.id, signature)


@dataclass(frozen=True)
class RevokeBatch(Act):
    items: tuple[Revoke, ...]
    missing: int = 0

    def apply(self, world: World) -> list[Event]:
        if self.missing:
            raise Refused({"BatchLengthsDiffer"})
        return [event for item in self.items for event in item.apply(world)]

    def call(self, desk: Desk) -> Call:
        signatures = [desk.sign(item.by, REGISTRY, struct_hash("Revoke", item.id)) for item in self.items]
        kept = signatures[: len(signatures) - self.missing]
        return desk.relay(self.items[0].by, REGISTRY, "revokeBatch", [item.id for item in self.items], kept)

    def way(self, desk: Desk) -> str:
        return "batch"


@dataclass(frozen=True)
class RevokeAhead(ByAnyone):
    document: Grant | Delegation

    def apply(self, world: World) -> list[Event]:
        return world.consents.revoke_ahead(self.document, self.by)

    def call(self, desk: Desk) -> Call:
        header, id_ = self.document.header(), self.document.id
        if isinstance(self.by, Deputy):
            signature = desk.sign(self.by, REGISTRY, struct_hash("DelegatedRevoke", id_, self._leaf()))
            return desk.relay(self.by, REGISTRY, "revokeAheadByDelegate", header, self._chain(), signature)
        signature = desk.sign(self.by, REGISTRY, struct_hash("Revoke", id_))
        name = "revokeAhead" if isinstance(self.document, Grant) else "revokeDelegationAhead"
        return desk.relay(self.by, REGISTRY, name, header, signature)


@dataclass(frozen=True)
class RevokeAll(ByAnyone):
    subject: int
    epoch: int

    def apply(self, world: World) -> list[Event]:
        return world.consents.revoke_all(self.subject, self.epoch, self.by)

    def call(self, desk: Desk) -> Call:
        which = self.subject, self.epoch
        if self.by.way == "sends":
            return desk.send(self.by.account, REGISTRY, "revokeAllDirect", *which)
        signature = desk.sign(self.by, REGISTRY, struct_hash("RevokeAll", *which))
        if isinstance(self.by, Deputy):
            return desk.relay(self.by, REGISTRY, "revokeAllByGuardian", *which, self._chain(), signature)
        return desk.relay(self.by, REGISTRY, "revokeAll", *which, signature)


@dataclass(frozen=True)
class Delegate(ByAnyone):
    header: Delegation

    def apply(self, world: World) -> list[Event]:
        return world.consents.delegate(self.header, self.by)

    def call(self, desk: Desk) -> Call:
        header = self.header.header()
        if isinstance(self.by, Deputy):
            hashed = struct_hash("DelegatedDelegation", self.header.id, self._leaf())
            signature = desk.sign(self.by, REGISTRY, hashed)
            return desk.relay(self.by, REGISTRY, "subdelegate", header, self._chain(), signature)
        if self.by.way == "sends":
            return desk.send(self.by.account, REGISTRY, "delegateDirect", header)
        signature = desk.sign(self.by, REGISTRY, self.header.id)
        return desk.relay(self.by, REGISTRY, "delegate", header, signature)


@dataclass(frozen=True)
class EndDelegation(Act):
    chain: tuple[Delegation, ...]
    position: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.consents.end_delegation(self.chain, self.position, self.by)

    def call(self, desk: Desk) -> Call:
        ended = self.chain[0].id if self.chain else bytes(32)
        used = self.chain[self.position].id if self.position < len(self.chain) else bytes(32)
        signature = desk.sign(self.by, REGISTRY, struct_hash("DelegatedRevoke", ended, used))
        headers = [link.header() for link in self.chain]
        return desk.relay(self.by, REGISTRY, "endDelegation", headers, self.position, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class EndGuardianship(Act):
    id: bytes
    sender: str

    def apply(self, world: World) -> list[Event]:
        return world.consents.end_guardianship(self.id, self.sender)

    def call(self, desk: Desk) -> Call:
        return desk.send(self.sender, REGISTRY, "endGuardianship", self.id)


@dataclass(frozen=True)
class EndForCause(ByAnyone):
    id: bytes

    def apply(self, world: World) -> list[Event]:
        return world.consents.end_for_cause(self.id, self.by)

    def call(self, desk: Desk) -> Call:
        if isinstance(self.by, Deputy):
            hashed = struct_hash("DelegatedEndForCause", self.id, self._leaf())
            signature = desk.sign(self.by, REGISTRY, hashed)
            return desk.relay(self.by, REGISTRY, "endForCauseByGuardian", self.id, self._chain(), signature)
        signature = desk.sign(self.by, REGISTRY, struct_hash("EndForCause", self.id))
        return desk.relay(self.by, REGISTRY, "endForCause", self.id, signature)
