"""When a node got to know transactions and blocks, seen from outside: what waiting for a block takes."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final

from backend.adapters.ledger.rpc import Rpc, RpcError
from backend.errors import LedgerUnavailable

_LOOK_SECONDS: Final = 0.002


class BlockWatch:
    """Asks a node's filters all the time, between ``__enter__`` and ``__exit__``.

    ``transactions`` and ``heads``: by hash, and by number, the monotonic time when the node had them.
    """

    def __init__(self, url: str) -> None:
        self._rpc = Rpc(url, timeout_seconds=5.0)
        self.transactions: dict[str, float] = {}
        self.heads: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> BlockWatch:
        self._pending = self._rpc.call("eth_newPendingTransactionFilter")
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def waited(self, began: float, block: int, last: int) -> float:
        """Seconds from the arrival at the node of what was sent after ``began`` and is in ``block`` until it
        had the block ``last``. Of several transactions the latest counts."""
        hashes = self._rpc.call("eth_getBlockByNumber", hex(block), False)["transactions"]
        sent = max(at for each in hashes if (at := self.transactions[each]) >= began)
        return self.heads[last] - sent

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            try:
                changes, head = self._rpc.batch(
                    [("eth_getFilterChanges", [self._pending]), ("eth_blockNumber", [])]
                )
            except (LedgerUnavailable, RpcError):
                continue
            if isinstance(changes, RpcError) or isinstance(head, RpcError):
                continue
            now = time.monotonic()
            for each in changes:
                self.transactions.setdefault(each, now)
            self.heads.setdefault(int(head, 16), now)
