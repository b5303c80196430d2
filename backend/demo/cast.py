"""Steps 1 and 2: the operator sets the scene, patients enrol, the hospital stores their records."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx

from backend.demo.actors import Api, Provider, Wallet
from backend.demo.checks import Checks
from backend.demo.expected import Covered, segments_of
from backend.records.segments import FHIR_MEDIA_TYPE, Segment

HOSPITAL_SYSTEM = "hospital information system"


@dataclass(slots=True)
class Patient:
    """A patient with the bundle the hospital holds."""

    wallet: Wallet
    record_number: str
    bundle: bytes
    name: str
    birth_date: str
    record_id: str = ""
    segments: tuple[Segment, ...] = ()
    guardian: Wallet | None = None
    request_id: str = ""
    consent_id: str = ""
    covered: Covered | None = None  # what the clinic may see; None after a refusal


@dataclass(slots=True)
class Cast:
    """Everybody in the story."""

    http: httpx.Client
    checks: Checks
    operator: Api
    desk: Api = field(init=False)
    auditor: Api = field(init=False)
    tenant: str = ""
    hospital: Provider = field(init=False)
    clinic: Provider = field(init=False)
    other_clinic: Provider = field(init=False)
    researcher: Provider = field(init=False)
    study_id: str = field(init=False)
    result: str = field(init=False)  # digest of the study's last result
    board: Wallet = field(init=False)  # signs permits
    board_api: Api = field(init=False)
    patients: list[Patient] = field(default_factory=list)

    @property
    def adults(self) -> list[Patient]:
        return [patient for patient in self.patients if patient.guardian is None]

    @property
    def child(self) -> Patient:
        return next(patient for patient in self.patients if patient.guardian is not None)


def set_the_scene(cast: Cast) -> None:
    """Register a hospital's people and systems, a clinic and another one."""
    cast.tenant = cast.http.get("/v1/ledger").json()["tenant"]
    cast.desk = _staff(cast, "desk", "identity_desk")
    cast.auditor = _staff(cast, "auditor", "auditor")
    cast.hospital = _provider(cast, HOSPITAL_SYSTEM, cast.tenant)
    cast.clinic = _provider(cast, "clinic", _member(cast, "Lakeside Clinic"))
    cast.other_clinic = _provider(cast, "another clinic", _member(cast, "Hilltop Clinic"))
    ready = cast.http.get("/health/ready").json()
    cast.checks.that("every part is up", held=ready["ready"], detail=str(ready["parts"]))


def enrol(cast: Cast, bundles: list[bytes]) -> None:
    """Enrol everybody with fresh wallets; the youngest under a parent."""
    people = sorted((_read(cast, bundle) for bundle in bundles), key=lambda patient: patient.birth_date)
    child = people[-1]
    child.guardian = child.wallet
    cast.patients = people
    for patient in people:
        body: dict[str, Any] = {
            "record_number": patient.record_number,
            "name": patient.name,
            "birth_date": patient.birth_date,
        }
        if patient.guardian is not None:
            body["guardians"] = [
                {"account": patient.guardian.address, "relationship": "PRN", "evidence": "birth certificate"}
            ]
        issued = cast.desk.post("/v1/enrolments", body)
        patient.wallet.claim(issued["code"])
        patient.wallet.sign_in()
        if patient is people[0]:
            thief = Wallet(Api(cast.http))
            cast.checks.refused(
                "a code claimed once is refused to a second wallet",
                lambda code=issued["code"], thief=thief: thief.claim(code),  # type: ignore[misc]
                status=409,
            )
    cast.checks.that(
        "all enrolled", held=all(p.wallet.subject for p in people), detail=f"{len(people)} patients"
    )
    cast.checks.that(
        "a search for nobody looks like a search for somebody",
        held=len(cast.clinic.find("no such number")) == len(cast.clinic.find(people[0].record_number)),
    )


def store_records(cast: Cast) -> None:
    """The hospital stores each patient's bundle; somebody else's is refused."""
    total = 0
    for patient in cast.patients:
        stored = cast.hospital.api.call(
            "POST",
            "/v1/records",
            params={"subject": patient.wallet.subject},
            content=patient.bundle,
            headers={"Content-Type": FHIR_MEDIA_TYPE, "Idempotency-Key": patient.record_number},
        ).json()
        patient.record_id = stored["record_id"]
        patient.segments = segments_of(patient.bundle)
        total += stored["segments"]
        if stored["segments"] != len(patient.segments):
            cast.checks.that("as many segments as expected", held=False, detail=str(stored))
    cast.checks.that(
        "all bundles stored", held=True, detail=f"{len(cast.patients)} records, {total} segments"
    )
    first, second = cast.patients[0], cast.patients[1]
    again = cast.hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": first.wallet.subject},
        content=first.bundle,
        headers={"Content-Type": FHIR_MEDIA_TYPE, "Idempotency-Key": first.record_number},
    ).json()
    cast.checks.that("a repeated upload gives the same record", held=again["record_id"] == first.record_id)
    cast.checks.refused(
        "a bundle of somebody else is refused",
        lambda: cast.hospital.api.call(
            "POST",
            "/v1/records",
            params={"subject": first.wallet.subject},
            content=second.bundle,
            headers={"Content-Type": FHIR_MEDIA_TYPE},
        ),
        status=422,
        code="bundle_of_another_patient",
    )


def _staff(cast: Cast, username: str, role: str) -> Api:
    account = {"username": username, "password": secrets.token_urlsafe(18)}
    cast.operator.post("/v1/users", {**account, "roles": [role]})
    api = Api(cast.http)
    api.token = api.post("/v1/auth/staff", account)["access_token"]
    return api


def _provider(cast: Cast, name: str, member_id: str) -> Provider:
    client = cast.operator.post("/v1/clients", {"name": name, "roles": ["provider"], "member_id": member_id})
    provider = Provider(Api(cast.http), client["client_id"], client["client_secret"], member_id)
    provider.sign_in()
    return provider


def _member(cast: Cast, name: str) -> str:
    return str(cast.operator.post("/v1/members", {"name": name, "roles": ["provider"]})["member_id"])


def _read(cast: Cast, bundle: bytes) -> Patient:
    resources = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    person = next(resource for resource in resources if resource["resourceType"] == "Patient")
    name = person["name"][0]
    return Patient(
        wallet=Wallet(Api(cast.http)),
        record_number=person["identifier"][0]["value"],
        bundle=bundle,
        name=" ".join([*name.get("given", []), name.get("family", "")]),
        birth_date=person.get("birthDate", date.today().isoformat()),  # noqa: DTZ011 - sample data
    )
