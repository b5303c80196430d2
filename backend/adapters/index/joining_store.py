"""From when on patients take part in protected answers, in MongoDB: a marked document for each entry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import Marks
from backend.erasure.types import Scope
from backend.keystore import KeyName, KeyStore
from backend.research.joining import JoinEntry
from backend.research.types import NanoRho
from backend.types import SubjectId, UnixSeconds

SCHEMA: Final = 2
_SUBJECT_BYTES: Final = 12
Document = dict[str, Any]


class MongoJoinStore:
    """Implements ``backend.research.joining.JoinStore``."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._joins = database["privacy_marks"]
        self._marks = Marks(keys, "privacy_marks")
        with translated():
            self._joins.create_index([("ledger", ASCENDING)])

    def entries(self, ledger: str) -> Iterator[tuple[JoinEntry, Collection[SubjectId]]]:
        with translated():
            for document in self._joins.find({"ledger": ledger}).sort("place", ASCENDING):
                checked = self._marks.checked(document)
                yield _entry(checked), _unpacked(checked)

    def append(self, entry: JoinEntry, subjects: Collection[SubjectId]) -> bool:
        document = {
            "_id": f"{entry.ledger}:{entry.place:012d}",
            "schema": SCHEMA,
            "revision": 0,
            "ledger": entry.ledger,
            "place": entry.place,
            "nonce": entry.nonce.hex(),
            "spent": entry.spent,
            "at": entry.at,
            "previous": entry.previous.hex(),
            "digest": entry.digest.hex(),
            "subjects": _packed(subjects),
        }
        with translated():
            try:
                self._joins.insert_one(self._marks.marked(document))
            except DuplicateKeyError:
                return False
            return True


class JoinedPatients:
    """Implements ``backend.erasure.ports.Erasable``: an erased person goes out of the entry, which stays."""

    name = "privacy_marks"
    collections = frozenset({"privacy_marks"})

    def __init__(self, database: Database[Document], marked: Callable[[Document], Document]) -> None:
        self._joins = database["privacy_marks"]
        self._marked = marked

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:  # noqa: ARG002 - rows have no key of their own
        return ()

    def count(self, scope: Scope) -> int:
        return sum(1 for _ in self._about(scope))

    def erase(self, scope: Scope) -> None:
        for document, subjects in self._about(scope):
            left = [subject for subject in subjects if subject != scope.subject]
            revision = document["revision"]
            after = self._marked({**document, "revision": revision + 1, "subjects": _packed(left)})
            name = after.pop("_id")
            with translated():
                # Whoever changed the entry meanwhile erased somebody else: the erasure is tried again.
                self._joins.update_one({"_id": name, "revision": revision}, {"$set": after})

    def _about(self, scope: Scope) -> Iterator[tuple[Document, list[SubjectId]]]:
        if not scope.is_person:
            return
        with translated():
            names = [document["_id"] for document in self._joins.find({}, {"_id": 1})]
        for name in names:
            with translated():
                found = self._joins.find_one({"_id": name})
            subjects = _unpacked(found) if found is not None else []
            if found is not None and scope.subject in subjects:
                yield found, subjects


def _packed(subjects: Collection[SubjectId]) -> bytes:
    return b"".join(subject.to_bytes(_SUBJECT_BYTES) for subject in sorted(subjects))


@parser
def _unpacked(document: Mapping[str, Any]) -> list[SubjectId]:
    packed = bytes(document["subjects"])
    if len(packed) % _SUBJECT_BYTES:
        raise ValueError("an entry is cut")
    return [
        SubjectId(int.from_bytes(packed[start : start + _SUBJECT_BYTES]))
        for start in range(0, len(packed), _SUBJECT_BYTES)
    ]


@parser
def _entry(document: Mapping[str, Any]) -> JoinEntry:
    return JoinEntry(
        ledger=document["ledger"],
        place=document["place"],
        nonce=bytes.fromhex(document["nonce"]),
        spent=NanoRho(document["spent"]),
        at=UnixSeconds(document["at"]),
        previous=bytes.fromhex(document["previous"]),
        digest=bytes.fromhex(document["digest"]),
    )
