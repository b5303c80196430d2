"""Members, record commitments, anchors, studies and contract wallets on the real contracts."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi import encode
from web3 import Web3

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import LedgerRejected
from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.studies import Approval
from backend.audit.errors import LogForked, LogRolledBack
from backend.consent.member_terms import PermitStudy
from backend.types import MAX_UINT40, Bytes32, MemberId, UnixSeconds
from tests.support.ledger_world import (
    ANVIL,
    BOARD,
    CLINIC,
    HOSPITAL,
    Person,
    World,
    attach,
    embedded_world,
    person,
)

CUSTODIAN, PROVIDER, ETHICS = 1, 2, 8
NOW = int(time.time())
SHORTLY = 6 * 3600  # longer than all tests together take
FOREVER = UnixSeconds(MAX_UINT40)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with embedded_world(tmp_path_factory.mktemp("chain")) as made:
        yield made


def _member() -> MemberId:
    return MemberId(os.urandom(32))


def test_member_admitted_twice_alike_is_one_and_otherwise_is_refused(world: World) -> None:
    clinic = Credential(roles=PROVIDER, expiry=FOREVER)
    first = world.ledger.members.register_member(CLINIC, clinic)
    assert world.ledger.members.register_member(CLINIC, clinic).block_number == first.block_number
    with pytest.raises(LedgerRejected) as refusal:
        world.ledger.members.register_member(CLINIC, Credential(roles=CUSTODIAN, expiry=FOREVER))
    assert refusal.value.name == "MemberExists"
    assert world.ledger.members.member(CLINIC).credential == clinic


def test_role_counts_for_an_active_member_until_its_credential_ends(world: World) -> None:
    members, member = world.ledger.members, _member()
    members.register_member(member, Credential(roles=PROVIDER, expiry=UnixSeconds(NOW + SHORTLY)))
    assert members.has_role(member, PROVIDER, now=NOW)
    assert not members.has_role(member, PROVIDER | CUSTODIAN, now=NOW)
    assert not members.has_role(member, 0, now=NOW)
    assert not members.has_role(member, PROVIDER, now=NOW + SHORTLY)
    assert not members.has_role(_member(), PROVIDER, now=NOW)
    members.suspend_member(member)
    assert not members.has_role(member, PROVIDER, now=NOW)
    members.reinstate_member(member)
    assert members.has_role(member, PROVIDER, now=NOW)
    members.reduce_roles(member, PROVIDER)
    assert not members.has_role(member, PROVIDER, now=NOW)
    members.remove_member(member)
    assert members.member(member).standing == 3


def test_admission_where_it_is_delayed_is_announced_and_waited_for(tmp_path: Path) -> None:
    now = [NOW]
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL, clock=lambda: now[0])
    world = attach(chain, tmp_path / "deployment.json", admission_delay_seconds=3600)
    members, clinic = world.ledger.members, Credential(roles=PROVIDER, expiry=FOREVER)
    with pytest.raises(LedgerRejected) as refusal:
        members.register_member(CLINIC, clinic)
    assert refusal.value.name == "AccessManagerNotScheduled"
    members.schedule_member(CLINIC, clinic)
    with pytest.raises(LedgerRejected) as refusal:
        members.register_member(CLINIC, clinic)
    assert refusal.value.name == "AccessManagerNotReady"
    now[0] += 3600
    members.register_member(CLINIC, clinic)
    assert members.has_role(CLINIC, PROVIDER, now=now[0])
    world.relayer.close()
    chain.close()


def test_commitments_recorded_twice_stand_until_withdrawn(world: World) -> None:
    commitments = [Bytes32(os.urandom(32)) for _ in range(205)]  # more than one transaction takes
    ledger = world.ledger.commitments
    assert ledger.committed(commitments[:1]) == [False]
    for _ in range(2):
        ledger.commit_records(commitments)
    assert ledger.committed([commitments[0], Bytes32(bytes(32)), commitments[204]]) == [True, False, True]
    ledger.withdraw(commitments[0])
    assert ledger.committed(commitments[:1]) == [False]
    assert ledger.committed(commitments[:2]) == [False, True]


def _leaf(number: int) -> bytes:
    return hashlib.sha256(b"\x00" + bytes([number])).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def test_checkpoint_anchored_is_found_again_and_a_fork_is_refused(world: World) -> None:
    anchor = world.ledger.anchor_of(HOSPITAL, f"test.example/{os.urandom(4).hex()}")
    assert anchor.anchored() is None
    root = _node(_leaf(0), _leaf(1))
    first = anchor.anchor(2, root, [])
    assert anchor.anchor(2, root, []) == first
    larger = _node(root, _leaf(2))
    second = anchor.anchor(3, larger, [_leaf(2)])
    found = anchor.anchored()
    assert found is not None
    assert (found.size, found.root, found.block) == (3, larger, second.block)
    with pytest.raises(LogForked):
        anchor.anchor(3, _leaf(9), [])
    with pytest.raises(LogForked):
        anchor.anchor(4, _leaf(9), [_leaf(2)])
    with pytest.raises(LogRolledBack):
        anchor.anchor(2, root, [])


def test_log_id_computed_here_is_the_contracts(world: World) -> None:
    origin = "test.example/log"
    head = world.chain.view().head_number
    expected = world.ledger.anchor_contract.log_id(HOSPITAL, Bytes32(Web3.keccak(text=origin)), block=head)
    assert world.ledger.anchor_of(HOSPITAL, origin).log_id == expected


def _permit_digest(world: World, permit: PermitStudy) -> bytes:
    kind = "PermitStudy(bytes32 study,bytes32 rules,uint40 notBefore,uint40 notAfter,uint40 submitBy)"
    domain_kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    domain = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [
            Web3.keccak(text=domain_kind),
            Web3.keccak(text="Assent Research"),
            Web3.keccak(text="1"),
            world.chain.chain_id,
            world.deployment.address("ResearchMarket"),
        ],
    )
    struct = encode(
        ["bytes32", "bytes32", "bytes32", "uint40", "uint40", "uint40"],
        [
            Web3.keccak(text=kind),
            permit.study,
            permit.rules,
            permit.not_before,
            permit.not_after,
            permit.submit_by,
        ],
    )
    return bytes(Web3.keccak(b"\x19\x01" + Web3.keccak(domain) + Web3.keccak(struct)))


def test_study_permitted_by_the_board_runs_in_its_window_under_its_rules(world: World) -> None:
    board = person()
    credential = Credential(roles=ETHICS, expiry=FOREVER, account=board.account)
    world.ledger.members.register_member(BOARD, credential)
    permit = PermitStudy(
        study=Bytes32(os.urandom(32)),
        rules=Bytes32(os.urandom(32)),
        not_before=UnixSeconds(NOW - 10),
        not_after=UnixSeconds(NOW + SHORTLY),
        submit_by=UnixSeconds(NOW + SHORTLY),
    )
    studies = world.ledger.studies
    assert not studies.is_permitted(permit.study, permit.rules, now=NOW)
    signature = board.sign_digest(_permit_digest(world, permit))
    approvals = [Approval(board.account, signature)]
    first = studies.permit_study(permit, approvals)
    assert studies.permit_study(permit, approvals).block_number == first.block_number
    assert studies.is_permitted(permit.study, permit.rules, now=NOW)
    assert not studies.is_permitted(permit.study, Bytes32(bytes(32)), now=NOW)
    assert not studies.is_permitted(permit.study, permit.rules, now=NOW + SHORTLY)
    with pytest.raises(LedgerRejected) as refusal:
        studies.revoke_study(permit.study, approvals)
    assert refusal.value.name == "SignatureInvalid"


# Creation code of a wallet that answers every question with one word.
def _wallet(world: World, answer: bytes) -> str:
    runtime = b"\x7f" + answer.ljust(32, b"\0") + bytes.fromhex("60005260206000f3")
    creation = bytes([0x60, len(runtime), 0x80, 0x60, 11, 0x60, 0, 0x39, 0x60, 0, 0xF3]) + runtime
    address, _ = world.relayer.deploy(creation, gas=300_000, sender=Sender.OPERATOR)
    return address


@pytest.mark.parametrize(
    ("answer", "expected"), [(bytes.fromhex("1626ba7e"), True), (bytes.fromhex("ffffffff"), False)]
)
def test_contract_wallet_is_asked_for_its_signature(world: World, answer: bytes, expected: bool) -> None:
    wallet = _wallet(world, answer)
    for ask in (world.ledger.consents.is_valid_signature, world.ledger.consents.is_valid):
        assert ask(wallet, b"\x01" * 32, b"signature") is expected  # type: ignore[arg-type]


def test_account_without_code_is_no_contract_wallet(world: World) -> None:
    stranger: Person = person()
    assert not world.ledger.consents.is_valid_signature(stranger.account, b"\x01" * 32, b"")


def test_contract_that_reverts_confirms_nothing(world: World) -> None:
    registry = world.deployment.address("ConsentRegistry")
    assert not world.ledger.consents.is_valid_signature(registry, b"\x01" * 32, b"")
