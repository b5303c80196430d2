"""Subjects, their consents and their recovery."""

from __future__ import annotations

import os
from dataclasses import replace

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
from backend.consent.terms import Kind, Revoke, RevokeAll
from backend.consent.typed_data import consent_id
from backend.types import Address, Bytes32, ConsentId, SubjectId, UnixSeconds
from tests.support.ledger_story.base import DESK, FOREVER, NOBODY, Story
from tests.support.ledger_world import Person, person
from tests.support.ledger_world import delegation as make_delegation
from tests.support.ledger_world import grant as make_grant


def consents(story: Story) -> None:
    """Grants of every kind, one refused in a batch, revocations before and after, an ending for cause."""
    ledger, domain, patient = story.world.ledger.consents, story.world.domain, story.patient
    story.world.open_subject(1, patient)
    story.ids["subject"] = (1).to_bytes(32)
    for kind in (Kind.PERMIT, Kind.DENY, Kind.REFUSAL):
        story.ids[kind.name.lower()] = story.record(make_grant(1, kind=kind), patient)
    replacing = replace(make_grant(1), supersedes=ConsentId(story.ids["permit"]))
    story.ids["replacing"] = story.record(replacing, patient)
    story.ids["superseded"] = story.ids["permit"]
    root = make_delegation(1, story.carer)
    story.ids["delegation"] = story.record(root, patient)
    child = make_delegation(1, story.nurse, depth=1, parent=consent_id(root))
    child = replace(child, not_after=root.not_after)
    story.ids["child delegation"] = story.record(child, story.carer, via=root)
    for name, kind in (("by delegate", Kind.PERMIT), ("deny by delegate", Kind.DENY)):
        story.ids[name] = story.record(make_grant(1, kind=kind), story.carer, via=root)
    revoked = make_grant(1)
    story.ids["revoked by delegate"] = story.record(revoked, story.carer, via=root)
    ledger.revoke(consent_id(revoked), patient.sign(Revoke(consent_id(revoked)), domain))
    ahead = make_grant(1)
    story.ids["ahead"] = consent_id(ahead)
    ledger.revoke_ahead(ahead, patient.sign(Revoke(consent_id(ahead)), domain))
    batch = [make_grant(1), make_grant(1)]
    ledger.record_grants(batch, [patient.sign(batch[0], domain), bytes(65)])
    story.send("ConsentRegistry", "revokeBatch", [os.urandom(32)], [b""])
    ledger.end_for_cause(consent_id(root), patient.sign(EndForCause(consent_id(root)), domain))
    story.ids["unrevoked"] = consent_id(batch[0])
    other = person()
    story.world.open_subject(2, other)
    story.ids["stopped"] = story.record(make_grant(2), other)
    ledger.revoke_all(SubjectId(2), 0, other.sign(RevokeAll(SubjectId(2), 0), domain))
    guardianship = make_delegation(3, story.child_guardian, kind=Kind.GUARDIANSHIP)
    ledger.open_subject_under_guardian(guardianship, story.child_guardian.sign(guardianship, domain))
    story.ids["guardianship"] = consent_id(guardianship)


def recovery(story: Story) -> None:
    """Two policies, a veto, a proposal with the desk that is completed, and one that lapses."""
    subject, patient, guardian = SubjectId(4), person(), person()
    story.world.open_subject(subject, patient)
    guardianship = make_delegation(subject, guardian, kind=Kind.GUARDIANSHIP)
    story.record(guardianship, patient)
    recoveries, domain = story.world.ledger.recoveries, story.world.recovery_domain
    policies = [RecoveryPolicy((consent_id(guardianship),), 1, Bytes32(os.urandom(32))) for _ in range(2)]
    for round_, policy in enumerate(policies):
        command = SetRecoveryPolicy(subject, policy, round_, UnixSeconds(FOREVER))
        recoveries.set_policy(command, patient.sign(command, domain))

    def propose(new: Person, *, desk: bool) -> None:
        round_ = recoveries.state(subject).round
        proposal = ProposeRecovery(subject, new.account, round_, UnixSeconds(FOREVER))
        content = (subject, new.account, round_, UnixSeconds(FOREVER))
        proof = RecoveryProof(
            policies[0],
            [(guardianship, guardian.sign(proposal, domain))],
            new.sign(AcceptRecovery(*content), domain),
            DESK.account if desk else Address(NOBODY),
            DESK.sign(ConfirmRecovery(*content), domain) if desk else b"",
        )
        recoveries.propose(proposal, proof)

    propose(person(), desk=False)
    veto = VetoRecovery(subject, recoveries.state(subject).round)
    recoveries.veto(veto, patient.sign(veto, domain))
    propose(person(), desk=True)
    story.jump(3)
    recoveries.complete(subject)
    propose(person(), desk=True)
    story.ids["recovered"] = subject.to_bytes(32)
