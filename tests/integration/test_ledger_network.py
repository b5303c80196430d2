"""The network adapter on an anvil that makes blocks by itself, as the nodes of a network do."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from backend.adapters.ledger.chain import SignedTransaction
from backend.adapters.ledger.effects import Effects
from backend.adapters.ledger.errors import (
    FinalityBroken,
    LedgerRejected,
    OutcomeUnknown,
    StaleHead,
    TransactionRefused,
    WrongChain,
)
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.rpc import Rpc
from backend.consent.ledger_types import Receipt
from backend.consent.typed_data import consent_id
from backend.errors import LedgerUnavailable
from backend.types import BlockNumber, Bytes32, SubjectId
from tests.support.chain_blocks import hang
from tests.support.ledger_world import ANVIL, World, grant, late, person, settle

CHAIN_ID = 990_017


@dataclass
class Node:
    url: str
    process: subprocess.Popen[bytes]

    def rpc(self) -> Rpc:
        return Rpc(self.url, timeout_seconds=5)


def _start(directory: Path, *arguments: str) -> Node:
    log = directory / "node.log"
    command = [str(ANVIL), "--host", "127.0.0.1", "--port", "0", "--accounts", "0"]
    command += ["--chain-id", str(CHAIN_ID)]
    command += ["--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee", "--hardfork", "paris"]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *arguments], stdout=output, env={"HOME": str(directory)})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.search(rb"Listening on 127\.0\.0\.1:(\d+)", log.read_bytes())
        if found:
            return Node(f"http://127.0.0.1:{int(found[1])}", process)
        time.sleep(0.01)
    raise AssertionError("the node did not start")


def _stop(node: Node) -> None:
    node.process.kill()
    node.process.wait(10)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    started = _start(tmp_path, "--no-mining")
    yield started
    _stop(started)


def _connect(node: Node, **settings: Any) -> NetworkChain:
    settings = {"finality_depth": 0, "view_age_seconds": 0.0, "expected_chain_id": CHAIN_ID, **settings}
    return NetworkChain(node.url, **settings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A network with a block a second whose blocks are final two blocks later."""
    directory = tmp_path_factory.mktemp("network")
    node = _start(directory, "--block-time", "1")
    chain = _connect(node, finality_depth=2, view_age_seconds=0.1)
    made = settle(chain, directory / "deployment.json")
    yield made
    made.relayer.close()
    chain.close()
    _stop(node)


def test_grants_of_many_threads_are_included_once_each(world: World) -> None:
    patient = person()
    world.open_subject(1, patient)
    documents = [grant(1) for _ in range(24)]

    def give(document: Any) -> Receipt:
        return world.ledger.consents.record(document, patient.sign(document, world.domain))

    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(give, documents))
    assert len({receipt.transaction_hash for receipt in receipts}) == len(documents)
    head = world.chain.view().head_number
    ids = [consent_id(document) for document in documents]
    found = world.ledger.consents.evidence(SubjectId(1), ids, block=head)
    assert found.count == len(documents)
    assert all(slot.is_recorded for slot in found.slots)
    assert give(documents[0]).transaction_hash == receipts[0].transaction_hash


def test_refusal_of_the_contract_has_its_name(world: World) -> None:
    patient = person()
    world.open_subject(2, patient)
    document = late(grant(2))
    with pytest.raises(LedgerRejected) as refusal:
        world.ledger.consents.record(document, patient.sign(document, world.domain))
    assert refusal.value.name == "SubmittedTooLate"


def test_commitment_is_final_on_return(world: World) -> None:
    receipt = world.ledger.commitments.commit_records([Bytes32(os.urandom(32))])
    assert world.chain.view().final_number >= receipt.block_number


def test_final_block_lies_its_depth_below_the_head(node: Node) -> None:
    chain = _connect(node, finality_depth=3)
    assert chain.view().final_number == 0
    for _ in range(5):
        node.rpc().call("evm_mine")
    view = chain.view()
    assert (view.head_number, view.final_number) == (5, 2)
    final = node.rpc().call("eth_getBlockByNumber", "0x2", False)
    assert final["hash"] == "0x" + view.final_hash.hex()


def test_view_is_used_again_for_its_age_only(node: Node) -> None:
    chain = _connect(node, view_age_seconds=0.3)
    first = chain.view()
    node.rpc().call("evm_mine")
    assert chain.view() == first
    time.sleep(0.35)
    assert chain.view().head_number == first.head_number + 1


def test_who_waits_for_a_block_reads_more_often(node: Node) -> None:
    chain = _connect(node, view_age_seconds=60.0)
    first = chain.view()
    node.rpc().call("evm_mine")
    assert chain.view(max_age_seconds=60.0) == first
    assert chain.view(max_age_seconds=0.0).head_number == first.head_number + 1
    assert chain.view().head_number == first.head_number + 1


