"""What an operator sees of a running service: each alarm comes with what to do, and goes when it is done."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.demo.actors import Api
from backend.errors import LedgerUnavailable
from backend.identity.roles import Role
from backend.notices.types import DeliveryState, Message
from backend.operations.types import Counted
from backend.outbox.types import Act
from backend.types import UnixSeconds
from tests.integration.api.world import Service, assert_problem, open_service, provider, raw, staff
from tests.support.receiver import receiving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of its own: its alarms must be nobody else's. What is counted is counted for the process."""
    with open_service(tmp_path_factory.mktemp("operations")) as running:
        running.world.services.watching._counted = lambda: Counted(0, 0, 0, False, 0)
        yield running


@pytest.fixture(scope="module")
def watcher(service: Service) -> Api:
    return staff(service, "watcher", Role.OPERATOR)


@pytest.fixture
def dead_message(service: Service, watcher: Api) -> Iterator[str]:
    """A message that its receiver did not take until it was given up; now it would."""
    deliveries = service.world.services.deliveries
    with receiving(host="127.0.0.1") as receiver:
        receiver.answer = lambda _: 503
        system = provider(service, watcher, "Deaf Clinic")
        system.api.call("PUT", f"/v1/clients/{system.client_id}/webhook", json={"url": receiver.url})
        patience, deliveries._give_up_seconds = deliveries._give_up_seconds, 1
        try:
            name = f"msg_{secrets.token_hex(16)}"
            deliveries.put(Message(name, system.client_id, "consent.granted", b"{}"))
            deadline = time.monotonic() + 60
            while not deliveries.listed(DeliveryState.DEAD, receiver=system.client_id, limit=1):
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            deliveries._give_up_seconds = patience
        receiver.answer = lambda _: 204
        yield name


def seen(watcher: Api) -> dict[str, Any]:
    found: dict[str, Any] = watcher.get("/v1/operations")
    return found


def alarm(watcher: Api, code: str) -> dict[str, Any]:
    (found,) = [each for each in seen(watcher)["alarms"] if each["code"] == code]
    assert len(found["remedy"]) > 20
    return dict(found)


def test_operator_sees_that_all_is_well(service: Service, watcher: Api) -> None:
    found = seen(watcher)
    assert found["ready"]
    assert set(found["parts"].values()) == {"up"}
    assert found["alarms"] == []
    assert found["chain"]["head"] >= found["chain"]["final"] > 0
    assert found["anchor"]["log_size"] >= found["anchor"]["anchored_size"]
    assert found["messages"]["webhooks_dead"] == 0
    assert not found["backup_configured"]
    assert {"log", "credential"} <= {key["key"] for key in found["keys_due"]}


def test_only_who_watches_the_system_sees_it(service: Service) -> None:
    desk = staff(service, "a-desk", Role.IDENTITY_DESK)
    assert_problem(raw(desk, "GET", "/v1/operations"), 403, "scope_missing")
    assert_problem(raw(service.anyone(), "GET", "/v1/operations"), 401, "not_authenticated")


def test_part_that_is_away_is_told_and_hides_no_other(
    service: Service, watcher: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise LedgerUnavailable

    watching = service.world.services.watching
    parts = {**watching._parts, "ledger": away}  # a node that is away
    with monkeypatch.context() as patch:
        patch.setattr(watching, "_parts", parts)
        found = alarm(watcher, "part_away")
        assert (found["severity"], found["subject"]) == ("now", "ledger")
        assert found["cause"] == "ledger_unavailable"
        now = seen(watcher)
        assert not now["ready"]
        assert now["parts"]["index"] == "up"
    assert seen(watcher)["alarms"] == []


def test_act_that_fails_again_and_again_is_told(service: Service, watcher: Api) -> None:
    store = MongoActStore(service.world.stores.database, service.world.stores.keys)
    now = int(time.time())
    act = Act("test", "1", "first", {}, fence=1, attempts=7, created_at=UnixSeconds(now - 600))
    # Nobody knows the kind, so nobody takes it up: it is leased for as long as the test lasts.
    assert store.insert(act, holder="a", leased_until=UnixSeconds(now + 30))
    try:
        found = alarm(watcher, "acts_failing")
        assert (found["subject"], found["count"], found["severity"]) == ("test", 1, "now")
        (queue,) = [each for each in seen(watcher)["queues"] if each["kind"] == "test"]
        assert (queue["waiting"], queue["failing"]) == (1, 1)
    finally:
        assert store.advance(act, state="done", data={})


def test_message_that_was_given_up_is_told_until_it_is_tried_again(
    service: Service, watcher: Api, dead_message: str
) -> None:
    found = alarm(watcher, "webhooks_dead")
    assert (found["count"], found["severity"]) == (1, "soon")
    watcher.post(f"/v1/webhook-deliveries/{dead_message}/retry")
    assert [each["code"] for each in seen(watcher)["alarms"]] == []


def test_credential_that_ends_soon_is_told_with_its_member(watcher: Api) -> None:
    body = {"name": "Short Clinic", "roles": ["provider"], "credential_days": 3}
    member = watcher.post("/v1/members", body)["member_id"]
    found = alarm(watcher, "member_due")
    assert found["subject"] == "Short Clinic"
    assert ("credential", "Short Clinic") in [
        (key["key"], key["subject"]) for key in seen(watcher)["keys_due"]
    ]
    watcher.post(f"/v1/members/{member}/remove")
    assert seen(watcher)["alarms"] == []
