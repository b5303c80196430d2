"""From the journal to a running chain, block by block, each checked against what was recorded of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from web3 import Web3

from backend.adapters.ledger.chain import Block
from backend.adapters.ledger.engine import Engine
from backend.adapters.ledger.errors import JournalDamaged, ReplayDiverged, TransactionRefused
from backend.adapters.ledger.journal import BlockRecord, Entry, Frame, Journal
from backend.adapters.ledger.snapshot import Snapshot
from backend.errors import LedgerUnavailable
from backend.types import Bytes32

_log = logging.getLogger(__name__)
_CHECK_EVERY = 64


@dataclass(frozen=True, slots=True)
class _Step:
    record: BlockRecord
    start: int  # byte of the journal
    seal: Bytes32 | None  # the hash the block had when it was made, where that was noted


def load(engine: Engine, snapshot: Snapshot, journal: Journal) -> bool:
    """Bring a fresh engine to the snapshot.

    Return False where it disagrees with the journal or with itself.
    """
    if not any(
        entry.kind is Frame.SEALED and entry.end == snapshot.journal_bytes and entry.payload == snapshot.hash
        for entry in journal.entries()
    ):
        return False
    engine.load(snapshot.dumped)
    head = engine.head()
    if (head.number, head.hash) != (snapshot.number, snapshot.hash):
        return False
    # The header could be right and the state behind it wrong: recompute the root of what was loaded.
    return engine.state_root() == engine.header_state_root()


def replay(engine: Engine, journal: Journal, start: int, *, drop_last: bool) -> int:
    """Make every block recorded from byte ``start`` on; return how many.

    A last block that was never acknowledged and that the chain refuses is cut off the journal;
    ``drop_last`` cuts it without trying. Raise ReplayDiverged where a block differs from its record.
    """
    base = engine.head()
    done: list[_Step] = []
    count = 0
    for step, is_last in _with_last(_steps(journal, start)):
        unacknowledged = is_last and step.seal is None
        try:
            if unacknowledged and drop_last:
                raise TransactionRefused("It stopped the chain several times.")
            engine.push(step.record)
        except TransactionRefused as error:
            if not unacknowledged:
                raise ReplayDiverged(f"Block {base.number + len(done) + 1} is refused on replay.") from error
            _log.warning("dropping an unacknowledged block", extra={"reason": error.detail})
            journal.cut(step.start)
            break
        done.append(step)
        count += 1
        if len(done) == _CHECK_EVERY:
            base = _check(engine, base, done)
            done = []
    head = _check(engine, base, done)
    if done and done[-1].seal is None:
        _settle_last(engine, journal, head, done[-1])
    return count


def _settle_last(engine: Engine, journal: Journal, head: Block, step: _Step) -> None:
    """Seal the last block, or drop it where the chain left a transaction out: nobody was told of it."""
    if head.transactions == tuple(Bytes32(Web3.keccak(raw)) for raw in step.record.transactions):
        journal.append(Frame.SEALED, head.hash, durable=False)
        return
    journal.cut(step.start)
    engine.stop()
    raise LedgerUnavailable("An unacknowledged block was dropped; the chain starts again.")


def _check(engine: Engine, base: Block, steps: list[_Step]) -> Block:
    """Compare the blocks after ``base`` with their records; return the last."""
    if not steps:
        return base
    previous = base
    for step, block in zip(steps, engine.blocks(base.number + 1, base.number + len(steps)), strict=True):
        if step.record.parent_hash != previous.hash or block.parent_hash != previous.hash:
            raise ReplayDiverged(f"Block {block.number} stands on another parent than recorded.")
        if step.seal is not None and step.seal != block.hash:
            raise ReplayDiverged(f"Block {block.number} has another hash than recorded.")
        if block.timestamp != step.record.timestamp:
            raise ReplayDiverged(f"Block {block.number} has another time than recorded.")
        previous = block
    return previous


def _steps(journal: Journal, start: int) -> Iterator[_Step]:
    waiting: Entry | None = None
    for entry in journal.entries(start):
        match entry.kind:
            case Frame.GENESIS:
                continue
            case Frame.SEALED:
                if waiting is None:
                    raise JournalDamaged(f"The chain journal seals no block at byte {entry.start}.")
                yield _Step(BlockRecord.decode(waiting.payload), waiting.start, Bytes32(entry.payload))
                waiting = None
            case Frame.BLOCK:
                if waiting is not None:
                    yield _Step(BlockRecord.decode(waiting.payload), waiting.start, None)
                waiting = entry
    if waiting is not None:
        yield _Step(BlockRecord.decode(waiting.payload), waiting.start, None)


def _with_last(steps: Iterator[_Step]) -> Iterator[tuple[_Step, bool]]:
    previous: _Step | None = None
    for step in steps:
        if previous is not None:
            yield previous, False
        previous = step
    if previous is not None:
        yield previous, True
