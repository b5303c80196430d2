"""The acts of recovery. Everybody signs, with a key or a wallet; only the controller may be the sender
instead."""

from __future__ import annotations

from dataclasses import dataclass

from tests.differential.acts import STRANGER, Act, Desk
from tests.differential.chain import Call
from tests.differential.documents import NOBODY, Delegation, InPerson, RecoveryPolicy, struct_hash
from tests.differential.outcome import Event
from tests.differential.recovery_model import Proof, Proposal
from tests.differential.world import World

RECOVERY = "Recovery"
_SIGNED = {"relayed", "relayed, wallet"}
_IN_PERSON = {"direct", "direct, wallet"} | _SIGNED
# For a proposal the way is that of its first guardian.
WAYS: dict[str, set[str]] = {
    "SetPolicy": _IN_PERSON,
    "Propose": _SIGNED,
    "Veto": _IN_PERSON,
    "VetoByGuardian": _SIGNED,
    "Complete": {"direct"},
}


@dataclass(frozen=True)
class SetPolicy(Act):
    subject: int
    policy: RecoveryPolicy
    round: int
    submit_by: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        given = self.subject, self.policy.hash, self.round, self.submit_by
        return world.recovery.set_policy(*given, self.by)

    def call(self, desk: Desk) -> Call:
        given = self.subject, self.policy.hash, self.round, self.submit_by
        signature = desk.sign(self.by, RECOVERY, struct_hash("SetRecoveryPolicy", *given))
        return desk.relay(self.by, RECOVERY, "setRecoveryPolicy", *given, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class Propose(Act):
    """``signers``: who signs for each of the guardians. ``desk_by`` None: the guardians propose alone."""

    subject: int
    controller: str
    round: int
    submit_by: int
    policy: RecoveryPolicy
    guardians: tuple[Delegation, ...]
    signers: tuple[InPerson, ...]
    acceptance: InPerson
    desk_by: InPerson | None = None

    def apply(self, world: World) -> list[Event]:
        proposal = Proposal(self.subject, self.controller, self.round, self.submit_by)
        signers = tuple(by.signer for by in self.signers)
        proof = Proof(self.policy, self.guardians, signers, self.acceptance.signer)
        if self.desk_by:
            desk = self.desk_by.account, self.desk_by.signer
            proof = Proof(self.policy, self.guardians, signers, self.acceptance.signer, *desk)
        return world.recovery.propose(proposal, proof)

    def call(self, desk: Desk) -> Call:
        proposal = self.subject, self.controller, self.round, self.submit_by
        hashed = struct_hash("ProposeRecovery", *proposal)
        confirmed = b""
        if self.desk_by:
            confirmed = desk.sign(self.desk_by, RECOVERY, struct_hash("ConfirmRecovery", *proposal))
        proof = (
            (list(self.policy.guardianships), self.policy.threshold, self.policy.salt),
            [link.header() for link in self.guardians],
            [desk.sign(by, RECOVERY, hashed) for by in self.signers],
            desk.sign(self.acceptance, RECOVERY, struct_hash("AcceptRecovery", *proposal)),
            self.desk_by.account if self.desk_by else NOBODY,
            confirmed,
        )
        return desk.send(STRANGER, RECOVERY, "proposeRecovery", proposal, proof)

    def way(self, desk: Desk) -> str:
        return desk.way(self.signers[0]) if self.signers else "relayed"


@dataclass(frozen=True)
class Veto(Act):
    subject: int
    round: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.recovery.veto(self.subject, self.round, self.by)

    def call(self, desk: Desk) -> Call:
        signature = desk.sign(self.by, RECOVERY, struct_hash("VetoRecovery", self.subject, self.round))
        return desk.relay(self.by, RECOVERY, "vetoRecovery", self.subject, self.round, signature)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class VetoByGuardian(Act):
    guardianship: Delegation
    round: int
    by: InPerson

    def apply(self, world: World) -> list[Event]:
        return world.recovery.veto_by_guardian(self.round, self.guardianship, self.by)

    def call(self, desk: Desk) -> Call:
        subject = self.guardianship.subject
        signature = desk.sign(self.by, RECOVERY, struct_hash("VetoRecovery", subject, self.round))
        given = subject, self.round, self.guardianship.header(), signature
        return desk.relay(self.by, RECOVERY, "vetoRecoveryByGuardian", *given)

    def way(self, desk: Desk) -> str:
        return desk.way(self.by)


@dataclass(frozen=True)
class Complete(Act):
    subject: int

    def apply(self, world: World) -> list[Event]:
        return world.recovery.complete(self.subject)

    def call(self, desk: Desk) -> Call:
        return desk.send(STRANGER, RECOVERY, "completeRecovery", self.subject)
