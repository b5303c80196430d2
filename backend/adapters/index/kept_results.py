"""What is kept of studies' results in MongoDB, its removal, and the rows of a person in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import Marks
from backend.adapters.index.values import text_values
from backend.erasure.results import Removal, What
from backend.erasure.types import Scope
from backend.errors import IntegrityError
from backend.keystore import KeyName, KeyStore
from backend.research.errors import TableRemoved
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import place_of
from backend.research.types import Pseudonym, StudyId
from backend.sealed import DocumentSealer
from backend.types import LogIndex, MemberId, SubjectId, UnixSeconds

Document = dict[str, Any]
SCHEMA: Final = 1
_SEALED: Final = ("result", "prepared")
RowOf = Callable[[StudyId, MemberId, SubjectId], Pseudonym]


class MongoKeptResults:
    """Implements ``backend.erasure.results.KeptResults``."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["research_jobs"]
        self._answers = database["research_answers"]
        self._thresholds = database["research_thresholds"]
        self._exports = database["research_exports"]

    def studies(self) -> Sequence[StudyId]:
        with translated():
            names = {document["study"] for document in self._with_result({})}
            names |= text_values(self._answers, "study") | text_values(self._thresholds, "_id")
            names |= text_values(self._exports, "study")
        return [StudyId(bytes.fromhex(name)) for name in sorted(names)]

    def count(self, study: StudyId, what: What) -> Mapping[str, int]:
        name = study.hex()
        with translated():
            if what is What.RESULTS:
                found = {
                    "results": len(self._with_result({"study": name})),
                    "exports": len(
                        {each["export"] for each in self._exports.find({"study": name}, {"export": 1})}
                    ),
                }
            else:
                found = {
                    "answers": self._answers.count_documents({"study": name}),
                    "exact_figures": self._thresholds.count_documents({"_id": name}),
                }
        return {kind: count for kind, count in found.items() if count}

    def remove(self, study: StudyId, what: What, *, at: UnixSeconds) -> None:
        name = study.hex()
        with translated():
            if what is What.ANSWERS:
                self._answers.delete_many({"study": name})
                self._thresholds.delete_many({"_id": name})
                return
            self._exports.delete_many({"study": name})
            for document in self._with_result({"study": name}):
                # Whoever changed the job meanwhile erased a person's rows: it is removed the next time.
                self._jobs.update_one(
                    {"_id": document["_id"], "revision": document["revision"]},
                    {"$set": {"result": b"", "removed_at": at, "revision": document["revision"] + 1}},
                )

    def _with_result(self, query: Document) -> list[Document]:
        asked = {"study": 1, "revision": 1, "removed_at": 1}
        found = self._jobs.find({**query, "state": "done"}, asked)
        return [document for document in found if document["removed_at"] is None]


class MongoRemovalRows:
    """Implements ``backend.erasure.results.RemovalRows``: marked documents that are written once."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._removals = database["result_removals"]
        self._marks = Marks(keys, "result_removals")
        with translated():
            self._removals.create_index([("study", ASCENDING)])

    def insert(self, removal: Removal) -> None:
        document = {
            "_id": f"{removal.study.hex()}:{removal.what}",
            "schema": SCHEMA,
            "study": removal.study.hex(),
            "what": removal.what.value,
            "rule": removal.rule,
            "due": removal.due,
            "at": removal.at,
            "counts": dict(removal.counts),
            "entry": removal.entry,
        }
        with translated():
            try:
                self._removals.insert_one(self._marks.marked(document))
            except DuplicateKeyError:
                return

    def of_study(self, study: StudyId) -> Sequence[Removal]:
        with translated():
            found = list(self._removals.find({"study": study.hex()}).sort("_id", ASCENDING))
        return [_removal(self._marks.checked(document)) for document in found]


class ReleasedRows:
    """Implements ``backend.erasure.ports.Erasable``: tables that hold a row of an erased person.

    The whole table goes: what is left of it would keep no promise that was checked. The answers of the run
    stay; they are noised and of many. ``row_of``: what stands for a patient in a study's table.
    """

    name = "released_rows"
    collections = frozenset({"research_jobs"})

    def __init__(self, database: Database[Document], sealer: DocumentSealer, row_of: RowOf) -> None:
        self._jobs = database["research_jobs"]
        self._sealer = sealer
        self._row_of = row_of

    def keys_of(self, scope: Scope) -> Iterable[KeyName]:  # noqa: ARG002 - rows have no key of their own
        return ()

    def count(self, scope: Scope) -> int:
        return sum(1 for _ in self._about(scope))

    def erase(self, scope: Scope) -> None:
        for document, field, kept in self._about(scope):
            without = kept.without_table(TableRemoved.code)
            sealed = self._sealer.seal(without.encoded(), subject=None, place=place_of(document["_id"]))
            revision = document["revision"]
            with translated():
                # Whoever changed the job meanwhile goes on with it: the erasure is tried again.
                self._jobs.update_one(
                    {"_id": document["_id"], "revision": revision},
                    {"$set": {field: sealed, "revision": revision + 1}},
                )

    def _about(self, scope: Scope) -> Iterator[tuple[Document, str, KeptResult]]:
        if not scope.is_person:
            return
        with translated():
            names = [document["_id"] for document in self._jobs.find({}, {"_id": 1})]
        for name in names:
            with translated():
                found = self._jobs.find_one({"_id": name})
            for field in _SEALED if found is not None else ():
                if found is None or not found[field]:
                    continue
                kept = self._opened(name, bytes(found[field]))
                if kept is not None and self._own_row(found, scope.subject) in kept.pseudonyms:
                    yield found, field, kept

    def _opened(self, name: str, sealed: bytes) -> KeptResult | None:
        try:
            return KeptResult.decode(self._sealer.open(sealed, subject=None, place=place_of(name)))
        except IntegrityError:
            return None  # nobody can read it

    def _own_row(self, document: Mapping[str, Any], subject: SubjectId) -> Pseudonym:
        study, researcher = bytes.fromhex(document["study"]), bytes.fromhex(document["researcher"])
        return self._row_of(StudyId(study), MemberId(researcher), subject)


@parser
def _removal(document: Mapping[str, Any]) -> Removal:
    return Removal(
        study=StudyId(bytes.fromhex(document["study"])),
        what=What(document["what"]),
        rule=document["rule"],
        due=UnixSeconds(document["due"]),
        at=UnixSeconds(document["at"]),
        counts=dict(document["counts"]),
        entry=LogIndex(document["entry"]),
    )
