"""Clients that prove themselves with their own key over HTTP: ``private_key_jwt`` (RFC 7523)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from backend.demo.actors import Api, Provider
from tests.integration.api.world import Service, assert_problem, provider, raw

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Keyed:
    """A system that signs in with its key."""

    client: Provider
    key: Any
    url: str

    def assertion(self, *, key: Any = None, valid_for: int = 120, **changes: Any) -> str:
        claims = {
            "iss": self.client.client_id,
            "sub": self.client.client_id,
            "aud": f"{self.url}/oauth2/token",
            "jti": secrets.token_hex(8),
            **changes,
        }
        claims["exp"] = int(time.time()) + valid_for
        header = {"alg": "ES256", "kid": "k1"}
        return jwt.encode(header, claims, key or self.key, algorithms=["ES256"])


@pytest.fixture(scope="module")
def keyed(service: Service, operator: Api) -> Keyed:
    client = provider(service, operator, "asserting system")
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    body = {"keys": [key.as_dict(private=False)]}
    path = f"/v1/clients/{client.client_id}/assertion-keys"
    assert raw(operator, "PUT", path, json=body).status_code == 200
    return Keyed(client, key, service.url)


def ask(service: Service, assertion: str | None, **form: str | None) -> Any:
    members = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": assertion,
        **form,
    }
    given = {name: value for name, value in members.items() if value is not None}
    return service.http.post("/oauth2/token", data=given)


def test_assertion_signs_in_and_the_token_works(service: Service, keyed: Keyed) -> None:
    answer = ask(service, keyed.assertion(), client_id=keyed.client.client_id, scope="records:read")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["scope"], answer.json()["refresh_token"]) == ("records:read", None)
    api = Api(service.http, answer.json()["access_token"])
    assert raw(api, "GET", "/v1/consent-requests").status_code == 200


def test_assertion_for_the_issuer_signs_in(service: Service, keyed: Keyed) -> None:
    assert ask(service, keyed.assertion(aud=keyed.url)).status_code == 200


def test_assertion_sent_twice_is_refused(service: Service, keyed: Keyed) -> None:
    assertion = keyed.assertion()
    assert ask(service, assertion).status_code == 200
    assert_problem(ask(service, assertion), 401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": []},
        {"valid_for": -1_700_000_000},
        {"valid_for": -60},
        {"valid_for": 3600},
        {"sub": "0" * 32},
        {"iss": "0" * 32},
        {"jti": ""},
    ],
    ids=str,
)
def test_assertion_with_a_wrong_claim_is_refused(
    service: Service, keyed: Keyed, changes: dict[str, Any]
) -> None:
    assert_problem(ask(service, keyed.assertion(**changes)), 401, "invalid_client")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_assertion_under_another_algorithm_is_refused(service: Service, keyed: Keyed, algorithm: str) -> None:
    _, payload, signature = keyed.assertion().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "k1"}).encode()).decode()
    for mark in ("", signature):
        assert_problem(ask(service, f"{header.rstrip('=')}.{payload}.{mark}"), 401, "invalid_client")


def test_assertion_of_another_key_is_refused(service: Service, keyed: Keyed) -> None:
    other = ECKey.generate_key("P-256", {"kid": "k1"})
    assert_problem(ask(service, keyed.assertion(key=other)), 401, "invalid_client")


@pytest.mark.parametrize(
    "form",
    [
        {"client_assertion_type": "something else"},
        {"client_assertion_type": None},
        {"client_assertion": None},
        {"client_id": "0" * 32},
        {"client_secret": "also a secret"},
    ],
    ids=str,
)
def test_assertion_in_a_doubtful_form_is_refused_and_not_used_up(
    service: Service, keyed: Keyed, form: dict[str, str | None]
) -> None:
    assertion = keyed.assertion()
    assert_problem(ask(service, assertion, **form), 401, "invalid_client")
    assert ask(service, assertion).status_code == 200


def test_assertion_beside_basic_credentials_is_refused(service: Service, keyed: Keyed) -> None:
    members = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": keyed.assertion(),
    }
    both = (keyed.client.client_id, keyed.client.client_secret)
    assert_problem(service.http.post("/oauth2/token", data=members, auth=both), 401, "invalid_client")


def test_assertion_after_its_keys_were_removed_is_refused(service: Service, operator: Api) -> None:
    client = provider(service, operator, "former asserting system")
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    former = Keyed(client, key, service.url)
    path = f"/v1/clients/{client.client_id}/assertion-keys"
    raw(operator, "PUT", path, json={"keys": [key.as_dict(private=False)]})
    assert ask(service, former.assertion()).status_code == 200
    raw(operator, "DELETE", path)
    assert_problem(ask(service, former.assertion()), 401, "invalid_client")
