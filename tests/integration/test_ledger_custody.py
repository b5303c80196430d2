"""Witnesses' cosignatures, reports of forks and transfer of custody on the real contracts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator

import pytest
from web3 import Web3

from backend.adapters.ledger.anchors import Checkpoint, LogName, Prefix
from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.members import Credential
from backend.consent.member_terms import AuditCommand, CosignCheckpoint, SignCheckpoint, TransferCustody
from backend.consent.typed_data import AUDIT_NAME, RECORDS_NAME, Domain, struct_hash
from backend.types import MAX_UINT40, BlockNumber, Bytes32, MemberId, UnixSeconds
from tests.support.ledger_world import CLINIC, HOSPITAL, Person, World, embedded_world, person

CUSTODIAN, AUDITOR = 1, 16
WITNESS = MemberId(b"\x31" * 32)
FOREVER = UnixSeconds(MAX_UINT40)
ORIGIN = "test.example/cosigned"


@pytest.fixture(scope="module")
def auditor() -> Person:
    return person()


@pytest.fixture(scope="module")
def clinic() -> Person:
    return person()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, auditor: Person, clinic: Person) -> Iterator[World]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as made:
        for member, who, roles in ((WITNESS, auditor, AUDITOR), (CLINIC, clinic, CUSTODIAN)):
            credential = Credential(roles=roles, expiry=FOREVER, account=who.account)
            made.ledger.members.register_member(member, credential)
        yield made


def _head(world: World) -> BlockNumber:
    return world.chain.view().head_number


def _leaf(number: int) -> bytes:
    return hashlib.sha256(b"\x00" + bytes([number])).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


TWO = Bytes32(_node(_leaf(0), _leaf(1)))
THREE = Bytes32(_node(TWO, _leaf(2)))


def _checkpoint(world: World, who: Person, command: AuditCommand) -> Checkpoint:
    domain = Domain(world.chain.chain_id, world.ledger.anchor_contract.address, AUDIT_NAME)
    return Checkpoint(command.size, command.root, who.sign(command, domain))


def test_witness_cosigns_what_is_anchored_and_nothing_else(world: World, auditor: Person) -> None:
    contract, anchor = world.ledger.anchor_contract, world.ledger.anchor_of(HOSPITAL, ORIGIN)
    log = LogName(HOSPITAL, Bytes32(bytes(Web3.keccak(text=ORIGIN))))
    anchor.anchor(2, TWO, [])
    anchor.anchor(3, THREE, [_leaf(2)])
    seen = _checkpoint(world, auditor, CosignCheckpoint(anchor.log_id, 2, TWO))
    world.relayer.submit(contract.cosign(log, auditor.account, seen, [_leaf(2)]))
    size, at = contract.cosigned(anchor.log_id, WITNESS, block=_head(world))
    assert (size, at) == (2, world.chain.view().head_timestamp)
    forked = _checkpoint(world, auditor, CosignCheckpoint(anchor.log_id, 3, Bytes32(_leaf(9))))
    with pytest.raises(LedgerRejected) as refusal:
        world.relayer.submit(contract.cosign(log, auditor.account, forked, []))
    assert refusal.value.name == "CheckpointForks"


def test_two_histories_of_one_custodian_are_shown(world: World, clinic: Person) -> None:
    contract = world.ledger.anchor_contract
    log = LogName(CLINIC, Bytes32(os.urandom(32)))
    log_id = contract.log_id(CLINIC, log.origin, block=_head(world))
    larger = _checkpoint(world, clinic, SignCheckpoint(log_id, 3, THREE))
    prefix = Prefix(TWO, [_leaf(2)])
    honest = _checkpoint(world, clinic, SignCheckpoint(log_id, 2, TWO))
    with pytest.raises(LedgerRejected) as refusal:
        world.relayer.submit(contract.report_fork(log, clinic.account, honest, larger, prefix))
    assert refusal.value.name == "ForkNotShown"
    assert contract.fork_reported_at(log_id, block=_head(world)) == 0
    forked = _checkpoint(world, clinic, SignCheckpoint(log_id, 2, Bytes32(_leaf(9))))
    world.relayer.submit(contract.report_fork(log, clinic.account, forked, larger, prefix))
    assert contract.fork_reported_at(log_id, block=_head(world)) == world.chain.view().head_timestamp


def test_history_other_than_the_anchored_is_shown(world: World) -> None:
    custodian = Person(b"\x12" * 32)
    assert custodian.account == world.relayer.address(Sender.CUSTODIAN)
    anchor = world.ledger.anchor_of(HOSPITAL, "test.example/forked")
    log = LogName(HOSPITAL, Bytes32(bytes(Web3.keccak(text="test.example/forked"))))
    anchor.anchor(3, THREE, [])
    forked = _checkpoint(world, custodian, SignCheckpoint(anchor.log_id, 2, Bytes32(_leaf(9))))
    call = world.ledger.anchor_contract.report_fork_of_anchored(
        log, custodian.account, forked, Prefix(TWO, [_leaf(2)])
    )
    world.relayer.submit(call)
    event = list(world.ledger.events.events(_head(world), _head(world)))[-1]
    assert (event.name, event.arguments["logId"]) == ("ForkReported", anchor.log_id)


def _transfer(world: World, giver: Person, receiver: Person, commitments: list[Bytes32]) -> TransferCustody:
    submit_by = UnixSeconds(int(time.time()) + 3600)
    return TransferCustody(giver.account, receiver.account, tuple(commitments), submit_by)


def _signed(world: World, transfer: TransferCustody, *signers: Person) -> list[bytes]:
    domain = Domain(world.chain.chain_id, world.ledger.record_contract.address, RECORDS_NAME)
    return [who.sign(transfer, domain) for who in signers]


def test_custody_passes_with_both_signatures_and_keeps_the_dates(world: World, clinic: Person) -> None:
    hospital = Person(b"\x12" * 32)
    commitments = [Bytes32(os.urandom(32)) for _ in range(3)]
    world.ledger.commitments.commit_records(commitments)
    records = world.ledger.record_contract
    ((committed_at, _),) = records.commitments(hospital.account, commitments[:1], block=_head(world))
    transfer = _transfer(world, hospital, clinic, commitments)
    signatures = _signed(world, transfer, hospital, clinic)
    with pytest.raises(LedgerRejected) as refusal:
        world.relayer.submit(records.transfer_custody(transfer, signatures[0], signatures[0]))
    assert refusal.value.name == "SignatureInvalid"
    world.relayer.submit(records.transfer_custody(transfer, signatures[0], signatures[1]))
    identity = struct_hash(transfer)
    assert records.is_transferred(identity, block=_head(world))
    for each in commitments:
        assert records.commitments(clinic.account, [each], block=_head(world)) == [(committed_at, 0)]
        assert world.ledger.commitments.committed([each]) == [False]


def test_withdrawn_commitment_does_not_pass(world: World, clinic: Person) -> None:
    hospital = Person(b"\x12" * 32)
    commitment = Bytes32(os.urandom(32))
    world.ledger.commitments.commit_records([commitment])
    world.ledger.commitments.withdraw(commitment)
    transfer = _transfer(world, hospital, clinic, [commitment])
    records = world.ledger.record_contract
    signatures = _signed(world, transfer, hospital, clinic)
    with pytest.raises(LedgerRejected) as refusal:
        world.relayer.submit(records.transfer_custody(transfer, *signatures))
    assert (refusal.value.name, refusal.value.arguments) == ("CommitmentWithdrawn", (commitment,))
