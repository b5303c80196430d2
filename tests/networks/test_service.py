"""The service on a network of four validators: nothing of it is told that the chain is another one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account

from backend.demo.actors import Provider
from backend.types import SubjectId
from scripts.testnet.keys import draw_key
from tests.integration.api.world import Patient, Service, assert_problem
from tests.networks.acts import read, under_way
from tests.support.emergencies import opened, responder
from tests.support.testnet import Testnet, block, head, until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


def test_grant_permits_once_it_is_final_and_not_before(
    service: Service, network: Testnet, patient: Patient, clinic: Provider
) -> None:
    assert_problem(read(clinic, patient), 403, "consent_required")
    consent = patient.permit(clinic.member_id)
    recorded = next(row for row in patient.consents() if row["consent_id"] == consent)["block"]
    seen = []
    while (answer := read(clinic, patient)).status_code != 200:
        assert_problem(answer, 403, "consent_required")
        seen.append(head(network.service_node))
        assert seen[-1] < recorded + 20
        time.sleep(0.05)
    assert head(network.service_node) >= recorded + network.network.finality_blocks
    assert seen, "it was not refused first: nothing waited for finality"
    patient.end(consent)


def test_revocation_is_denied_from_its_receipt_on(
    network: Testnet, patient: Patient, clinic: Provider, service: Service
) -> None:
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    patient.wallet.revoke(consent)
    assert_problem(read(clinic, patient), 403, "consent_required")
    for _ in range(20):  # while it is on its way, while it is not final, and after
        assert_problem(read(clinic, patient), 403, "consent_required")
        time.sleep(0.25)
    until(lambda: not under_way(service, "revocation"), "it is settled")
    assert_problem(read(clinic, patient), 403, "consent_required")


def test_record_that_was_stored_is_committed_in_a_final_block(
    service: Service, network: Testnet, hospital: Provider, patient: Patient
) -> None:
    stored = hospital.api.call(
        "POST",
        "/v1/records",
        params={"subject": patient.subject, "categories": ["laboratory"], "sensitivities": ["N"]},
        content=b"sodium 140",
        headers={"Content-Type": "text/plain"},
    )
    assert stored.status_code == 201
    view = service.world.stores.chain.view()
    assert view.final_number >= stored.json()["block"]
    assert block(network.plain[1], view.final_number) == "0x" + view.final_hash.hex()


def test_emergency_that_is_opened_on_the_chain_stands_in_the_patients_list(
    service: Service, patient: Patient
) -> None:
    _, opening = opened(service, responder(service), SubjectId(int(patient.subject, 16)))

    def listed() -> list[str]:
        return [
            entry["detail"]["opening"] for entry in patient.accesses() if entry["type"] == "emergency.opened"
        ]

    until(lambda: bool(listed()), "it is in a final block, and in the log")
    assert listed() == ["0x" + opening.hex()]


def test_wallet_that_adds_the_chain_finds_it_behind_the_service(service: Service, network: Testnet) -> None:
    def ask(method: str, *params: object) -> object:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return service.http.post("/rpc", json=body).json()["result"]

    assert ask("eth_chainId") == hex(network.network.chain_id)
    number = int(str(ask("eth_blockNumber")), 16)
    assert number > 0
    found = ask("eth_getBlockByNumber", hex(number), False)
    assert isinstance(found, dict)
    deadline = time.monotonic() + 60
    while (elsewhere := block(network.plain[1], number)) is None:  # the other node is a moment behind
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["hash"] == elsewhere
    registry = service.world.services.domain.verifying_contract
    assert len(str(ask("eth_getCode", registry, "latest"))) > 1000
    assert ask("eth_syncing") is False
    for method in ("eth_gasPrice", "eth_maxPriorityFeePerGas"):
        assert str(ask(method)).startswith("0x")


def test_pages_are_told_of_this_chain(service: Service, network: Testnet) -> None:
    told = service.http.get("/v1/ledger").json()
    assert told["chain_id"] == network.network.chain_id
    assert told["consent_registry"] == service.world.services.domain.verifying_contract
    assert service.http.get("/health/ready").json()["parts"]["ledger"] == "up"


def test_contracts_are_deployed_by_hand_and_found_again(network: Testnet, tmp_path: Path) -> None:
    key = tmp_path / "deployer.key"
    network.fund([draw_key(key)])
    command = [
        sys.executable, "scripts/deploy.py", "--rpc", network.service_node.node.rpc_url,
        "--file", tmp_path / "deployment.json", "--key-file", key, "--gas-price", "1",
        "--chain-id", str(network.network.chain_id), "--finality-depth", "3",
    ]  # fmt: skip
    made = [
        json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=120).stdout)
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0]["deployer"] == Account.from_key(key.read_text()).address
