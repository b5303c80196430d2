"""Contracts that were succeeded twice, with all sorts of things before, between and after, in each of them.

What each registry answered is noted after every step, to be compared with what the events make of it: a node
forgets the states of old blocks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from backend.adapters.ledger.calls import BoundContract, Call, read_together
from backend.adapters.ledger.chain import Chain
from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.deployment import deploy_successors
from backend.adapters.ledger.deployment_file import SUCCEEDED, Deployment, artifact_of
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.emergencies import EmergencyAccess, EmergencyPolicy
from backend.adapters.ledger.keys import KeyRegistry
from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.recovery import Recovery
from backend.adapters.ledger.succession import Successors
from backend.consent.emergency_terms import (
    CloseEmergency,
    EmergencyCommand,
    OpenEmergency,
    OpenEmergencyLate,
    ReviewEmergency,
    SetEmergencyPolicy,
)
from backend.consent.key_terms import BindKey, KeyCommand, WithdrawKey
from backend.consent.recovery_state import RecoveryProof
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import (
    DelegatedDelegation,
    DelegatedGrant,
    Delegation,
    Grant,
    Kind,
    OpenSubject,
    Revoke,
    RevokeAll,
)
from backend.consent.typed_data import Signable, consent_id, struct_hash
from backend.types import BlockNumber, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds
from tests.support.ledger_story.base import DESK, ETHICS, FOREVER, HOUR, NOTHING, RESPONDER, named
from tests.support.ledger_world import ANVIL, BOARD, Person, World, delegation, grant, person, settle
from tests.support.signing import domain_of

PATIENT, STOPPER, CHILD, RECOVERED, LATE, NEW, EMPTY = (SubjectId(number) for number in range(1, 8))
SUBJECTS = (PATIENT, STOPPER, CHILD, RECOVERED, LATE, NEW, EMPTY)
DOCTOR, MEDIC = (MemberId(bytes([number]) * 32) for number in (0x33, 0x34))


_LONG: Final = 60 * 86_400


def made_grant(subject: SubjectId, *, kind: Kind = Kind.PERMIT, epoch: int = 0) -> Grant:
    """Return a grant that outlasts the jumps of the clock."""
    document = grant(subject, kind=kind, epoch=epoch)
    return replace(document, not_after=UnixSeconds(document.not_after + _LONG), submit_by=FOREVER)


def made_delegation(
    subject: SubjectId,
    delegate: Person,
    *,
    kind: Kind = Kind.DELEGATION,
    depth: int = 2,
    parent: bytes = NOTHING,
) -> Delegation:
    document = delegation(subject, delegate, kind=kind, depth=depth, parent=parent)
    return replace(document, not_after=UnixSeconds(document.not_after + _LONG), submit_by=FOREVER)


@dataclass(frozen=True, slots=True)
class Noted:
    """What one generation answered about a subject after a block; words as the ABI packs them."""

    block: BlockNumber
    time: int
    generation: int
    subject: SubjectId
    ids: tuple[ConsentId, ...]
    evidence: bytes
    policy: bytes
    key: bytes | None  # not asked of a subject that is not open


class Side:
    """The contracts of one generation, and for whom commands are signed there."""

    def __init__(self, chain: Chain, deployment: Deployment, generation: int) -> None:
        self.generation = generation
        self._chain_id = chain.chain_id
        self._addresses = {
            place.name: place.address
            for place in deployment.places()
            if place.name not in SUCCEEDED or place.generation == generation
        }
        compiled = artifact_of("ConsentRegistry", generation)
        self.consents = ConsentRegistry(self._addresses["ConsentRegistry"], chain, compiled=compiled)
        self.recovery = Recovery(self._addresses["Recovery"], chain)
        self.keys = KeyRegistry(self._addresses["KeyRegistry"], chain)
        self.emergencies = EmergencyAccess(self._addresses["EmergencyAccess"], chain)

    def sign(self, who: Person, command: Signable | EmergencyCommand | KeyCommand) -> bytes:
        return who.sign(command, domain_of(command, self._chain_id, self._addresses))


class SuccessionStory:
    """The people, the chain with a clock that jumps, and what is known so far.

    ``documents``: every id of a subject that was named in any registry. ``ids``: name to id.
    """

    def __init__(self, directory: Path) -> None:
        self._clock = int(time.time())
        self._directory = directory
        self.chain = EmbeddedChain(directory=directory, binary=ANVIL, clock=lambda: self._clock)
        self.world: World = settle(self.chain, directory / "deployment.json")
        self.deployment = self.world.deployment
        self.sides = [Side(self.chain, self.deployment, 0)]
        self.documents: dict[SubjectId, list[ConsentId]] = {subject: [] for subject in SUBJECTS}
        self.ids: dict[str, ConsentId] = {}
        self.noted: list[Noted] = []
        self.child_guardianship: Delegation
        self.patient, self.stopper, self.old, self.carer, self.guardian = (person() for _ in range(5))
        self.doctor, self.medic, self.board = person(), person(), person()
        for member, who, roles in (
            (DOCTOR, self.doctor, RESPONDER),
            (MEDIC, self.medic, RESPONDER),
            (BOARD, self.board, ETHICS),
        ):
            credential = Credential(roles=roles, expiry=FOREVER, account=who.account)
            self.world.ledger.members.register_member(member, credential)

    @property
    def now(self) -> int:
        return self.chain.view().head_timestamp

    def jump(self, seconds: int) -> None:
        self._clock += seconds
        self.chain.mine([])

    def do(self, call: Call) -> None:
        """Send it, and note what every registry answers afterwards."""
        self.world.relayer.submit(replace(call, gas=3_000_000))
        self._note()

    def open(self, side: Side, subject: SubjectId, who: Person) -> None:
        command = OpenSubject(subject, who.account, FOREVER)
        self.do(side.consents.open_subject(command, side.sign(who, command)))

    def record(
        self, side: Side, document: Grant | Delegation, who: Person, *, via: Delegation | None = None
    ) -> ConsentId:
        identity = consent_id(document)
        chain = [] if via is None else [via]
        command: Signable = document
        if via is not None:
            wrap = DelegatedGrant if isinstance(document, Grant) else DelegatedDelegation
            command = wrap(document, consent_id(via))  # type: ignore[arg-type]
        signature = side.sign(who, command)
        self.name(document.subject, identity)
        if isinstance(document, Grant):
            self.do(side.consents.grant(document, signature, chain))
        else:
            self.do(side.consents.delegate(document, signature, chain))
        return identity

    def revoke(self, side: Side, identity: ConsentId, who: Person) -> None:
        self.do(side.consents.revoke(identity, side.sign(who, Revoke(identity)), []))

    def revoke_ahead(self, side: Side, document: Grant, who: Person) -> ConsentId:
        identity = consent_id(document)
        self.name(document.subject, identity)
        self.do(side.consents.revoke_grant_ahead(document, side.sign(who, Revoke(identity)), []))
        return identity

    def revoke_all(
        self, side: Side, subject: SubjectId, who: Person, *, via: Delegation | None = None
    ) -> None:
        epoch = self.epoch(side, subject)
        signature = side.sign(who, RevokeAll(subject, epoch))
        self.do(side.consents.revoke_all(subject, epoch, signature, [] if via is None else [via]))

    def end_for_cause(self, side: Side, identity: ConsentId, who: Person) -> None:
        self.do(side.consents.end_for_cause(identity, side.sign(who, EndForCause(identity)), []))

    def epoch(self, side: Side, subject: SubjectId) -> int:
        return side.consents.evidence(subject, (), block=self.chain.view().head_number).epoch

    def set_policy(self, side: Side, subject: SubjectId, policy: EmergencyPolicy, who: Person) -> None:
        _, round_ = side.emergencies.policy(subject, block=self.chain.view().head_number)
        signature = side.sign(who, SetEmergencyPolicy(subject, policy, round_))
        self.do(side.emergencies.set_policy(subject, policy, round_, signature))

    def open_emergency(
        self, side: Side, subject: SubjectId, reason: str, *, ago: int = 0, by: Person | None = None
    ) -> Bytes32:
        """By the doctor, where nobody is named; ``ago``: seconds that it began before it is recorded."""
        responder = by or self.doctor
        first = (subject, responder.account, Bytes32(named(reason)), HOUR)
        if ago:
            late = OpenEmergencyLate(*first, UnixSeconds(self.now - ago))
            self.do(side.emergencies.open_late(late, side.sign(responder, late)))
            return struct_hash(late)
        command = OpenEmergency(*first, FOREVER)
        self.do(side.emergencies.open(command, side.sign(responder, command)))
        return struct_hash(command)

    def review(self, side: Side, opening: Bytes32) -> None:
        finding = Bytes32(named("finding"))
        signature = side.sign(self.board, ReviewEmergency(opening, finding))
        self.do(side.emergencies.review(opening, self.board.account, finding, signature))

    def bind(self, side: Side, subject: SubjectId, sequence: int, who: Person) -> None:
        command = BindKey(subject, Bytes32(named(f"key {sequence} of {subject}")), sequence, FOREVER)
        self.do(side.keys.bind(command, side.sign(who, command)))

    def withdraw(self, side: Side, subject: SubjectId, sequence: int, who: Person) -> None:
        command = WithdrawKey(subject, sequence)
        self.do(side.keys.withdraw(command, side.sign(who, command)))

    def propose(self, side: Side, guardianship: Delegation, policy: RecoveryPolicy, new: Person) -> None:
        """By the guardian and the identity desk, so that a spent veto does not hinder it."""
        round_ = side.recovery.state(RECOVERED, block=self.chain.view().head_number).round
        content = (RECOVERED, new.account, round_, FOREVER)
        proposal = ProposeRecovery(*content)
        proof = RecoveryProof(
            policy,
            [(guardianship, side.sign(self.guardian, proposal))],
            side.sign(new, AcceptRecovery(*content)),
            DESK.account,
            side.sign(DESK, ConfirmRecovery(*content)),
        )
        self.do(side.recovery.propose(proposal, proof))

    def deploy(self) -> tuple[Successors, Side]:
        """Deploy the next generation, which counts only once ``succeed`` is called."""
        generation = len(self.sides)
        directory = self._directory / f"to generation {generation}"
        directory.mkdir()
        path = directory / "deployment.json"
        plan = deploy_successors(
            path=path, current=self.deployment, chain=self.chain, relayer=self.world.relayer
        )
        side = Side(self.chain, plan, generation)
        self.sides.append(side)
        return Successors(self.chain, self.world.relayer, plan), side

    def succeed(self, successors: Successors) -> None:
        self.deployment, _ = successors.take_over()
        self._note()

    def close(self) -> None:
        self.world.relayer.close()
        self.chain.close()

    def name(self, subject: SubjectId, identity: ConsentId) -> None:
        if identity not in self.documents[subject]:
            self.documents[subject].append(identity)

    def _note(self) -> None:
        block = self.chain.view().head_number
        for side in self.sides:
            asked = [
                (side.consents.address, side.consents.ask_evidence(subject, ids))
                for subject, ids in self.documents.items()
            ]
            asked += [
                (side.emergencies.address, _ask(side.emergencies, "emergencyPolicyOf", s)) for s in SUBJECTS
            ]
            answers = read_together(self.chain, asked, block=block)
            for number, (subject, ids) in enumerate(self.documents.items()):
                evidence, policy = answers[number], answers[len(SUBJECTS) + number]
                is_open = side.consents.read_evidence(evidence, ids).opened
                key = None
                if is_open:
                    call = (side.keys.address, _ask(side.keys, "keyOf", subject))
                    (key,) = read_together(self.chain, [call], block=block)
                self.noted.append(
                    Noted(block, self.now, side.generation, subject, tuple(ids), evidence, policy, key)
                )


def _ask(contract: BoundContract, view: str, subject: SubjectId) -> bytes:
    return contract.artifact.functions[view].encode((subject,))


@contextmanager
def succeeded_story(directory: Path) -> Iterator[SuccessionStory]:
    story = SuccessionStory(directory)
    try:
        policy, guardianship = _before(story)
        _first_succession(story)
        _after(story, policy, guardianship)
        _second_succession(story)
        yield story
    finally:
        story.close()


def _before(story: SuccessionStory) -> tuple[RecoveryPolicy, Delegation]:
    """In the first contracts; returns who may recover the subject that is recovered later."""
    (side,) = story.sides
    story.open(side, PATIENT, story.patient)
    story.open(side, STOPPER, story.stopper)
    story.open(side, EMPTY, person())
    ids = story.ids
    for kind in (Kind.PERMIT, Kind.DENY, Kind.REFUSAL):
        for number in range(3):
            document = made_grant(PATIENT, kind=kind)
            ids[f"{kind.name.lower()} {number}"] = story.record(side, document, story.patient)
    for number in range(2):
        carer = made_delegation(PATIENT, story.carer)
        ids[f"delegation {number}"] = story.record(side, carer, story.patient)
        child = made_delegation(PATIENT, person(), depth=1, parent=consent_id(carer))
        child = replace(child, not_after=carer.not_after)
        ids[f"child {number}"] = story.record(side, child, story.carer, via=carer)
        for name, kind in (("permit", Kind.PERMIT), ("other permit", Kind.PERMIT), ("deny", Kind.DENY)):
            by_carer = story.record(side, made_grant(PATIENT, kind=kind), story.carer, via=carer)
            ids[f"{name} by carer {number}"] = by_carer
    ids["ahead"] = story.revoke_ahead(side, made_grant(PATIENT), story.patient)
    ids["revoked"] = story.record(side, made_grant(PATIENT), story.patient)
    story.revoke(side, ids["revoked"], story.patient)
    ids["revoked deny"] = story.record(side, made_grant(PATIENT, kind=Kind.DENY), story.patient)
    story.revoke(side, ids["revoked deny"], story.patient)
    for epoch in range(2):
        ids[f"of epoch {epoch}"] = story.record(side, made_grant(STOPPER, epoch=epoch), story.stopper)
        if not epoch:
            story.revoke_all(side, STOPPER, story.stopper)
    _child(story, side)
    policy, guardianship = _recoverable(story, side)
    for sequence in (1, 2):
        story.bind(side, PATIENT, sequence, story.patient)
    story.bind(side, STOPPER, 1, story.stopper)
    story.withdraw(side, STOPPER, 2, story.stopper)
    story.bind(side, RECOVERED, 1, story.old)
    story.set_policy(side, PATIENT, EmergencyPolicy.ALLOW, story.patient)
    opening = story.open_emergency(side, PATIENT, "first")
    story.do(
        side.emergencies.close(
            opening, story.doctor.account, side.sign(story.doctor, CloseEmergency(opening))
        )
    )
    ids["opening before"] = ConsentId(opening)
    story.open_emergency(side, STOPPER, "second")
    return policy, guardianship


def _child(story: SuccessionStory, side: Side) -> None:
    guardianship = made_delegation(CHILD, story.guardian, kind=Kind.GUARDIANSHIP)
    story.name(CHILD, consent_id(guardianship))
    signature = side.sign(story.guardian, guardianship)
    story.do(side.consents.open_subject_under_guardian(guardianship, signature))
    story.ids["guardianship"] = consent_id(guardianship)
    story.child_guardianship = guardianship
    story.ids["second guardian"] = _add_guardian(story, side)


def _add_guardian(story: SuccessionStory, side: Side) -> ConsentId:
    other = person()
    document = replace(made_delegation(CHILD, other, kind=Kind.GUARDIANSHIP), epoch=story.epoch(side, CHILD))
    story.name(CHILD, consent_id(document))
    story.do(side.consents.add_guardian(document, side.sign(other, document)))
    return consent_id(document)


def _recoverable(story: SuccessionStory, side: Side) -> tuple[RecoveryPolicy, Delegation]:
    """A subject whose controller has used its veto."""
    story.open(side, RECOVERED, story.old)
    guardianship = made_delegation(RECOVERED, story.guardian, kind=Kind.GUARDIANSHIP)
    story.record(side, guardianship, story.old)
    policy = RecoveryPolicy((consent_id(guardianship),), 1, Bytes32(named("salt")))
    command = SetRecoveryPolicy(RECOVERED, policy, 0, FOREVER)
    story.do(side.recovery.set_policy(command, side.sign(story.old, command)))
    story.propose(side, guardianship, policy, person())
    round_ = side.recovery.state(RECOVERED, block=story.chain.view().head_number).round
    veto = VetoRecovery(RECOVERED, round_)
    story.do(side.recovery.veto(veto, side.sign(story.old, veto), None))
    return policy, guardianship


def _first_succession(story: SuccessionStory) -> None:
    """Some of two subjects is adopted by hand, in parts and twice, while things end in the old registry."""
    (old,) = story.sides
    successors, new = story.deploy()
    some = story.documents[PATIENT][:6]
    story.do(new.consents.adopt(PATIENT, some[:4]))
    story.revoke(old, story.ids["permit 0"], story.patient)
    story.do(new.consents.adopt(PATIENT, [some[0], some[0], *some[3:], story.ids["ahead"]]))
    story.do(new.consents.adopt(STOPPER, story.documents[STOPPER][:1]))
    story.revoke_all(old, STOPPER, story.stopper)
    story.jump(2)
    story.succeed(successors)
    story.jump(2)


def _after(story: SuccessionStory, policy: RecoveryPolicy, guardianship: Delegation) -> None:
    """Stops to both registries, in both orders, and everything else to both."""
    old, new = story.sides
    ids, patient = story.ids, story.patient
    for kind in ("permit", "deny", "refusal"):
        story.revoke(old, ids[f"{kind} 1"], patient)
        story.revoke(new, ids[f"{kind} 2"], patient)
    story.revoke(new, ids["deny 1"], patient)  # there already, and counts only now
    story.revoke(new, ids["permit by carer 1"], patient)
    story.end_for_cause(old, ids["delegation 0"], patient)
    story.end_for_cause(new, ids["delegation 1"], patient)
    ids["ahead there"] = story.revoke_ahead(old, made_grant(PATIENT), patient)
    ids["ahead here"] = story.revoke_ahead(new, made_grant(PATIENT), patient)
    both = made_grant(PATIENT)
    ids["only there"] = story.record(old, made_grant(PATIENT), patient)
    ids["in both"] = story.record(old, both, patient)
    story.record(new, both, patient)
    ids["replacing"] = story.record(
        new, replace(made_grant(PATIENT, kind=Kind.DENY), supersedes=ids["refusal 0"]), patient
    )
    ids["only here"] = story.record(new, made_grant(PATIENT), patient)
    carer = made_delegation(PATIENT, story.carer)
    ids["delegation here"] = story.record(new, carer, patient)
    ids["by carer here"] = story.record(new, made_grant(PATIENT), story.carer, via=carer)
    _revoke_everything(story, old, new)
    _policies(story, old, new)
    story.open(old, LATE, story.patient)
    story.record(old, made_grant(LATE), story.patient)
    story.open(new, NEW, story.patient)
    ids["new"] = story.record(new, made_grant(NEW), story.patient)
    story.bind(old, PATIENT, 3, patient)
    story.withdraw(new, RECOVERED, 1, story.old)
    story.bind(new, STOPPER, 3, story.stopper)
    story.withdraw(old, STOPPER, 3, story.stopper)
    heir = person()
    story.propose(new, guardianship, policy, heir)
    story.jump(3)
    story.do(new.recovery.complete(RECOVERED))
    story.bind(new, RECOVERED, 2, heir)
    story.propose(old, guardianship, policy, person())


def _revoke_everything(story: SuccessionStory, old: Side, new: Side) -> None:
    """There and then here, here and then there, and what else writes the epoch back."""
    story.revoke_all(old, STOPPER, story.stopper)
    epoch = story.epoch(new, STOPPER)
    story.ids["after it there"] = story.record(new, made_grant(STOPPER, epoch=epoch), story.stopper)
    story.revoke_all(old, STOPPER, story.stopper)
    story.revoke_all(new, STOPPER, story.stopper)
    story.revoke_all(new, PATIENT, story.patient)
    story.revoke_all(old, PATIENT, story.patient)
    story.record(new, made_grant(PATIENT, epoch=story.epoch(new, PATIENT)), story.patient)
    story.revoke_all(old, CHILD, story.guardian, via=story.child_guardianship)
    story.ids["third guardian"] = _add_guardian(story, new)
    story.do(old.consents.end_guardianship(story.ids["second guardian"]))
    story.do(new.consents.end_guardianship(story.ids["third guardian"]))


def _policies(story: SuccessionStory, old: Side, new: Side) -> None:
    """Openings in both, under policies that were set there before and after, and here."""
    ids = story.ids
    ids["opening"] = ConsentId(story.open_emergency(new, PATIENT, "third"))
    story.open_emergency(new, PATIENT, "late", ago=600)
    story.set_policy(old, PATIENT, EmergencyPolicy.LIMIT, story.patient)
    story.set_policy(new, PATIENT, EmergencyPolicy.ALLOW, story.patient)
    story.open_emergency(new, STOPPER, "fourth")
    story.set_policy(old, STOPPER, EmergencyPolicy.FORBID, story.stopper)
    story.jump(1)
    story.set_policy(old, STOPPER, EmergencyPolicy.LIMIT, story.stopper)
    story.set_policy(new, STOPPER, EmergencyPolicy.FORBID, story.stopper)
    story.jump(1)
    story.set_policy(new, STOPPER, EmergencyPolicy.LIMIT, story.stopper)
    ids["opening there"] = ConsentId(story.open_emergency(old, PATIENT, "there"))
    story.set_policy(old, PATIENT, EmergencyPolicy.FORBID, story.patient)
    story.review(new, Bytes32(ids["opening"]))


def _second_succession(story: SuccessionStory) -> None:
    """Endings reach through two registries."""
    first, second = story.sides
    story.jump(8 * 86_400)  # the recovery that is pending in the first contracts lapses
    successors, third = story.deploy()
    story.succeed(successors)
    story.jump(2)
    ids, patient = story.ids, story.patient
    for side in story.sides:
        story.revoke_all(side, STOPPER, story.stopper)
        story.revoke_all(side, CHILD, story.guardian, via=story.child_guardianship)
    story.revoke_all(first, CHILD, story.guardian, via=story.child_guardianship)
    story.ids["fourth guardian"] = _add_guardian(story, third)
    story.revoke(second, ids["only here"], patient)
    story.revoke(third, ids["replacing"], patient)
    story.revoke_ahead(first, made_grant(PATIENT), patient)
    story.revoke_ahead(third, made_grant(NEW), patient)
    story.set_policy(second, PATIENT, EmergencyPolicy.ALLOW, patient)
    story.set_policy(third, PATIENT, EmergencyPolicy.LIMIT, patient)
    # The openings of the doctor want their reviews by now.
    story.open_emergency(third, EMPTY, "last", by=story.medic)
    story.open_emergency(third, NEW, "last", by=story.medic)
    story.withdraw(third, PATIENT, 4, patient)
    story.bind(third, NEW, 1, patient)
