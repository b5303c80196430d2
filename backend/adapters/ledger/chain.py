"""What the relayer and the readers need of a chain, embedded or network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eth_utils.address import to_checksum_address

from backend.adapters.ledger.rpc import Asking
from backend.consent.ledger_types import LedgerLog, LedgerView
from backend.types import Address, BlockNumber, Bytes32, UnixSeconds

MOST_WEI: Final = 10**9
_ROOM_WEI: Final = 8


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the chain; ``transactions`` are the hashes in order."""

    number: BlockNumber
    hash: Bytes32
    parent_hash: Bytes32
    timestamp: UnixSeconds
    transactions: tuple[Bytes32, ...]
    base_fee: int  # wei; 0 where the network has none


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to send, its sender and its hash."""

    raw: bytes
    sender: Address
    hash: Bytes32


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction in a block. ``succeeded`` False: it was executed and its contract reverted."""

    transaction_hash: Bytes32
    block_number: BlockNumber
    succeeded: bool
    contract: Address | None  # where it made one
    logs: tuple[LedgerLog, ...]


Included = Callable[[], list[Inclusion]]


class Chain(Protocol):
    """Done means: in a block (embedded: durable; network: included, final ``finality_depth`` blocks
    later).
    """

    @property
    def chain_id(self) -> int: ...

    @property
    def gas_price(self) -> int:
        """What a transaction sent now is to pay for gas, in wei."""
        ...

    @property
    def block_gas(self) -> int:
        """The most gas one group of transactions may ask for."""
        ...

    def view(self, *, max_age_seconds: float = math.inf) -> LedgerView:
        """Return the head and the final block, read no longer ago than this. Raise LedgerUnavailable where
        they are unknown or stale."""
        ...

    def shown(self) -> LedgerView:
        """Return what is shown now, also where ``view`` gives no permission: to start with, and to restrict.

        Raise LedgerUnavailable where no node answers.
        """
        ...

    def rpc(self) -> Asking:
        """Return the connection for reads. Raise LedgerUnavailable while there is none."""
        ...

    def offer(self, transactions: Sequence[SignedTransaction]) -> Included:
        """Hand in, in order; return what waits until each is in a block.

        Raise TransactionRefused (nothing recorded) or LedgerUnavailable (unknown), as what is returned does.
        """
        ...

    def next_nonce(self, account: Address) -> int:
        """Return the nonce after everything of this account that the node knows."""
        ...

    def block_overrides(self) -> dict[str, str] | None:
        """Return what makes a dry call at the head see the time of the block to come, where that is
        needed.
        """
        ...


def price_above(base_fee: int, *, least: int) -> int:
    """Return what to pay for gas, in wei, where the newest block has this base fee.

    Each block that is more than half full raises the base fee by an eighth, and by 1 wei at least; one of a
    few wei never falls again (EIP-1559: the eighth is rounded down). So there is room for some full blocks.
    What a node shows can cost no more than ``MOST_WEI``, unless ``least`` is more.
    """
    if not base_fee and not least:
        return 0
    return max(least, min(2 * base_fee + least + _ROOM_WEI, MOST_WEI))


def parse_block(found: Any) -> Block:
    """Read ``eth_getBlockByNumber`` without transaction bodies."""
    return Block(
        number=BlockNumber(int(found["number"], 16)),
        hash=parse_bytes32(found["hash"]),
        parent_hash=parse_bytes32(found["parentHash"]),
        timestamp=UnixSeconds(int(found["timestamp"], 16)),
        transactions=tuple(parse_bytes32(item) for item in found["transactions"]),
        base_fee=int(found.get("baseFeePerGas") or "0x0", 16),
    )


def parse_inclusion(found: Any) -> Inclusion:
    """Read ``eth_getTransactionReceipt``."""
    contract = found.get("contractAddress")
    return Inclusion(
        transaction_hash=parse_bytes32(found["transactionHash"]),
        block_number=BlockNumber(int(found["blockNumber"], 16)),
        succeeded=found["status"] == "0x1",
        contract=parse_address(contract) if contract else None,
        logs=tuple(parse_log(item) for item in found["logs"]),
    )


def parse_log(found: Any) -> LedgerLog:
    """Read one log of a receipt or of ``eth_getLogs``.

    The address stays as the node wrote it, in lower case.
    """
    return LedgerLog(
        address=Address(found["address"].lower()),
        topics=tuple(bytes.fromhex(topic[2:]) for topic in found["topics"]),
        data=bytes.fromhex(found["data"][2:]),
        log_index=int(found["logIndex"], 16),
    )


def parse_bytes32(text: str) -> Bytes32:
    return Bytes32(bytes.fromhex(text[2:]))


def parse_address(text: str) -> Address:
    """Return the EIP-55 form, as addresses are written everywhere inside."""
    return Address(to_checksum_address(text))
