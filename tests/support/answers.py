"""What a running custodian answers to everybody: asked before and after something was done to its stores."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from backend.demo.actors import Api, Provider
from tests.integration.api.world import PASSWORD, raw
from tests.support.town import Town

Ask = Callable[[], httpx.Response]
# Members of answers that differ from one time to the next, whatever the stores hold.
_VOLATILE = frozenset({"request_id", "access_token", "refresh_token", "patient_ref", "at", "until", "now"})


@dataclass(frozen=True, slots=True)
class Answer:
    """``parts``: what of a record was released, by name of the segment; None where nothing is."""

    status: int
    code: str
    body: str
    parts: Mapping[str, str] | None = None

    @property
    def given(self) -> bool:
        return self.status < 400


def answer(response: httpx.Response) -> Answer:
    try:
        value = response.json()
    except ValueError:
        return Answer(response.status_code, "", response.content.hex())
    code = str(value.get("code", value.get("error", ""))) if isinstance(value, dict) else ""
    parts = None
    if isinstance(value, dict) and response.is_success and "segments" in value:
        parts = {part["name"]: part["content"] for part in value["segments"]}
    return Answer(response.status_code, code, json.dumps(_steady(value), sort_keys=True), parts)


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _steady(item) for name, item in value.items() if name not in _VOLATILE}
    return [_steady(item) for item in value] if isinstance(value, list) else value


class Questions:
    """By name: every question that somebody of a town can ask. Asking changes nothing but the log."""

    def __init__(self, town: Town) -> None:
        self._town = town
        cast = town.cast
        self.readers: dict[str, Provider] = {
            "clinic": cast.clinic, "other": cast.other_clinic, "hospital": cast.hospital,
        }  # fmt: skip
        self.all: dict[str, Ask] = {}
        self._records()
        self._patients()
        self._staff()
        self._systems()

    def ask(self, *prefixes: str) -> dict[str, Answer]:
        """Ask all questions whose names begin so."""
        return {name: answer(ask()) for name, ask in self.all.items() if name.startswith(prefixes)}

    def _get(self, name: str, api: Api, path: str, **params: Any) -> None:
        self.all[name] = lambda: raw(api, "GET", path, params=params)

    def _records(self) -> None:
        """``read SUBJECT RECORD WHO``."""
        for patient in self._town.cast.patients:
            records = [patient.record_id]
            if patient is self._town.reader:
                records += list(self._town.documents)
            for record in records:
                for who, reader in self.readers.items():
                    large = len(self._town.documents.get(record, b"")) > 1_000_000
                    kind = "image" if large else "read"
                    name = f"{kind} {patient.wallet.subject[2:]} {record} {who}"
                    self._get(name, reader.api, f"/v1/records/{record}", purpose="TREAT")
                    if record in self._town.documents:
                        first = {"purpose": "TREAT", "version": 1}
                        self._get(f"{name} 1", reader.api, f"/v1/records/{record}", **first)

    def _patients(self) -> None:
        """``own SUBJECT ...``."""
        for patient in self._town.cast.patients:
            api, subject = patient.wallet.api, patient.wallet.subject
            for path in (
                "consents", "consent-requests", "contact", "blocked-requesters", "studies/uses",
                "notices-of-revocation", "erasures", "payments", "recovery",
            ):  # fmt: skip
                self._get(f"own {subject[2:]} {path}", api, f"/v1/{path}", subject=subject)
            self.all[f"find {subject[2:]}"] = lambda number=patient.record_number: raw(
                self._town.cast.clinic.api, "POST", "/v1/patients/search", json={"identifier": number}
            )

        town = self._town
        self._get("recovery guarded", town.guardian.api, "/v1/recovery/guarded")
        self._get("recovery claims", town.newcomer.api, "/v1/recovery/claims")

    def _staff(self) -> None:
        cast, town = self._town.cast, self._town
        self._get("staff users", cast.operator, "/v1/users")
        self._get("staff clients", cast.operator, "/v1/clients")
        self._get("staff members", cast.operator, "/v1/members")
        self._get("staff deliveries", cast.operator, "/v1/webhook-deliveries")
        self._get("staff teams", town.administrator, "/v1/care-teams")
        self._get("staff paper", town.witness, f"/v1/paper-consents/{town.paper_id}")
        self._get("staff scan", town.witness, f"/v1/paper-consents/{town.paper_id}/scan")
        attempts = town.service.world.stores.database["sign_in_attempts"]
        kept = [document["_id"] for document in attempts.find({}, {"_id": 1})]

        def sign_in() -> httpx.Response:
            attempts.delete_many({"_id": {"$nin": kept}})  # or the refused tries before would lock this one
            return raw(
                town.service.anyone(), "POST", "/v1/auth/staff",
                json={"username": "administrator", "password": PASSWORD},
            )  # fmt: skip

        self.all["staff sign-in"] = sign_in

    def _systems(self) -> None:
        cast, town = self._town.cast, self._town
        for who, reader in self.readers.items():
            self._get(f"system requests {who}", reader.api, "/v1/consent-requests")
            self.all[f"system sign-in {who}"] = lambda reader=reader: reader.api.http.post(
                "/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(reader.client_id, reader.client_secret),
            )
        self._get("system webhook", town.listener.api, f"/v1/clients/{town.listener.client_id}/webhook")
        self._get("system notices", town.service.anyone(), "/v1/notices")
        self._get("study list", cast.researcher.api, "/v1/studies")
        self._get("board list", cast.board_api, "/v1/board/studies")
        for study, papers in town.proposed.items():
            self._get(f"board file {study}", cast.board_api, f"/v1/board/studies/{study}")
            for paper in papers:
                self._get(f"board paper {study}", cast.board_api, f"/v1/studies/{study}/documents/{paper}")
        for name, path in (("escrows", "escrows"), ("payouts", "payouts"), ("results", "payouts/results")):
            self._get(f"money {name}", cast.operator, f"/v1/{path}", study=town.study)
