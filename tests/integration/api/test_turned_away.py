"""Whoever is turned away before a decision is in the log, where an auditor sees it; nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider, Wallet
from tests.integration.api.world import Patient, Service, assert_problem, raw, store


@pytest.fixture
def seen(auditor: Api) -> Callable[[], list[dict[str, Any]]]:
    """What the auditor sees of attempts that were turned away, newest first."""

    def read() -> list[dict[str, Any]]:
        found, before = [], {}
        while True:
            page = auditor.get("/v1/log/entries", limit=200, **before)
            assert page["gaps"] == 0
            found += [entry for entry in page["entries"] if entry["type"] == "access.turned_away"]
            if page["next_before"] is None:
                return found
            before = {"before": page["next_before"]}

    return read


def test_attempt_of_a_known_caller_is_logged_with_the_caller(
    seen: Callable[[], list[dict[str, Any]]],
    service: Service,
    patient: Patient,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    other_clinic: Provider,
    hospital: Provider,
    stranger: Wallet,
) -> None:
    other = new_patient()
    consent = other.permit(clinic.member_id)
    assert store(hospital, other.subject, other.bundle).status_code == 201
    listing = {"purpose": "TREAT", "subject": other.subject, "limit": 1}
    cursor = clinic.api.get("/v1/records", **listing)["next"]
    reference = {"purpose": "TREAT", "patient_ref": clinic.find(patient.record_number)}
    record = f"/v1/records/{patient.record_id}"

    cases: list[tuple[Callable[[], httpx.Response], int, str, str, str]] = [
        (lambda: raw(stranger.api, "GET", record, params={"purpose": "PATRQT"}), 403, "scope_missing",
         "GET:/v1/records/record", f"account:{stranger.address.lower()}"),
        (lambda: raw(other_clinic.api, "GET", "/v1/records", params={**listing, "cursor": cursor}), 422,
         "cursor_refused", "GET:/v1/records", f"client:{other_clinic.client_id}"),
        (lambda: raw(other_clinic.api, "GET", "/v1/records", params=reference), 422, "patient_ref_invalid",
         "GET:/v1/records", f"client:{other_clinic.client_id}"),
        (lambda: store(clinic, patient.subject, patient.bundle), 403, "not_permitted",
         "POST:/v1/records", f"client:{clinic.client_id}"),
        (lambda: raw(other.api, "GET", "/v1/accesses", params={"subject": patient.subject}), 404, "not_found",
         "GET:/v1/accesses", f"account:{other.wallet.address.lower()}"),
        (lambda: raw(other.api, "GET", "/v1/log/entries"), 403, "scope_missing",
         "GET:/v1/log/entries", f"account:{other.wallet.address.lower()}"),
    ]  # fmt: skip
    for attempt, status, code, route, actor in cases:
        before, consents = len(seen()), patient.consents()
        assert_problem(attempt(), status, code)
        entries = seen()
        assert len(entries) == before + 1, code
        assert (entries[0]["outcome"], entries[0]["reasons"]) == ("denied", [code])
        assert entries[0]["actor"] == actor
        assert entries[0]["detail"] == {"route": route, "attempts": 1}
        assert patient.record_id not in str(entries[0])
        assert patient.consents() == consents
    other.wallet.revoke(consent)


def test_attempts_without_a_valid_token_are_logged_and_cannot_fill_the_log(
    seen: Callable[[], list[dict[str, Any]]], service: Service, patient: Patient, clinic: Provider
) -> None:
    path = f"/v1/records/{patient.record_id}/segments/s0000"
    tampered = {"Authorization": f"Bearer {clinic.api.token}x"}
    size = service.world.services.audit.state.head()[0]
    for _ in range(20):
        assert_problem(service.http.get(path, params={"purpose": "TREAT"}), 401, "not_authenticated")
        refused = service.http.get(path, params={"purpose": "TREAT"}, headers=tampered)
        assert_problem(refused, 401, "token_invalid")
    assert service.world.services.audit.state.head()[0] <= size + 2
    anonymous = [entry for entry in seen() if entry["actor"] == "anonymous:"]
    mine = {entry["reasons"][0] for entry in anonymous if entry["detail"]["route"].endswith("/segment")}
    assert mine == {"not_authenticated", "token_invalid"}


def test_read_that_was_decided_is_not_logged_twice(
    seen: Callable[[], list[dict[str, Any]]], patient: Patient, clinic: Provider
) -> None:
    before = len(seen()), len(patient.accesses())
    response = raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
    assert_problem(response, 403, "consent_required")
    assert (len(seen()), len(patient.accesses())) == (before[0], before[1] + 1)
