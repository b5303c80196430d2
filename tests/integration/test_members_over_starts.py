"""What was asked for members outlives the service: a stop counts before the first read, a wait goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend import stores
from backend.adapters.ledger.custodian import CustodianAdmissionWaits
from backend.adapters.ledger.participants import RegistryParticipants
from backend.cli import app
from backend.errors import LedgerUnavailable
from backend.identity.roles import Role
from tests.integration.api.world import (
    PASSWORD,
    Service,
    assert_problem,
    enrol,
    open_service,
    provider,
    raw,
    staff,
)

DELAY_SECONDS = 3


def test_suspension_that_never_reached_the_chain_counts_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise LedgerUnavailable

    directory = tmp_path / "data"
    with open_service(directory) as service:
        operator = staff(service, "operator-one", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        clinic = provider(service, operator, "clinic")
        patient = enrol(service, operator, hospital, 5)
        patient.permit(clinic.member_id)
        clinic.read(patient.record_id)
        monkeypatch.setattr(RegistryParticipants, "suspend", unreachable)
        answer = raw(operator, "POST", f"/v1/members/{clinic.member_id}/suspend")
        assert answer.json()["standing"] == "suspended"
    with open_service(directory) as service:
        clinic.api.http = service.http
        clinic.sign_in()
        response = raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
        assert_problem(response, 403, "consent_required")


def test_production_waits_out_the_delay_for_the_custodian_and_for_a_clinic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a delay of seconds instead of a day, and real time."""
    monkeypatch.setattr(stores, "DEVELOPMENT_ADMISSION_DELAY_SECONDS", DELAY_SECONDS)
    monkeypatch.setattr("backend.logs.configure", lambda: None)
    directory = tmp_path / "data"
    told = CliRunner().invoke(app, ["deploy", "--data-directory", str(directory)])
    assert told.exit_code == 2
    assert "custodian_admission_waits" in told.stderr
    assert CustodianAdmissionWaits.remedy in told.stderr
    assert "Traceback" not in told.output
    time.sleep(DELAY_SECONDS + 1)
    with open_service(directory) as service:
        operator = staff(service, "operator-two", Role.OPERATOR)
        body = {"name": "Clinic", "roles": ["provider"]}
        answers = [
            raw(operator, "POST", "/v1/members", json=body, headers={"Idempotency-Key": "one"})
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        made = answers[0].json()
        assert made == answers[1].json()
        assert (made["standing"], made["name"]) == ("scheduled", "Clinic")
        assert made["effective_from"] is not None
        assert made in operator.get("/v1/members")
    with open_service(directory) as service:
        _await_standing(service, made["member_id"], "active")
        operator = _again(service)
        again = raw(operator, "POST", "/v1/members", json=body, headers={"Idempotency-Key": "one"})
        assert (again.status_code, again.json()["member_id"]) == (201, made["member_id"])
        assert raw(operator, "POST", f"/v1/members/{made['member_id']}/suspend").status_code == 200
        back = raw(operator, "POST", f"/v1/members/{made['member_id']}/reinstate")
        assert (back.status_code, back.json()["standing"]) == (202, "scheduled")
        _await_standing(service, made["member_id"], "active")


def _again(service: Service):
    api = service.anyone()
    api.token = api.post("/v1/auth/staff", {"username": "operator-two", "password": PASSWORD})["access_token"]
    return api


def _await_standing(service: Service, member: str, standing: str) -> None:
    operator = _again(service)
    deadline = time.monotonic() + 60
    while operator.get(f"/v1/members/{member}")["standing"] != standing:
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
