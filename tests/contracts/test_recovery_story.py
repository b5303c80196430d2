"""A phone is lost; a thief who found it holds out; a child comes of age. Consents stay through all of it."""

from __future__ import annotations

import pytest
from brownie import chain
from eth_account import Account
from people import Person
from refusals import refuses
from typed_data import (
    FOREVER,
    GUARDIANSHIP,
    PERMIT,
    Delegation,
    Grant,
    domain,
    message,
    open_subject,
    revoke,
    struct_hash,
)

SUBJECT, CHILD = 7100, 8100
NOBODY = "0x" + "00" * 20
YEAR = 365 * 86_400
DELAY = 72 * 3600


class Case:
    """One subject, its guardians, and the signatures a recovery takes."""

    def __init__(self, recovery, subject, desk, guardians, policy):
        self.recovery, self.subject, self.desk, self.policy = recovery, subject, desk, policy
        self.guardians = sorted(guardians, key=lambda each: int(each[1].delegate, 16))
        self.where = domain(recovery, "Assent Recovery")

    def round(self):
        return self.recovery.recoveryOf(self.subject)["round"]

    def propose(self, new, relayer, *, with_desk):
        content = {
            "subject": self.subject,
            "controller": new.address,
            "round": self.round(),
            "submitBy": FOREVER,
        }
        signed = [who.sign(message(self.where, "ProposeRecovery", content)) for who, _ in self.guardians]
        confirmed = self.desk.sign(message(self.where, "ConfirmRecovery", content)) if with_desk else b""
        proof = (
            tuple(self.policy.values()),
            [document.header() for _, document in self.guardians],
            signed,
            new.sign(message(self.where, "AcceptRecovery", content)),
            self.desk.address if with_desk else NOBODY,
            confirmed,
        )
        self.recovery.proposeRecovery(tuple(content.values()), proof, {"from": relayer})

    def veto(self, who, relayer):
        content = {"subject": self.subject, "round": self.round()}
        signature = who.sign(message(self.where, "VetoRecovery", content))
        self.recovery.vetoRecovery(self.subject, content["round"], signature, {"from": relayer})

    def complete(self, relayer):
        chain.sleep(DELAY)
        self.recovery.completeRecovery(self.subject, {"from": relayer})


@pytest.fixture(scope="module")
def desk(participants, accounts, operator):
    """A hospital whose identity desk signs with the hospital's account."""
    account = accounts.add()
    expiry = chain.time() + 20 * YEAR
    participants.admit((9).to_bytes(32, "big"), account, 1, expiry, bytes(32), bytes(32), {"from": operator})
    return account


@pytest.fixture(scope="module")
def phone():
    """The patient's, which is lost: whoever signs with it now is the thief."""
    return Person(Account.create())


@pytest.fixture(scope="module")
def case(registry, recovery, desk, phone, guardian, carer, relayer):
    """A patient whose mother and friend recover together."""
    where = domain(registry)
    signature = phone.sign(open_subject(where, SUBJECT, phone.address))
    registry.openSubject(SUBJECT, phone.address, FOREVER, signature, {"from": desk})
    now = chain.time() - 60
    guardians = []
    for who in (guardian, carer):
        document = Delegation(SUBJECT, who.address, 4, now, FOREVER, kind=GUARDIANSHIP)
        signature = phone.sign(message(where, "Delegation", document.content()))
        registry.delegate(document.header(), signature, {"from": relayer})
        guardians.append((who, document))
    policy = {
        "guardianships": [document.id() for _, document in guardians],
        "threshold": 2,
        "salt": b"\x07" * 32,
    }
    setting = {"subject": SUBJECT, "policy": policy, "round": 0, "submitBy": FOREVER}
    signature = phone.sign(message(domain(recovery, "Assent Recovery"), "SetRecoveryPolicy", setting))
    hashed = struct_hash("RecoveryPolicy", policy)
    recovery.setRecoveryPolicy(SUBJECT, hashed, 0, FOREVER, signature, {"from": relayer})
    return Case(recovery, SUBJECT, Person(Account.from_key(desk.private_key)), guardians, policy)


@pytest.fixture(scope="module")
def consent(registry, case, phone, relayer):
    document = Grant(SUBJECT, chain.time() - 60, FOREVER)
    signature = phone.sign(message(domain(registry), "Grant", document.content()))
    registry.grant(document.header(), signature, {"from": relayer})
    return document


def test_phone_is_lost_and_two_guardians_give_the_subject_to_a_new_one(
    registry, recovery, case, consent, phone, relayer
):
    new = Person(Account.create())
    case.propose(new, relayer, with_desk=False)
    assert recovery.isRecoveryPending(SUBJECT)
    assert registry.isLive(consent.id(), PERMIT)
    fresh = Grant(SUBJECT, chain.time() - 60, FOREVER, summary="signed on the lost phone")
    signature = phone.sign(message(domain(registry), "Grant", fresh.content()))
    with refuses("RecoveryPending", SUBJECT):
        registry.grant(fresh.header(), signature, {"from": relayer})
    case.complete(relayer)
    assert registry.subjectOf(SUBJECT)[0] == new.address
    assert registry.isLive(consent.id(), PERMIT)
    registry.revoke(consent.id(), new.sign(revoke(domain(registry), consent.id())), {"from": relayer})
    assert not registry.isLive(consent.id(), PERMIT)


def test_thief_vetoes_once_and_guardians_with_the_desk_win(registry, case, consent, phone, relayer):
    new = Person(Account.create())
    case.propose(new, relayer, with_desk=False)
    case.veto(phone, relayer)
    for _, document in case.guardians:
        ending = phone.sign(revoke(domain(registry), document.id()))
        registry.revoke(document.id(), ending, {"from": relayer})
    with refuses("DeskNeeded", SUBJECT):
        case.propose(new, relayer, with_desk=False)
    case.propose(new, relayer, with_desk=True)
    with refuses("VetoSpent", SUBJECT):
        case.veto(phone, relayer)
    case.complete(relayer)
    assert registry.subjectOf(SUBJECT)[0] == new.address
    assert registry.isLive(consent.id(), PERMIT)


def test_child_of_age_takes_over_her_own_subject(registry, recovery, desk, nurse, relayer):
    now = chain.time() - 60
    office = Delegation(CHILD, nurse.address, 7, now, now + 30 * 86_400, kind=GUARDIANSHIP)
    signature = nurse.sign(message(domain(registry), "Delegation", office.content()))
    registry.openSubjectUnderGuardian(office.header(), signature, {"from": desk})
    nothing = {"guardianships": [], "threshold": 0, "salt": bytes(32)}
    case = Case(recovery, CHILD, Person(Account.from_key(desk.private_key)), [(nurse, office)], nothing)
    daughter = Person(Account.create())
    with refuses("NotGuardian", office.id()):
        case.propose(daughter, relayer, with_desk=True)
    chain.sleep(4 * DELAY)
    with refuses("DeskNeeded", CHILD):
        case.propose(daughter, relayer, with_desk=False)
    case.propose(daughter, relayer, with_desk=True)
    case.complete(relayer)
    assert registry.subjectOf(CHILD)[0] == daughter.address
