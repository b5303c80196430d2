"""A night in the emergency room, what the patient says about it, and who answers for it.

Then an auditor who cosigns a log and meets two histories, and a clinic that takes over a hospital's records.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from brownie import chain
from eth_account import Account
from eth_utils.crypto import keccak
from people import Person
from refusals import refuses
from typed_data import FOREVER, NOTHING, domain, message, struct_hash

NOBODY = "0x" + "00" * 20
LIMIT, ALLOW, FORBID = 0, 1, 2
HOUR = 3600
RESPONDER, AUDITOR, CUSTODIAN = 32, 16, 1
DOCTOR_ID, COLLEAGUE_ID, AUDITOR_ID, WARD_ID = (bytes([number]) * 32 for number in range(0x21, 0x25))
FINDING = keccak(text="salted finding")


def _admitted(participants, operator, member, roles):
    who = Person(Account.create())
    expiry = chain.time() + 365 * 86_400
    participants.admit(member, who.address, roles, expiry, NOTHING, NOTHING, {"from": operator})
    return who


@pytest.fixture(scope="module")
def doctor(participants, operator):
    return _admitted(participants, operator, DOCTOR_ID, RESPONDER)


@pytest.fixture(scope="module")
def colleague(participants, operator):
    return _admitted(participants, operator, COLLEAGUE_ID, RESPONDER)


def _sign(emergency, who, primary, content):
    return who.sign(message(domain(emergency, "Assent Emergency"), primary, content))


def _opening(patient, doctor, reason):
    return {
        "subject": patient.subject,
        "responder": doctor.address,
        "reason": keccak(text=reason),
        "duration": 0,
        "submitBy": FOREVER,
    }


def _open(emergency, content, doctor, relayer, other=None):
    signature = _sign(emergency, doctor, "OpenEmergency", content)
    opening = struct_hash("OpenEmergency", content)
    second = (NOBODY, b"")
    if other is not None:
        command = {"opening": opening}
        second = (other.address, _sign(emergency, other, "CountersignEmergency", command))
    emergency.openEmergency(tuple(content.values()), signature, *second, {"from": relayer})
    return opening


def _set_policy(emergency, patient, policy, relayer):
    _, round_ = emergency.emergencyPolicyOf(patient.subject)
    content = {"subject": patient.subject, "policy": policy, "round": int(round_)}
    signature = _sign(emergency, patient.person, "SetEmergencyPolicy", content)
    emergency.setEmergencyPolicy(*content.values(), signature, {"from": relayer})


def _later(seconds):
    chain.sleep(seconds)
    chain.mine()


def test_doctor_breaks_the_glass_and_the_board_reviews_it(emergency, patient, doctor, board, relayer):
    opening = _open(emergency, _opening(patient, doctor, "unconscious"), doctor, relayer)
    assert emergency.isOpen(opening)
    _later(HOUR - 60)
    assert emergency.isOpen(opening)
    command = {"opening": opening, "finding": FINDING}
    signature = _sign(emergency, board, "ReviewEmergency", command)
    with refuses("OpeningNotOver", opening):
        emergency.reviewEmergency(opening, board.address, FINDING, signature, {"from": relayer})
    _later(120)
    assert not emergency.isOpen(opening)
    emergency.reviewEmergency(opening, board.address, FINDING, signature, {"from": relayer})
    assert str(emergency.oldestUnreviewedOf(DOCTOR_ID)) == "0x" + NOTHING.hex()


def test_patient_forbids_and_the_doctor_stays_out(emergency, patient, doctor, relayer):
    _set_policy(emergency, patient, ALLOW, relayer)
    opening = _open(emergency, _opening(patient, doctor, "fall"), doctor, relayer)
    assert emergency.isOpen(opening)
    _set_policy(emergency, patient, FORBID, relayer)
    assert not emergency.isOpen(opening)
    with refuses("PolicyForbids", patient.subject):
        _open(emergency, _opening(patient, doctor, "again"), doctor, relayer)
    late = _opening(patient, doctor, "outage") | {"submitBy": int(chain.time())}
    content = {name.replace("submitBy", "openedAt"): value for name, value in late.items()}
    signature = _sign(emergency, doctor, "OpenEmergencyLate", content)
    with refuses("PolicyForbids", patient.subject):
        emergency.openEmergencyLate(tuple(content.values()), signature, NOBODY, b"", {"from": relayer})


def test_overdue_doctor_opens_only_with_a_colleague(emergency, patient, doctor, colleague, relayer):
    first = _open(emergency, _opening(patient, doctor, "first"), doctor, relayer)
    _later(72 * HOUR)
    assert emergency.hasOverdueReview(DOCTOR_ID)
    content = _opening(patient, doctor, "second")
    with refuses("CountersignatureNeeded", DOCTOR_ID, first):
        _open(emergency, content, doctor, relayer)
    assert emergency.isOpen(_open(emergency, content, doctor, relayer, other=colleague))


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


LEAVES = [sha256(b"\x00" + bytes([number])).digest() for number in range(4)]
ROOT_2 = _node(LEAVES[0], LEAVES[1])
ROOT_3 = _node(ROOT_2, LEAVES[2])


def test_auditor_cosigns_and_shows_a_fork(anchor, participants, operator, relayer, accounts):
    auditor = _admitted(participants, operator, AUDITOR_ID, AUDITOR)
    ward = _admitted(participants, operator, WARD_ID, CUSTODIAN)
    where, origin = domain(anchor, "Assent Audit"), keccak(text="ward.example/audit")
    log = bytes.fromhex(str(anchor.logIdOf(WARD_ID, origin)).removeprefix("0x"))

    def signed(who, primary, size, root):
        return who.sign(message(where, primary, {"log": log, "size": size, "root": root}))

    # The ward's own wallet anchors: Brownie knows its key from here on.
    account = accounts.add(ward._account.key.hex())
    anchor.anchor(origin, 3, ROOT_3, [], {"from": account})
    cosignature = signed(auditor, "CosignCheckpoint", 2, ROOT_2)
    proof = [LEAVES[2]]
    anchor.cosign(WARD_ID, origin, 2, ROOT_2, proof, auditor.address, cosignature, {"from": relayer})
    assert int(anchor.cosignedOf(log, AUDITOR_ID)[0]) == 2

    forged = _node(LEAVES[1], LEAVES[0])
    with refuses("ConsistencyProofInvalid", 2, forged):
        other = signed(auditor, "CosignCheckpoint", 2, forged)
        anchor.cosign(WARD_ID, origin, 2, forged, proof, auditor.address, other, {"from": relayer})
    shown = (2, forged, signed(ward, "SignCheckpoint", 2, forged))
    transaction = anchor.reportForkOfAnchored(
        WARD_ID, origin, ward.address, shown, ROOT_2, proof, {"from": relayer}
    )
    assert "ForkReported" in transaction.events
    assert int(anchor.forkReportedAt(log)) == transaction.timestamp


def test_clinic_takes_over_the_records_of_the_hospital(records, participants, operator, hospital, relayer):
    ward = _admitted(participants, operator, WARD_ID, CUSTODIAN)
    versions = [keccak(text=f"version {number}") for number in range(3)]
    records.commitBatch(versions, {"from": hospital})
    records.withdraw(versions[1], {"from": hospital})
    committed = records.commitmentOf(hospital, versions[0])[0]

    def passed(commitments):
        content = {
            "from": str(hospital),
            "to": ward.address,
            "commitments": commitments,
            "submitBy": FOREVER,
        }
        signature = ward.sign(message(domain(records, "Assent Records"), "TransferCustody", content))
        return records.transferCustody(*content.values(), b"", signature, {"from": hospital})

    with refuses("CommitmentWithdrawn", versions[1]):
        passed(versions)
    passed([versions[0], versions[2]])
    moved = [int(time) for time in records.commitmentOf(ward.address, versions[0])]
    assert moved == [int(committed), 0]
    assert [int(time) for time in records.commitmentOf(hospital, versions[0])] == [0, 0]