def test_head_older_than_the_limit_is_no_view(node: Node) -> None:
    node.rpc().call("evm_mine")
    now = [int(time.time())]
    chain = _connect(node, clock=lambda: now[0])
    chain.view()
    now[0] += 120
    with pytest.raises(StaleHead):
        chain.view()


def test_another_chain_is_refused_by_name(node: Node) -> None:
    with pytest.raises(WrongChain):
        _connect(node, expected_chain_id=CHAIN_ID + 1)


def test_final_block_that_is_replaced_ends_all_permission(node: Node) -> None:
    chain, rpc = _connect(node), node.rpc()
    snapshot = rpc.call("evm_snapshot")
    rpc.call("evm_mine")
    chain.view()
    rpc.call("evm_revert", snapshot)
    with pytest.raises(LedgerUnavailable):
        chain.view()  # the node went back
    rpc.call("evm_increaseTime", 5)
    rpc.call("evm_mine")
    for _ in range(2):
        with pytest.raises(FinalityBroken):
            chain.view()


def test_final_block_that_was_replaced_while_nobody_looked_is_found_out(node: Node) -> None:
    chain, rpc = _connect(node), node.rpc()
    snapshot = rpc.call("evm_snapshot")
    for _ in range(3):
        rpc.call("evm_mine")
    chain.view()
    rpc.call("evm_revert", snapshot)
    rpc.call("evm_increaseTime", 5)
    for _ in range(10):
        rpc.call("evm_mine")
    for _ in range(2):
        with pytest.raises(FinalityBroken):
            chain.view()


def test_blocks_that_were_passed_over_are_no_reason_to_doubt(node: Node) -> None:
    chain = _connect(node, finality_depth=2)
    for count in (1, 5, 2, 9):
        for _ in range(count):
            node.rpc().call("evm_mine")
        chain.view()
    assert chain.view().final_number == 15


def test_receipt_of_a_replaced_block_is_not_final(node: Node) -> None:
    chain, rpc = _connect(node, finality_depth=1), node.rpc()
    signed = _signed(chain, 0)
    snapshot = rpc.call("evm_snapshot")
    rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())
    rpc.call("evm_mine")
    receipt = Receipt(BlockNumber(1), signed.hash, ())
    rpc.call("evm_revert", snapshot)
    for _ in range(2):
        rpc.call("evm_mine")
    effects = Effects(chain=chain, relayer=None)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        effects.await_final(receipt)
    rpc.call("eth_sendRawTransaction", "0x" + signed.raw.hex())  # another block takes it
    for _ in range(2):
        rpc.call("evm_mine")
    assert effects.await_final(receipt).block_number == 3


def test_node_that_is_gone_or_hangs_is_unavailable_within_the_timeout(node: Node) -> None:
    chain = _connect(node, timeout_seconds=0.5)
    hang(node.process.pid)
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable):
        chain.view()
    assert time.monotonic() - began < 3
    node.process.kill()
    node.process.wait(10)
    with pytest.raises(LedgerUnavailable):
        chain.view()


def test_transaction_that_is_not_included_in_time_is_unknown(node: Node) -> None:
    chain = _connect(node, inclusion_seconds=0.5)
    with pytest.raises(OutcomeUnknown):
        chain.offer([_signed(chain, 0)])()


def test_transaction_the_node_does_not_take_is_refused(node: Node) -> None:
    chain = _connect(node, inclusion_seconds=0.5)
    with pytest.raises(TransactionRefused):
        chain.offer([_signed(chain, 0, gas=100)])()


def test_same_transaction_sent_again_is_not_refused(node: Node) -> None:
    chain = _connect(node, inclusion_seconds=0.3)
    signed = _signed(chain, 0)
    with pytest.raises(OutcomeUnknown):
        chain.offer([signed])()
    with pytest.raises(OutcomeUnknown):  # already known is no refusal: it may still be included
        chain.offer([signed])()
    node.rpc().call("evm_mine")
    assert chain.offer([signed])()[0].succeeded


def _signed(chain: NetworkChain, nonce: int, gas: int = 60_000) -> Any:
    account = Account.from_key(b"\x41" * 32)
    fields = {"to": "0x" + "22" * 20, "value": 0, "gas": gas, "gasPrice": 0, "nonce": nonce}
    made = account.sign_transaction({**fields, "chainId": chain.chain_id, "data": b""})
    return SignedTransaction(bytes(made.raw_transaction), account.address, bytes(made.hash))  # type: ignore[arg-type]
