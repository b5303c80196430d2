"""Members are stopped from receipt, before the block, and come back; whatever was asked last counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.ledger.errors import LedgerRejected
from backend.api.metrics import publish_expiring
from backend.consent.member_book import MemberBook
from backend.consent.member_order import ADMISSION, REINSTATEMENT, STOP
from backend.consent.member_watch import ExpiryWatch
from backend.demo.actors import Api, Provider
from backend.errors import LedgerUnavailable
from backend.sealed import DocumentSealer
from backend.types import MemberId
from tests.integration.api.world import Patient, Service, assert_problem, provider, raw

TIMEOUT_SECONDS = 120


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def change(operator: Api, member: str, what: str) -> httpx.Response:
    return raw(operator, "POST", f"/v1/members/{member}/{what}")


def entries(auditor: Api, member: str) -> list[dict[str, Any]]:
    """The entries of the log about a member, oldest first."""
    page = auditor.get("/v1/log/entries", limit=200)
    found = [
        entry
        for entry in page["entries"]
        if entry["type"] == "participant.changed" and entry["organisation"] == member
    ]
    return sorted(found, key=lambda entry: int(entry["index"]))


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    """Its own: these tests read often, and others count the entries of the shared one."""
    return new_patient()


@pytest.fixture
def surgery(service: Service, operator: Api) -> Provider:
    """A clinic of its own for each test."""
    return provider(service, operator, "Surgery")


@pytest.fixture
def read(patient: Patient, surgery: Provider) -> Iterator[Callable[[], httpx.Response]]:
    consent = patient.permit(surgery.member_id)

    def attempt() -> httpx.Response:
        return raw(surgery.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})

    assert attempt().status_code == 200
    yield attempt
    patient.wallet.revoke(consent)


def hold_back(service: Service, monkeypatch: pytest.MonkeyPatch, *methods: str) -> None:
    """No such call reaches the chain, as if every block took for ever."""

    def unreachable(*_: object) -> None:
        raise LedgerUnavailable

    for method in methods:
        monkeypatch.setattr(service.world.stores.participants, method, unreachable)


def test_suspended_clinic_reads_nothing_before_the_block_and_again_once_reinstated(
    service: Service,
    operator: Api,
    auditor: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = surgery.member_id
    with monkeypatch.context() as patch:
        hold_back(service, patch, "suspend")
        for _ in range(2):
            suspended = change(operator, member, "suspend")
            assert suspended.status_code == 200, suspended.text
            assert suspended.json() == {
                "member_id": member, "standing": "suspended", "effective_from": None, "recorded": False,
            }  # fmt: skip
        chain = service.world.stores.participants.member(MemberId(bytes.fromhex(member[2:])))
        assert chain.standing == 1
        assert_problem(read(), 403, "consent_required")
    _eventually(lambda: bool(operator.get(f"/v1/members/{member}")["recorded"]))
    assert_problem(read(), 403, "consent_required")
    again = change(operator, member, "suspend")
    assert (again.json()["standing"], again.json()["recorded"]) == ("suspended", True)
    back = change(operator, member, "reinstate")
    assert (back.status_code, back.json()["standing"]) == (200, "active"), back.text
    assert read().status_code == 200
    assert change(operator, member, "reinstate").json()["standing"] == "active"
    found = entries(auditor, member)
    changes = [entry["detail"]["change"] for entry in found]
    assert changes == ["admission", "admitted", "suspended", "reinstatement", "reinstated"]
    assert {entry["actor"].partition(":")[0] for entry in found} == {"staff"}


def test_removed_clinic_reads_nothing_and_never_comes_back(
    service: Service,
    operator: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        hold_back(service, patch, "remove")
        assert change(operator, surgery.member_id, "remove").json()["standing"] == "removed"
        assert_problem(read(), 403, "consent_required")
        assert_problem(change(operator, surgery.member_id, "reinstate"), 409, "member_removed")
        assert change(operator, surgery.member_id, "suspend").json()["standing"] == "removed"
    assert change(operator, surgery.member_id, "remove").json()["standing"] == "removed"
    assert change(operator, surgery.member_id, "suspend").json()["standing"] == "removed"
    assert_problem(change(operator, surgery.member_id, "reinstate"), 409, "member_removed")
    _eventually(lambda: bool(operator.get(f"/v1/members/{surgery.member_id}")["recorded"]))
    assert_problem(read(), 403, "consent_required")


def test_suspension_between_decision_and_release_is_honoured(
    service: Service,
    operator: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decisions = service.world.services.decisions
    take_uses = decisions.take_uses

    def suspend_meanwhile(*arguments: Any) -> None:
        take_uses(*arguments)
        monkeypatch.undo()
        assert change(operator, surgery.member_id, "suspend").status_code == 200

    monkeypatch.setattr(decisions, "take_uses", suspend_meanwhile)
    assert_problem(read(), 403, "consent_required")


def test_suspension_while_the_chain_is_away_counts_when_it_is_back(
    service: Service,
    operator: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        hold_back(service, patch, "member", "suspend", "view")
        suspended = change(operator, surgery.member_id, "suspend")
        assert (suspended.status_code, suspended.json()["standing"]) == (200, "suspended")
        assert_problem(change(operator, surgery.member_id, "reinstate"), 503, "ledger_unavailable")
    assert_problem(read(), 403, "consent_required")
    _eventually(lambda: bool(operator.get(f"/v1/members/{surgery.member_id}")["recorded"]))


def test_suspension_that_the_chain_refuses_stays_in_force_and_is_tried_again(
    service: Service,
    operator: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals: list[object] = []

    def refuse(*arguments: object) -> None:
        refusals.append(arguments)
        raise LedgerRejected("AccessManagedUnauthorized")

    with monkeypatch.context() as patch:
        patch.setattr(service.world.stores.participants, "suspend", refuse)
        assert change(operator, surgery.member_id, "suspend").json()["standing"] == "suspended"
        _eventually(lambda: len(refusals) > 1)
        assert_problem(read(), 403, "consent_required")
    _eventually(lambda: bool(operator.get(f"/v1/members/{surgery.member_id}")["recorded"]))
    assert_problem(read(), 403, "consent_required")


def test_reinstatement_asked_for_while_the_suspension_is_under_way_follows_it(
    service: Service,
    operator: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        hold_back(service, patch, "suspend")
        change(operator, surgery.member_id, "suspend")
        for _ in range(2):
            asked = change(operator, surgery.member_id, "reinstate")
            assert (asked.status_code, asked.json()["standing"]) == (202, "scheduled")
        assert_problem(read(), 403, "consent_required")
    _eventually(lambda: read().status_code == 200)
    assert operator.get(f"/v1/members/{surgery.member_id}")["standing"] == "active"


def test_suspension_asked_for_after_a_waiting_reinstatement_calls_it_off(
    service: Service,
    operator: Api,
    auditor: Api,
    surgery: Provider,
    read: Callable[[], httpx.Response],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        hold_back(service, patch, "suspend")
        for what in ("suspend", "reinstate", "suspend"):
            assert change(operator, surgery.member_id, what).is_success
        assert operator.get(f"/v1/members/{surgery.member_id}")["standing"] == "suspended"
    waiting = {"over": False, "kind": {"$in": [ADMISSION, REINSTATEMENT, STOP]}}
    _eventually(lambda: not service.world.stores.database["acts"].count_documents(waiting))
    assert_problem(read(), 403, "consent_required")
    last = [entry for entry in entries(auditor, surgery.member_id) if entry["outcome"] == "denied"]
    assert [entry["reasons"] for entry in last] == [["member_change_called_off"]]


@pytest.mark.parametrize("what", ["suspend", "remove"])
def test_custodian_cannot_stop_itself(service: Service, operator: Api, what: str) -> None:
    tenant = "0x" + service.world.stores.tenant.hex()
    problem = assert_problem(change(operator, tenant, what), 409, "custodian_itself")
    assert "stop the service" in problem["remedy"]
    assert operator.get(f"/v1/members/{tenant}")["standing"] == "active"


@pytest.mark.parametrize("what", ["suspend", "remove", "reinstate"])
def test_unknown_member_is_refused(operator: Api, what: str) -> None:
    assert_problem(change(operator, "0x" + "ab" * 32, what), 404, "member_unknown")
    assert_problem(raw(operator, "GET", "/v1/members/0x" + "ab" * 32), 404, "member_unknown")


def test_list_says_who_takes_part_and_whose_credential_ends(service: Service, operator: Api) -> None:
    body = {"name": "Brief Clinic", "roles": ["provider", "auditor"], "credential_days": 29}
    made = operator.post("/v1/members", body)
    assert (made["standing"], made["recorded"], made["credential"]) == ("active", True, "expiring")
    longer = operator.post("/v1/members", {**body, "name": "Long Clinic", "credential_days": 31})
    assert longer["credential"] == "good"
    listed = {member["member_id"]: member for member in operator.get("/v1/members")}
    assert listed[made["member_id"]] == made == operator.get(f"/v1/members/{made['member_id']}")
    assert (made["name"], made["roles"], made["account"]) == ("Brief Clinic", ["provider", "auditor"], None)
    tenant = listed["0x" + service.world.stores.tenant.hex()]
    assert (tenant["name"], tenant["roles"]) == (None, ["custodian", "provider", "relayer"])


def test_credentials_that_end_soon_are_counted_and_logged_once_a_day(
    service: Service, operator: Api, caplog: pytest.LogCaptureFixture
) -> None:
    made = operator.post("/v1/members", {"name": "Ending", "roles": ["provider"], "credential_days": 3})
    now = [service.world.services.clock()]
    counted: list[tuple[int, int]] = []

    def warnings() -> list[logging.LogRecord]:
        return [record for record in caplog.records if "credentials" in record.message]

    book = MemberBook(
        registry=service.world.stores.participants,
        names=SealedMemberNames(service.world.stores.database, DocumentSealer(service.world.stores.keys)),
        outbox=service.world.services.member_stops._outbox,
        clock=lambda: now[0],
    )
    watch = ExpiryWatch(book=book, publish=lambda *counts: counted.append(counts), clock=lambda: now[0])
    watch.look()
    watch.look()
    (expiring, expired) = counted[0]
    assert (expiring > 0, expired) == (True, 0)
    assert [vars(record)["expiring"] for record in warnings()] == [expiring]
    assert vars(warnings()[0])["days_left"] in (2, 3)
    assert made["name"] not in caplog.text
    now[0] += 3 * 24 * 3600
    watch.look()
    assert len(warnings()) == 2
    assert counted[-1][1] == 1
    change(operator, made["member_id"], "remove")
    _eventually(lambda: bool(operator.get(f"/v1/members/{made['member_id']}")["recorded"]))
    watch.look()
    assert counted[-1][1] == 0
    publish_expiring(*counted[0])
    metrics = service.http.get("/metrics").text
    assert f"assent_members_expiring {expiring}.0" in metrics
    assert "assent_members_expired 0.0" in metrics


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"roles": ["identity_desk"]}, 422, "roles_not_on_chain"),
        ({"roles": ["provider"], "account": "custodian"}, 409, "account_held"),
    ],
)
def test_admission_that_could_never_take_effect_is_refused_at_once(
    service: Service, operator: Api, body: dict[str, Any], status: int, code: str
) -> None:
    if "account" in body:
        stores = service.world.stores
        body["account"] = stores.participants.member(stores.tenant).account
    answer = raw(operator, "POST", "/v1/members", json={"name": "Never", **body})
    assert_problem(answer, status, code)
