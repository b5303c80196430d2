"""Limits by address over HTTP, and that no flood keeps anybody from stopping a consent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from backend.api.app import create_app
from backend.api.limits import AddressLimits, Allowance
from backend.demo.actors import Api
from backend.main import bind
from tests.integration.api.world import (
    MAX_BODY_BYTES,
    Patient,
    Service,
    assert_problem,
    in_days,
    raw,
    serving,
)

ALLOWED = 3
NOON = 1_800_000_000 // 60 * 60 + 20  # the clock of the limits stands still, so no window ends meanwhile
STRANGER = "0x" + "11" * 20
ALLOWANCE = Allowance(
    sign_ins=ALLOWED, challenges=ALLOWED, refreshes=ALLOWED, drafts=ALLOWED, rpc_calls=ALLOWED
)


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """The same world behind other limits, with the proxy of this machine trusted."""
    limits = AddressLimits(ALLOWANCE, trusted_proxies=[ip_network("127.0.0.1")], clock=lambda: NOON)
    listener = bind("127.0.0.1", 0)
    app = create_app(
        replace(service.world.services, limits=limits),
        max_body_bytes=MAX_BODY_BYTES,
        max_attachment_bytes=MAX_BODY_BYTES,
    )
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(app, listener), httpx.Client(base_url=url, timeout=60) as client:
        yield client


def flood(http: httpx.Client, token: str | None, subject: str, **headers: str) -> None:
    """Use up everything that one address may do."""
    bearer = {"Authorization": f"Bearer {token}", **headers}
    for _ in range(ALLOWED + 1):
        for path, body in limited(subject).items():
            http.post(path, json=body, headers=bearer)
        http.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=headers)


def limited(subject: str) -> dict[str, dict[str, Any]]:
    permit = {"subject": subject, "kind": "permit", "grantee": "0x" + "22" * 32, "not_after": in_days(1)}
    delegation = {
        "subject": subject,
        "delegate": STRANGER,
        "powers": ["read"],
        "not_after": in_days(1),
        "relationship": "friend",
    }
    return {
        "/v1/auth/staff": {"username": "flooded-name", "password": "wrong"},
        "/v1/auth/wallet": {"message": "none", "signature": "0x00"},
        "/v1/auth/wallet/challenge": {"account": STRANGER},
        "/v1/auth/refresh": {"refresh_token": "none"},
        "/v1/consents/draft": permit,
        "/v1/delegations/draft": delegation,
        "/v1/enrolments/claims/draft": {"code": "none", "account": STRANGER},
    }


def test_each_limited_route_refuses_with_the_time_to_wait(http: httpx.Client, patient: Patient) -> None:
    flood(http, patient.api.token, patient.subject)
    bearer = {"Authorization": f"Bearer {patient.api.token}"}
    for path, body in limited(patient.subject).items():
        answer = http.post(path, json=body, headers=bearer)
        assert_problem(answer, 429, "address_limited")
        assert answer.headers["retry-after"] == "40"
    form = {"grant_type": "client_credentials"}
    assert_problem(http.post("/oauth2/token", data=form), 429, "address_limited")
    spent = {"grant_type": "refresh_token", "refresh_token": "none"}
    assert_problem(http.post("/oauth2/token", data=spent), 429, "address_limited")


def test_limit_is_not_reached_before_its_number(http: httpx.Client) -> None:
    codes = [
        http.post("/v1/auth/wallet/challenge", json={"account": STRANGER}).status_code
        for _ in range(ALLOWED + 1)
    ]
    assert codes == [200] * ALLOWED + [429]


def test_other_address_behind_the_trusted_proxy_is_not_limited(http: httpx.Client) -> None:
    def challenge(address: str) -> int:
        headers = {"X-Forwarded-For": address}
        body = {"account": STRANGER}
        return http.post("/v1/auth/wallet/challenge", json=body, headers=headers).status_code

    assert [challenge("198.51.100.1") for _ in range(ALLOWED + 1)][-1] == 429
    assert challenge("198.51.100.2") == 200
    assert challenge("203.0.113.9, 198.51.100.1") == 429  # what the client wrote itself does not count


def test_forwarded_address_of_a_stranger_is_ignored(service: Service, http: httpx.Client) -> None:
    limits = AddressLimits(ALLOWANCE, trusted_proxies=[], clock=lambda: NOON)
    listener = bind("127.0.0.1", 0)
    app = create_app(
        replace(service.world.services, limits=limits),
        max_body_bytes=MAX_BODY_BYTES,
        max_attachment_bytes=MAX_BODY_BYTES,
    )
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with serving(app, listener), httpx.Client(base_url=url, timeout=60) as direct:
        codes = [
            direct.post(
                "/v1/auth/wallet/challenge",
                json={"account": STRANGER},
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            ).status_code
            for number in range(ALLOWED + 1)
        ]
    assert codes == [200] * ALLOWED + [429]


def test_whatever_stops_is_answered_after_a_flood(
    http: httpx.Client, new_patient: Callable[[], Patient]
) -> None:
    patient = new_patient()
    consents = [patient.permit("0x" + f"{number:02x}" * 32) for number in range(1, ALLOWED + 3)]
    flood(http, patient.api.token, patient.subject)
    api = Api(http, patient.api.token)
    for consent_id in consents:  # more often than anything limited could be done
        draft = api.post("/v1/revocations/draft", {"consent_id": consent_id})
        body = {"consent_id": consent_id, "signature": patient.wallet.sign_typed(draft["typed_data"])}
        assert http.post("/v1/revocations", json=body).json()["state"] == "in_force"
    for _ in range(ALLOWED + 1):
        wish = {"subject": patient.subject, "kind": "deny", "categories": ["laboratory"]}
        deny = api.post("/v1/consents/draft", wish)
        answer = {"message": deny["message"], "signature": patient.wallet.sign_typed(deny["typed_data"])}
        assert http.post("/v1/consents", json=answer).status_code in (201, 202)
    for _ in range(ALLOWED + 1):
        draft = api.post("/v1/revocations/draft", {"subject": patient.subject})
        typed = draft["typed_data"]
        body = {
            "subject": patient.subject,
            "epoch": int(typed["message"]["epoch"]),
            "signature": patient.wallet.sign_typed(typed),
        }
        assert http.post("/v1/revocations", json=body).json()["state"] == "in_force"
    refused = raw(api, "POST", "/v1/auth/wallet/challenge", json={"account": patient.wallet.address})
    assert_problem(refused, 429, "address_limited")  # the flood still is one
