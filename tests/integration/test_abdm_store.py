"""Artefacts and notifications on the real index: put once, found by their subject, acknowledged once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymongo.database import Database

from backend.adapters.index.abdm_store import MongoArtefactStore
from backend.interop.abdm.ports import ArtefactRow, NotificationRow
from backend.types import Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

CONSENT, OTHER = ConsentId(b"\x01" * 32), ConsentId(b"\x02" * 32)
ROW = ArtefactRow(
    "a" * 36, Bytes32(b"\x03" * 32), CONSENT, SubjectId(7), MemberId(b"\x04" * 32), MemberId(b"\x05" * 32)
)
SENT = NotificationRow("6" * 32, CONSENT, MemberId(b"\x05" * 32), "GRANTED")


def test_artefact_is_put_once_and_found_by_id_and_consent(mongo: Database[dict[str, Any]]) -> None:
    store = MongoArtefactStore(mongo)
    store.put(ROW)
    store.put(replace(ROW, hip=MemberId(b"\x06" * 32)))  # the same id again changes nothing
    store.put(replace(ROW, artefact_id="b" * 36, consent_id=OTHER))
    assert store.get(ROW.artefact_id) == ROW
    assert store.of_consent(CONSENT) == [ROW]
    assert store.get("c" * 36) is None


def test_notification_is_acknowledged_once(mongo: Database[dict[str, Any]]) -> None:
    store = MongoArtefactStore(mongo)
    store.put_notification(SENT)
    assert store.notification(SENT.request_id) == SENT
    store.acknowledge(SENT.request_id, UnixSeconds(100))
    store.put_notification(SENT)
    store.acknowledge(SENT.request_id, UnixSeconds(200))
    assert store.notification(SENT.request_id) == replace(SENT, acknowledged_at=UnixSeconds(100))
    assert store.notification("0" * 32) is None
