"""Counters of uses in MongoDB: one marked document a consent, changed by compare-and-swap on the count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import Marks
from backend.consent.uses import UNUSED, Taken, UseLimit
from backend.keystore import KeyStore
from backend.types import ConsentId, UnixSeconds

_WIDTH: Final = 5  # bytes of a time


class MongoUseStore:
    """Implements ``backend.consent.uses.UseStore``."""

    def __init__(self, database: Database[dict[str, Any]], keys: KeyStore) -> None:
        self._uses = database["consent_uses"]
        self._marks = Marks(keys, "consent_uses")

    def taken(self, consents: Sequence[ConsentId]) -> dict[ConsentId, Taken]:
        with translated():
            found = self._uses.find({"_id": {"$in": [consent.hex() for consent in consents]}})
            return {ConsentId(bytes.fromhex(row["_id"])): self._taken(row) for row in found}

    def take(self, consent: ConsentId, limit: UseLimit, *, now: UnixSeconds) -> bool:
        with translated():
            while True:
                found = self._uses.find_one({"_id": consent.hex()})
                if found is None:
                    with suppress(DuplicateKeyError):  # somebody else's first use
                        self._uses.insert_one(self._row(consent, UNUSED))
                before = UNUSED if found is None else self._taken(found)
                if limit.exhausted(before, now) is not None:
                    return False
                # Somebody else's use in between changed the count: look again.
                was = {"_id": consent.hex(), "n": before.made}
                row = self._row(consent, limit.after_use(before, now))
                del row["_id"]  # which is not set, only found
                if self._uses.update_one(was, {"$set": row}).modified_count == 1:
                    return True

    def _row(self, consent: ConsentId, taken: Taken) -> dict[str, Any]:
        at = b"".join(time.to_bytes(_WIDTH) for time in taken.at)
        return self._marks.marked({"_id": consent.hex(), "n": taken.made, "at": at})

    @parser
    def _taken(self, row: Mapping[str, Any]) -> Taken:
        packed = bytes(self._marks.checked(row)["at"])
        times = (packed[place : place + _WIDTH] for place in range(0, len(packed), _WIDTH))
        return Taken(row["n"], tuple(UnixSeconds(int.from_bytes(time)) for time in times))
