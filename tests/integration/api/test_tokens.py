"""Tokens: forged, foreign, spent and ended ones are refused; accounts that guess are locked."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from joserfc import jwt

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import (
    PASSWORD,
    Patient,
    Service,
    assert_problem,
    raw,
    staff,
)


def _challenge(service: Service, wallet: Wallet) -> str:
    return str(service.anyone().post("/v1/auth/wallet/challenge", {"account": wallet.address})["message"])


def _sign(wallet: Wallet, message: str) -> bytes:
    return bytes(wallet.account.sign_message(encode_defunct(text=message)).signature)


def _submit(service: Service, message: str, signature: bytes) -> Any:
    return raw(
        service.anyone(),
        "POST",
        "/v1/auth/wallet",
        json={"message": message, "signature": "0x" + signature.hex()},
    )


@pytest.fixture
def wallet(service: Service) -> Wallet:
    return Wallet(service.anyone())


def _tampered(token: str, part: int, **changes: Any) -> str:
    parts = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    decoded.update(changes)
    parts[part] = base64.urlsafe_b64encode(json.dumps(decoded).encode()).decode().rstrip("=")
    return ".".join(parts)


def _forged(service: Service, token: str, name: str) -> str:
    header, payload, signature = token.split(".")
    match name:
        case "alg none":
            return _tampered(token, 0, alg="none").rsplit(".", 1)[0] + "."
        case "alg hs256":
            return _tampered(token, 0, alg="HS256")
        case "other type":
            return _tampered(token, 0, typ="JWT")
        case "more scopes":
            return _tampered(token, 1, scope="accounts:manage participants:manage")
        case "unknown key":
            return _tampered(token, 0, kid="nobody")
        case "no signature":
            return f"{header}.{payload}."
        case "cut":
            return token[:-4]
        case "twice":
            return f"{token}.{signature}"
        case "huge":
            return token + "A" * 9000
        case _:
            return name


@pytest.mark.parametrize(
    "name",
    [
        "alg none", "alg hs256", "other type", "more scopes", "unknown key", "no signature", "cut", "twice",
        "huge", "x", "a.b.c", "..", "é", "%00",
    ],
)  # fmt: skip
def test_token_that_was_tampered_with_is_refused(service: Service, patient: Patient, name: str) -> None:
    token = _forged(service, str(patient.api.token), name)
    response = raw(
        service.anyone(),
        "GET",
        "/v1/accesses",
        params={"subject": patient.subject},
        headers={"Authorization": f"Bearer {token}".encode()},
    )
    assert_problem(response, 401, "token_invalid")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": []},
        {"iss": "https://elsewhere.example"},
        {"exp": 2**40},
        {"iat": "now"},
        {"sub": "root:1"},
        {"fid": "f" * 32},
    ],
    ids=str,
)
def test_token_signed_here_for_something_else_is_refused(
    service: Service, patient: Patient, changes: dict[str, Any]
) -> None:
    response = raw(
        _resigned(service, patient, changes), "GET", "/v1/accesses", params={"subject": patient.subject}
    )
    assert_problem(response, 401, "token_revoked" if "fid" in changes else "token_invalid")


def test_token_signed_again_unchanged_is_accepted(service: Service, patient: Patient) -> None:
    """Or the test above would see the signature refused, and not the claims."""
    assert raw(_resigned(service, patient, {}), "GET", "/v1/consent-requests").status_code == 200


def _resigned(service: Service, patient: Patient, changes: dict[str, Any]) -> Api:
    signer = service.world.services.identity.ring.signer()
    header, payload, _ = str(patient.api.token).split(".")
    claims = {**json.loads(base64.urlsafe_b64decode(payload + "==")), **changes}
    head = json.loads(base64.urlsafe_b64decode(header + "=="))
    return Api(service.http, jwt.encode(head, claims, signer.key, algorithms=[head["alg"]]))


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer:"])
def test_token_under_another_scheme_is_none(service: Service, patient: Patient, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {patient.api.token}"}
    assert_problem(raw(service.anyone(), "GET", "/v1/consent-requests", headers=headers), 401,
                   "not_authenticated")  # fmt: skip


def _family(service: Service, wallet: Wallet) -> dict[str, Any]:
    message = _challenge(service, wallet)
    tokens: dict[str, Any] = _submit(service, message, _sign(wallet, message)).json()
    return tokens


def _refresh(service: Service, token: str) -> Any:
    return raw(service.anyone(), "POST", "/v1/auth/refresh", json={"refresh_token": token})


def _until_revoked(service: Service, token: str) -> None:
    """A family's end is known everywhere within two seconds."""
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        response = raw(Api(service.http, token), "GET", "/v1/consent-requests")
        if response.status_code == 401:
            assert_problem(response, 401, "token_revoked")
            return
        time.sleep(0.1)
    raise AssertionError("the access token still works")


