"""A node that is one of two: asked beside the other one, and left aside while it does not answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from backend.adapters.ledger.errors import ChainChanged, FinalityBroken, NodeUnsound
from backend.adapters.ledger.node import Node
from backend.consent.ledger_types import LedgerView
from backend.errors import LedgerUnavailable, OperatorError

_THREADS: Final = 32
_Found = TypeVar("_Found")


class WatchedNode:
    """``last``: its newest view. ``failure``: why there is no newer one. ``is_silent``: it did not answer.
    ``height``: the newest block that it was seen to have, whether it gave a view or not."""

    def __init__(self, node: Node, *, patience_seconds: float) -> None:
        """``patience_seconds``: how long an answer is waited for before the node counts as silent."""
        self.node = node
        self.last: LedgerView | None = None
        self.height = -1
        self.failure: LedgerUnavailable | None = None
        self.is_silent = False
        self._patience_seconds = patience_seconds
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=node.name.replace(" ", "-"))
        self._look: Future[LedgerView] | None = None

    def look(self) -> None:
        """Begin to read a view, unless that is under way."""
        if self._look is None:
            self._look = self._pool.submit(self.node.view)

    def see(self, *, patiently: bool = False) -> None:
        """Take in what ``look`` found. A node that was silent is waited for only ``patiently``: else its
        answer counts when it comes."""
        look = self._look
        if look is None:
            return
        patience = 0 if self.is_silent and not patiently else self._patience_seconds
        if not wait([look], timeout=patience).done:
            self._fall_silent(LedgerUnavailable(f"{self.node.name} does not answer in time."))
            return
        self._look = None
        try:
            self.last = look.result()
            self.height = self.last.head_number
        except OperatorError as error:
            self.failure = ChainChanged(f"{self.node.name}: {error.detail}")
            self.failure.__cause__ = error
        except (FinalityBroken, ChainChanged, NodeUnsound) as error:
            self.failure = error
        except LedgerUnavailable as error:
            self._fall_silent(error)
            return
        else:
            self.failure = None
        self.is_silent = False

    def ask(self, question: Callable[[Node], _Found]) -> Future[_Found]:
        return self._pool.submit(question, self.node)

    def hear(self, asked: Future[_Found], *, seconds: float | None = None) -> _Found:
        """Return the answer. Raise LedgerUnavailable where none came, after which the node is silent.

        ``seconds``: to wait for it, where it is more than one answer.
        """
        if not wait([asked], timeout=seconds or self._patience_seconds).done:
            failure = LedgerUnavailable(f"{self.node.name} does not answer in time.")
            self._fall_silent(failure)
            raise failure
        try:
            return asked.result()
        except LedgerUnavailable as error:
            self._fall_silent(error)
            raise

    def close(self) -> None:
        self.node.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fall_silent(self, failure: LedgerUnavailable) -> None:
        self.is_silent = True
        self.failure = failure
