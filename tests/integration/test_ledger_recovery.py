"""Recovery and ending for cause on the real contracts, and storage rebuilt from their events."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.recovery import recovery_state
from backend.consent.key_terms import AllowMediated, BindKey, WithdrawKey
from backend.consent.ledger_types import NOBODY, delegation_tag
from backend.consent.recovery_state import RecoveryProof, RecoveryState
from backend.consent.recovery_terms import (
    AcceptRecovery,
    ConfirmRecovery,
    DelegatedEndForCause,
    EndForCause,
    ProposeRecovery,
    RecoveryPolicy,
    SetRecoveryPolicy,
    VetoRecovery,
)
from backend.consent.terms import DelegatedDelegation, DelegatedGrant, Delegation, Kind, Revoke, RevokeAll
from backend.consent.typed_data import consent_id
from backend.outbox.errors import NotYet
from backend.types import BlockNumber, Bytes32, ConsentId, SubjectId, UnixSeconds
from tests.support.ledger_world import (
    HOSPITAL,
    SENDERS,
    Person,
    World,
    delegation,
    embedded_world,
    grant,
    person,
)

_subjects = itertools.count(1)
DELAY_SECONDS = 2.1
DESK = Person(SENDERS[Sender.CUSTODIAN])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as made:
        yield made


@dataclass
class Family:
    """A patient with two guardians, both of whom are needed."""

    world: World
    subject: SubjectId
    patient: Person
    guardians: tuple[Person, Person]
    guardianships: tuple[Delegation, Delegation]
    policy: RecoveryPolicy

    def proposal(self, controller: Person) -> ProposeRecovery:
        round_ = self.world.ledger.recoveries.state(self.subject).round
        return ProposeRecovery(self.subject, controller.account, round_, _soon())

    def proof(self, proposal: ProposeRecovery, controller: Person, *, desk: bool = False) -> RecoveryProof:
        domain = self.world.recovery_domain
        content = (proposal.subject, proposal.controller, proposal.round, proposal.submit_by)
        signed = [guardian.sign(proposal, domain) for guardian in self.guardians]
        return RecoveryProof(
            policy=self.policy,
            guardians=list(zip(self.guardianships, signed, strict=True)),
            acceptance=controller.sign(AcceptRecovery(*content), domain),
            desk=DESK.account if desk else NOBODY,
            desk_signature=DESK.sign(ConfirmRecovery(*content), domain) if desk else b"",
        )

    def veto(self) -> None:
        command = VetoRecovery(self.subject, self.world.ledger.recoveries.state(self.subject).round)
        self.world.ledger.recoveries.veto(command, self.patient.sign(command, self.world.recovery_domain))


@pytest.fixture
def family(world: World) -> Family:
    subject, patient, guardians = SubjectId(next(_subjects)), person(), (person(), person())
    world.open_subject(subject, patient)
    named = tuple(delegation(subject, each, kind=Kind.GUARDIANSHIP) for each in guardians)
    for each in named:
        world.ledger.consents.record(each, patient.sign(each, world.domain))
    policy = RecoveryPolicy(tuple(consent_id(each) for each in named), 2, Bytes32(os.urandom(32)))
    command = SetRecoveryPolicy(subject, policy, 0, _soon())
    signature = patient.sign(command, world.recovery_domain)
    first = world.ledger.recoveries.set_policy(command, signature)
    assert world.ledger.recoveries.set_policy(command, signature).block_number == first.block_number
    return Family(world, subject, patient, guardians, (named[0], named[1]), policy)


def _soon() -> UnixSeconds:
    return UnixSeconds(int(time.time()) + 3600)


def test_lost_phone_two_guardians_propose_and_consents_stay(world: World, family: Family) -> None:
    ledger, recoveries = world.ledger.consents, world.ledger.recoveries
    given, new = grant(family.subject), person()
    ledger.record(given, family.patient.sign(given, world.domain))
    proposal = family.proposal(new)
    proof = family.proof(proposal, new)
    first = recoveries.propose(proposal, proof)
    assert recoveries.propose(proposal, proof).transaction_hash == first.transaction_hash
    assert recoveries.is_pending(family.subject)
    late = grant(family.subject)
    with pytest.raises(LedgerRejected) as refusal:
        ledger.record(late, family.patient.sign(late, world.domain))
    assert refusal.value.name == "RecoveryPending"
    with pytest.raises(NotYet):
        recoveries.complete(family.subject)
    time.sleep(DELAY_SECONDS)
    recoveries.complete(family.subject)
    assert not recoveries.is_pending(family.subject)
    block = world.chain.view().head_number
    evidence = ledger.evidence(family.subject, (consent_id(given),), block=block)
    assert (evidence.controller, evidence.epoch, evidence.count) == (new.account, 0, 3)
    assert ledger._registry.are_live((consent_id(given),), Kind.PERMIT, block=block) == (True,)
    ledger.revoke(consent_id(given), new.sign(Revoke(consent_id(given)), world.domain))


def test_key_of_the_lost_phone_no_longer_counts_and_its_withdrawal_is_never_held_up(
    world: World, family: Family
) -> None:
    keys, subject, new = world.ledger.subject_keys, family.subject, person()
    assert (keys.key_of(subject), keys.last_number(subject)) == (None, 0)
    bind = BindKey(subject, Bytes32(os.urandom(32)), 1, _soon())
    signature = family.patient.sign(bind, world.key_domain)
    first = keys.bind(bind, signature)
    assert keys.bind(bind, signature).transaction_hash == first.transaction_hash
    bound = keys.key_of(subject)
    assert bound is not None
    assert (bound.key_hash, bound.sequence) == (bind.key_hash, 1)
    allow = AllowMediated(subject, Bytes32(os.urandom(32)), 1, _soon())
    allowed = family.patient.sign(allow, world.key_domain)
    keys.require_mediated(allow, allowed)
    proposal = family.proposal(new)
    world.ledger.recoveries.propose(proposal, family.proof(proposal, new))
    second = BindKey(subject, Bytes32(os.urandom(32)), 2, _soon())
    for attempt in (
        lambda: keys.bind(second, family.patient.sign(second, world.key_domain)),
        lambda: keys.require_mediated(allow, allowed),
    ):
        with pytest.raises(LedgerRejected) as refusal:
            attempt()
        assert refusal.value.name == "RecoveryPending"
    assert keys.key_of(subject) == bound
    time.sleep(DELAY_SECONDS)
    world.ledger.recoveries.complete(subject)
    assert (keys.key_of(subject), keys.last_number(subject)) == (None, 1)
    with pytest.raises(LedgerRejected) as refusal:
        keys.bind(second, family.patient.sign(second, world.key_domain))
    assert refusal.value.name == "SignatureInvalid"
    keys.bind(second, new.sign(second, world.key_domain))
    withdraw = WithdrawKey(subject, 3)
    keys.withdraw(withdraw, new.sign(withdraw, world.key_domain))
    keys.withdraw(withdraw, b"")  # again: harmless, whoever sends it
    assert (keys.key_of(subject), keys.last_number(subject)) == (None, 3)


def test_thief_vetoes_once_and_the_desk_joins_the_guardians(world: World, family: Family) -> None:
    recoveries, new = world.ledger.recoveries, person()
    proposal = family.proposal(new)
    recoveries.propose(proposal, family.proof(proposal, new))
    family.veto()
    proposal = family.proposal(new)
    with pytest.raises(LedgerRejected) as refusal:
        recoveries.propose(proposal, family.proof(proposal, new))
    assert refusal.value.name == "DeskNeeded"
    recoveries.propose(proposal, family.proof(proposal, new, desk=True))
    with pytest.raises(LedgerRejected) as refusal:
        family.veto()
    assert refusal.value.name == "VetoSpent"
    time.sleep(DELAY_SECONDS)
    recoveries.complete(family.subject)
    state = recoveries.state(family.subject)
    assert (state.controller, state.round, state.is_veto_spent) == (NOBODY, 4, False)


def test_ending_for_cause_ends_the_permits_and_shows_in_the_evidence(world: World, family: Family) -> None:
    ledger, domain, carer = world.ledger.consents, world.domain, person()
    root = delegation(family.subject, carer)
    ledger.record(root, family.patient.sign(root, domain))
    root_id = consent_id(root)
    permit, deny = grant(family.subject), grant(family.subject, kind=Kind.DENY)
    for each in (permit, deny):
        ledger.record(each, carer.sign(DelegatedGrant(each, root_id), domain), via=[root])
    ids = (consent_id(permit), consent_id(deny), root_id)

    def slots():  # type: ignore[no-untyped-def]
        return ledger.evidence(family.subject, ids, block=world.chain.view().head_number).slots

    assert [slot.delegation_tag for slot in slots()] == [delegation_tag(root_id)] * 2 + [0]
    assert [slot.revoked_at for slot in slots()] == [0, 0, 0]
    signature = family.patient.sign(EndForCause(root_id), domain)
    for _ in range(2):
        ledger.end_for_cause(root_id, signature)
        assert [slot.revoked_at > 0 for slot in slots()] == [True, False, True]


def test_guardian_and_custodian_end_for_cause_for_a_child_and_the_child_takes_over(world: World) -> None:
    ledger, domain, number = world.ledger.consents, world.domain, SubjectId(next(_subjects))
    parent, carer = person(), person()
    guardianship = delegation(number, parent, kind=Kind.GUARDIANSHIP)
    ledger.open_subject_under_guardian(guardianship, parent.sign(guardianship, domain))
    head = world.chain.view().head_number
    assert ledger._registry.opening_custodian(number, block=head) == HOSPITAL
    name = consent_id(guardianship)
    child = delegation(number, carer, depth=1, parent=name)
    ledger.record(child, parent.sign(DelegatedDelegation(child, name), domain), via=[guardianship])
    ending = DelegatedEndForCause(consent_id(child), name)
    ledger.end_for_cause(consent_id(child), parent.sign(ending, domain), via=[guardianship])
    given = grant(number)
    ledger.record(given, parent.sign(DelegatedGrant(given, name), domain), via=[guardianship])

    def propose(new: Person) -> ProposeRecovery:
        round_ = world.ledger.recoveries.state(number).round
        made = ProposeRecovery(number, new.account, round_, _soon())
        content = (made.subject, made.controller, made.round, made.submit_by)
        where = world.recovery_domain
        proof = RecoveryProof(
            None,
            [(guardianship, parent.sign(made, where))],
            new.sign(AcceptRecovery(*content), where),
            DESK.account,
            DESK.sign(ConfirmRecovery(*content), where),
        )
        world.ledger.recoveries.propose(made, proof)
        return made

    with pytest.raises(LedgerRejected) as refusal:
        propose(person())
    assert refusal.value.name == "NotGuardian"  # its office is too new
    time.sleep(4 * DELAY_SECONDS)
    adult = person()
    made = propose(adult)
    veto = VetoRecovery(number, made.round + 1)
    signature = parent.sign(veto, world.recovery_domain)
    world.ledger.recoveries.veto(veto, signature, guardianship=guardianship)
    propose(adult)
    time.sleep(DELAY_SECONDS)
    ledger.end_guardianship_for_cause(name)
    block = world.chain.view().head_number
    assert ledger.evidence(number, (consent_id(given),), block=block).slots[0].revoked_at
    world.ledger.recoveries.complete(number)
    block = world.chain.view().head_number
    assert ledger.evidence(number, (), block=block).controller == adult.account
    with pytest.raises(LedgerRejected) as refusal:
        ledger.end_guardianship(name)
    assert refusal.value.name == "SubjectHasController"


def test_events_rebuild_what_is_stored(world: World, family: Family) -> None:
    """Subjects, consents, causes and recoveries from nothing but the events, after all of the above."""
    stop = RevokeAll(family.subject, 0)
    world.ledger.consents.revoke_all(family.subject, 0, family.patient.sign(stop, world.domain))
    head = world.chain.view().head_number
    subjects: dict[int, list[Any]] = {}
    slots: dict[bytes, int] = {}
    causes: dict[tuple[int, int], int] = {}
    recoveries: dict[int, RecoveryState] = {}
    for event in world.ledger.events.events(BlockNumber(0), head):
        values: Any = event.arguments
        match event.name:
            case "SubjectOpened":
                subjects[values["subject"]] = [values["controller"], 0, 0]
            case "ConsentGranted" | "DelegationRecorded":
                slots[values["id"]] = values["slot"]
                subjects[values["subject"]][2] += 1
            case "ConsentRevokedAhead":
                slots[values["id"]] = values["slot"]
            case "ConsentRevoked":
                kept = slots[values["id"]] & ~((2**40 - 1) << 136)
                slots[values["id"]] = kept | values["revokedAt"] << 136
            case "AllRevoked":
                subjects[values["subject"]][1] = values["epoch"]
            case "RecoveryStepped":
                subjects[values["subject"]][0] = values["controller"]
            case "DelegationEndedForCause":
                causes[values["subject"], delegation_tag(values["id"])] = values["endedAt"]
            case name if name.startswith("Recovery"):
                recoveries[values["subject"]] = recovery_state(values["state"])
    assert (len(subjects), bool(causes)) == (next(_subjects) - 1, True)
    for word_id, word in slots.items():
        mark = word >> 136 & 2**40 - 1
        ended = causes.get((word & 2**96 - 1, mark), 0) if word >> 96 & 0xFF == Kind.PERMIT else 0
        shown = word if not ended else word & ~((2**40 - 1) << 136) | ended << 136
        assert _raw_slot(world, word_id, head) == shown
    for subject, (controller, epoch, count) in subjects.items():
        found = world.ledger.consents.evidence(SubjectId(subject), (), block=head)
        assert [found.controller.lower(), found.epoch, found.count] == [controller.lower(), epoch, count]
    for subject, state in recoveries.items():
        assert world.ledger.recoveries.state(SubjectId(subject)) == state


def _raw_slot(world: World, consent: bytes, block: BlockNumber) -> int:
    found = world.ledger.consents._registry._view("evidence", 0, [ConsentId(consent)], block=block)
    return int(found[1][0])


def test_delay_of_the_deployment_is_what_was_asked(world: World, tmp_path: Path) -> None:
    head = world.chain.view().head_number
    recoveries = world.ledger.recoveries
    assert recoveries._contract.delay_seconds(block=head) == world.deployment.recovery_delay_seconds == 2
