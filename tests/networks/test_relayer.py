"""The account that sends: out of order, stuck, and used by two processes at once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.errors import OutcomeUnknown
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.relayer import Relayer
from backend.errors import LedgerUnavailable
from backend.types import Address, Bytes32
from tests.support.testnet import Testnet, require_geth, until

TO = Address("0x" + "22" * 20)
PATIENT_TRIES = 30
INCLUSION_SECONDS = 6.0
FULL_BLOCKS = 4
FULL_GAS = 20_000_000  # of 30 million, and all of it is used
ENDLESS = bytes.fromhex("5b600056")  # JUMPDEST, and back to it


@dataclass
class Sending:
    """An account with gas money, and what sends for it."""

    network: Testnet
    key: bytes
    closing: ExitStack

    @property
    def address(self) -> str:
        return str(Account.from_key(self.key).address)

    def chain(self, url: str | None = None, **settings: Any) -> NetworkChain:
        made = self.network.chain(url, inclusion_seconds=INCLUSION_SECONDS, **settings)
        self.closing.callback(made.close)
        return made

    def relayer(self, chain: NetworkChain) -> Relayer:
        made = Relayer(chain=chain, keys={Sender.RELAYER: self.key})
        self.closing.callback(made.close)
        return made

    def send(self, nonce: int, **fields: Any) -> str:
        """Send a transaction past the relayer; return its hash."""
        signed = Account.sign_transaction(
            {
                "to": TO, "value": 0, "gas": 30_000, "gasPrice": self.network.gas_price(), "nonce": nonce,
                "chainId": self.network.network.chain_id, "data": b"", **fields,
            },
            self.key,
        )  # fmt: skip
        raw = "0x" + bytes(signed.raw_transaction).hex()
        return str(self.network.service_node.ask("eth_sendRawTransaction", raw))

    def await_count(self, number: int) -> None:
        """Wait until so many of the account's transactions are in blocks, whichever node had them first."""

        def count() -> int:
            return int(self.network.service_node.ask("eth_getTransactionCount", self.address, "latest"), 16)

        until(lambda: count() >= number, f"{number} transactions are in blocks")


@pytest.fixture
def sending(network: Testnet) -> Iterator[Sending]:
    with ExitStack() as closing:
        made = Sending(network, secrets.token_bytes(32), closing)
        network.fund([made.address])
        yield made


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Sending]:
    """The same on a network of its own, for what would stay with the others' one."""
    require_geth()
    with ExitStack() as closing:
        network = Testnet(tmp_path / "net")
        closing.callback(network.stop)
        network.start()
        made = Sending(network, secrets.token_bytes(32), closing)
        network.fund([made.address])
        yield made


def call(number: int = 0) -> Call:
    return Call(TO, number.to_bytes(4), 60_000)


def insistently(act: Callable[[], Any]) -> Any:
    """Ask again in doubt, as the outbox does."""
    for _ in range(PATIENT_TRIES):
        try:
            return act()
        except LedgerUnavailable:
            continue
    raise AssertionError("it was never done")


def test_transaction_of_somebody_else_ahead_of_the_next_number_is_closed_up_to(sending: Sending) -> None:
    sending.send(1)  # waits in the pool for number 0
    relayer = sending.relayer(sending.chain())
    receipt = relayer.submit(call())
    assert receipt.block_number > 0
    insistently(lambda: relayer.submit(call(1)))
    sending.await_count(3)


def test_number_that_the_relayer_had_too_high_is_found_out(sending: Sending) -> None:
    relayer = sending.relayer(sending.chain())
    relayer.submit(call())
    relayer._nonces[relayer.address(Sender.RELAYER)] += 2  # as after blocks that were replaced
    with pytest.raises(OutcomeUnknown):
        relayer.submit(call(1))
    insistently(lambda: relayer.submit(call(2)))
    sending.await_count(2)


def test_transactions_are_mined_after_full_blocks_have_raised_the_base_fee(apart: Sending) -> None:
    """A base fee of a few wei never falls again, so a price of 1 wei would never be enough any more."""
    before = apart.network.gas_price()
    for nonce in range(FULL_BLOCKS):
        sent = apart.send(nonce, to="", gas=FULL_GAS, data=ENDLESS)
        node = apart.network.service_node
        until(lambda sent=sent, node=node: node.ask("eth_getTransactionReceipt", sent), "it is mined")  # type: ignore[misc]
    assert apart.network.gas_price() > before + FULL_BLOCKS
    apart.network.await_blocks(2)
    relayer = apart.relayer(apart.chain())
    relayer.submit(call())
    apart.await_count(FULL_BLOCKS + 1)


def test_transaction_that_nobody_mines_is_replaced_once_the_price_is_raised(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    cheap = sending.relayer(sending.chain())
    with monkeypatch.context() as patched:
        patched.setattr(NetworkChain, "gas_price", 0)
        with pytest.raises(LedgerUnavailable):
            cheap.submit(call())
    relayer = sending.relayer(sending.chain())  # the operator corrected ASSENT_LEDGER_GAS_PRICE_WEI
    insistently(lambda: relayer.submit(call(1)))
    sending.await_count(1)


def test_two_relayers_with_one_account_at_two_nodes_get_everything_done(
    sending: Sending, network: Testnet
) -> None:
    relayers = [sending.relayer(sending.chain(node.node.rpc_url)) for node in network.plain]
    hashes: set[Bytes32] = set()
    lock = threading.Lock()

    def work(number: int) -> None:
        receipt = insistently(lambda: relayers[number % 2].submit(call(number)))
        with lock:
            hashes.add(receipt.transaction_hash)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(24)))
    assert len(hashes) == 24
    sending.await_count(24)
