"""Counters of uses in MongoDB: one document a consent, raised by a filtered increment."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import translated
from backend.types import ConsentId


class MongoUseStore:
    """Implements ``backend.consent.uses.UseStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._uses = database["consent_uses"]

    def counts(self, consents: Sequence[ConsentId]) -> dict[ConsentId, int]:
        with translated():
            found = self._uses.find({"_id": {"$in": [consent.hex() for consent in consents]}})
            return {ConsentId(bytes.fromhex(row["_id"])): row["n"] for row in found}

    def increment(self, consent: ConsentId, *, limit: int) -> bool:
        with translated():
            with suppress(DuplicateKeyError):  # counted before
                self._uses.insert_one({"_id": consent.hex(), "n": 0})
            raised = self._uses.update_one({"_id": consent.hex(), "n": {"$lt": limit}}, {"$inc": {"n": 1}})
        return raised.modified_count == 1
