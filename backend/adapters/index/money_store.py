"""Money of studies in MongoDB. What says who is paid what bears a mark, and where is sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.adapters.index.marks import Marks
from backend.keystore import KeyStore
from backend.research.money.rows import FundingRow, LeafRow, PayeeRow, ResultRow, ShareRow, TreeRow
from backend.research.money.types import EscrowTerms, RoundId, RunId
from backend.types import Address, Bytes32, MemberId, SubjectId, UnixSeconds

SCHEMA: Final = 1
_BATCH: Final = 1_000
_DUPLICATE_KEY: Final = 11_000
Document = dict[str, Any]


class MongoFundingStore:
    """Implements ``research.money.ports.FundingStore``."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._rows = database["escrow_fundings"]
        self._marks = Marks(keys, "escrow_fundings")
        with translated():
            self._rows.create_index([("escrow", ASCENDING)])

    def insert(self, row: FundingRow) -> FundingRow:
        key = hashlib.sha256(row.invoice.encode()).hexdigest()
        document = {
            "_id": key,
            "schema": SCHEMA,
            "invoice": row.invoice,
            "escrow": row.terms.escrow_id.hex(),
            **_terms_members(row.terms),
            "amount": str(row.amount),
            "at": row.at,
        }
        with translated():
            try:
                self._rows.insert_one(self._marks.marked(document))
            except DuplicateKeyError:
                found = self._rows.find_one({"_id": key})
                if found is not None:
                    return _funding(self._marks.checked(found))
        return row

    def of_escrow(self, terms: EscrowTerms) -> Sequence[FundingRow]:
        with translated():
            found = list(self._rows.find({"escrow": terms.escrow_id.hex()}).sort("at", ASCENDING))
        return [_funding(self._marks.checked(document)) for document in found]


class MongoResultStore:
    """Implements ``research.money.ports.ResultStore``."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._rows = database["study_results"]
        self._marks = Marks(keys, "study_results")
        with translated():
            self._rows.create_index([("study", ASCENDING)])

    def put(self, row: ResultRow) -> None:
        document = {
            "_id": row.result.hex(),
            "schema": SCHEMA,
            "study": row.study.hex(),
            "rules": row.rules.hex(),
            "run": row.run.hex(),
            "snapshot": row.snapshot.hex(),
            "participants": row.participants,
            "published": row.published,
            "at": row.at,
        }
        with translated():
            _insert_absent(self._rows, [self._marks.marked(document)])

    def get(self, result: Bytes32) -> ResultRow | None:
        with translated():
            found = self._rows.find_one({"_id": result.hex()})
        return None if found is None else _result(self._marks.checked(found))

    def of_study(self, study: Bytes32) -> Sequence[ResultRow]:
        with translated():
            rows = self._rows.find({"study": study.hex()})
            found = list(rows.sort([("at", ASCENDING), ("_id", ASCENDING)]))
        return [_result(self._marks.checked(document)) for document in found]


class MongoShareStore:
    """Implements ``research.money.ports.ShareStore``: one document for each patient of a run."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._rows = database["payment_shares"]
        self._marks = Marks(keys, "payment_shares")
        with translated():
            self._rows.create_index([("subject", ASCENDING)])
            self._rows.create_index([("run", ASCENDING)])

    def put(self, study: Bytes32, run: RunId, subjects: Sequence[SubjectId]) -> None:
        for start in range(0, len(subjects), _BATCH):
            documents = [
                self._marks.marked(
                    {
                        "_id": f"{run.hex()}:{_subject(subject)}",
                        "schema": SCHEMA,
                        "study": study.hex(),
                        "run": run.hex(),
                        "subject": _subject(subject),
                    }
                )
                for subject in subjects[start : start + _BATCH]
            ]
            with translated():
                _insert_absent(self._rows, documents)

    def of_run(self, run: RunId) -> Sequence[ShareRow]:
        with translated():
            found = list(self._rows.find({"run": run.hex()}))
        return [_share(self._marks.checked(document)) for document in found]

    def of_subject(self, subject: SubjectId) -> Sequence[ShareRow]:
        with translated():
            found = list(self._rows.find({"subject": _subject(subject)}))
        return [_share(self._marks.checked(document)) for document in found]


