"""The embedded chain: anvil behind a write-ahead journal, its only writer (design, "Embedded chain").

A block is journalled and synced before it is made, so whatever was acknowledged is made again, hash for
hash, by replay. One thread starts anvil, waits for its end and replaces it; while there is none, calls
raise LedgerUnavailable at once.
"""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from web3 import Web3

from backend.adapters.ledger.chain import Block, Included, Inclusion, SignedTransaction
from backend.adapters.ledger.engine import Engine
from backend.adapters.ledger.errors import (
    JournalUnwritable,
    OutcomeUnknown,
    TransactionRefused,
)
from backend.adapters.ledger.genesis import GAS_LIMIT, Genesis, read_or_draw
from backend.adapters.ledger.journal import BlockRecord, Frame, Journal
from backend.adapters.ledger.replay import load, replay
from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.adapters.ledger.snapshot import Snapshot, read_snapshot, without_traces, write_snapshot
from backend.adapters.ledger.supervisor import DROP_AFTER_FAILURES, Supervisor
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable
from backend.types import Address, Bytes32, UnixSeconds

_log = logging.getLogger(__name__)
_LOCK_SECONDS = 60.0


class EmbeddedChain:
    """One chain in one directory, which the caller has locked.

    Safe for threads; ``mine`` is one at a time.
    """

    def __init__(
        self,
        *,
        directory: Path,
        binary: Path,
        clock: Callable[[], int] = lambda: int(time.time()),
        history_blocks: int = 16,
        snapshot_every_blocks: int = 1000,
        start_timeout_seconds: float = 900.0,
        read_timeout_seconds: float = 15.0,
    ) -> None:
        """Open or create, replay, and return once calls are answered. Raise OperatorError or
        LedgerUnavailable.

        ``history_blocks``: how many past states stay readable; each costs a copy in memory.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.binary = binary
        self._clock = clock
        self._history_blocks = history_blocks
        self._snapshot_every = snapshot_every_blocks
        self._lock = threading.Lock()
        self._read_timeout_seconds = read_timeout_seconds
        self._closing = False
        self._starting: Engine | None = None
        self._unsaved = 0  # blocks since the last snapshot
        self._journal = Journal(directory / "journal")
        self._genesis: Genesis | None = None
        self._supervisor = Supervisor(self._start)
        try:
            self._supervisor.run(start_timeout_seconds)
        except BaseException:
            self.close()
            raise

    # --- reading

    @property
    def chain_id(self) -> int:
        if self._genesis is None:
            raise LedgerUnavailable("The embedded chain has not started.")
        return self._genesis.chain_id

    @property
    def gas_price(self) -> int:
        return 0

    @property
    def block_gas(self) -> int:
        return GAS_LIMIT

    def view(self, *, max_age_seconds: float = math.inf) -> LedgerView:  # noqa: ARG002 - always of now
        """Return the head, which is final here. No call to anvil: we are its only writer."""
        return self._supervisor.require()[1]

    def shown(self) -> LedgerView:
        return self.view()

    def rpc(self) -> Rpc:
        """Return the connection for reads."""
        return self._supervisor.require()[0].reads

    def next_nonce(self, account: Address) -> int:
        try:
            return int(self.rpc().call("eth_getTransactionCount", account, "latest"), 16)
        except RpcError as error:
            raise LedgerUnavailable("The embedded chain did not tell a nonce.") from error

    def block_overrides(self) -> dict[str, str]:
        """The head may be hours old, and deadlines are compared with the block's time."""
        return {"time": hex(max(self._clock(), self.view().head_timestamp))}

    def pid(self) -> int:
        """Return the process id of the running anvil."""
        return self._supervisor.require()[0].process.pid

    def copy_journal(self, path: Path) -> Genesis:
        """Copy the journal as it stands between two blocks; return what block 0 follows from."""
        with self._writing():
            shutil.copyfile(self._directory / "journal", path)
            return read_or_draw(self._journal, self._clock)

    def journal_bytes(self) -> int:
        """Return the journal's length between two blocks: what lies before it never changes."""
        with self._lock:
            return self._journal.size_bytes

    def journal_path(self) -> Path:
        return self._directory / "journal"

    # --- writing

    def offer(self, transactions: Sequence[SignedTransaction]) -> Included:
        """Put these into one block, in order, at once."""
        runs: list[int] = []
        for position, item in enumerate(transactions):
            if position and item.sender == transactions[position - 1].sender:
                runs[-1] += 1
            else:
                runs.append(1)
        _, inclusions = self._make([item.raw for item in transactions], runs, None)
        return lambda: inclusions

    def mine(self, raw_transactions: Sequence[bytes], *, timestamp: UnixSeconds | None = None) -> Block:
        """Make one block of these, in order, at ``timestamp`` (default now; never before the head's).

        Raise TransactionRefused (nothing was made) or LedgerUnavailable.
        """
        block, _ = self._make(raw_transactions, [1] * len(raw_transactions), timestamp)
        return block

    def _make(
        self, raws: Sequence[bytes], runs: Sequence[int], timestamp: UnixSeconds | None
    ) -> tuple[Block, list[Inclusion]]:
        with self._writing():
            engine, view = self._supervisor.require()
            time_of_block = max(view.head_timestamp, timestamp if timestamp is not None else self._clock())
            record = BlockRecord(view.head_hash, UnixSeconds(time_of_block), tuple(raws), tuple(runs))
            start = self._journal.append(Frame.BLOCK, record.encode())
            try:
                engine.push(record)
                block, inclusions = engine.head_with_inclusions()
            except TransactionRefused:
                self._forget(engine, start, keep_engine=True)
                raise
            except LedgerUnavailable as error:
                self._supervisor.drop(engine)
                raise OutcomeUnknown("The chain stopped while making a block.") from error
            except BaseException:
                self._supervisor.drop(engine)
                raise
            if block.parent_hash != view.head_hash or block.transactions != _hashes(raws):
                self._forget(engine, start, keep_engine=False)
                raise TransactionRefused("The chain left a transaction out of the block.")
            try:
                self._journal.append(Frame.SEALED, block.hash, durable=False)
            except JournalUnwritable:  # the block itself is durable; only its check on replay is weaker
                _log.warning("the chain journal took no seal")
            self._publish(engine, block)
            self._count(1)
            return block, inclusions

    def close(self) -> None:
        """Leave a snapshot, end anvil, close the journal. Safe to call twice."""
        if self._closing:
            return
        self._closing = True
        starting = self._starting
        if starting is not None:
            starting.stop()  # or the lock would be held until the replay is over
        with self._lock:
            if self._unsaved:
                self._save(without_traces)
        self._supervisor.stop()
        self._journal.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._supervisor.require()  # while it restarts, refuse at once instead of queueing for the lock
        if not self._lock.acquire(timeout=_LOCK_SECONDS):
            raise LedgerUnavailable("The embedded chain is busy.")
        try:
            yield
        finally:
            self._lock.release()

    def _start(self, failures: int) -> Engine | None:
        """Start anvil, from the snapshot if it is good, replay the rest, publish. None when closing."""
        with self._lock:
            if self._closing:
                return None
            self._genesis = read_or_draw(self._journal, self._clock)
            engine, position = self._launch_from_snapshot(self._genesis)
            try:
                replayed = replay(engine, self._journal, position, drop_last=failures >= DROP_AFTER_FAILURES)
                self._starting = None  # from here on ``close`` may wait for the lock
                self._publish(engine, engine.head())
                self._count(replayed)
            except BaseException:
                engine.stop()
                raise
            finally:
                self._starting = None
            return engine

    def _launch_from_snapshot(self, genesis: Genesis) -> tuple[Engine, int]:
        """Return a fresh engine and the byte of the journal to go on from."""
        snapshot = read_snapshot(self._directory / "snapshot")
        engine = self._launch(genesis)
        if snapshot is None:
            return engine, 0
        try:
            if load(engine, snapshot, self._journal):
                return engine, snapshot.journal_bytes
        except LedgerUnavailable:
            pass  # anvil would not take it
        except BaseException:
            engine.stop()
            raise
        _log.warning("the chain snapshot does not fit the journal; replaying from the first block")
        engine.stop()
        return self._launch(genesis), 0

    def _launch(self, genesis: Genesis) -> Engine:
        engine = Engine.start(
            self.binary,
            genesis,
            directory=self._directory,
            history_blocks=self._history_blocks,
            read_timeout_seconds=self._read_timeout_seconds,
        )
        self._starting = engine
        if self._closing:
            engine.stop()
            raise LedgerUnavailable("The embedded chain is closing.")
        return engine

    def _publish(self, engine: Engine, block: Block) -> None:
        view = LedgerView(
            chain_id=self.chain_id,
            head_number=block.number,
            head_hash=block.hash,
            head_timestamp=block.timestamp,
            final_number=block.number,
            final_hash=block.hash,
        )
        self._supervisor.publish(engine, view)

    def _forget(self, engine: Engine, start: int, *, keep_engine: bool) -> None:
        """Take back a record whose block was not made as recorded."""
        if not keep_engine:
            self._supervisor.drop(engine)
        try:
            self._journal.cut(start)
        except JournalUnwritable:
            self._supervisor.drop(engine)
            raise

    def _count(self, blocks: int) -> None:
        self._unsaved += blocks
        if self._unsaved >= self._snapshot_every:
            self._save()

    def _save(self, shorten: Callable[[str], str] = lambda dumped: dumped) -> None:
        """Leave a snapshot. Its failure costs time at the next start and nothing else.

        To ``shorten`` it takes seconds, which a stop has, and a block that waits has not.
        """
        try:
            engine, view = self._supervisor.require()
            dumped = shorten(engine.dump())
            snapshot = Snapshot(view.head_number, view.head_hash, self._journal.size_bytes, dumped)
            write_snapshot(self._directory / "snapshot", snapshot)
        except (OSError, LedgerUnavailable):
            _log.warning("the chain snapshot could not be written")
        self._unsaved = 0


def _hashes(raws: Sequence[bytes]) -> tuple[Bytes32, ...]:
    return tuple(Bytes32(Web3.keccak(raw)) for raw in raws)
