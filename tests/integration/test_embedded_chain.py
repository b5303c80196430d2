"""The embedded chain on a real anvil: nothing acknowledged is lost, whatever is killed."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from web3 import Web3

from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.errors import (
    ChainStartFailed,
    OutcomeUnknown,
    TransactionRefused,
)
from backend.adapters.ledger.snapshot import read_snapshot
from backend.errors import LedgerUnavailable
from backend.types import UnixSeconds
from tests.support.chain_blocks import ACCOUNT, OTHER, hang, kill_and_await, transaction, until_back
from tests.support.ledger_world import ANVIL


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[EmbeddedChain]:
    made = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    yield made
    made.close()


def test_chain_reopened_has_the_same_id_and_head(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    for nonce in range(5):
        chain.mine([transaction(chain, nonce)])
    chain.mine([])
    before, chain_id = chain.view(), chain.chain_id
    chain.close()
    for remove_snapshot in (False, True):
        if remove_snapshot:
            (tmp_path / "snapshot").unlink()
        again = EmbeddedChain(directory=tmp_path, binary=ANVIL)
        assert (again.view(), again.chain_id) == (before, chain_id)
        assert len(again.rpc().call("eth_getBlockReceipts", "0x3")) == 1  # old blocks and receipts are there
        assert again.next_nonce(ACCOUNT.address) == 5
        again.close()


def test_chain_continued_from_a_snapshot_makes_the_blocks_a_full_replay_makes(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    chain.mine([transaction(chain, 0)])
    chain.close()
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    chain.mine([transaction(chain, 1)])
    head = chain.view()
    chain.close()
    (tmp_path / "snapshot").unlink()
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert chain.view() == head
    chain.close()


def test_stop_leaves_a_snapshot_without_traces_that_shows_all_the_same(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL, snapshot_every_blocks=3)

    def shown(of: EmbeddedChain) -> list[object]:
        blocks = [of.rpc().call("eth_getBlockByNumber", hex(number), True) for number in range(5)]
        receipts = [of.rpc().call("eth_getBlockReceipts", hex(number)) for number in range(5)]
        return [
            blocks,
            receipts,
            of.rpc().call("eth_getLogs", {"fromBlock": "0x0"}),
            of.next_nonce(ACCOUNT.address),
        ]

    def traces() -> set[int]:
        snapshot = read_snapshot(tmp_path / "snapshot")
        assert snapshot is not None
        state = json.loads(gzip.decompress(bytes.fromhex(snapshot.dumped[2:])))
        return {len(each["info"]["traces"]) for each in state["transactions"]}

    for nonce in range(4):
        chain.mine([transaction(chain, nonce)])
    before = shown(chain)
    assert traces() == {1}  # anvil's own form, as we know it
    chain.close()
    assert traces() == {0}
    again = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert shown(again) == before
    again.close()


def test_every_deployment_has_its_own_chain_id(chain: EmbeddedChain, tmp_path: Path) -> None:
    other = EmbeddedChain(directory=tmp_path / "other", binary=ANVIL)
    assert other.chain_id != chain.chain_id
    other.close()


def test_block_takes_transactions_of_many_senders_in_the_order_given(chain: EmbeddedChain) -> None:
    senders = [Account.from_key(bytes([number]) * 32) for number in range(1, 101)]
    raws = [transaction(chain, nonce, account=sender) for nonce in (0, 1) for sender in senders]
    block = chain.mine(raws)
    assert block.transactions == tuple(Web3.keccak(raw) for raw in raws)
    assert kill_and_await(chain).head_hash == block.hash


def test_block_time_is_the_one_asked_for_and_never_before_its_parent(chain: EmbeddedChain) -> None:
    later = chain.view().head_timestamp + 500
    assert chain.mine([], timestamp=UnixSeconds(later)).timestamp == later
    assert chain.mine([], timestamp=UnixSeconds(later - 400)).timestamp == later
    assert chain.mine([]).timestamp == later  # the clock is behind: time stands still, it never goes back


@pytest.mark.parametrize(
    "raw_of",
    [
        pytest.param(lambda chain: transaction(chain, 0), id="nonce used"),
        pytest.param(lambda chain: transaction(chain, 7), id="nonce from the future"),
        pytest.param(lambda chain: transaction(chain, 1, gas=100), id="too little gas"),
        pytest.param(lambda chain: transaction(chain, 1, gas=400_000_000), id="more gas than a block"),
        pytest.param(lambda _: b"\x01\x02", id="no transaction"),
    ],
)
def test_block_with_a_refused_transaction_is_not_made_and_not_remembered(
    chain: EmbeddedChain, raw_of: object
) -> None:
    chain.mine([transaction(chain, 0)])
    before = chain.view()
    with pytest.raises(TransactionRefused):
        chain.mine([transaction(chain, 1, account=OTHER), raw_of(chain)])  # type: ignore[operator]
    assert until_back(chain) == before
    assert chain.mine([transaction(chain, 1)]).number == before.head_number + 1
    assert kill_and_await(chain).head_number == before.head_number + 1


def test_anvil_killed_is_replaced_and_the_head_is_the_same(chain: EmbeddedChain) -> None:
    for nonce in range(30):
        chain.mine([transaction(chain, nonce)])
    before = chain.view()
    assert kill_and_await(chain) == before
    assert chain.mine([transaction(chain, 30)]).parent_hash == before.head_hash


def test_calls_while_anvil_is_away_are_unavailable_at_once(chain: EmbeddedChain) -> None:
    for nonce in range(200):
        chain.mine([transaction(chain, nonce)])
    os.kill(chain.pid(), signal.SIGKILL)
    refused, slowest = 0, 0.0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        began = time.monotonic()
        try:
            chain.rpc().call("eth_blockNumber")
            if refused:
                break
        except LedgerUnavailable:
            refused += 1
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.005)
    assert refused > 0
    assert slowest < 1


def test_anvil_that_hangs_is_replaced(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL, read_timeout_seconds=0.5)
    chain.mine([transaction(chain, 0)])
    before, old = chain.view(), chain.pid()
    hang(old)
    with pytest.raises(LedgerUnavailable):
        chain.rpc().call("eth_blockNumber")
    assert until_back(chain) == before
    assert chain.pid() != old
    chain.close()


def test_anvil_killed_at_random_moments_loses_no_acknowledged_block(chain: EmbeddedChain) -> None:
    stop = threading.Event()

    def strike() -> None:
        pause = 0.013
        while not stop.wait(pause):
            pause = 0.02 + (pause * 7.3) % 0.25
            try:
                os.kill(chain.pid(), signal.SIGKILL)
            except (LedgerUnavailable, ProcessLookupError):
                continue

    killer = threading.Thread(target=strike)
    killer.start()
    acknowledged: dict[int, bytes] = {}
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        try:
            block = chain.mine([transaction(chain, chain.next_nonce(ACCOUNT.address))])
            acknowledged[block.number] = block.hash
        except (LedgerUnavailable, TransactionRefused):
            time.sleep(0.005)
    stop.set()
    killer.join()
    view = until_back(chain)
    assert len(acknowledged) > 20
    assert view.head_number >= max(acknowledged)
    for number, expected in acknowledged.items():
        found = chain.rpc().call("eth_getBlockByNumber", hex(number), False)
        assert found["hash"] == "0x" + expected.hex()
    assert chain.next_nonce(ACCOUNT.address) == view.head_number  # nothing twice: one transaction a block


def test_snapshot_is_left_at_its_interval_and_cannot_be_outrun(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL, snapshot_every_blocks=4)
    for nonce in range(6):
        chain.mine([transaction(chain, nonce)])
    assert (tmp_path / "snapshot").exists()
    before = chain.view()
    assert kill_and_await(chain) == before
    chain.close()


def test_program_that_is_no_anvil_is_refused_by_name(tmp_path: Path) -> None:
    program = tmp_path / "anvil"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(ChainStartFailed):
        EmbeddedChain(directory=tmp_path, binary=program)


def test_chain_closed_answers_nothing_and_leaves_no_process(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    pid = chain.pid()
    chain.close()
    chain.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(LedgerUnavailable):
        chain.view()
    with pytest.raises(LedgerUnavailable):
        chain.mine([])


def test_block_interrupted_is_unknown_and_then_there(
    chain: EmbeddedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = chain._supervisor.require()[0]

    def vanish() -> None:
        engine.process.kill()
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(engine, "head_with_inclusions", vanish)
    with pytest.raises(OutcomeUnknown):
        chain.mine([transaction(chain, 0)])
    assert until_back(chain).head_number == 1


def test_chain_closed_right_after_a_restart_leaves_its_snapshot(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    for nonce in range(100):
        chain.mine([transaction(chain, nonce)])
    head = kill_and_await(chain)
    chain.close()
    snapshot = read_snapshot(tmp_path / "snapshot")
    assert snapshot is not None
    assert snapshot.hash == head.head_hash


def test_chain_closed_during_its_replay_does_not_wait_for_it(tmp_path: Path) -> None:
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    for nonce in range(1000):
        chain.mine([transaction(chain, nonce)])
    os.kill(chain.pid(), signal.SIGKILL)
    time.sleep(0.3)  # the replay of a thousand blocks takes seconds
    began = time.monotonic()
    chain.close()
    assert time.monotonic() - began < 1
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL)
    assert chain.view().head_number == 1000
    chain.close()