class MongoPayoutStore:
    """Implements ``research.money.ports.PayoutStore``."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._leaves = database["payment_leaves"]
        self._trees = database["payout_trees"]
        self._marks = Marks(keys, "payout_trees")
        self._leaf_marks = Marks(keys, "payment_leaves")
        with translated():
            self._leaves.create_index([("subject", ASCENDING)])
            self._leaves.create_index([("round", ASCENDING)])
            self._trees.create_index([("study", ASCENDING)])
            self._trees.create_index([("base", ASCENDING)])

    def put_leaves(self, rows: Sequence[LeafRow]) -> None:
        for start in range(0, len(rows), _BATCH):
            documents = [
                self._leaf_marks.marked(
                    {
                        "_id": row.leaf.hex(),
                        "schema": SCHEMA,
                        "round": row.round.hex(),
                        "subject": _subject(row.subject),
                        "sealed": row.sealed,
                    }
                )
                for row in rows[start : start + _BATCH]
            ]
            with translated():
                _insert_absent(self._leaves, documents)

    def leaves_of_round(self, round_: RoundId) -> Sequence[LeafRow]:
        with translated():
            found = list(self._leaves.find({"round": round_.hex()}))
        return [_leaf(self._leaf_marks.checked(document)) for document in found]

    def leaves_of_subject(self, subject: SubjectId) -> Sequence[LeafRow]:
        with translated():
            found = list(self._leaves.find({"subject": _subject(subject)}))
        return [_leaf(self._leaf_marks.checked(document)) for document in found]

    def put_tree(self, row: TreeRow) -> TreeRow:
        document = {
            "_id": _tree_key(row.round, row.attempt),
            "schema": SCHEMA,
            "round": row.round.hex(),
            "attempt": row.attempt,
            "act": row.act,
            **_terms_members(row.terms),
            "base": row.base.hex(),
            "number": row.number,
            "result": row.result.hex(),
            "share": str(row.share),
            "total": str(row.total),
            "named": row.named,
            "leaves": row.leaves,
            "at": row.at,
        }
        with translated():
            _insert_absent(self._trees, [self._marks.marked(document)])
        return self.tree(row.round, row.attempt) or row

    def drop_tree(self, row: TreeRow) -> None:
        with translated():
            self._trees.delete_one({"_id": _tree_key(row.round, row.attempt), "act": row.act})

    def tree(self, round_: RoundId, attempt: int) -> TreeRow | None:
        with translated():
            found = self._trees.find_one({"_id": _tree_key(round_, attempt)})
        return None if found is None else _tree(self._marks.checked(found))

    def trees_of_study(self, study: Bytes32) -> Sequence[TreeRow]:
        return self._found({"study": study.hex()})

    def trees_of_base(self, base: Bytes32) -> Sequence[TreeRow]:
        return self._found({"base": base.hex()})

    def _found(self, query: Document) -> Sequence[TreeRow]:
        with translated():
            found = list(self._trees.find(query).sort("at", ASCENDING))
        return [_tree(self._marks.checked(document)) for document in found]


class MongoPayeeStore:
    """Implements ``research.money.ports.PayeeStore``: one document for each patient and study."""

    def __init__(self, database: Database[Document], keys: KeyStore) -> None:
        self._rows = database["payees"]
        self._marks = Marks(keys, "payees")
        with translated():
            self._rows.create_index([("subject", ASCENDING)])
            self._rows.create_index([("study", ASCENDING)])
            self._rows.create_index([("account_mark", ASCENDING)])

    def put(self, row: PayeeRow) -> None:
        key = f"{row.study.hex()}:{_subject(row.subject)}"
        document = self._marks.marked(
            {
                "_id": key,
                "schema": SCHEMA,
                "study": row.study.hex(),
                "subject": _subject(row.subject),
                "account_mark": row.mark.hex(),
                "number": row.number,
                "sealed": row.sealed,
            }
        )
        with translated():
            _insert_absent(self._rows, [document])
            del document["_id"]  # which is not set, only found
            self._rows.update_one({"_id": key, "number": {"$lt": row.number}}, {"$set": document})

    def get(self, study: Bytes32, subject: SubjectId) -> PayeeRow | None:
        with translated():
            found = self._rows.find_one({"_id": f"{study.hex()}:{_subject(subject)}"})
        return None if found is None else _payee(self._marks.checked(found))

    def of_study(self, study: Bytes32) -> Mapping[SubjectId, PayeeRow]:
        with translated():
            found = list(self._rows.find({"study": study.hex()}))
        rows = [_payee(self._marks.checked(document)) for document in found]
        return {row.subject: row for row in rows}

    def is_used_elsewhere(self, mark: bytes, study: Bytes32) -> bool:
        with translated():
            found = list(self._rows.find({"account_mark": mark.hex()}))
        return any(document["study"] != study.hex() for document in found)


def _insert_absent(collection: Collection[Document], documents: list[Document]) -> None:
    """Insert those whose ``_id`` is not there yet; what was there before stays as it was."""
    if not documents:
        return
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as failure:
        if any(error.get("code") != _DUPLICATE_KEY for error in failure.details["writeErrors"]):
            raise


def _subject(subject: SubjectId) -> str:
    return f"{subject:024x}"  # 96 bits do not fit a BSON integer


def _tree_key(round_: RoundId, attempt: int) -> str:
    return f"{round_.hex()}:{attempt}"


def _terms_members(terms: EscrowTerms) -> Document:
    return {
        "study": terms.study.hex(),
        "custodian": terms.custodian.hex(),
        "funder": terms.funder,
        "token": terms.token,
    }


def _terms(document: Mapping[str, Any]) -> EscrowTerms:
    return EscrowTerms(
        study=_bytes32(document["study"]),
        custodian=MemberId(bytes.fromhex(document["custodian"])),
        funder=Address(document["funder"]),
        token=Address(document["token"]),
    )


@parser
def _funding(document: Mapping[str, Any]) -> FundingRow:
    return FundingRow(
        invoice=document["invoice"],
        terms=_terms(document),
        amount=int(document["amount"]),
        at=UnixSeconds(document["at"]),
    )


@parser
def _result(document: Mapping[str, Any]) -> ResultRow:
    return ResultRow(
        result=_bytes32(document["_id"]),
        study=_bytes32(document["study"]),
        rules=_bytes32(document["rules"]),
        run=RunId(bytes.fromhex(document["run"])),
        snapshot=bytes.fromhex(document["snapshot"]),
        participants=document["participants"],
        published=document["published"],
        at=UnixSeconds(document["at"]),
    )


@parser
def _share(document: Mapping[str, Any]) -> ShareRow:
    return ShareRow(
        run=RunId(bytes.fromhex(document["run"])),
        study=_bytes32(document["study"]),
        subject=SubjectId(int(document["subject"], 16)),
    )


@parser
def _leaf(document: Mapping[str, Any]) -> LeafRow:
    return LeafRow(
        leaf=_bytes32(document["_id"]),
        round=RoundId(_bytes32(document["round"])),
        subject=SubjectId(int(document["subject"], 16)),
        sealed=bytes(document["sealed"]),
    )


@parser
def _tree(document: Mapping[str, Any]) -> TreeRow:
    return TreeRow(
        round=RoundId(_bytes32(document["round"])),
        attempt=document["attempt"],
        act=document["act"],
        terms=_terms(document),
        base=_bytes32(document["base"]),
        number=document["number"],
        result=_bytes32(document["result"]),
        share=int(document["share"]),
        total=int(document["total"]),
        named=document["named"],
        leaves=bytes(document["leaves"]),
        at=UnixSeconds(document["at"]),
    )


@parser
def _payee(document: Mapping[str, Any]) -> PayeeRow:
    return PayeeRow(
        study=_bytes32(document["study"]),
        subject=SubjectId(int(document["subject"], 16)),
        mark=bytes.fromhex(document["account_mark"]),
        number=document["number"],
        sealed=bytes(document["sealed"]),
    )


def _bytes32(text: str) -> Bytes32:
    return Bytes32(bytes.fromhex(text))
