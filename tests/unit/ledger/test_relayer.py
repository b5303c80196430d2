"""The relayer against a chain that is a list: groups, nonces, refusals, doubt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import eth_abi
import pytest
import rlp
from web3 import Web3

from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.chain import Included, Inclusion, SignedTransaction
from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown, TransactionRefused
from backend.adapters.ledger.relayer import Relayer
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import Receipt
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber

TARGET = Address("0x" + "22" * 20)
UNKNOWN = Web3.keccak(text="ConsentUnknown(bytes32)")[:4] + eth_abi.encode(["bytes32"], [b"\x07" * 32])
REFUSED_DRY = b"refused when asked"
REFUSED_IN_BLOCK = b"refused when mined"


class FakeRpc:
    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        return [self._answer(parameters[0], dry=True) for _, parameters in calls]

    def call(self, method: str, *parameters: Any) -> Any:
        answer = self._answer(parameters[0], dry=False)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    def _answer(self, message: dict[str, str], *, dry: bool) -> Any:
        data = bytes.fromhex(message["data"][2:])
        if data == REFUSED_DRY or (data == REFUSED_IN_BLOCK and not dry):
            return RpcError(3, "execution reverted", "0x" + UNKNOWN.hex())
        return "0x"


class FakeChain:
    """Every ``offer`` is a block. ``gate`` holds an offer back so that the next group gathers, ``mined`` the
    answers of those that were taken."""

    def __init__(self) -> None:
        self.chain_id = 9
        self.gas_price = 0
        self.block_gas = 1_000_000
        self.blocks: list[list[tuple[str, int, bytes]]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.mined = threading.Event()
        self.mined.set()
        self.failures: list[LedgerUnavailable] = []
        self.lost: list[LedgerUnavailable] = []  # while waiting for a block, which was not made
        self.poison: bytes | None = None

    def rpc(self) -> Any:
        return FakeRpc()

    def block_overrides(self) -> dict[str, str]:
        return {"time": "0x1"}

    def next_nonce(self, account: Address) -> int:
        return sum(sender == account for block in self.blocks for sender, _, _ in block)

    def offer(self, transactions: Sequence[SignedTransaction]) -> Included:
        assert self.gate.wait(10)
        if self.failures:
            raise self.failures.pop()
        block = []
        for item in transactions:
            fields: Any = rlp.decode(item.raw)
            block.append((item.sender, int.from_bytes(fields[0]), fields[5]))
        if any(data == self.poison for _, _, data in block):
            raise TransactionRefused("poison")
        for sender, nonce, _ in block:
            before = [n for s, n, _ in block if s == sender and n < nonce]
            assert nonce == self.next_nonce(Address(sender)) + len(before)
        self.blocks.append(block)
        inclusions = [
            Inclusion(item.hash, BlockNumber(len(self.blocks)), data != REFUSED_IN_BLOCK, None, ())
            for item, (_, _, data) in zip(transactions, block, strict=True)
        ]

        def included() -> list[Inclusion]:
            assert self.mined.wait(10)
            if self.lost:
                self.blocks.remove(block)
                raise self.lost.pop()
            return inclusions

        return included


@pytest.fixture
def chain() -> FakeChain:
    return FakeChain()


@pytest.fixture
def relayer(chain: FakeChain) -> Iterator[Relayer]:
    keys = {Sender.RELAYER: b"\x01" * 32, Sender.CUSTODIAN: b"\x02" * 32}
    made = Relayer(chain=chain, keys=keys, largest_group=8, wait_seconds=10)  # type: ignore[arg-type]
    yield made
    chain.gate.set()
    chain.mined.set()
    made.close()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def _one_by_one(
    threads: ThreadPoolExecutor, relayer: Relayer, chain: FakeChain, number: int
) -> list[Future[Receipt]]:
    """Submit calls, each once the one before was taken: each is a group of its own."""
    receipts = []
    for place in range(number):
        receipts.append(threads.submit(relayer.submit, _call(bytes([place]))))
        _until(lambda place=place: len(chain.blocks) == place + 1)  # type: ignore[misc]
    return receipts


def _call(data: bytes, *, gas: int = 1000, sender: Sender = Sender.RELAYER) -> Call:
    return Call(TARGET, data, gas, sender)


def test_submit_returns_the_receipt_of_its_block(relayer: Relayer, chain: FakeChain) -> None:
    assert relayer.submit(_call(b"a")).block_number == 1
    assert relayer.submit(_call(b"b")).block_number == 2
    assert [nonce for block in chain.blocks for _, nonce, _ in block] == [0, 1]


def test_call_refused_by_the_dry_run_is_never_sent(relayer: Relayer, chain: FakeChain) -> None:
    with pytest.raises(LedgerRejected) as refusal:
        relayer.submit(_call(REFUSED_DRY))
    assert (refusal.value.name, refusal.value.arguments) == ("ConsentUnknown", (b"\x07" * 32,))
    assert chain.blocks == []


def test_call_refused_in_its_block_tells_the_contracts_reason(relayer: Relayer) -> None:
    with pytest.raises(LedgerRejected) as refusal:
        relayer.submit(_call(REFUSED_IN_BLOCK))
    assert refusal.value.name == "ConsentUnknown"


def test_calls_that_gather_during_a_block_share_the_next(relayer: Relayer, chain: FakeChain) -> None:
    chain.gate.clear()
    threads = [threading.Thread(target=relayer.submit, args=(_call(bytes([number])),)) for number in range(6)]
    threads[0].start()
    while not relayer._thread.is_alive() or relayer._waiting:
        pass
    for thread in threads[1:]:
        thread.start()
    while len(relayer._waiting) < 5:
        pass
    chain.gate.set()
    for thread in threads:
        thread.join(10)
    assert [len(block) for block in chain.blocks] == [1, 5]


def test_group_never_asks_for_more_gas_than_a_block_has(relayer: Relayer, chain: FakeChain) -> None:
    relayer.submit_many([_call(bytes([number]), gas=400_000) for number in range(5)])
    assert max(len(block) for block in chain.blocks) == 2


def test_group_never_exceeds_its_size(relayer: Relayer, chain: FakeChain) -> None:
    relayer.submit_many([_call(bytes([number])) for number in range(20)])
    assert max(len(block) for block in chain.blocks) == 8


def test_submit_many_refuses_each_alone_and_in_order(relayer: Relayer) -> None:
    outcomes = relayer.submit_many([_call(b"a"), _call(REFUSED_DRY), _call(b"b")])
    assert [type(outcome) for outcome in outcomes] == [Receipt, LedgerRejected, Receipt]


def test_accounts_of_several_senders_count_their_own_nonces(relayer: Relayer, chain: FakeChain) -> None:
    relayer.submit_many([_call(b"a"), _call(b"b", sender=Sender.CUSTODIAN), _call(b"c")])
    sent = [(sender, nonce) for block in chain.blocks for sender, nonce, _ in block]
    mine, theirs = relayer.address(Sender.RELAYER), relayer.address(Sender.CUSTODIAN)
    assert sorted(nonce for sender, nonce in sent if sender == mine) == [0, 1]
    assert [nonce for sender, nonce in sent if sender == theirs] == [0]
    assert relayer.address(Sender.OPERATOR) == mine  # a sender without a key of its own


def test_chain_that_fails_answers_everyone_and_is_asked_for_the_nonce_again(
    relayer: Relayer, chain: FakeChain
) -> None:
    relayer.submit(_call(b"a"))
    chain.failures = [OutcomeUnknown("the chain stopped")]
    with pytest.raises(OutcomeUnknown):
        relayer.submit(_call(b"b"))
    assert relayer.submit(_call(b"c")).block_number == 2


def test_group_is_sent_while_the_one_before_waits_for_its_block(relayer: Relayer, chain: FakeChain) -> None:
    chain.mined.clear()
    with ThreadPoolExecutor(3) as threads:
        receipts = _one_by_one(threads, relayer, chain, 3)
        assert not any(receipt.done() for receipt in receipts)
        chain.mined.set()
        assert [receipt.result(10).block_number for receipt in receipts] == [1, 2, 3]
    assert [nonce for block in chain.blocks for _, nonce, _ in block] == [0, 1, 2]


def test_while_enough_groups_are_under_way_the_next_ones_gather(relayer: Relayer, chain: FakeChain) -> None:
    chain.mined.clear()
    with ThreadPoolExecutor(12) as threads:
        receipts = _one_by_one(threads, relayer, chain, 4)
        receipts.append(threads.submit(relayer.submit, _call(b"held")))
        _until(lambda: relayer._room._value == 0 and not relayer._waiting)
        receipts += [threads.submit(relayer.submit, _call(bytes([number]))) for number in range(5, 12)]
        _until(lambda: len(relayer._waiting) == 7)
        assert len(chain.blocks) == 4
        chain.mined.set()
        assert all(receipt.result(10) for receipt in receipts)
    assert [len(block) for block in chain.blocks] == [1, 1, 1, 1, 1, 7]


def test_block_that_never_comes_leaves_its_callers_in_doubt_and_the_number_is_asked_for_again(
    relayer: Relayer, chain: FakeChain
) -> None:
    relayer.submit(_call(b"a"))
    chain.lost = [OutcomeUnknown("not included in time")]
    with pytest.raises(OutcomeUnknown):
        relayer.submit(_call(b"b"))
    relayer.submit(_call(b"c"))
    assert [nonce for block in chain.blocks for _, nonce, _ in block] == [0, 1]


def test_node_that_falls_silent_while_each_is_sent_alone_leaves_those_before_under_way(
    relayer: Relayer, chain: FakeChain
) -> None:
    chain.poison = b"poison"
    taken = chain.offer

    def silent_at_the_third(transactions: Sequence[SignedTransaction]) -> Included:
        if len(chain.blocks) == 1:
            raise LedgerUnavailable("silent")
        return taken(transactions)

    chain.offer = silent_at_the_third  # type: ignore[method-assign]
    chain.mined.clear()
    calls = relayer._enqueue([_call(b"first"), _call(b"poison"), _call(b"third")])
    with pytest.raises(LedgerUnavailable):
        calls[2].future.result(10)
    chain.mined.set()
    assert calls[0].future.result(10).block_number == 1
    assert isinstance(calls[1].future.exception(10), LedgerUnavailable)


def test_relayer_that_closes_waits_for_the_blocks_of_what_was_handed_in(chain: FakeChain) -> None:
    relayer = Relayer(chain=chain, keys={Sender.RELAYER: b"\x01" * 32})  # type: ignore[arg-type]
    chain.mined.clear()
    (waiting,) = relayer._enqueue([_call(b"a")])
    _until(lambda: len(chain.blocks) == 1)
    threading.Timer(0.1, chain.mined.set).start()
    relayer.close()
    assert waiting.future.done()


def test_transaction_that_no_node_takes_fails_alone(relayer: Relayer, chain: FakeChain) -> None:
    chain.poison = b"poison"
    chain.gate.clear()
    outcomes: dict[bytes, Any] = {}

    def ask(data: bytes) -> None:
        try:
            outcomes[data] = relayer.submit(_call(data))
        except LedgerUnavailable as error:
            outcomes[data] = error

    threads = [threading.Thread(target=ask, args=(data,)) for data in (b"first", b"poison", b"good")]
    for thread in threads:
        thread.start()
    chain.gate.set()
    for thread in threads:
        thread.join(10)
    assert isinstance(outcomes[b"poison"], TransactionRefused)
    assert isinstance(outcomes[b"first"], Receipt)
    assert isinstance(outcomes[b"good"], Receipt)


def test_wait_for_a_chain_that_hangs_is_bounded(chain: FakeChain) -> None:
    relayer = Relayer(chain=chain, keys={Sender.RELAYER: b"\x01" * 32}, wait_seconds=0.05)  # type: ignore[arg-type]
    chain.gate.clear()
    with pytest.raises(OutcomeUnknown):
        relayer.submit(_call(b"a"))
    chain.gate.set()
    relayer.close()


def test_relayer_that_closed_takes_nothing_more(chain: FakeChain) -> None:
    relayer = Relayer(chain=chain, keys={Sender.RELAYER: b"\x01" * 32})  # type: ignore[arg-type]
    relayer.close()
    with pytest.raises(LedgerUnavailable):
        relayer.submit(_call(b"a"))
