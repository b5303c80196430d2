"""Idempotency keys of the routes that make something: a retry gives the first answer and makes nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from tests.integration.api.world import (
    PASSWORD,
    Service,
    assert_problem,
    provider,
    raw,
    staff,
)


@pytest.fixture(scope="module")
def researcher(service: Service) -> Api:
    return staff(service, "retrying-researcher", Role.RESEARCHER)


@pytest.fixture(scope="module")
def rotating(service: Service, operator: Api) -> Provider:
    return provider(service, operator, "system that rotates")


@pytest.fixture(params=["members", "users", "clients", "studies", "secret"])
def making(
    request: pytest.FixtureRequest,
    operator: Api,
    researcher: Api,
    clinic: Provider,
    rotating: Provider,
) -> Callable[[str, str], httpx.Response]:
    """Make one thing with a name, under a key."""
    kind: str = request.param

    def make(name: str, key: str) -> httpx.Response:
        path, body, api = {
            "members": ("/v1/members", {"name": name, "roles": ["provider"]}, operator),
            "users": ("/v1/users", {"username": name, "password": PASSWORD, "roles": ["auditor"]}, operator),
            "clients": (
                "/v1/clients",
                {"name": name, "roles": ["provider"], "member_id": clinic.member_id},
                operator,
            ),
            "studies": ("/v1/studies", study(name), researcher),
            "secret": (
                f"/v1/clients/{rotating.client_id}/secret",
                {"overlap_seconds": 60 + len(name)},
                operator,
            ),
        }[kind]
        return raw(api, "POST", path, json=body, headers={"Idempotency-Key": f"{kind} {key}"})

    return make


def study(title: str) -> dict[str, Any]:
    return {
        "title": title,
        "duo": ["DUO:0000042"],
        "variables": [{"name": "sex", "kind": "sex", "role": "quasi"}],
        "outputs": [{"kind": "count", "name": "women", "where": [{"variable": "sex", "levels": ["female"]}]}],
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2030-01-01T00:00:00Z",
        "epsilon": 1,
    }


def things(service: Service, operator: Api, researcher: Api) -> int:
    """How many members, users, clients and studies there are, and secrets drawn."""
    database = service.world.stores.database
    revisions = sum(client["revision"] for client in database["clients"].find())
    made = len(operator.get("/v1/users")) + len(operator.get("/v1/clients"))
    return (
        revisions
        + made
        + database["member_names"].count_documents({})
        + len(researcher.get("/v1/studies", limit=100))
    )


def test_retry_gives_the_first_answer_and_makes_nothing(
    service: Service, operator: Api, researcher: Api, making: Callable[[str, str], httpx.Response]
) -> None:
    first = making("retried", "a")
    assert first.status_code == 201, first.text
    before = things(service, operator, researcher)
    for _ in range(2):
        again = making("retried", "a")
        assert (again.status_code, again.json()) == (201, first.json())
    assert things(service, operator, researcher) == before


def test_requests_at_once_with_one_key_make_one_thing(
    service: Service, operator: Api, researcher: Api, making: Callable[[str, str], httpx.Response]
) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: making("at-once", "b"), range(6)))
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len({answer.text for answer in answers}) == 1
    before = things(service, operator, researcher)
    making("at-once", "b")
    assert things(service, operator, researcher) == before


def test_key_of_another_request_is_refused_and_makes_nothing(
    service: Service, operator: Api, researcher: Api, making: Callable[[str, str], httpx.Response]
) -> None:
    assert making("one-name", "c").status_code == 201
    before = things(service, operator, researcher)
    problem = assert_problem(making("another-name", "c"), 409, "idempotency_key_reused")
    assert problem["field"] == "Idempotency-Key"
    assert things(service, operator, researcher) == before


def test_other_key_makes_another_thing(making: Callable[[str, str], httpx.Response]) -> None:
    first, second = making("first-of-two", "d"), making("second-of-two", "e")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() != second.json()


def test_key_is_the_callers_own(service: Service, operator: Api) -> None:
    other = staff(service, "other-operator", Role.OPERATOR)
    body = {"name": "Same Key Clinic", "roles": ["provider"]}
    made = [
        raw(api, "POST", "/v1/members", json=body, headers={"Idempotency-Key": "mine"}).json()["member_id"]
        for api in (operator, other)
    ]
    assert made[0] != made[1]
    other_id = next(
        user["staff_id"] for user in operator.get("/v1/users") if user["username"] == "other-operator"
    )
    raw(operator, "PUT", f"/v1/users/{other_id}/state", json={"disabled": True})


def test_retry_with_another_password_is_refused(operator: Api) -> None:
    body = {"username": "keyed-password", "password": PASSWORD, "roles": ["auditor"]}
    headers = {"Idempotency-Key": "password"}
    assert raw(operator, "POST", "/v1/users", json=body, headers=headers).status_code == 201
    other = {**body, "password": "some other long password"}
    refused = raw(operator, "POST", "/v1/users", json=other, headers=headers)
    assert_problem(refused, 409, "idempotency_key_reused")


def test_secret_of_a_retry_signs_in_and_lies_nowhere(
    service: Service, operator: Api, clinic: Provider
) -> None:
    body = {"name": "retried system", "roles": ["provider"], "member_id": clinic.member_id}
    headers = {"Idempotency-Key": "secret of a retry"}
    raw(operator, "POST", "/v1/clients", json=body, headers=headers)
    made = raw(operator, "POST", "/v1/clients", json=body, headers=headers).json()
    granted = service.http.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(made["client_id"], made["client_secret"]),
    )
    assert granted.status_code == 200
    database = service.world.stores.database
    kept = repr([list(database[name].find()) for name in ("clients", "idempotency")])
    assert made["client_secret"] not in kept
    assert "secret of a retry" not in kept


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_key_that_is_empty_or_long_is_refused(operator: Api, key: str) -> None:
    body = {"name": "No Clinic", "roles": ["provider"]}
    refused = raw(operator, "POST", "/v1/members", json=body, headers={"Idempotency-Key": key})
    assert_problem(refused, 422, "invalid_input")


def test_enrolment_again_keeps_the_subject_and_replaces_the_code(desk: Api) -> None:
    """It needs no key: a record number has one subject, and only the newest code opens it."""
    body = {"record_number": "RETRY-1", "name": "Test Person"}
    first, second = desk.post("/v1/enrolments", body), desk.post("/v1/enrolments", body)
    assert first["subject"] == second["subject"]
    claim = {"code": first["code"], "account": "0x" + "11" * 20}
    refused = raw(desk, "POST", "/v1/enrolments/claims/draft", json=claim)
    assert_problem(refused, 404, "enrolment_code_refused")
