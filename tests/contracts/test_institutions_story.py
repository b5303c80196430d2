"""Custodians commit to records and anchor their logs; the ethics board permits a study."""

from __future__ import annotations

from hashlib import sha256

from brownie import chain
from eth_utils.crypto import keccak
from refusals import refuses
from typed_data import FOREVER, domain, message

ORIGIN = keccak(text="hospital.example/audit")


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


LEAVES = [sha256(b"\x00" + bytes([number])).digest() for number in range(4)]
ROOT_2 = _node(LEAVES[0], LEAVES[1])
ROOT_3 = _node(ROOT_2, LEAVES[2])
ROOT_4 = _node(ROOT_2, _node(LEAVES[2], LEAVES[3]))


def test_hospital_anchors_its_growing_log(anchor, hospital):
    anchor.anchor(ORIGIN, 3, ROOT_3, [], {"from": hospital})
    proof = [LEAVES[2], LEAVES[3], ROOT_2]
    anchor.anchor(ORIGIN, 4, ROOT_4, proof, {"from": hospital})
    log_id = anchor.logIdOf((1).to_bytes(32, "big"), ORIGIN)
    size, root, _, _ = anchor.headOf(log_id)
    assert (int(size), str(root)) == (4, "0x" + ROOT_4.hex())
    assert anchor.isIncluded(log_id, LEAVES[1], 1, [LEAVES[0], _node(LEAVES[2], LEAVES[3])])
    assert not anchor.isIncluded(log_id, LEAVES[1], 2, [LEAVES[0], _node(LEAVES[2], LEAVES[3])])


def test_hospital_cannot_anchor_a_log_that_lost_an_entry(anchor, hospital):
    anchor.anchor(ORIGIN, 3, ROOT_3, [], {"from": hospital})
    forged = _node(ROOT_2, _node(LEAVES[3], LEAVES[3]))
    with refuses("ConsistencyProofInvalid", 4, forged):
        anchor.anchor(ORIGIN, 4, forged, [LEAVES[3], LEAVES[3], ROOT_2], {"from": hospital})


def test_hospital_commits_to_records_and_withdraws_one_on_erasure(records, hospital, clinic):
    versions = [keccak(text=f"version {number}") for number in range(3)]
    records.commitBatch(versions, {"from": hospital})
    records.withdraw(versions[1], {"from": hospital})
    committed, withdrawn = records.commitmentOf(hospital, versions[1])
    assert 0 < int(committed) <= int(withdrawn)
    assert [int(time) for time in records.commitmentOf(clinic, versions[1])] == [0, 0]


def test_board_permits_a_study_and_suspends_it(market, board, relayer):
    now = chain.time()
    content = {
        "study": keccak(text="study"),
        "rules": keccak(text="rules"),
        "notBefore": now - 60,
        "notAfter": now + 86_400,
        "submitBy": FOREVER,
    }
    signature = board.sign(message(domain(market, "Assent Research"), "PermitStudy", content))
    market.permitStudy(*content.values(), [(board.address, signature)], {"from": relayer})
    assert market.isPermitted(content["study"], content["rules"])
    with refuses("SignatureInvalid", board.address):
        market.suspendStudy(content["study"], 0, board.address, b"", {"from": relayer})


def test_suspended_custodian_opens_no_subject(registry, participants, operator, hospital, stranger):
    participants.suspend((1).to_bytes(32, "big"), {"from": operator})
    with refuses("NotCustodian", hospital):
        registry.openSubject(9001, stranger.address, FOREVER, b"", {"from": hospital})
