"""ABDM artefacts in MongoDB: one document each, ids only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from backend.adapters.index.failures import parser, translated
from backend.interop.abdm.ports import ArtefactRow, NotificationRow
from backend.types import Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds


class MongoArtefactStore:
    """Implements ``backend.interop.abdm.ports.ArtefactStore``."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._artefacts = database["abdm_artefacts"]
        self._notifications = database["abdm_notifications"]
        with translated():
            self._artefacts.create_index("consent_id")

    def put(self, row: ArtefactRow) -> None:
        document = {
            "_id": row.artefact_id,
            "request_id": row.request_id.hex(),
            "consent_id": row.consent_id.hex(),
            "subject": f"{row.subject:024x}",
            "hip": row.hip.hex(),
            "hiu": row.hiu.hex(),
        }
        with translated(), suppress(DuplicateKeyError):
            self._artefacts.insert_one(document)

    def get(self, artefact_id: str) -> ArtefactRow | None:
        with translated():
            found = self._artefacts.find_one({"_id": artefact_id})
        return None if found is None else _row(found)

    def of_consent(self, consent: ConsentId) -> Sequence[ArtefactRow]:
        with translated():
            return [_row(found) for found in self._artefacts.find({"consent_id": consent.hex()})]

    def put_notification(self, row: NotificationRow) -> None:
        document = {
            "_id": row.request_id,
            "consent_id": row.consent_id.hex(),
            "member": row.member.hex(),
            "status": row.status,
            "acknowledged_at": row.acknowledged_at,
        }
        with translated(), suppress(DuplicateKeyError):
            self._notifications.insert_one(document)

    def notification(self, request_id: str) -> NotificationRow | None:
        with translated():
            found = self._notifications.find_one({"_id": request_id})
        if found is None:
            return None
        return NotificationRow(
            request_id=found["_id"],
            consent_id=ConsentId(bytes.fromhex(found["consent_id"])),
            member=MemberId(bytes.fromhex(found["member"])),
            status=found["status"],
            acknowledged_at=None
            if found["acknowledged_at"] is None
            else UnixSeconds(found["acknowledged_at"]),
        )

    def acknowledge(self, request_id: str, at: UnixSeconds) -> None:
        with translated():
            self._notifications.update_one(
                {"_id": request_id, "acknowledged_at": None}, {"$set": {"acknowledged_at": at}}
            )


@parser
def _row(found: Mapping[str, Any]) -> ArtefactRow:
    return ArtefactRow(
        artefact_id=found["_id"],
        request_id=Bytes32(bytes.fromhex(found["request_id"])),
        consent_id=ConsentId(bytes.fromhex(found["consent_id"])),
        subject=SubjectId(int(found["subject"], 16)),
        hip=MemberId(bytes.fromhex(found["hip"])),
        hiu=MemberId(bytes.fromhex(found["hiu"])),
    )
