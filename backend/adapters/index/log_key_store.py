"""The statements of the audit log's keys in MongoDB: one document an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from backend.audit.errors import AuditUnavailable, LogKeysDamaged

_EPOCH_DIGITS: Final = 9  # text order is their order: nx-27017 sorts ``_id`` as text


class MongoLogKeyStore:
    """Implements ``backend.audit.log_keys.LogKeyStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        durable = WriteConcern(w="majority", j=True)
        self._statements = database.get_collection("audit_log_keys", write_concern=durable)

    def statements(self) -> Sequence[str]:
        try:
            found = list(self._statements.find({}).sort("_id", 1))
        except PyMongoError as error:
            raise AuditUnavailable from error
        return [_statement(document) for document in found]

    def add(self, epoch: int, statement: str) -> None:
        try:
            self._statements.insert_one({"_id": f"{epoch:0{_EPOCH_DIGITS}d}", "statement": statement})
        except DuplicateKeyError:
            return
        except PyMongoError as error:
            raise AuditUnavailable from error


def _statement(document: dict[str, Any]) -> str:
    statement = document.get("statement")
    if not isinstance(statement, str):
        raise LogKeysDamaged("the statement of a key of the log cannot be read")
    return statement
