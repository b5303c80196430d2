"""Privacy ledger, released answers and uses of data in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backend.adapters.index.failures import MALFORMED, parser, translated
from backend.research.errors import BudgetLedgerDamaged
from backend.research.types import (
    Answer,
    Charge,
    Estimate,
    LedgerDocument,
    LedgerHead,
    NanoRho,
    StudyId,
    ThresholdAnswer,
)
from backend.types import MemberId, SubjectId, UnixSeconds

SCHEMA = 1
_DUPLICATE_KEY = 11_000
_BATCH = 1_000
Document = dict[str, Any]


class MongoBudgetStore:
    """Implements ``backend.research.ports.BudgetStore``.

    ``privacy_balances`` has the one document of a ledger, ``privacy_charges`` a document for the charges of
    each debit, keyed by the place of the first: a document with many costs the index hardly more than one.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._balances = database["privacy_balances"]
        self._charges = database["privacy_charges"]

    def document(self, ledger: str) -> LedgerDocument | None:
        with translated():
            found = self._balances.find_one({"_id": ledger})
        return None if found is None else _ledger(found)

    def swap(self, before: LedgerHead | None, after: LedgerDocument) -> bool:
        written = _ledger_document(after)
        with translated():
            if before is not None:
                expected = {"_id": before.ledger, "digest": before.digest.hex()}
                return self._balances.update_one(expected, {"$set": written}).modified_count == 1
            try:
                self._balances.insert_one({"_id": after.head.ledger, **written})
            except DuplicateKeyError:
                return False
            return True

    def archive(self, charges: Sequence[Charge]) -> None:
        document = {
            "_id": _bundle_key(charges[0].ledger, charges[0].place),
            "schema": SCHEMA,
            "charges": [_charge_document(charge) for charge in charges],
        }
        with translated(), suppress(DuplicateKeyError):
            self._charges.insert_one(document)

    def charges(self, ledger: str, *, start: int = 0) -> Iterator[Charge]:
        with translated():
            for document in self._charges.find(_bundles_from(ledger, start)).sort("_id", ASCENDING):
                yield from _bundle(document)

    def put(self, document: LedgerDocument) -> None:
        """Put the ledger's document in the place of whatever is there: for a restore, which is alone."""
        key = {"_id": document.head.ledger}
        with translated():
            self._balances.delete_one(key)
            self._balances.insert_one({**key, **_ledger_document(document)})

    def cut(self, ledger: str, end: int) -> None:
        """Take away the charges from ``end`` on, and with the first one the document: for a restore."""
        with translated():
            self._charges.delete_many(_bundles_from(ledger, end))
            if end == 0:
                self._balances.delete_one({"_id": ledger})


class MongoAnswerStore:
    """Implements ``backend.research.ports.AnswerStore``: one document a charge, with all its answers."""

    def __init__(self, database: Database[Document]) -> None:
        self._answers = database["research_answers"]
        with translated():
            self._answers.create_index([("study", ASCENDING), ("snapshot", ASCENDING)])

    def find(self, study: StudyId, snapshot: bytes) -> dict[bytes, Answer]:
        with translated():
            documents = list(self._answers.find({"study": study.hex(), "snapshot": snapshot.hex()}))
        found = (_answer(item) for document in documents for item in document["answers"])
        return {answer.answer_id: answer for answer in found}

    def keep(
        self, charge_id: bytes, study: StudyId, snapshot: bytes, answers: Sequence[Answer]
    ) -> tuple[Answer, ...]:
        document = {
            "_id": charge_id.hex(),
            "schema": SCHEMA,
            "study": study.hex(),
            "snapshot": snapshot.hex(),
            "answers": [
                {
                    "id": answer.answer_id.hex(),
                    "levels": list(answer.levels),
                    "values": list(answer.values),
                    "error_95": answer.error_95,
                    "sigma": answer.sigma,
                    "rho": answer.rho,
                    "estimates": [[each.name, each.value, each.low, each.high] for each in answer.estimates],
                }
                for answer in answers
            ],
        }
        with translated():
            try:
                self._answers.insert_one(document)
            except DuplicateKeyError:
                stored = self._answers.find_one({"_id": charge_id.hex()})
                return tuple(_answer(item) for item in stored["answers"]) if stored else ()
            return tuple(answers)

    def charges(self, study: StudyId, snapshot: bytes) -> list[bytes]:
        with translated():
            found = self._answers.find({"study": study.hex(), "snapshot": snapshot.hex()}, {"_id": 1})
            return [bytes.fromhex(document["_id"]) for document in found]


class MongoThresholdStore:
    """Implements ``backend.research.ports.ThresholdStore``: one document a study."""

    def __init__(self, database: Database[Document]) -> None:
        self._given = database["research_thresholds"]

    def find(self, study: StudyId) -> tuple[bytes, tuple[ThresholdAnswer, ...]] | None:
        with translated():
            found = self._given.find_one({"_id": study.hex()})
        return None if found is None else _thresholds(found)

    def keep(
        self, study: StudyId, snapshot: bytes, answers: Sequence[ThresholdAnswer]
    ) -> tuple[bytes, tuple[ThresholdAnswer, ...]]:
        document = {
            "_id": study.hex(),
            "schema": SCHEMA,
            "snapshot": snapshot.hex(),
            "answers": [[each.name, list(each.levels), list(each.values)] for each in answers],
        }
        with translated():
            try:
                self._given.insert_one(document)
            except DuplicateKeyError:
                stored = self._given.find_one({"_id": study.hex()})
                return _thresholds(stored or document)
            return snapshot, tuple(answers)


