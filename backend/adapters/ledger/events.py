"""Every event of our contracts, decoded, in chain order: enough to rebuild all projections and storage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.chain import parse_block, parse_bytes32, parse_log
from backend.adapters.ledger.deployment_file import Place
from backend.adapters.ledger.errors import ChainReorganised
from backend.adapters.ledger.rpc import Asking, RpcError
from backend.consent.ledger_types import LedgerEvent, TimedEvent
from backend.errors import LedgerUnavailable
from backend.types import BlockNumber, Bytes32, UnixSeconds

_BLOCKS_A_REQUEST = 2000
_MOST_BLOCKS_A_REQUEST = 64_000
_HEADERS_A_REQUEST = 200


class Reading(Protocol):
    """Whatever has a node to ask."""

    def rpc(self) -> Asking:
        """Return the connection for reads. Raise LedgerUnavailable while there is none."""
        ...


class EventScan:
    """Reads the logs of the deployed contracts. ``only``: names of events, by default all."""

    def __init__(
        self, *, chain: Reading, contracts: Iterable[Place], only: Collection[str] | None = None
    ) -> None:
        self._chain = chain
        self._places = {place.address.lower(): place for place in contracts}
        self._topics = (
            None
            if only is None
            else sorted(
                {
                    "0x" + artifact(place.artifact).topic(event).hex()
                    for place in self._places.values()
                    for event in only
                }
            )
        )

    def hash_of(self, number: BlockNumber) -> Bytes32 | None:
        """Return the hash of a block, None where the node does not have it. Raise LedgerUnavailable."""
        (found,) = self._chain.rpc().batch([("eth_getBlockByNumber", [hex(number), False])])
        if isinstance(found, RpcError):
            raise LedgerUnavailable(f"The node did not show block {number}.") from found
        return None if found is None else parse_block(found).hash

    def events(self, from_block: BlockNumber, to_block: BlockNumber) -> Iterator[LedgerEvent]:
        """Yield the events of blocks from..to, both included, by block and position. Raise LedgerUnavailable.

        Bytes stay bytes, addresses are lower-case hex. An event that no interface names is an error: a
        projection built without it would be wrong.
        """
        for page in self._pages(from_block, to_block):
            yield from map(self._decode, page)

    def timed(self, from_block: BlockNumber, to_block: BlockNumber) -> Iterator[TimedEvent]:
        """Yield the same with the times of their blocks. Raise also ChainReorganised."""
        for page in self._pages(from_block, to_block):
            times = self._times(page)
            for item in page:
                event = self._decode(item)
                yield TimedEvent(event, times[event.block_number])

    def _pages(self, start: int, last: int) -> Iterator[list[Any]]:
        """Yield raw logs a stretch of blocks: a shorter one where the node refuses, else longer ones."""
        if not self._places:
            return  # to a node no address means every one
        blocks, most = _BLOCKS_A_REQUEST, _MOST_BLOCKS_A_REQUEST
        while start <= last:
            end = min(start + blocks - 1, last)
            query: dict[str, Any] = {
                "address": sorted(self._places),
                "fromBlock": hex(start),
                "toBlock": hex(end),
            }
            if self._topics is not None:
                query["topics"] = [self._topics]
            try:
                found = self._chain.rpc().call("eth_getLogs", query)
            except RpcError as error:
                if end == start:
                    raise LedgerUnavailable(
                        f"The node did not search its events: {error.message}."
                    ) from error
                most = blocks = max(1, (end - start + 1) // 2)
                continue
            yield sorted(found, key=lambda each: (int(each["blockNumber"], 16), int(each["logIndex"], 16)))
            start, blocks = end + 1, min(blocks * 2, most)

    def _decode(self, item: Any) -> LedgerEvent:
        log = parse_log(item)
        place = self._places[log.address]
        event = artifact(place.artifact).events.get(log.topics[0])
        if event is None:
            raise LedgerUnavailable(f"{place.name} emitted an event that this release does not know.")
        return LedgerEvent(
            contract=place.name,
            generation=place.generation,
            name=event.name,
            arguments=event.decode(log.topics, log.data),
            block_number=BlockNumber(int(item["blockNumber"], 16)),
            block_hash=parse_bytes32(item["blockHash"]),
            transaction_hash=parse_bytes32(item["transactionHash"]),
            log_index=log.log_index,
        )

    def _times(self, page: Sequence[Any]) -> dict[BlockNumber, UnixSeconds]:
        """Some nodes give the time with the log; of the others the block is asked."""
        times = {}
        hashes = {}
        for item in page:
            number = BlockNumber(int(item["blockNumber"], 16))
            if item.get("blockTimestamp"):
                times[number] = UnixSeconds(int(item["blockTimestamp"], 16))
            else:
                hashes[number] = parse_bytes32(item["blockHash"])
        asked = sorted(hashes)
        for start in range(0, len(asked), _HEADERS_A_REQUEST):
            numbers = asked[start : start + _HEADERS_A_REQUEST]
            answers = self._chain.rpc().batch(
                [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
            )
            for number, answer in zip(numbers, answers, strict=True):
                if answer is None or isinstance(answer, RpcError):
                    raise LedgerUnavailable(f"The node does not show block {number}.")
                block = parse_block(answer)
                if block.hash != hashes[number]:
                    raise ChainReorganised(f"Block {number} was replaced while it was read.")
                times[number] = block.timestamp
        return times
