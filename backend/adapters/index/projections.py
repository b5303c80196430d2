"""The parts of the index that only repeat what the chain says, read and set exactly (``assent reindex``)."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from backend.adapters.index.failures import translated
from backend.types import BlockNumber, Bytes32, ConsentId, RecordId

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

    def set_receipt(self, consent: ConsentId, place: Place | None) -> None:
        block, transaction = (None, None) if place is None else (place[0], bytes(place[1]))
        with translated():
            self._consents.update_one(
                {"_id": consent.hex()}, {"$set": {"block": block, "transaction": transaction}}
            )

    def set_current(self, record_id: RecordId, version: int, *, current: bool) -> None:
        with translated():
            self._records.update_one({"_id": f"{record_id.hex()}/{version}"}, {"$set": {"current": current}})


def _place(row: dict[str, Any]) -> Place | None:
    block, transaction = row.get("block"), row.get("transaction")
    if block is None or transaction is None:
        return None
    return BlockNumber(block), Bytes32(transaction)
