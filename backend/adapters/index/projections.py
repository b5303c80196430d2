"""The parts of the index that only repeat what the chain says, read and set exactly (``assent reindex``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pymongo import ASCENDING, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.types import BlockNumber, Bytes32, ConsentId, RecordId

_A_COMMAND: Final = 1_000
Place = tuple[BlockNumber, Bytes32]
"""Where a consent was recorded: block and transaction."""


class Projections:
    """Sets, unlike the services, also what is set already: the chain is right and the index may not be."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._consents = database["consents"]
        self._records = database["records"]

    def receipts(self) -> dict[ConsentId, Place | None]:
        """Return where the index says that each consent was recorded; None for one that has no receipt."""
        with translated():
            found = self._consents.find({}, {"block": 1, "transaction": 1}).sort("_id", ASCENDING)
            return {ConsentId(bytes.fromhex(row["_id"])): _place(row) for row in found}

    def set_receipts(self, places: Mapping[ConsentId, Place | None]) -> None:
        self._set(
            self._consents,
            {
                consent.hex(): {"block": None, "transaction": None}
                if place is None
                else {"block": place[0], "transaction": bytes(place[1])}
                for consent, place in places.items()
            },
        )

    def set_current(self, versions: Mapping[tuple[RecordId, int], bool]) -> None:
        self._set(
            self._records,
            {
                f"{record_id.hex()}/{version}": {"current": current}
                for (record_id, version), current in versions.items()
            },
        )

    def _set(self, collection: Collection[dict[str, Any]], changes: Mapping[str, Mapping[str, Any]]) -> None:
        """Many in one command: each command is synced once."""
        writes = [UpdateOne({"_id": name}, {"$set": dict(change)}) for name, change in changes.items()]
        with translated():
            for start in range(0, len(writes), _A_COMMAND):
                collection.bulk_write(writes[start : start + _A_COMMAND], ordered=False)


def _place(row: dict[str, Any]) -> Place | None:
    block, transaction = row.get("block"), row.get("transaction")
    if block is None or transaction is None:
        return None
    return BlockNumber(block), Bytes32(transaction)
