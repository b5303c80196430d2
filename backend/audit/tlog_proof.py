"""One entry's proof as a text file (C2SP tlog-proof). ``verify.py`` reads it with code of its own.

The extra data is what the specification leaves it for: the leaf, from which the hash at the index is
computed, and where the entry is opened its record and salt; a deterministic CBOR map.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from backend.audit import cbor

FORMAT: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"


def encode(*, index: int, proof: Sequence[bytes], checkpoint: str, extra: dict[str, bytes]) -> str:
    """``extra`` has ``leaf`` and, opened, ``record`` and ``salt``; ``checkpoint`` is the signed note."""
    lines = [FORMAT, f"extra {_text(cbor.encode(extra))}", f"index {index}", *(_text(n) for n in proof)]
    return "".join(line + "\n" for line in lines) + "\n" + checkpoint


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
