"""The embedded index keeps what it acknowledged."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from backend.adapters.index.server import EmbeddedIndex, connect


def test_index_killed_after_acknowledging_keeps_the_document(tmp_path: Path) -> None:
    server = EmbeddedIndex(tmp_path)
    server.start()
    database = connect(server.uri, database="d")
    try:
        database.things.insert_one({"_id": "a", "n": 1})
        assert server.process_id is not None
        os.kill(server.process_id, signal.SIGKILL)
        os.waitid(os.P_PID, server.process_id, os.WEXITED | os.WNOWAIT)
        server.ensure_running()
        assert database.things.find_one({"_id": "a"}) == {"_id": "a", "n": 1}
    finally:
        database.client.close()
        server.stop()
