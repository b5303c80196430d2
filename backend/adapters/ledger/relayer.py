"""The one place that sends transactions: dry call, decode the refusal, sign, send, bounded wait, check.

Threads hand in calls; one thread takes whatever has gathered and hands it to the chain. Others wait for the
blocks and answer, so that a group need not wait for the block of the one before. While a group is handed in
the next one gathers, so the load sets the size of the group.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backend.adapters.ledger.calls import Call, Sender
from backend.adapters.ledger.chain import Chain, Included, Inclusion, SignedTransaction
from backend.adapters.ledger.errors import LedgerRejected, OutcomeUnknown, TransactionRefused
from backend.adapters.ledger.reverts import rejection_of
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import Receipt
from backend.errors import LedgerUnavailable
from backend.types import Address, Bytes32

_GROUPS_UNDER_WAY: Final = 4  # more would be small ones, each asking the node again and again
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    call: Call
    future: Future[Inclusion] = field(default_factory=Future)


class Relayer:
    """Sends for one or several accounts. Safe for threads. ``close`` lets what was handed in finish."""

    def __init__(
        self,
        *,
        chain: Chain,
        keys: Mapping[Sender, bytes],
        largest_group: int = 256,
        wait_seconds: float = 60.0,
    ) -> None:
        """``keys``: 32-byte private keys; senders without one use the relayer's."""
        self._chain = chain
        self._accounts: dict[Sender, LocalAccount] = {
            sender: Account.from_key(keys.get(sender, keys[Sender.RELAYER])) for sender in Sender
        }
        self._nonces: dict[Address, int] = {}
        self._recount = threading.Event()  # the numbers may be wrong: the node is to be asked
        self._largest_group = largest_group
        self._wait_seconds = wait_seconds
        self._waiting: deque[_Waiting] = deque()
        self._wakeup = threading.Condition()
        self._closing = False
        self._settling = ThreadPoolExecutor(_GROUPS_UNDER_WAY, thread_name_prefix="relayer-settling")
        self._room = threading.Semaphore(_GROUPS_UNDER_WAY)
        self._thread = threading.Thread(target=self._run, name="relayer", daemon=True)
        self._thread.start()

    def address(self, sender: Sender) -> Address:
        return Address(self._accounts[sender].address)

    def submit(self, call: Call) -> Receipt:
        """Send one call; return once it took effect.

        Raise LedgerRejected where the contract refuses (also when the call took effect before),
        OutcomeUnknown or LedgerUnavailable where it is not known: then ask again.
        """
        return _receipt(self._await(self._enqueue([call])[0]))

    def submit_many(self, calls: Sequence[Call]) -> list[Receipt | LedgerRejected]:
        """Send independent calls, in as few blocks as they fit; each is refused alone.

        Raise LedgerUnavailable.
        """
        outcomes: list[Receipt | LedgerRejected] = []
        for waiting in self._enqueue(calls):
            try:
                outcomes.append(_receipt(self._await(waiting)))
            except LedgerRejected as refusal:
                outcomes.append(refusal)
        return outcomes

    def deploy(self, creation_code: bytes, *, gas: int, sender: Sender) -> tuple[Address, Receipt]:
        """Make a contract; return where it is."""
        inclusion = self._await(self._enqueue([Call(None, creation_code, gas, sender)])[0])
        if inclusion.contract is None:
            raise LedgerUnavailable("The chain made no contract.")
        return inclusion.contract, _receipt(inclusion)

    def close(self) -> None:
        with self._wakeup:
            self._closing = True
            self._wakeup.notify_all()
        self._thread.join(self._wait_seconds)
        self._settling.shutdown()

    # --- the threads that ask

    def _enqueue(self, calls: Sequence[Call]) -> list[_Waiting]:
        items = [_Waiting(call) for call in calls]
        with self._wakeup:
            if self._closing:
                raise LedgerUnavailable("The service is shutting down.")
            self._waiting.extend(items)
            self._wakeup.notify_all()
        return items

    def _await(self, waiting: _Waiting) -> Inclusion:
        try:
            return waiting.future.result(self._wait_seconds)
        except FutureTimeout as error:
            raise OutcomeUnknown("The chain did not take the transaction in time.") from error

    # --- the thread that sends

    def _run(self) -> None:
        while True:
            with self._wakeup:
                self._wakeup.wait_for(lambda: self._waiting or self._closing)
                group = self._take_group()
            if not group:
                return
            with self._answering(group):
                self._process(group)

    @contextmanager
    def _answering(self, group: Sequence[_Waiting]) -> Iterator[None]:
        """Whatever goes wrong, nobody of the group waits in vain."""
        try:
            yield
        except LedgerUnavailable as error:
            self._recount.set()
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - told to the callers
            _log.exception("relaying failed")
            self._recount.set()
            _fail(group, OutcomeUnknown(f"Relaying failed ({type(error).__name__})."))

    def _take_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        gas = 0
        while self._waiting and len(group) < self._largest_group:
            gas += self._waiting[0].call.gas
            if group and gas > self._chain.block_gas:
                break
            group.append(self._waiting.popleft())
        return group

    def _process(self, group: list[_Waiting]) -> None:
        ready = self._dry_run(group)
        if not ready:
            return
        # Calls of one account stay in order and together: the node takes such a stretch in one request.
        by_sender: defaultdict[Sender, list[_Waiting]] = defaultdict(list)
        for waiting in ready:
            by_sender[waiting.call.sender].append(waiting)
        ordered = [waiting for stretch in by_sender.values() for waiting in stretch]
        try:
            self._send(ordered)
        except TransactionRefused:
            # Nothing was recorded. Another process may have used the account, or one of them is at fault.
            self._recount.set()
            self._send_each(ordered)

    def _send(self, ordered: Sequence[_Waiting]) -> None:
        self._room.acquire()
        try:
            if self._recount.is_set():
                self._recount.clear()
                self._nonces.clear()
            gas_price = self._chain.gas_price
            included = self._chain.offer([self._sign(waiting.call, gas_price) for waiting in ordered])
        except BaseException:
            self._room.release()
            raise
        self._settling.submit(self._settle, ordered, included)

    def _send_each(self, ordered: Sequence[_Waiting]) -> None:
        for position, waiting in enumerate(ordered):
            try:
                self._send([waiting])
            except TransactionRefused as refusal:
                self._recount.set()
                _fail([waiting], refusal)
            except LedgerUnavailable as error:
                self._recount.set()
                _fail(ordered[position:], error)  # those before are under way
                return

    def _dry_run(self, group: list[_Waiting]) -> list[_Waiting]:
        """Ask the head what each call would do; answer the refused ones, return the rest."""
        overrides = self._chain.block_overrides()
        calls = [("eth_call", self._dry_call(waiting.call, "latest", overrides)) for waiting in group]
        ready = []
        for waiting, answer in zip(group, self._chain.rpc().batch(calls), strict=True):
            if isinstance(answer, RpcError):
                waiting.future.set_exception(rejection_of(answer))
            else:
                ready.append(waiting)
        return ready

    def _dry_call(self, call: Call, block: str, overrides: dict[str, str] | None) -> list[object]:
        message = {
            "from": self.address(call.sender),
            "data": "0x" + call.data.hex(),
            "gas": hex(call.gas),
        }
        if call.to is not None:
            message["to"] = call.to
        return [message, block] if overrides is None else [message, block, {}, overrides]

    def _sign(self, call: Call, gas_price: int) -> SignedTransaction:
        account = self._accounts[call.sender]
        address = Address(account.address)
        nonce = self._nonces.get(address)
        if nonce is None:
            nonce = self._chain.next_nonce(address)
        self._nonces[address] = nonce + 1
        transaction: dict[str, Any] = {
            "value": 0,
            "gas": call.gas,
            "gasPrice": gas_price,
            "nonce": nonce,
            "chainId": self._chain.chain_id,
            "data": call.data,
        }
        if call.to is not None:
            transaction["to"] = call.to
        signed = account.sign_transaction(transaction)
        return SignedTransaction(bytes(signed.raw_transaction), address, Bytes32(bytes(signed.hash)))

    # --- the threads that wait for blocks

    def _settle(self, group: Sequence[_Waiting], included: Included) -> None:
        try:
            with self._answering(group):
                for waiting, inclusion in zip(group, included(), strict=True):
                    if inclusion.succeeded:
                        waiting.future.set_result(inclusion)
                    else:
                        waiting.future.set_exception(self._reason(waiting.call, inclusion))
        finally:
            self._room.release()

    def _reason(self, call: Call, inclusion: Inclusion) -> LedgerRejected:
        """Find out why a call that passed its dry run was refused in its block: another came before it."""
        try:
            self._chain.rpc().call("eth_call", *self._dry_call(call, hex(inclusion.block_number), None))
        except RpcError as error:
            refusal = rejection_of(error)
            if isinstance(refusal, LedgerRejected):
                return refusal
        except LedgerUnavailable:
            pass
        return LedgerRejected("Reverted")


def account_of(key: bytes) -> Address:
    """Return the account of a 32-byte private key."""
    return Address(Account.from_key(key).address)


def _receipt(inclusion: Inclusion) -> Receipt:
    return Receipt(inclusion.block_number, inclusion.transaction_hash, inclusion.logs)


def _fail(group: Sequence[_Waiting], error: LedgerUnavailable) -> None:
    for waiting in group:
        if not waiting.future.done():
            waiting.future.set_exception(error)
