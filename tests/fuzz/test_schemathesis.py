"""Generated requests, valid and not, to every route: no failure of the server, no word about its inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from backend.api.app import create_api
from backend.api.services import Services
from backend.demo.actors import Api
from tests.integration.api.world import PASSWORD, Patient, Service, provider

EXAMPLES: Final = 30  # of each mode for each operation: a bit more than a minute in all
CALLERS: Final = 2  # staff with every role, and a patient
# These would end the sessions of the fuzzer itself.
SKIPPED: Final = frozenset({"POST /v1/auth/sign-out", "POST /v1/signing-keys"})
SCHEMA: Final = schemathesis.openapi.from_dict(create_api(cast(Services, None)).openapi())
OPERATIONS: Final = {
    operation.label: operation
    for result in SCHEMA.get_all_operations()
    if (operation := result.ok()) is not None and operation.label not in SKIPPED
}
# A route that takes nothing cannot be given anything wrong.
PAIRS: Final = [
    (label, mode)
    for label, operation in sorted(OPERATIONS.items())
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or operation.body or any(True for _ in operation.iter_parameters())
]
INSIDE: Final = ("Traceback", 'File "', ".py", "pymongo", "web3", "site-packages")


class Fuzzer:
    """Sends cases as one of its callers, as they are or grounded: with names of what exists."""

    def __init__(self, service: Service, tokens: list[str], known: Mapping[str, Any]) -> None:
        self._url = service.url
        self._tokens = tokens
        self._known = known
        self._session = requests.Session()

    def send(self, case: Case, caller: int, *, grounded: bool) -> None:
        token = self._tokens[caller]
        if grounded:
            self._ground(case)
        try:
            response = case.call(
                base_url=self._url,
                session=self._session,
                headers={"Authorization": f"Bearer {token}"},
                timeout=20,
            )
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
            return  # the client cannot send it
        text = response.content.decode(errors="replace")
        told = f"{case.as_curl_command()}\n{response.status_code} {text[:500]}"
        assert response.status_code < 500, told
        if response.status_code >= 400:
            media_types = response.headers.get("content-type", [])
            # What is no HTTP at all, the server itself refuses.
            if "Invalid HTTP request received." not in text:
                expected = "fhir" if case.path.startswith("/fhir/") else "problem"
                assert media_types == [f"application/{expected}+json"], told
            assert not [word for word in INSIDE if word in text], told

    def _ground(self, case: Case) -> None:
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part.update({name: value for name, value in self._known.items() if name in part})


@pytest.fixture(scope="module")
def fuzzer(service: Service, everything: Api, patient: Patient) -> Fuzzer:
    ref = everything.post("/v1/patients/search", {"identifier": patient.record_number})["patient_ref"]
    consent = patient.permit("0x" + service.world.stores.tenant.hex())
    message = patient.consents()[0]["message"]
    body = {"username": "fuzzed", "password": PASSWORD, "roles": ["auditor"]}
    tenant = "0x" + service.world.stores.tenant.hex()
    known = {
        "subject": patient.subject,
        "record": patient.record_id,
        "segment": "s0001",
        "purpose": "TREAT",
        "patient_ref": ref,
        "consent": consent,
        "consent_id": consent,
        "message": message,
        "account": patient.wallet.address,
        "user": everything.post("/v1/users", body)["staff_id"],
        "client": provider(service, everything, "fuzzed system", tenant).client_id,
        "team": everything.post("/v1/care-teams", {"name": "fuzzed"})["care_team_id"],
    }
    return Fuzzer(service, [str(everything.token), str(patient.api.token)], known)


@pytest.mark.fuzz
@pytest.mark.parametrize(("label", "mode"), PAIRS, ids=lambda part: getattr(part, "value", part))
def test_operation_given_generated_requests_never_fails(
    fuzzer: Fuzzer, label: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[label]

    @seed(20)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.integers(0, CALLERS - 1), st.booleans())
    def sends(case: Case, caller: int, grounded: bool) -> None:
        fuzzer.send(case, caller, grounded=grounded)

    sends()