class MongoUseStore:
    """Implements ``backend.research.ports.UseStore``: one document for each patient of a run.

    The embedded index does not find documents by a member of an array, hence no list of patients in one.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._uses = database["research_uses"]
        with translated():
            self._uses.create_index([("subject", ASCENDING), ("at", DESCENDING)])

    def record(
        self, study: StudyId, run_id: bytes, subjects: Sequence[SubjectId], *, at: UnixSeconds
    ) -> None:
        for start in range(0, len(subjects), _BATCH):
            documents = [
                {
                    "_id": f"{run_id.hex()}:{_subject(subject)}",
                    "schema": SCHEMA,
                    "study": study.hex(),
                    "subject": _subject(subject),
                    "at": at,
                }
                for subject in subjects[start : start + _BATCH]
            ]
            with translated():
                _insert_absent(self._uses, documents)

    def of_subject(self, subject: SubjectId) -> list[tuple[StudyId, UnixSeconds]]:
        with translated():
            found = list(self._uses.find({"subject": _subject(subject)}).sort("at", DESCENDING))
        return [_use(document) for document in found]


def _insert_absent(collection: Collection[Document], documents: list[Document]) -> None:
    """Insert those whose ``_id`` is not there yet; what was there before stays as it was."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as failure:
        if any(error.get("code") != _DUPLICATE_KEY for error in failure.details["writeErrors"]):
            raise


@parser
def _use(document: Mapping[str, Any]) -> tuple[StudyId, UnixSeconds]:
    return StudyId(bytes.fromhex(document["study"])), UnixSeconds(document["at"])


def _subject(subject: SubjectId) -> str:
    return f"{subject:024x}"  # 96 bits do not fit a BSON integer


def _ledger_document(document: LedgerDocument) -> Document:
    return {
        "schema": SCHEMA,
        "count": document.head.count,
        "digest": document.head.digest.hex(),
        "spent": document.head.spent,
        "recent": [_charge_document(charge) for charge in document.recent],
    }


def _bundle_key(ledger: str, place: int) -> str:
    return f"{ledger}:{place:012d}"


def _bundles_from(ledger: str, place: int) -> Document:
    return {"_id": {"$gte": _bundle_key(ledger, place), "$lt": f"{ledger};"}}  # ';' follows ':'


def _charge_document(charge: Charge) -> Document:
    return {
        "ledger": charge.ledger,
        "place": charge.place,
        "charge_id": charge.charge_id.hex(),
        "study": charge.study.hex(),
        "researcher": charge.researcher.hex(),
        "rho": charge.rho,
        "spent": charge.spent,
        "period": charge.period,
        "period_spent": charge.period_spent,
        "study_spent": charge.study_spent,
        "researcher_spent": charge.researcher_spent,
        "at": charge.at,
        "previous": charge.previous.hex(),
        "digest": charge.digest.hex(),
    }


def _charge(document: Mapping[str, Any]) -> Charge:
    try:
        return Charge(
            ledger=document["ledger"],
            place=document["place"],
            charge_id=bytes.fromhex(document["charge_id"]),
            study=StudyId(bytes.fromhex(document["study"])),
            researcher=MemberId(bytes.fromhex(document["researcher"])),
            rho=NanoRho(document["rho"]),
            spent=NanoRho(document["spent"]),
            period=document["period"],
            period_spent=NanoRho(document["period_spent"]),
            study_spent=NanoRho(document["study_spent"]),
            researcher_spent=NanoRho(document["researcher_spent"]),
            at=UnixSeconds(document["at"]),
            previous=bytes.fromhex(document["previous"]),
            digest=bytes.fromhex(document["digest"]),
        )
    except MALFORMED as fault:
        raise BudgetLedgerDamaged from fault


def _bundle(document: Mapping[str, Any]) -> list[Charge]:
    try:
        return [_charge(item) for item in document["charges"]]
    except MALFORMED as fault:
        raise BudgetLedgerDamaged from fault


def _ledger(document: Mapping[str, Any]) -> LedgerDocument:
    try:
        head = LedgerHead(
            document["_id"], document["count"], bytes.fromhex(document["digest"]), NanoRho(document["spent"])
        )
        return LedgerDocument(head, tuple(_charge(item) for item in document["recent"]))
    except MALFORMED as fault:
        raise BudgetLedgerDamaged from fault


@parser
def _thresholds(document: Mapping[str, Any]) -> tuple[bytes, tuple[ThresholdAnswer, ...]]:
    answers = (
        ThresholdAnswer(name, tuple(levels), tuple(values)) for name, levels, values in document["answers"]
    )
    return bytes.fromhex(document["snapshot"]), tuple(answers)


@parser
def _answer(item: Mapping[str, Any]) -> Answer:
    return Answer(
        answer_id=bytes.fromhex(item["id"]),
        levels=tuple(item["levels"]),
        values=tuple(item["values"]),
        error_95=item["error_95"],
        sigma=item["sigma"],
        rho=NanoRho(item["rho"]),
        estimates=tuple(Estimate(*each) for each in item["estimates"]),
    )
