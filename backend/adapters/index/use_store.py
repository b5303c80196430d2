"""Counters of uses in MongoDB: one document a consent, changed by compare-and-swap on the count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.consent.uses import UNUSED, Taken, UseLimit
from backend.types import ConsentId, UnixSeconds

_WIDTH: Final = 5  # bytes of a time


class MongoUseStore:
    """Implements ``backend.consent.uses.UseStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._uses = database["consent_uses"]

    def taken(self, consents: Sequence[ConsentId]) -> dict[ConsentId, Taken]:
        with translated():
            found = self._uses.find({"_id": {"$in": [consent.hex() for consent in consents]}})
            return {ConsentId(bytes.fromhex(row["_id"])): _taken(row) for row in found}

    def take(self, consent: ConsentId, limit: UseLimit, *, now: UnixSeconds) -> bool:
        name = {"_id": consent.hex()}
        with translated():
            while True:
                row = self._uses.find_one(name)
                if row is None:
                    with suppress(DuplicateKeyError):  # somebody else's first use
                        self._uses.insert_one({**name, "n": 0, "at": b""})
                before = UNUSED if row is None else _taken(row)
                if limit.exhausted(before, now) is not None:
                    return False
                after = limit.after_use(before, now)
                at = b"".join(time.to_bytes(_WIDTH) for time in after.at)
                change = {"$set": {"n": after.made, "at": at}}
                # Somebody else's use in between changed the count: look again.
                if self._uses.update_one({**name, "n": before.made}, change).modified_count == 1:
                    return True


@parser
def _taken(row: Mapping[str, Any]) -> Taken:
    packed = bytes(row.get("at", b""))
    times = (packed[place : place + _WIDTH] for place in range(0, len(packed), _WIDTH))
    return Taken(row["n"], tuple(UnixSeconds(int.from_bytes(time)) for time in times))
