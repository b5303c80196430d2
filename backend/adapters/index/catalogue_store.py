"""Drawings of the catalogue in MongoDB: one document a period, with nothing but noisy numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.research.catalogue.types import Counts, Drawing
from backend.research.types import NanoRho
from backend.types import UnixSeconds

Document = dict[str, Any]
SCHEMA = 1


class MongoDrawingStore:
    """Implements ``backend.research.catalogue.types.DrawingStore``."""

    def __init__(self, database: Database[Document]) -> None:
        self._drawings = database["catalogue_drawings"]
        with translated():
            self._drawings.create_index([("ledger", ASCENDING)])

    def find(self, ledger: str, period: int) -> Drawing | None:
        with translated():
            found = self._drawings.find_one({"_id": _key(ledger, period)})
        return _drawing(found) if found else None

    def newest(self, ledger: str) -> Drawing | None:
        with translated():
            found = list(self._drawings.find({"ledger": ledger}).sort("period", DESCENDING).limit(1))
        return _drawing(found[0]) if found else None

    def keep(self, drawing: Drawing) -> Drawing:
        with translated():
            try:
                self._drawings.insert_one(
                    {
                        "_id": _key(drawing.ledger, drawing.period),
                        "schema": SCHEMA,
                        "ledger": drawing.ledger,
                        "period": drawing.period,
                        "offers": drawing.offers.hex(),
                        "rho": drawing.rho,
                        "drawn_at": drawing.drawn_at,
                        "reference_date": drawing.reference_date,
                        "consents": _counts_document(drawing.consents),
                        "counts": [_counts_document(counts) for counts in drawing.counts],
                    }
                )
            except DuplicateKeyError:
                found = self._drawings.find_one({"_id": _key(drawing.ledger, drawing.period)})
                return _drawing(found) if found else drawing
        return drawing


def _key(ledger: str, period: int) -> str:
    return f"{ledger}:{period:012d}"


def _counts_document(counts: Counts) -> Document:
    return {
        "name": counts.name,
        "levels": list(counts.levels),
        "values": list(counts.values),
        "error_95": counts.error_95,
    }


@parser
def _drawing(document: Mapping[str, Any]) -> Drawing:
    if document["_id"] != _key(document["ledger"], document["period"]):
        raise ValueError("the drawing of another period")
    return Drawing(
        ledger=document["ledger"],
        period=document["period"],
        offers=bytes.fromhex(document["offers"]),
        rho=NanoRho(document["rho"]),
        drawn_at=UnixSeconds(document["drawn_at"]),
        reference_date=document["reference_date"],
        consents=_counts(document["consents"]),
        counts=tuple(_counts(item) for item in document["counts"]),
    )


def _counts(item: Mapping[str, Any]) -> Counts:
    levels, values = tuple(item["levels"]), tuple(item["values"])
    if len(levels) != len(values):
        raise ValueError("a level without a value")
    return Counts(item["name"], levels, values, item["error_95"])
