"""The wrappers of any ERC-20 and of the test token, which is one."""

from __future__ import annotations

from backend.adapters.ledger.calls import BoundContract, Call, Sender
from backend.adapters.ledger.chain import Chain
from backend.types import Address, BlockNumber, Bytes32

_GAS = 300_000  # for tokens that keep more books than ours


class Token(BoundContract):
    """What the market's money is. ``issue`` and ``is_issued`` are of the test token alone."""

    def __init__(self, address: Address, chain: Chain) -> None:
        super().__init__("TestToken", address, chain)

    def balance(self, account: Address, *, block: BlockNumber) -> int:
        return int(self._view("balanceOf", account, block=block)[0])

    def allowance(self, owner: Address, spender: Address, *, block: BlockNumber) -> int:
        return int(self._view("allowance", owner, spender, block=block)[0])

    def is_issued(self, issue: Bytes32, *, block: BlockNumber) -> bool:
        return bool(self._view("isIssued", issue, block=block)[0])

    def issue(self, issue: Bytes32, to: Address, amount: int) -> Call:
        return self._call("issue", issue, to, amount, gas=_GAS, sender=Sender.PAYMENTS)

    def approve(self, spender: Address, amount: int) -> Call:
        return self._call("approve", spender, amount, gas=_GAS, sender=Sender.PAYMENTS)
