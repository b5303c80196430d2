"""The release ledger in MongoDB: a marked document for each release, its members in marked parts beside it.

Members are blind: of a patient stands there only an HMAC under the key of the study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import Marks
from backend.erasure.types import Scope
from backend.keystore import KeyName, KeyStore
from backend.research.releases.errors import ReleaseLedgerDamaged
from backend.research.releases.types import Mark, Members, ReleaseEntry
from backend.research.types import StudyId
from backend.types import SubjectId, UnixSeconds

SCHEMA: Final = 1
_MARK_BYTES: Final = 16
_CLASS_BYTES: Final = 4
_MEMBER_BYTES: Final = _MARK_BYTES + _CLASS_BYTES
_MEMBERS_A_PART: Final = 50_000  # a megabyte
Document = dict[str, Any]


class MongoReleaseStore:
    """Implements ``backend.research.releases.ports.ReleaseStore``."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._releases = database["research_releases"]
        self._parts = database["release_members"]
        self._marks = Marks(keys, "research_releases")
        self._part_marks = Marks(keys, "release_members")
        with translated():
            self._releases.create_index([("ledger", ASCENDING), ("place", ASCENDING)])

    def entries(self, ledger: str) -> Sequence[ReleaseEntry]:
        with translated():
            found = list(self._releases.find({"ledger": ledger}).sort("place", ASCENDING))
        return [_entry(self._marks.checked(document)) for document in found]

    def members(self, entry: ReleaseEntry) -> Members:
        members: dict[Mark, int] = {}
        for number in range(_parts_of(entry.patients)):
            name = _part_name(entry.release_id, number)
            with translated():
                found = self._parts.find_one({"_id": name})
            if found is None:
                raise ReleaseLedgerDamaged
            members |= _unpacked(self._part_marks.checked(found))
        return members

    def append(self, entry: ReleaseEntry, members: Members) -> bool:
        # The members first: the entry is what makes them count, and is never there without them.
        ordered = sorted(members.items())  # by marks, which says nothing about who they are
        for number in range(_parts_of(len(ordered))):
            part = ordered[number * _MEMBERS_A_PART : (number + 1) * _MEMBERS_A_PART]
            name = _part_name(entry.release_id, number)
            document = {"_id": name, "schema": SCHEMA, "revision": 0, "members": _packed(part)}
            with translated():
                try:
                    self._parts.insert_one(self._part_marks.marked(document))
                except DuplicateKeyError:
                    continue  # of an attempt before, with the same members: the id is their digest
        with translated():
            try:
                self._releases.insert_one(self._marks.marked(_document(entry)))
            except DuplicateKeyError:
                return False
            return True


class ReleaseMembers:
    """Implements ``backend.erasure.ports.Erasable``: an erased person's marks go out of every release.

    ``mark_of``: what stands for a patient in a study's releases. ``marked`` gives a part its mark.

    The others are then among fewer in the ledger than in what was released: it refuses more, never less.
    """

    name = "release_members"
    collections = frozenset({"release_members"})

    def __init__(
        self,
        database: Database[Document],
        *,
        mark_of: Callable[[StudyId, SubjectId], Mark],
        marked: Callable[[Document], Document],
    ) -> None:
        self._releases = database["research_releases"]
        self._parts = database["release_members"]
        self._mark_of = mark_of
        self._marked = marked

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:  # noqa: ARG002 - rows have no key of their own
        return ()

    def count(self, scope: Scope) -> int:
        return sum(1 for _ in self._about(scope))

    def erase(self, scope: Scope) -> None:
        for document, members, mark in self._about(scope):
            left = sorted((other, number) for other, number in members.items() if other != mark)
            revision = document["revision"]
            after = self._marked({**document, "revision": revision + 1, "members": _packed(left)})
            name = after.pop("_id")
            with translated():
                # Whoever changed the part meanwhile erased somebody else: the erasure is tried again.
                self._parts.update_one({"_id": name, "revision": revision}, {"$set": after})

    def _about(self, scope: Scope) -> Iterator[tuple[Document, Members, Mark]]:
        if not scope.is_person:
            return
        with translated():
            releases = [_named(document) for document in self._releases.find({})]
        marks = {study: self._mark_of(study, scope.subject) for study in {study for _, study, _ in releases}}
        for release_id, study, patients in releases:
            for number in range(_parts_of(patients)):
                with translated():
                    found = self._parts.find_one({"_id": _part_name(release_id, number)})
                if found is None:
                    continue
                members = _unpacked(found)
                if marks[study] in members:
                    yield found, members, marks[study]


def _part_name(release_id: bytes, number: int) -> str:
    return f"{release_id.hex()}:{number:06d}"


def _parts_of(patients: int) -> int:
    return -(-patients // _MEMBERS_A_PART)


def _packed(members: Sequence[tuple[Mark, int]]) -> bytes:
    return b"".join(mark + number.to_bytes(_CLASS_BYTES) for mark, number in members)


@parser
def _unpacked(document: Mapping[str, Any]) -> dict[Mark, int]:
    packed = bytes(document["members"])
    if len(packed) % _MEMBER_BYTES:
        raise ValueError("a part of a release is cut")
    return {
        Mark(packed[start : start + _MARK_BYTES]): int.from_bytes(
            packed[start + _MARK_BYTES : start + _MEMBER_BYTES]
        )
        for start in range(0, len(packed), _MEMBER_BYTES)
    }


@parser
def _named(document: Mapping[str, Any]) -> tuple[bytes, StudyId, int]:
    return bytes.fromhex(document["release"]), StudyId(bytes.fromhex(document["study"])), document["patients"]


def _document(entry: ReleaseEntry) -> Document:
    return {
        "_id": f"{entry.ledger}:{entry.place:012d}",
        "schema": SCHEMA,
        "ledger": entry.ledger,
        "place": entry.place,
        "release": entry.release_id.hex(),
        "study": entry.study.hex(),
        "k": entry.k,
        "patients": entry.patients,
        "at": entry.at,
        "previous": entry.previous.hex(),
        "digest": entry.digest.hex(),
    }


@parser
def _entry(document: Mapping[str, Any]) -> ReleaseEntry:
    return ReleaseEntry(
        ledger=document["ledger"],
        place=document["place"],
        release_id=bytes.fromhex(document["release"]),
        study=StudyId(bytes.fromhex(document["study"])),
        k=document["k"],
        patients=document["patients"],
        at=UnixSeconds(document["at"]),
        previous=bytes.fromhex(document["previous"]),
        digest=bytes.fromhex(document["digest"]),
    )
