"""What the tests of networks do again and again."""

from __future__ import annotations

from typing import Any, Final

import httpx

from backend.adapters.index.act_store import MongoActStore
from backend.demo.actors import Provider
from backend.outbox.types import Act
from tests.integration.api.world import Patient, Service, raw

STORED: Final = 201


def read(clinic: Provider, patient: Patient) -> httpx.Response:
    """Read the patient's record for treatment; the answer as it came."""
    return raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})


def under_way(service: Service, *kinds: str) -> list[Act]:
    """What was promised and is not done yet."""
    stores = service.world.stores
    return MongoActStore(stores.database, stores.keys).unfinished(kinds)


def row_of(patient: Patient, consent: str) -> dict[str, Any]:
    """What the patient's list says of a consent."""
    return next(row for row in patient.consents() if row["consent_id"] == consent)


def store_text(hospital: Provider, patient: Patient, key: str) -> int:
    """Store a note under an idempotency key; the status of the answer, or 503 where none came."""
    try:
        return raw(
            hospital.api,
            "POST",
            "/v1/records",
            params={"subject": patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
            content=b"sodium 140",
            headers={"Content-Type": "text/plain", "Idempotency-Key": key},
        ).status_code
    except httpx.TimeoutException:
        return 503
