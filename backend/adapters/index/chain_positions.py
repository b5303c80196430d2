"""How far the chain was read, in MongoDB: one marked document a reader.

Marked, because one that is put ahead would keep what lies before it out of the log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from pymongo.database import Database

from backend.adapters.index.failures import DocumentMalformed, parser, translated
from backend.adapters.index.marks import DocumentForged, Marks
from backend.consent.recorded import Position
from backend.keystore import KeyStore
from backend.types import BlockNumber, Bytes32

_log = logging.getLogger(__name__)
STOPS: Final = "stops"
OPENINGS: Final = "openings"


class MongoChainPositions:
    """Implements ``backend.consent.recorded.PositionStore`` for one reader."""

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore, reader: str) -> None:
        self._reader = reader
        self._positions = database["chain_positions"]
        self._marks = Marks(keys, "chain_positions")

    def get(self) -> Position | None:
        with translated():
            found = self._positions.find_one({"_id": self._reader})
        if found is None:
            return None
        try:
            return _position(self._marks.checked(found))
        except (DocumentForged, DocumentMalformed) as damage:
            _log.error("the chain is read from the beginning: %s", damage.code)
            return None

    def put(self, position: Position) -> None:
        row = self._marks.marked(
            {"_id": self._reader, "block": int(position.block), "hash": bytes(position.hash)}
        )
        del row["_id"]  # which is not set, only found
        with translated():
            self._positions.update_one({"_id": self._reader}, {"$set": row}, upsert=True)


@parser
def _position(row: Mapping[str, Any]) -> Position:
    return Position(BlockNumber(row["block"]), Bytes32(row["hash"]))
