"""Every event of our contracts, decoded, in chain order: enough to rebuild all projections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.chain import Chain, parse_bytes32, parse_log
from backend.adapters.ledger.rpc import RpcError
from backend.consent.ledger_types import LedgerEvent
from backend.errors import LedgerUnavailable
from backend.types import Address, BlockNumber

_BLOCKS_A_REQUEST = 2000


class EventScan:
    """Reads the logs of the deployed contracts. ``contracts``: name to address."""

    def __init__(self, *, chain: Chain, contracts: Mapping[str, Address]) -> None:
        self._chain = chain
        self._names = {address.lower(): name for name, address in contracts.items()}

    def events(self, from_block: BlockNumber, to_block: BlockNumber) -> Iterator[LedgerEvent]:
        """Yield the events of blocks from..to, both included, by block and position. Raise LedgerUnavailable.

        Bytes stay bytes, addresses are lower-case hex. An event that no interface names is an error: a
        projection built without it would be wrong.
        """
        for start in range(from_block, to_block + 1, _BLOCKS_A_REQUEST):
            yield from self._page(start, min(start + _BLOCKS_A_REQUEST - 1, to_block))

    def _page(self, start: int, end: int) -> Iterator[LedgerEvent]:
        query = {"address": sorted(self._names), "fromBlock": hex(start), "toBlock": hex(end)}
        try:
            found = self._chain.rpc().call("eth_getLogs", query)
        except RpcError as error:
            raise LedgerUnavailable("The node did not search its events.") from error
        for item in sorted(found, key=lambda each: (int(each["blockNumber"], 16), int(each["logIndex"], 16))):
            log = parse_log(item)
            contract = self._names[log.address]
            event = artifact(contract).events.get(log.topics[0])
            if event is None:
                raise LedgerUnavailable(f"{contract} emitted an event that this release does not know.")
            yield LedgerEvent(
                contract=contract,
                name=event.name,
                arguments=event.decode(log.topics, log.data),
                block_number=BlockNumber(int(item["blockNumber"], 16)),
                block_hash=parse_bytes32(item["blockHash"]),
                transaction_hash=parse_bytes32(item["transactionHash"]),
                log_index=log.log_index,
            )
