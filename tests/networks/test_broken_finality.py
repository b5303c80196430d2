"""Blocks that were final are replaced: more than half of the validators signed two branches."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from backend.demo.actors import Provider
from tests.integration.api.world import Patient, Service, assert_problem
from tests.networks.acts import read, under_way
from tests.support.testnet import Testnet, until

CODE = "chain_finality_broken"


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
    stopped = patient.wallet.revoke(consent)  # nothing keeps a stop from being taken
    assert stopped["state"] == "in_force"