def test_refresh_token_used_twice_ends_the_whole_family(service: Service, wallet: Wallet) -> None:
    first = _family(service, wallet)
    second = _refresh(service, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert_problem(_refresh(service, first["refresh_token"]), 401, "refresh_token_reused")
    assert_problem(_refresh(service, second["refresh_token"]), 401, "refresh_token_invalid")
    _until_revoked(service, second["access_token"])


def test_sign_out_ends_access_and_refresh_tokens(service: Service, wallet: Wallet) -> None:
    tokens = _family(service, wallet)
    api = Api(service.http, tokens["access_token"])
    assert raw(api, "POST", "/v1/auth/sign-out").status_code == 204
    assert_problem(_refresh(service, tokens["refresh_token"]), 401, "refresh_token_invalid")
    _until_revoked(service, tokens["access_token"])


def test_access_token_is_no_refresh_token_and_the_other_way_round(service: Service, wallet: Wallet) -> None:
    tokens = _family(service, wallet)
    assert_problem(_refresh(service, tokens["access_token"][:200]), 401, "refresh_token_invalid")
    api = Api(service.http, tokens["refresh_token"])
    assert_problem(raw(api, "GET", "/v1/consent-requests"), 401, "token_invalid")


def test_staff_account_is_locked_after_five_failures_whatever_comes_then(service: Service) -> None:
    staff(service, "forgetful", Role.AUDITOR)
    body = {"username": "forgetful", "password": "wrong password for sure"}
    codes = [service.http.post("/v1/auth/staff", json=body).json()["code"] for _ in range(6)]
    assert codes == ["sign_in_failed"] * 5 + ["sign_in_locked"]
    right = {"username": "forgetful", "password": PASSWORD}
    assert_problem(service.http.post("/v1/auth/staff", json=right), 401, "sign_in_locked")


def test_unknown_staff_account_is_refused_like_a_wrong_password(service: Service) -> None:
    staff(service, "somebody", Role.AUDITOR)
    answers = [
        service.http.post("/v1/auth/staff", json={"username": name, "password": "not the password"}).json()
        for name in ("somebody", "nobody-at-all")
    ]
    assert {**answers[0], "request_id": ""} == {**answers[1], "request_id": ""}


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "client_credentials"},
        {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "x"},
        {"grant_type": "client_credentials", "client_id": "\x00", "client_secret": "\x00"},
    ],
    ids=str,
)
def test_client_without_the_right_secret_is_refused(service: Service, form: dict[str, str]) -> None:
    assert_problem(service.http.post("/oauth2/token", data=form), 401, "invalid_client")


def test_client_asking_for_a_scope_it_has_not_is_refused(service: Service, clinic: Provider) -> None:
    response = service.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials", "scope": "accounts:manage"},
        auth=(clinic.client_id, clinic.client_secret),
    )
    assert_problem(response, 422, "invalid_scope")


@pytest.mark.parametrize("credentials", ["é", "AAAA", "=", "Og=="])
def test_client_with_malformed_basic_credentials_is_refused(service: Service, credentials: str) -> None:
    response = service.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {credentials}".encode()},
    )
    assert response.status_code == 401
    assert_problem(response, 401, response.json()["code"])


def test_introspection_of_somebody_elses_token_tells_nothing(clinic: Provider, patient: Patient) -> None:
    response = raw(clinic.api, "POST", "/oauth2/introspect", data={"token": patient.api.token})
    assert response.json() == {"active": False}


def test_challenge_for_an_address_with_a_wrong_checksum_is_refused(service: Service) -> None:
    address = str(Account.create().address)
    wrong = address[:2] + address[2:].swapcase()
    response = service.http.post("/v1/auth/wallet/challenge", json={"account": wrong})
    assert_problem(response, 422, "invalid_input")
