"""Public encryption keys in MongoDB, a document a holder and hash. What they are worth the chain says;
erasure finds them by holder.
"""

from __future__ import annotations

from typing import Any

from bson import Binary
from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.records.ports import KeyHolder


class MongoPublicKeys:
    """Implements ``backend.records.ports.PublicKeyStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._keys = database["recipient_keys"]
        with translated():
            self._keys.create_index([("holder", ASCENDING)])

    def put(self, holder: KeyHolder, key_hash: bytes, encoded: bytes) -> None:
        row = {"_id": _id(holder, key_hash), "holder": str(holder), "key": Binary(encoded)}
        with translated():
            try:
                self._keys.insert_one(row)
            except DuplicateKeyError:
                # Written again rather than passed over: what lay there may have been damaged.
                self._keys.update_one({"_id": row["_id"]}, {"$set": {"key": row["key"]}})

    def get(self, holder: KeyHolder, key_hash: bytes) -> bytes | None:
        with translated():
            found = self._keys.find_one({"_id": _id(holder, key_hash)})
        return None if found is None else bytes(found["key"])


def _id(holder: KeyHolder, key_hash: bytes) -> str:
    return f"{holder}/{key_hash.hex()}"
