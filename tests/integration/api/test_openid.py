"""A service without an identity provider: it says so, and everything else is as before."""

from __future__ import annotations

import json

import pytest

from tests.integration.api.world import Service, assert_problem

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JSON = {"Content-Type": "application/json"}
FINISH = {"code": "c", "state": "s", "code_verifier": "v" * 43}


def test_no_provider_is_offered(service: Service) -> None:
    answer = service.http.get("/v1/auth/openid")
    assert (answer.status_code, answer.json()) == (200, {"offered": False, "name": None})
    offered = service.http.get("/.well-known/oauth-authorization-server").json()
    assert offered["grant_types_supported"] == ["client_credentials", "refresh_token"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/auth/openid/begin", {"json": {"code_challenge": "A" * 43}}),
        ("POST", "/v1/auth/openid/finish", {"json": FINISH}),
        ("GET", "/v1/auth/openid/sign-out", {}),
        ("POST", "/v1/auth/openid/back-channel-logout", {"data": {"logout_token": "a.b.c"}}),
        (
            "POST",
            "/oauth2/token",
            {
                "data": {
                    "grant_type": EXCHANGE,
                    "subject_token": "a.b.c",
                    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                }
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_routes_of_a_provider_say_that_there_is_none(
    service: Service, method: str, path: str, body: dict[str, object]
) -> None:
    assert_problem(service.http.request(method, path, **body), 404, "openid_not_offered")


@pytest.mark.parametrize(
    "body",
    [
        {**FINISH, "code_verifier": "short"},
        {**FINISH, "code": ""},
        {**FINISH, "code": "\ud800"},
        {**FINISH, "redirect_uri": "https://evil.example"},
        {"code": "c"},
    ],
    ids=str,
)
def test_body_of_another_form_is_refused(service: Service, body: dict[str, str]) -> None:
    assert_problem(
        service.http.post("/v1/auth/openid/finish", content=json.dumps(body), headers=JSON),
        422,
        "invalid_input",
    )
