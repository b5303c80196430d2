"""Transactions and patience for tests of the embedded chain."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backend.adapters.ledger.embedded import EmbeddedChain
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable

ACCOUNT: LocalAccount = Account.from_key(b"\x21" * 32)
OTHER: LocalAccount = Account.from_key(b"\x22" * 32)


def transaction(
    chain: EmbeddedChain, nonce: int, *, account: LocalAccount = ACCOUNT, gas: int = 60_000
) -> bytes:
    fields = {
        "to": "0x" + "22" * 20,
        "value": 0,
        "gas": gas,
        "gasPrice": 0,
        "nonce": nonce,
        "chainId": chain.chain_id,
        "data": b"\x05" * 100,
    }
    return bytes(account.sign_transaction(fields).raw_transaction)


def until_back(chain: EmbeddedChain) -> LedgerView:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            chain.rpc().call("eth_blockNumber")  # a view alone may come before the death is noticed
            return chain.view()
        except LedgerUnavailable:
            time.sleep(0.01)
    raise AssertionError("the chain did not come back")


def kill_and_await(chain: EmbeddedChain) -> LedgerView:
    old = chain.pid()
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if chain.pid() != old:
                return chain.view()
        except LedgerUnavailable:
            pass
        time.sleep(0.01)
    raise AssertionError("anvil was not replaced")


def hang(pid: int) -> None:
    """Stop the process without ending it; return once every thread of it stands still."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 10
    tasks = Path(f"/proc/{pid}/task")
    while time.monotonic() < deadline:
        states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()]
        if set(states) == {"T"}:
            return
        time.sleep(0.01)
    raise AssertionError("the process did not stop")
