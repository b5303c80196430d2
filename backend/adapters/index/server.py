"""The embedded index: nx-27017, a MongoDB-wire server on SQLite, as a child process on a loopback port.

It has no authentication, so it listens on 127.0.0.1 only. Its ``-v`` would log documents and its output goes
nowhere. In production a MongoDB replica set takes its place: then only ``connect`` is used.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from backend.adapters import process
from backend.adapters.durable import OwnerLock
from backend.errors import OperatorError, Unavailable

Document = dict[str, Any]
WATCH_EVERY_SECONDS = 0.5
_LOG = logging.getLogger("assent.index")
START_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.02


class IndexUnavailable(Unavailable):
    code = "index_unavailable"
    remedy = "The index (MongoDB) does not answer. Try again shortly; the operator looks at /health/ready."


class IndexStartFailed(OperatorError):
    code = "index_start_failed"
    remedy = "Look for another process using the data directory and for a full disk, then start again."


def connect(
    uri: str, *, database: str, timeout_ms: int = 5_000, listeners: Sequence[CommandListener] = ()
) -> Database[Document]:
    """Open a database whose writes are acknowledged only when durable (majority and journal)."""
    client: MongoClient[Document] = MongoClient(
        uri,
        serverSelectionTimeoutMS=timeout_ms,
        socketTimeoutMS=timeout_ms * 4,
        connectTimeoutMS=timeout_ms,
        maxPoolSize=64,
        uuidRepresentation="standard",
        tz_aware=True,
        event_listeners=list(listeners),
    )
    return client.get_database(
        database,
        write_concern=WriteConcern(w="majority", j=True),
        read_concern=ReadConcern("majority"),
        read_preference=ReadPreference.PRIMARY,
    )


class EmbeddedIndex:
    """Runs nx-27017 over ``data_directory`` and restarts it when it has died.

    SQLite below it keeps every acknowledged write across a kill, so a restart loses nothing.
    """

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory
        self._lock = threading.Lock()
        self._port = process.free_port()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"

    @property
    def process_id(self) -> int | None:
        child = self._child
        return child.pid if child is not None else None

    def start(self) -> None:
        """Start the server and wait until it answers a ping.

        Raises IndexStartFailed when it does not within a minute, or another server has the files as long.
        """
        with self._lock:
            self._stopping.clear()
            self._start()
        self._watcher = threading.Thread(target=self._watch, name="index-watch", daemon=True)
        self._watcher.start()

    def ensure_running(self) -> None:
        """Start the server again if it has died; cheap when it has not."""
        with self._lock:
            if self._child is not None and self._child.poll() is not None and not self._stopping.is_set():
                self._start()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            if self._child is not None:
                process.stop(self._child)
                self._child = None
        if self._watcher is not None:
            self._watcher.join(10)
            self._watcher = None

    def _watch(self) -> None:
        # Nobody has to ask for a server that died: the next request must find one.
        while not self._stopping.wait(WATCH_EVERY_SECONDS):
            try:
                self.ensure_running()
            except (IndexStartFailed, OSError):
                _LOG.warning("the index did not start again; trying on")

    def _start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._child = self._launch()
        if not process.wait_until(self._answers, timeout_seconds=START_SECONDS, child=self._child):
            process.stop(self._child)
            raise IndexStartFailed

    def _launch(self) -> subprocess.Popen[bytes]:
        """The server has its files' lock as long as it lives: one that was killed may still be dying."""
        lock = OwnerLock(self._directory / "lock")
        deadline = time.monotonic() + START_SECONDS
        while not lock.acquire():
            if time.monotonic() > deadline:
                raise IndexStartFailed
            time.sleep(_LOCK_POLL_SECONDS)
        try:
            return self._launch_with(lock)
        finally:
            lock.release()

    def _launch_with(self, lock: OwnerLock) -> subprocess.Popen[bytes]:
        # The server refuses to start where a file names a process that is alive. After a crash of the machine
        # that is any other one with the same number.
        named = self._directory / "nx-27017.pid"
        named.unlink(missing_ok=True)
        return process.start(
            [
                Path(sys.executable).parent / "nx-27017",
                "--data-dir",
                self._directory,
                "-p",
                str(self._port),
                "--log-file",
                "/dev/null",
                "--pid-file",
                named,
            ],
            kept_open=[] if lock.descriptor is None else [lock.descriptor],
        )

    def _answers(self) -> bool:
        client: MongoClient[Document] = MongoClient(self.uri, serverSelectionTimeoutMS=200)
        try:
            return bool(client.admin.command("ping"))
        except PyMongoError:
            return False
        finally:
            client.close()
