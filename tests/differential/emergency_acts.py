"""Opening, closing, reviewing an emergency, and the policy on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tests.differential.acts import STRANGER, Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import NOBODY, Delegation, InPerson, struct_hash
from tests.differential.emergency_model import Opener
from tests.differential.outcome import Event
from tests.differential.world import World

EMERGENCY = "EmergencyAccess"
OPEN = "OpenEmergency(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 submitBy)"
LATE = "OpenEmergencyLate(uint96 subject,address responder,bytes32 reason,uint32 duration,uint40 openedAt)"
COUNTERSIGN = "CountersignEmergency(bytes32 opening)"
CLOSE = "CloseEmergency(bytes32 opening)"
REVIEW = "ReviewEmergency(bytes32 opening,bytes32 finding)"
SET_POLICY = "SetEmergencyPolicy(uint96 subject,uint8 policy,uint32 round)"
_IN_PERSON = {"direct", "direct, wallet", "relayed", "relayed, wallet"}
WAYS: dict[str, set[str]] = {
    "OpenNow": _IN_PERSON | {f"{way}, countersigned" for way in _IN_PERSON},
    "OpenLate": _IN_PERSON | {f"{way}, countersigned" for way in _IN_PERSON},
    "Close": _IN_PERSON,
    "Review": _IN_PERSON,
    "SetEmergencyPolicy": _IN_PERSON,
    "SetEmergencyPolicyByGuardian": _IN_PERSON,
}


@dataclass(frozen=True)
class OpenNow(Act):
    """``when``: the last second to submit, or the local time if it is late."""

    subject: int
    by: InPerson
    reason: bytes
    duration: int
    when: int
    countersigner: InPerson | None = None

    def header(self) -> tuple[int, str, bytes, int, int]:
        return self.subject, self.by.account, self.reason, self.duration, self.when

    @cached_property
    def id(self) -> bytes:
        return struct_hash(self._type(), *self.header())

    def _type(self) -> str:
        return OPEN

    def apply(self, world: World) -> list[Event]:
        signed = self.id, self.subject, self.by, self.reason, self.duration
        return world.emergencies.open(Opener(*signed, self.when, None, self.countersigner))

    def call(self, desk: Desk) -> Call:
        return self._call(desk, "openEmergency")

    def _call(self, desk: Desk, name: str) -> Call:
        signature = desk.sign(self.by, EMERGENCY, self.id)
        other, countersignature = NOBODY, b""
        if self.countersigner:
            other = self.countersigner.account
            countersignature = desk.sign(self.countersigner, EMERGENCY, struct_hash(COUNTERSIGN, self.id))
        sides = [self.by, *([self.countersigner] if self.countersigner else [])]
        sender = next((by.account for by in sides if by.way == "sends"), STRANGER)
        return desk.send(sender, EMERGENCY, name, self.header(), signature, other, countersignature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by) + (", countersigned" if self.countersigner else "")


@dataclass(frozen=True)
class OpenLate(OpenNow):
    def _type(self) -> str:
        return LATE

    def apply(self, world: World) -> list[Event]:
        signed = self.id, self.subject, self.by, self.reason, self.duration
        return world.emergencies.open(Opener(*signed, 0, self.when, self.countersigner))

    def call(self, desk: Desk) -> Call:
        return self._call(desk, "openEmergencyLate")


@dataclass(frozen=True)
class Close(Act):
    opening: bytes
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.emergencies.close(self.opening, self.by)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, EMERGENCY, struct_hash(CLOSE, self.opening))
        return desk.relay(self.by, EMERGENCY, "closeEmergency", self.opening, self.by.account, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class Review(Act):
    opening: bytes
    finding: bytes
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.emergencies.review(self.opening, self.finding, self.by)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, EMERGENCY, struct_hash(REVIEW, self.opening, self.finding))
        given = self.opening, self.by.account, self.finding, signature
        return desk.relay(self.by, EMERGENCY, "reviewEmergency", *given)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class SetEmergencyPolicy(Act):
    subject: int
    policy: int
    round: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.emergencies.set_policy(self.subject, self.policy, self.round, self.by)

    def call(self, desk: Desk) -> Call:
        given = self.subject, self.policy, self.round
        signature = desk.sign(self.by, EMERGENCY, struct_hash(SET_POLICY, *given))
        return desk.relay(self.by, EMERGENCY, "setEmergencyPolicy", *given, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class SetEmergencyPolicyByGuardian(Act):
    guardianship: Delegation
    policy: int
    round: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        given = self.guardianship, self.policy, self.round, self.by
        return world.emergencies.set_policy_by_guardian(*given)

    def call(self, desk: Desk) -> Call:
        hashed = struct_hash(SET_POLICY, self.guardianship.subject, self.policy, self.round)
        signature = desk.sign(self.by, EMERGENCY, hashed)
        given = self.guardianship.header(), self.policy, self.round, signature
        return desk.relay(self.by, EMERGENCY, "setEmergencyPolicyByGuardian", *given)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)
