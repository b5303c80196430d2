"""Blocks on a Kubo node, through ipfshttpclient and Kubo's RPC.

Kubo's flatfs datastore syncs each block before it answers, which makes a put durable. The client library's
own version check refuses every current daemon, so the version is checked here.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import ipfshttpclient
from ipfshttpclient import exceptions

from backend.adapters.storage.writers import Writers
from backend.records.blocks import Block, Cid, is_root, matches, parse_cid
from backend.records.envelope_errors import NotCanonical
from backend.records.storage_ports import (
    BlockCorrupt,
    BlockMissing,
    Collected,
    NodeVersionRefused,
    Pin,
    StorageFull,
    StorageUnavailable,
)
from backend.waiting import about_to_wait

OLDEST_VERSION: Final = (0, 38)  # the RPC used here was tried with 0.42
_FIRST_UNKNOWN_VERSION: Final = (1, 0)
_COLLECTION_SECONDS: Final = 3600.0  # a collection walks the whole repository
_OWN: Final = {"offline": "true"}  # ask no other node

# The client hands urllib3 an option that has had no effect for years; every request would warn.
_WARNING: Final = "The 'strict' parameter is no longer needed"


@contextmanager
def _driver_errors() -> Iterator[None]:
    about_to_wait()
    try:
        yield
    except exceptions.ErrorResponse as error:
        message = str(error)
        if "not found" in message or "could not find" in message:
            raise BlockMissing from error
        if "no space left" in message:
            raise StorageFull from error
        raise StorageUnavailable from error
    except (exceptions.Error, OSError) as error:
        raise StorageUnavailable from error
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        # Well-formed JSON that is not an answer of Kubo's: something else listens there.
        raise StorageUnavailable from error


class KuboBlockStore:
    """A ``BlockStore`` on a Kubo node at a multiaddress such as ``/ip4/127.0.0.1/tcp/5001``.

    Only the node's own blocks count, also in a swarm. ``timeout_seconds`` bounds each answer. Call ``check``
    before first use.
    """

    def __init__(self, address: str, *, timeout_seconds: float = 30.0) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._local = threading.local()
        self._clients: list[Any] = []
        self._clients_lock = threading.Lock()
        self._writers = Writers()
        self._open = True
        warnings.filterwarnings("ignore", message=_WARNING, category=FutureWarning)

    def put_block(self, cid: Cid, data: bytes) -> None:
        if not matches(cid, data):
            raise BlockCorrupt
        options = {"cid-codec": "dag-cbor" if is_root(cid) else "raw", "mhtype": "sha2-256"}
        with _driver_errors():
            answer = self._client().block.put(io.BytesIO(data), opts=options)
            named = (answer["Key"], answer["Size"])
        if named != (cid, len(data)):
            raise BlockCorrupt("the node names the block otherwise than we do")

    def put_blocks(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self.put_block(block.cid, block.data)

    def get_block(self, cid: Cid) -> bytes:
        with _driver_errors():
            # Of its own blocks alone: in a swarm it would look for a missing one until the time is up.
            data = self._client().block.get(parse_cid(cid), opts=_OWN)
        if not isinstance(data, bytes) or not matches(cid, data):
            raise BlockCorrupt
        return data

    def has(self, cid: Cid) -> bool:
        try:
            with _driver_errors():
                self._client().block.stat(parse_cid(cid), opts=_OWN)
        except BlockMissing:
            return False
        return True

    def pin(self, root: Cid, children: tuple[Cid, ...]) -> None:
        # The node follows the root's links by itself, but not again where it believes to have the pin.
        for cid in (root, *children):
            if not self.has(cid):
                raise BlockMissing
        with _driver_errors():
            self._client().pin.add(parse_cid(root), recursive=True, opts=_OWN)

    def pin_all(self, pins: Iterable[Pin]) -> None:
        for pin in pins:
            self.pin(pin.root, pin.children)

    def unpin(self, root: Cid) -> None:
        try:
            with _driver_errors():
                self._client().pin.rm(parse_cid(root), recursive=True)
        except StorageUnavailable as error:
            if "not pinned" not in str(error.__cause__):
                raise

    def pins(self) -> Iterator[Cid]:
        with _driver_errors():
            roots = list(self._client().pin.ls(type="recursive").get("Keys", {}))
        for text in roots:
            try:
                yield parse_cid(text)
            except NotCanonical:
                continue  # somebody else's pin on a shared node

    def keeps(self, pin: Pin) -> bool:
        # The node stores the root of a recursive pin only, and finds what it covers by the root's links.
        try:
            with _driver_errors():
                self._client().pin.ls(parse_cid(pin.root), type="recursive")
        except StorageUnavailable as error:
            if "not pinned" not in str(error.__cause__):
                raise
            return False
        return True

    def writing(self) -> AbstractContextManager[None]:
        return self._writers.writing()

    def collect_garbage(self) -> Collected:
        with self._writers.none(), _driver_errors():
            answer = self._client().repo.gc(timeout=_COLLECTION_SECONDS)
            # One result comes as an object, several as a list, none as nothing.
            results = answer if isinstance(answer, list) else [answer] if answer else []
            failed = any(result.get("Error") for result in results)
        if failed:
            raise StorageUnavailable("the node could not remove every block")
        return Collected(len(results), 0)

    def check(self) -> None:
        with _driver_errors():
            text = str(self._client().version()["Version"])
        numbers = re.match(r"(\d+)\.(\d+)\.", text)
        version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
        if not OLDEST_VERSION <= version < _FIRST_UNKNOWN_VERSION:
            raise NodeVersionRefused

    def peers(self) -> list[str]:
        """Return the identities of the nodes that this one is connected to."""
        with _driver_errors():
            return sorted({str(peer["Peer"]) for peer in self._client().swarm.peers()["Peers"] or ()})

    def close(self) -> None:
        self._open = False
        with self._clients_lock:
            for client in self._clients:
                client.close()
            self._clients.clear()

    def _client(self) -> Any:
        """Return this thread's client: its HTTP session keeps a connection and is not for sharing."""
        if not self._open:
            raise StorageUnavailable("the connection to the node is closed")
        if not hasattr(self._local, "client"):
            client = ipfshttpclient.Client(self._address, session=True, timeout=self._timeout_seconds)
            with self._clients_lock:
                self._clients.append(client)
            self._local.client = client
        return self._local.client
