"""Accounts after they were made: listed, closed, opened, given other roles, passwords, secrets and keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import PASSWORD, Service, assert_problem, open_service, provider, raw, staff

NEW_PASSWORD = "a rather different sentence"
NOBODY = "0" * 32


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Api]]:
    """A service with one operator, for what would disturb everybody else's."""
    with open_service(tmp_path_factory.mktemp("alone")) as running:
        yield running, staff(running, "operator", Role.OPERATOR)


def user(operator: Api, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = operator.get("/v1/users")
    return next(account for account in found if account["username"] == name)


def put(api: Api, path: str, body: dict[str, Any]) -> Any:
    return raw(api, "PUT", path, json=body)


def sign_in(service: Service, name: str, password: str) -> Any:
    return service.http.post("/v1/auth/staff", json={"username": name, "password": password})


def token_for(service: Service, client_id: str, secret: str) -> Any:
    form = {"grant_type": "client_credentials"}
    return service.http.post("/oauth2/token", data=form, auth=(client_id, secret))


def ended(api: Api) -> None:
    """A session's end is known everywhere within two seconds."""
    deadline = time.monotonic() + 4
    while (response := raw(api, "GET", "/v1/consent-requests")).status_code != 401:
        assert time.monotonic() < deadline, "the session still works"
        time.sleep(0.1)
    assert_problem(response, 401, "token_revoked")


def test_users_are_listed_and_shown_without_passwords(service: Service, operator: Api) -> None:
    staff(service, "listed", Role.AUDITOR, Role.RESEARCHER)
    found = user(operator, "listed")
    assert found["roles"] == ["auditor", "researcher"]
    assert (found["disabled"], found["account"]) == (False, None)
    assert found["member_id"] == "0x" + service.world.stores.tenant.hex()
    assert operator.get(f"/v1/users/{found['staff_id']}") == found
    assert "argon2" not in json.dumps(operator.get("/v1/users"))
    assert_problem(raw(operator, "GET", f"/v1/users/{NOBODY}"), 404, "staff_unknown")


def test_disabled_user_is_out_at_once_and_back_when_enabled(service: Service, operator: Api) -> None:
    api = staff(service, "suspect", Role.AUDITOR)
    path = f"/v1/users/{user(operator, 'suspect')['staff_id']}/state"
    for _ in range(2):  # a retry gives the same
        assert put(operator, path, {"disabled": True}).json()["disabled"] is True
    ended(api)
    assert_problem(sign_in(service, "suspect", PASSWORD), 401, "sign_in_failed")
    assert put(operator, path, {"disabled": False}).json()["disabled"] is False
    assert sign_in(service, "suspect", PASSWORD).status_code == 200
    assert_problem(put(operator, f"/v1/users/{NOBODY}/state", {"disabled": True}), 404, "staff_unknown")


def test_new_roles_count_from_the_next_sign_in_and_end_the_sessions(service: Service, operator: Api) -> None:
    api = staff(service, "promoted", Role.AUDITOR)
    path = f"/v1/users/{user(operator, 'promoted')['staff_id']}/roles"
    assert put(operator, path, {"roles": ["researcher"]}).json()["roles"] == ["researcher"]
    ended(api)
    assert "studies:propose" in sign_in(service, "promoted", PASSWORD).json()["scope"]
    for roles in (["patient"], []):
        assert_problem(put(operator, path, {"roles": roles}), 422, "invalid_input")


def test_password_reset_lifts_a_lock_and_ends_the_sessions(service: Service, operator: Api) -> None:
    api = staff(service, "locked-out", Role.AUDITOR)
    for _ in range(5):
        sign_in(service, "locked-out", "wrong")
    assert_problem(sign_in(service, "locked-out", PASSWORD), 401, "sign_in_locked")
    path = f"/v1/users/{user(operator, 'locked-out')['staff_id']}/password"
    assert_problem(put(operator, path, {"password": "short"}), 422, "password_unacceptable")
    assert put(operator, path, {"password": NEW_PASSWORD}).status_code == 204
    ended(api)
    assert sign_in(service, "locked-out", NEW_PASSWORD).status_code == 200


def test_own_password_needs_the_old_one(service: Service, stranger: Wallet, clinic: Provider) -> None:
    api = staff(service, "careful", Role.AUDITOR)
    change = {"old": PASSWORD, "new": NEW_PASSWORD}
    assert_problem(put(api, "/v1/auth/password", {**change, "old": "wrong"}), 401, "sign_in_failed")
    assert_problem(put(api, "/v1/auth/password", {**change, "new": "short"}), 422, "password_unacceptable")
    assert sign_in(service, "careful", PASSWORD).status_code == 200
    assert put(api, "/v1/auth/password", change).status_code == 204
    ended(api)
    assert_problem(sign_in(service, "careful", PASSWORD), 401, "sign_in_failed")
    assert sign_in(service, "careful", NEW_PASSWORD).status_code == 200
    for other in (stranger.api, clinic.api):
        assert_problem(put(other, "/v1/auth/password", change), 403, "not_permitted")


def test_last_operator_stays(alone: tuple[Service, Api]) -> None:
    service, operator = alone
    staff(service, "second-operator", Role.OPERATOR)
    mine, second = (user(operator, name)["staff_id"] for name in ("operator", "second-operator"))
    assert put(operator, f"/v1/users/{second}/state", {"disabled": True}).status_code == 200
    refused = put(operator, f"/v1/users/{mine}/state", {"disabled": True})
    assert_problem(refused, 409, "last_operator")
    assert_problem(put(operator, f"/v1/users/{mine}/roles", {"roles": ["auditor"]}), 409, "last_operator")
    assert operator.get(f"/v1/users/{mine}")["disabled"] is False  # and the session goes on


def test_clients_are_listed_and_shown_without_secrets(service: Service, operator: Api) -> None:
    made = provider(service, operator, "listed system")
    found = operator.get(f"/v1/clients/{made.client_id}")
    assert found in operator.get("/v1/clients")
    assert (found["name"], found["roles"], found["member_id"]) == (
        "listed system", ["provider"], made.member_id,
    )  # fmt: skip
    assert made.client_secret not in json.dumps(operator.get("/v1/clients"))
    assert "hash" not in json.dumps(found)
    assert_problem(raw(operator, "GET", f"/v1/clients/{NOBODY}"), 404, "client_unknown")


def test_disabled_client_is_out_at_once_and_back_when_enabled(service: Service, operator: Api) -> None:
    made = provider(service, operator, "suspect system")
    path = f"/v1/clients/{made.client_id}/state"
    assert put(operator, path, {"disabled": True}).json()["disabled"] is True
    ended(made.api)
    assert_problem(token_for(service, made.client_id, made.client_secret), 401, "invalid_client")
    assert put(operator, path, {"disabled": False}).json()["disabled"] is False
    assert token_for(service, made.client_id, made.client_secret).status_code == 200


def test_rotated_secret_overlaps_with_the_old_one_or_ends_it(service: Service, operator: Api) -> None:
    made = provider(service, operator, "rotating system")
    path = f"/v1/clients/{made.client_id}"
    rotated = operator.post(f"{path}/secret", {"overlap_seconds": 600})
    assert rotated["client_id"] == made.client_id
    for secret in (made.client_secret, rotated["client_secret"]):
        assert token_for(service, made.client_id, secret).status_code == 200
    assert operator.get(path)["previous_secret_until"] is not None
    assert raw(made.api, "GET", "/v1/consent-requests").status_code == 200
    last = operator.post(f"{path}/secret", {"overlap_seconds": 0})["client_secret"]
    for secret in (made.client_secret, rotated["client_secret"]):
        assert_problem(token_for(service, made.client_id, secret), 401, "invalid_client")
    assert token_for(service, made.client_id, last).status_code == 200
    assert operator.get(path)["previous_secret_until"] is None
    ended(made.api)
    refused = raw(operator, "POST", f"{path}/secret", json={"overlap_seconds": 31 * 24 * 3600})
    assert_problem(refused, 422, "invalid_input")


def test_assertion_keys_are_public_named_and_removable(service: Service, operator: Api) -> None:
    made = provider(service, operator, "keyed system")
    path = f"/v1/clients/{made.client_id}/assertion-keys"
    key = ECKey.generate_key("P-256", {"kid": "k1"})
    secret_half = put(operator, path, {"keys": [key.as_dict(private=True)]})
    assert_problem(secret_half, 422, "invalid_input")
    answer = put(operator, path, {"keys": [key.as_dict(private=False)]})
    assert answer.json()["assertion_key_ids"] == ["k1"]
    assert raw(operator, "DELETE", path).json()["assertion_key_ids"] == []
    assert_problem(raw(operator, "DELETE", path.replace(made.client_id, NOBODY)), 404, "client_unknown")


def test_signing_key_is_published_before_it_signs_and_a_compromised_one_is_refused_at_once(
    alone: tuple[Service, Api],
) -> None:
    service, operator = alone

    def key_ids() -> list[str]:
        return [key["kid"] for key in service.http.get("/.well-known/jwks.json").json()["keys"]]

    (old,) = key_ids()
    waiting = operator.post("/v1/signing-keys", {})["key_id"]
    assert operator.post("/v1/signing-keys", {})["key_id"] == waiting  # a retry while it waits
    assert key_ids() == [old, waiting]
    assert raw(operator, "GET", "/v1/users").status_code == 200
    newest = operator.post("/v1/signing-keys", {"compromised": True})["key_id"]
    assert key_ids() == [newest]
    assert_problem(raw(operator, "GET", "/v1/users"), 401, "token_invalid")
    operator.token = sign_in(service, "operator", PASSWORD).json()["access_token"]
    assert raw(operator, "GET", "/v1/users").status_code == 200
