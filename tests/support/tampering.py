"""Every way to change one stored document that a test tries: flipped, cut, swapped, rolled back, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

Document = dict[str, Any]
Contents = dict[str, dict[Any, Document]]  # of a database: by collection, by id


@dataclass(frozen=True, slots=True)
class Manipulation:
    """What one document becomes; None: it is gone. ``how`` names it, such as "sealed flipped"."""

    collection: str
    key: Any
    how: str
    becomes: Document | None

    def __str__(self) -> str:
        return f"{self.collection} {self.key}: {self.how}"


def contents(database: Database[Document]) -> Contents:
    return {
        name: {document["_id"]: document for document in database[name].find()}
        for name in database.list_collection_names()
    }


def manipulations(
    collection: str, now: Mapping[Any, Document], before: Sequence[Contents]
) -> Iterator[Manipulation]:
    """Yield every manipulation of every document of a collection, given older states of the database."""
    keys = list(now)
    for number, key in enumerate(keys):
        whole = now[key]
        for how, becomes in (
            *_changed(whole),
            *_swapped(whole, now[keys[number - 1]]),
            *_older(whole, before, collection),
        ):
            if becomes != whole:
                yield Manipulation(collection, key, how, becomes)
        yield Manipulation(collection, key, "deleted", None)


@contextmanager
def applied(database: Database[Document], *all_of: Manipulation) -> Iterator[None]:
    """Have the documents so for the length of the block."""
    wholes = []
    for one in all_of:
        whole = database[one.collection].find_one({"_id": one.key})
        assert whole is not None, one
        wholes.append(whole)
    for one in all_of:
        database[one.collection].delete_one({"_id": one.key})
    try:
        for one in all_of:
            if one.becomes is not None:
                with suppress(DuplicateKeyError):  # the same unique member as another document: it stays gone
                    database[one.collection].insert_one(deepcopy(one.becomes))
        yield
    finally:
        for one in all_of:
            database[one.collection].delete_one({"_id": one.key})
        for one, whole in zip(all_of, wholes, strict=True):
            database[one.collection].insert_one(whole)


def _changed(whole: Document) -> Iterator[tuple[str, Document]]:
    for name, value in whole.items():
        if name == "_id":
            continue
        for how, other in _others(value):
            yield f"{name} {how}", {**whole, name: other}


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case bool():
            yield "changed", not value
        case 0 | 1:  # a truth value, as one of the servers stores it
            yield "changed", 1 - value
        case int() | float():
            yield "changed", value + 1
            yield "lowered", value - 1
        case bytes():
            yield from _other_bytes(value)
        case str():
            yield from _other_text(value)
        case None:
            yield "changed", 1
        case dict():
            for name, member in value.items():
                for how, other in _others(member):
                    yield f"{name} {how}", {**value, name: other}
        case list():
            if value:
                yield "truncated", value[:-1]
                for how, other in _others(value[0]):
                    yield f"0 {how}", [other, *value[1:]]


def _other_bytes(value: bytes) -> Iterator[tuple[str, bytes]]:
    if not value:
        yield "changed", b"\x01"
        return
    for place in sorted({0, len(value) // 2, len(value) - 1}):
        yield f"flipped at {place}", value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
    yield "truncated", value[:-1]
    yield "emptied", b""


def _other_text(value: str) -> Iterator[tuple[str, str]]:
    if not value:
        yield "changed", "0"
        return
    middle = len(value) // 2
    yield "changed", value[:middle] + ("0" if value[middle] != "0" else "1") + value[middle + 1 :]
    yield "truncated", value[:-1]


def _swapped(whole: Document, sibling: Document) -> Iterator[tuple[str, Document]]:
    yield "swapped with its sibling", {**sibling, "_id": whole["_id"]}
    for name, value in whole.items():
        if isinstance(value, bytes) and isinstance(sibling.get(name), bytes):
            yield f"{name} swapped with its sibling's", {**whole, name: sibling[name]}


def _older(whole: Document, before: Sequence[Contents], collection: str) -> Iterator[tuple[str, Document]]:
    seen = [whole]
    for state in before:
        older = state.get(collection, {}).get(whole["_id"])
        if older is not None and older not in seen:
            seen.append(older)
            yield f"rolled back ({len(seen) - 1})", older
