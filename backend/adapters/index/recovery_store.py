"""Policies of recovery and the signatures of those who recover somebody, in MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.recovery.types import CaseRow, PolicyRow
from backend.types import Address, Bytes32, SubjectId


class MongoRecoveryPolicies:
    """Implements ``backend.recovery.ports.PolicyStore``: one document a policy, named by its hash."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._policies = database["recovery_policies"]
        with translated():
            self._policies.create_index([("subject", ASCENDING)])

    def put(self, row: PolicyRow) -> None:
        document = {"_id": row.name.hex(), "subject": f"{row.subject:024x}", "sealed": row.sealed}
        with translated():
            try:
                self._policies.insert_one(document)
            except DuplicateKeyError:
                return

    def get(self, name: Bytes32) -> PolicyRow | None:
        with translated():
            found = self._policies.find_one({"_id": name.hex()})
        return None if found is None else _policy(found)


class MongoRecoveryCases:
    """Implements ``backend.recovery.ports.CaseStore``: one document a patient and new account, moved by
    compare-and-swap."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._cases = database["recovery_cases"]
        with translated():
            for name in ("subject", "controller", "collecting"):
                self._cases.create_index([(name, ASCENDING)])

    def insert(self, row: CaseRow) -> bool:
        document = {
            "_id": row.case_id,
            "subject": f"{row.subject:024x}",
            "controller": row.controller,
            **_members(row),
        }
        with translated():
            try:
                self._cases.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    def replace(self, row: CaseRow) -> bool:
        with translated():
            changed = self._cases.update_one(
                {"_id": row.case_id, "revision": row.revision - 1}, {"$set": _members(row)}
            )
        return changed.matched_count == 1

    def get(self, name: str) -> CaseRow | None:
        with translated():
            found = self._cases.find_one({"_id": name})
        return None if found is None else _case(found)

    def of_subject(self, subject: SubjectId) -> Sequence[CaseRow]:
        return self._found({"subject": f"{subject:024x}"})

    def of_account(self, controller: Address) -> Sequence[CaseRow]:
        return self._found({"controller": controller})

    def collecting(self) -> Sequence[CaseRow]:
        return self._found({"collecting": True})

    def _found(self, query: dict[str, Any]) -> Sequence[CaseRow]:
        with translated():
            return [_case(found) for found in self._cases.find(query).sort("_id", ASCENDING)]


def _members(row: CaseRow) -> dict[str, Any]:
    return {"collecting": row.collecting, "revision": row.revision, "sealed": row.sealed}


@parser
def _policy(found: Mapping[str, Any]) -> PolicyRow:
    return PolicyRow(
        name=Bytes32(bytes.fromhex(found["_id"])),
        subject=SubjectId(int(found["subject"], 16)),
        sealed=bytes(found["sealed"]),
    )


@parser
def _case(found: Mapping[str, Any]) -> CaseRow:
    return CaseRow(
        case_id=found["_id"],
        subject=SubjectId(int(found["subject"], 16)),
        controller=Address(found["controller"]),
        collecting=bool(found["collecting"]),
        revision=found["revision"],
        sealed=bytes(found["sealed"]),
    )
