"""A day in a hospital with every sort of decision in its log, told through the API to its end."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import (
    EVERYTHING,
    PASSWORD,
    Patient,
    Service,
    enrol,
    in_days,
    open_service,
    provider,
    raw,
    staff,
)
from tests.support.process_world import eventually

TREAT = {"purpose": "TREAT"}
USER_NAME = "dr.nadja.okafor"
CLINIC_NAME = "Lakeside Clinic"
OTHER_NAME = "Hilltop Clinic"


@dataclass(slots=True)
class Story:
    """``data``: the directory of the stopped service. ``jti``, ``fid``: of the clinic's first token."""

    data: Path
    patient: Patient
    neighbour: Patient
    clinic: Provider
    other: Provider
    user_id: str
    jti: str
    fid: str
    accesses: list[dict[str, Any]]  # of the patient, newest first
    names: set[str] = field(default_factory=set)  # every name, user name and record number there was


def claims_of(token: str | None) -> dict[str, Any]:
    assert token is not None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def tell(directory: Path) -> Story:
    with open_service(directory) as service:
        operator = staff(service, "olga.olsen", Role.OPERATOR)
        desk = staff(service, "dora.diaz", Role.IDENTITY_DESK)
        officer = staff(service, "omar.ono", Role.PRIVACY_OFFICER)
        hospital = provider(service, operator, "hospital system", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, CLINIC_NAME)
        other = provider(service, operator, OTHER_NAME)
        patient, neighbour = enrol(service, desk, hospital, 41), enrol(service, desk, hospital, 42)
        made = service.world.services.identity.add_user(
            username=USER_NAME,
            password=PASSWORD,
            roles=frozenset({Role.PROVIDER}),
            member_id=service.world.stores.tenant,
            by=None,
        )
        physician = service.anyone()
        physician.token = physician.post("/v1/auth/staff", {"username": USER_NAME, "password": PASSWORD})[
            "access_token"
        ]
        claims = claims_of(clinic.api.token)
        _reads(service, patient, clinic, other)
        _limits(patient, other)
        _stops(service, patient, clinic, other, operator)
        _people(service, patient, physician, made.staff_id)
        _questions(patient, clinic, officer)
        neighbour.permit(clinic.member_id, categories=["laboratory"])
        clinic.sign_in()  # another token of the same client
        clinic.read(neighbour.record_id)
        return Story(
            directory, patient, neighbour, clinic, other, made.staff_id, claims["jti"], claims["fid"],
            patient.accesses(),
            {USER_NAME, "olga.olsen", "dora.diaz", "omar.ono", "walt.weber", CLINIC_NAME, OTHER_NAME,
             "hospital system", "Test Person", patient.record_number, neighbour.record_number},
        )  # fmt: skip


def _read(api: Api, patient: Patient, path: str = "", **query: Any) -> int:
    answer = raw(api, "GET", f"/v1/records/{patient.record_id}{path}", params={**TREAT, **query})
    return answer.status_code


def _reads(service: Service, patient: Patient, clinic: Provider, other: Provider) -> None:
    assert _read(clinic.api, patient) == 403  # nothing is permitted yet
    whole = patient.permit(clinic.member_id)
    names = list(clinic.read(patient.record_id))
    assert _read(clinic.api, patient, f"/segments/{names[0]}") == 200
    assert _read(clinic.api, patient, action="export") == 403
    assert _read(other.api, patient) == 403
    assert raw(clinic.api, "GET", "/v1/records", params={"subject": patient.subject, **TREAT}).is_success
    assert _read(patient.api, patient, purpose="PATRQT") == 200
    patient.end(whole)
    rules = [
        {"effect": "permit", "obligations": ["de_identify", "redact_labels"]},
        {"effect": "deny", "categories": ["medications"]},
    ]
    some = patient.permit(clinic.member_id, rules=rules, actions=["access", "export"])
    assert _read(clinic.api, patient) == 200
    patient.end(some)
    plain = patient.permit(clinic.member_id)
    bound = clinic.api.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials", "person_id": patient.subject, "purpose_of_use": "TREAT"},
        auth=(clinic.client_id, clinic.client_secret),
    )
    assert bound.status_code == 200, bound.text
    narrowed = Api(service.http, bound.json()["access_token"])
    assert _read(narrowed, patient) == 200
    patient.end(plain)
    again = patient.permit(clinic.member_id)
    assert _read(narrowed, patient) == 403  # its consent is over, another one does not help it
    assert _read(clinic.api, patient) == 200
    patient.end(again)


