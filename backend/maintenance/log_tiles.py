"""The log of a stopped service as files (C2SP tlog-tiles), for any web server, mirror or archive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backend.adapters.durable import write_file
from backend.audit.tile_paths import tiles_of
from backend.log_wiring import open_log
from backend.stores import Stores


def write_tiles(stores: Stores, root: Path) -> dict[str, Any]:
    """Write what is not there yet, and the checkpoint last: whoever reads it finds the tiles it calls for."""
    opened = open_log(stores.settings, stores, stores.closing, clock=lambda: int(time.time()))
    checkpoint = opened.checkpointer.now()
    written = 0
    for tile in tiles_of(checkpoint.size):
        path = root / tile.path()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, opened.files.read(tile))
            written += 1
    root.mkdir(parents=True, exist_ok=True)
    write_file(root / "checkpoint", checkpoint.note.encode())
    return {"size": checkpoint.size, "root": checkpoint.root.hex(), "written": written}
