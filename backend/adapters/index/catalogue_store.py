"""The catalogue in MongoDB: drawings, with nothing but noisy numbers, and whose turn it is to draw.

One document of each a period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.audit.entry import Agent, AgentKind
from backend.research.catalogue.turns import Turn
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


class MongoTurnStore:
    """Implements ``backend.research.catalogue.turns.TurnStore``."""

    def __init__(self, database: Database[Document]) -> None:
        self._turns = database["catalogue_turns"]
        with translated():
            self._turns.create_index([("ledger", ASCENDING), ("done", ASCENDING)])

    def begin(self, turn: Turn) -> Turn:
        key = _key(turn.ledger, turn.period)
        with translated():
            try:
                self._turns.insert_one({"_id": key, **_turn_document(turn)})
            except DuplicateKeyError:
                found = self._turns.find_one({"_id": key})
                return _turn(found) if found else turn
        return turn

    def find(self, ledger: str, period: int) -> Turn | None:
        with translated():
            found = self._turns.find_one({"_id": _key(ledger, period)})
        return _turn(found) if found else None

    def replace(self, turn: Turn) -> bool:
        expected = {"_id": _key(turn.ledger, turn.period), "revision": turn.revision - 1}
        with translated():
            return self._turns.update_one(expected, {"$set": _turn_document(turn)}).matched_count == 1

    def open(self, ledger: str) -> list[Turn]:
        with translated():
            found = list(self._turns.find({"ledger": ledger, "done": False}).sort("period", ASCENDING))
        return [_turn(document) for document in found]


def _key(ledger: str, period: int) -> str:
    return f"{ledger}:{period:012d}"


def _counts_document(counts: Counts) -> Document:
    return {
        "name": counts.name,
        "levels": list(counts.levels),
        "values": list(counts.values),
        "error_95": counts.error_95,
    }


def _turn_document(turn: Turn) -> Document:
    by = turn.by
    return {
        "schema": SCHEMA,
        "ledger": turn.ledger,
        "period": turn.period,
        "by": [by.kind.value, by.id, by.token.hex(), by.session.hex()],
        "percent": turn.percent,
        "code": turn.code,
        "holder": turn.holder,
        "leased_until": turn.leased_until,
        "again_at": turn.again_at,
        "done": turn.done,
        "revision": turn.revision,
    }


@parser
def _turn(document: Mapping[str, Any]) -> Turn:
    if document["_id"] != _key(document["ledger"], document["period"]):
        raise ValueError("the turn of another period")
    kind, name, token, session = document["by"]
    return Turn(
        ledger=document["ledger"],
        period=document["period"],
        by=Agent(AgentKind(kind), name, bytes.fromhex(token), bytes.fromhex(session)),
        percent=document["percent"],
        code=document["code"],
        holder=document["holder"],
        leased_until=UnixSeconds(document["leased_until"]),
        again_at=UnixSeconds(document["again_at"]),
        done=bool(document["done"]),
        revision=document["revision"],
    )


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
