"""Blocks that were final are replaced: more than half of the validators signed two branches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from typer.testing import CliRunner

from backend.adapters.process import free_port
from backend.cli import app
from backend.consent.member_order import STOP
from backend.demo.actors import Provider
from backend.identity.roles import Role
from backend.records.delivery import MEDIA_TYPE
from backend.settings import Settings
from backend.stores import sending_accounts
from tests.integration.api.test_encryption_keys import bind, new_key
from tests.integration.api.world import (
    Patient,
    Service,
    assert_problem,
    enrol,
    open_service,
    provider,
    raw,
    staff,
)
from tests.networks.acts import read, row_of, under_way
from tests.support.testnet import Testnet, head, until

pytestmark = pytest.mark.timeout(900)
CODE = "chain_finality_broken"
NEWCOMER = "0x" + "5b" * 32  # a member id that is permitted before it is admitted


@pytest.mark.breaks_finality
def test_blocks_replaced_beyond_the_finality_depth_end_all_permission(
    network: Testnet,
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
) -> None:
    network.heal()
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    until(lambda: not under_way(service, "consent"), "it is settled")
    network.stop_sealing()
    depth = network.network.finality_blocks + 1
    network.seal_exactly(depth)
    time.sleep(0.3)  # the view that was read before
    assert read(clinic, patient).status_code == 200
    network.replace_blocks(depth)
    until(lambda: read(clinic, patient).json().get("code") == CODE, "it is noticed")
    for _ in range(3):  # and goes on until a person has looked
        network.await_blocks(1, on=network.validators[0])
        assert_problem(read(clinic, patient), 503, CODE)
    assert service.http.get("/health/ready").json()["parts"]["ledger"] == CODE
    assert 'assent_alarms{code="finality_broken"} 1.0' in service.http.get("/metrics").text
    stopped = patient.wallet.revoke(consent)  # nothing keeps a stop from being taken
    assert stopped["state"] == "in_force"


def read_sealed(patient: Patient) -> httpx.Response:
    """The patient's own record, sealed to the patient's own key."""
    return raw(
        patient.api,
        "GET",
        f"/v1/records/{patient.record_id}",
        params={"purpose": "PATRQT"},
        headers={"Accept": MEDIA_TYPE},
    )


@dataclass
class Restarting:
    """A service on the network that is stopped and started again, with the people who use it."""

    directory: Path
    settings: dict[str, Any]
    http: httpx.Client
    port: int

    @contextmanager
    def running(self) -> Iterator[Service]:
        with open_service(
            self.directory, port=self.port, http=self.http, **self.settings, access_token_minutes=60
        ) as service:
            yield service

    def command(self, *words: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        for name, value in self.settings.items():
            if value is not None:
                monkeypatch.setenv(f"ASSENT_{name.upper()}", str(value))
        told = CliRunner().invoke(app, [*words, "--json", "--data-directory", str(self.directory)])
        assert told.exit_code == 0, told.output
        found: dict[str, Any] = json.loads(told.stdout)
        return found


@pytest.fixture
def restarting(network: Testnet, tmp_path: Path) -> Iterator[Restarting]:
    network.heal()
    directory = tmp_path / "service"
    network.fund(sending_accounts(Settings(data_directory=directory)).values())
    settings = network.settings(*(node.node.rpc_url for node in network.plain))
    with httpx.Client(timeout=60) as http:
        yield Restarting(directory, settings, http, free_port())


@pytest.mark.breaks_finality
def test_blocks_replaced_while_the_service_was_down_are_noticed_and_what_rested_on_them_is_listed(
    network: Testnet, restarting: Restarting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with restarting.running() as service:
        operator, desk = staff(service, "operator", Role.OPERATOR), staff(service, "desk", Role.IDENTITY_DESK)
        clinic = provider(service, operator, "Lakeside Clinic")
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        lasting, touched, other = (enrol(service, desk, hospital, number) for number in (1, 2, 3))
        lasting.permit(clinic.member_id)
        hilltop = provider(service, operator, "Hilltop Clinic")
        early = [other.permit(member) for member in (hilltop.member_id, NEWCOMER)]
        operator.post(f"/v1/members/{hilltop.member_id}/suspend")
        until(lambda: read(clinic, lasting).status_code == 200, "the first grant is final")
        until(lambda: not under_way(service, "consent", STOP), "what lasts is settled")
        common = head(network.service_node)
        consent = touched.permit(clinic.member_id)
        until(lambda: read(clinic, touched).status_code == 200, "the second grant is final")
        until(lambda: not under_way(service, "consent"), "both are settled")
        block = row_of(touched, consent)["block"]
        assert block > common
        operator.post(f"/v1/members/{hilltop.member_id}/reinstate")
        until(lambda: read(hilltop, other).status_code == 200, "the reinstatement is final")
        custodian = {"name": "Newcomer", "member_id": NEWCOMER, "account": Account.create().address}
        operator.post("/v1/members/custodians", custodian)
        newcomer = provider(service, operator, "Newcomer's system", NEWCOMER)
        until(lambda: read(newcomer, other).status_code == 200, "the admission is final")
        key = new_key()
        bind(other, key)
        until(lambda: read_sealed(other).status_code == 200, "the key is final")
        assert read(clinic, lasting).status_code == 200  # rests on no block that will be replaced
        top = network.stop_sealing()
    assert restarting.command("audit", "finality", monkeypatch=monkeypatch)["replaced"] is None
    network.replace_blocks(top - common)
    until(lambda: min(map(head, network.plain)) > top + 3, "all follow the other branch")

    with restarting.running() as service:
        for patient in (lasting, touched):
            assert_problem(read(clinic, patient), 503, CODE)
        assert service.http.get("/health/ready").json()["parts"]["ledger"] == CODE
        assert 'assent_alarms{code="finality_broken"} 1.0' in service.http.get("/metrics").text
        network.await_blocks(network.network.finality_blocks + 1)
        assert_problem(read(clinic, lasting), 503, CODE)  # until a person has looked
        assert touched.wallet.revoke(consent)["state"] == "in_force"

    found = restarting.command("audit", "finality", monkeypatch=monkeypatch)
    assert found["complete"]
    assert found["replaced"]["seen_by"] == ["node 1", "node 2"]
    assert found["replaced"]["first"] <= block <= found["replaced"]["last"] <= top
    assert {entry["patient"] for entry in found["entries"]} == {touched.subject, other.subject}
    for entry in found["entries"]:
        assert entry["final_block"] >= found["replaced"]["first"]
    assert {
        (entry["organisation"], ground["kind"], ground["id"], ground["why"])
        for entry in found["entries"]
        if entry["patient"] == other.subject
        for ground in entry["rested_on"]
    } == {
        (hilltop.member_id, "member", hilltop.member_id, "suspended"),
        (NEWCOMER, "member", NEWCOMER, "not admitted"),
        (None, "key", "0x" + key.id.hex(), "not bound"),
    }
    assert {name for entry in found["entries"] for name in entry["consents"]} == {consent, *early}
    reads = [
        entry
        for entry in found["entries"]
        if entry["type"] == "record.read" and entry["patient"] == touched.subject
    ]
    assert reads
    for entry in reads:
        assert entry["rested_on"] == [{"kind": "consent", "id": consent, "why": "not recorded"}]
        assert entry["consents"] == [consent]
        assert entry["organisation"] == clinic.member_id
        assert entry["purpose"] == "TREAT"
        assert entry["final_block"] >= block

    again = restarting.command("audit", "finality", "--accept", monkeypatch=monkeypatch)
    assert again["entries"] == found["entries"]
    assert restarting.command("audit", "finality", monkeypatch=monkeypatch)["replaced"] is None
    with restarting.running():
        until(lambda: read(clinic, lasting).status_code == 200, "it permits again")
        assert_problem(read(clinic, touched), 403, "consent_required")