def _limits(patient: Patient, other: Provider) -> None:
    twice = patient.permit(other.member_id, max_uses=2)
    assert [_read(other.api, patient) for _ in range(3)] == [200, 200, 403]
    patient.end(twice)
    hourly = patient.permit(other.member_id, frequency={"uses": 1, "period_seconds": 3600})
    assert [_read(other.api, patient) for _ in range(2)] == [200, 403]
    patient.end(hourly)


def _stops(service: Service, patient: Patient, clinic: Provider, other: Provider, operator: Api) -> None:
    consent = patient.permit(clinic.member_id)
    with _chain_held(service, "revoke"):
        patient.wallet.revoke(consent)
        assert _read(clinic.api, patient) == 403  # by the queue alone
    patient.end(consent)
    patient.permit(clinic.member_id)
    with ThreadPoolExecutor(1) as behind, _chain_held(service, "record"):
        wish = {"kind": "deny", "grantee": clinic.member_id}
        deny = behind.submit(lambda: patient.wallet.consent(**wish)["consent_id"])
        eventually(lambda: _read(clinic.api, patient) == 403, seconds=20, what="the deny counts")
    patient.end(deny.result())
    patient.permit(other.member_id)
    assert _read(other.api, patient) == 200
    operator.post(f"/v1/members/{other.member_id}/suspend", {})
    assert _read(other.api, patient) == 403
    operator.post(f"/v1/members/{other.member_id}/reinstate", {})


@contextmanager
def _chain_held(service: Service, command: str) -> Iterator[None]:
    """Hold these commands back from the chain: what they say counts from the queue alone."""
    ledger, gate = service.world.stores.ledger, threading.Event()
    send = getattr(ledger, command)

    def waiting(*arguments: Any, **named: Any) -> Any:
        gate.wait(20)
        return send(*arguments, **named)

    setattr(ledger, command, waiting)
    try:
        yield
    finally:
        gate.set()
        setattr(ledger, command, send)


def _people(service: Service, patient: Patient, physician: Api, user: str) -> None:
    """A physician reads as one of a ward, and a delegate for the patient."""
    administrator = staff(service, "walt.weber", Role.TEAM_ADMINISTRATOR)
    wards = [
        administrator.post("/v1/care-teams", {"name": name})["care_team_id"] for name in ("Ward 3", "Ward 4")
    ]
    for ward in wards:
        body = {"staff_id": user, "role": "physician"}
        administrator.post(f"/v1/care-teams/{ward}/participants", body)
    patient.permit(wards[0])
    assert _read(physician, patient) == 200
    administrator.post(f"/v1/care-teams/{wards[0]}/close", None)
    assert _read(physician, patient) == 403
    delegate = Wallet(service.anyone())
    wish = {
        "subject": patient.subject, "delegate": delegate.address, "powers": ["read"],
        "purposes": ["PWATRNY"], "categories": EVERYTHING, "relationship": "son",
        "not_after": in_days(30),
    }  # fmt: skip
    patient.wallet.submit("/v1/delegations", patient.api.post("/v1/delegations/draft", wish))
    delegate.sign_in()
    assert _read(delegate.api, patient, purpose="PWATRNY") == 200
    assert _read(delegate.api, patient, purpose="TREAT") == 403


def _questions(patient: Patient, clinic: Provider, officer: Api) -> None:
    body = {"subject": patient.subject, "purpose": "TREAT", "categories": ["laboratory"]}
    clinic.api.post("/v1/decisions", body)
    about = {"requester": {"member": clinic.member_id}, "fulfils": ["no_export"]}
    for sensitivities in ([], ["HIV"]):
        patient.api.post("/v1/decisions", {**body, **about, "sensitivities": sensitivities})
    officer.post("/v1/decisions", {**body, **about, "data_from": "2020-01-01T00:00:00Z"})
