"""The people the measurements need, brought in over the public API: a hospital, a clinic, one patient."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from backend.demo.actors import Api, Provider, Wallet
from backend.demo.service import Service

CATEGORY = "laboratory"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everybody is signed in."""

    http: httpx.Client
    hospital: Provider
    clinic: Provider
    patient: Wallet

    def store(self, content: bytes, *, http: httpx.Client | None = None) -> str:
        """Store an attachment of the patient; return the record's id."""
        api = self.hospital.api if http is None else Api(http, self.hospital.api.token)
        stored = api.call(
            "POST",
            "/v1/records",
            params={"subject": self.patient.subject, "categories": CATEGORY, "sensitivities": "N"},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        return str(stored.json()["record_id"])

    def wish(self) -> dict[str, Any]:
        """What the clinic gets: reading laboratory results for treatment."""
        return {
            "subject": self.patient.subject,
            "kind": "permit",
            "grantee": self.clinic.member_id,
            "purposes": ["TREAT"],
            "categories": [CATEGORY],
            "actions": ["access"],
        }


@contextmanager
def scene(directory: Path) -> Iterator[tuple[Service, Scene]]:
    """Start the service, embedded default, on a fresh data directory; stop it at the end."""
    service = Service(directory / "data", storage="directory")
    try:
        service.start()
        with httpx.Client(base_url=service.url, timeout=120) as http:
            yield service, enter(http, service.operator())
    finally:
        service.stop()


def segment_path(record_id: str) -> str:
    """The path that gives an attachment's bytes as they are."""
    return f"/v1/records/{record_id}/segments/s0000?purpose=TREAT"


def enter(http: httpx.Client, account: dict[str, str]) -> Scene:
    """Bring the people in over a service that has nobody yet but its operator."""
    operator, desk = Api(http), Api(http)
    operator.token = operator.post("/v1/auth/staff", account)["access_token"]
    password = secrets.token_urlsafe(18)
    operator.post("/v1/users", {"username": "desk", "password": password, "roles": ["identity_desk"]})
    desk.token = desk.post("/v1/auth/staff", {"username": "desk", "password": password})["access_token"]
    tenant = http.get("/v1/ledger").json()["tenant"]
    clinic = operator.post("/v1/members", {"name": "Clinic", "roles": ["provider"]})["member_id"]
    patient = Wallet(Api(http))
    code = desk.post(
        "/v1/enrolments", {"record_number": "1", "name": "A Patient", "birth_date": "1970-01-01"}
    )["code"]
    patient.claim(code)
    patient.sign_in()
    return Scene(http, _system(operator, "hospital", tenant), _system(operator, "clinic", clinic), patient)


def _system(operator: Api, name: str, member: str) -> Provider:
    made = operator.post("/v1/clients", {"name": name, "roles": ["provider"], "member_id": member})
    provider = Provider(Api(operator.http), made["client_id"], made["client_secret"], member)
    provider.sign_in()
    return provider
