"""Dead validators, a network in halves, blocks that are replaced: what the service answers then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest

from backend.adapters.ledger.errors import OutcomeUnknown
from backend.demo.actors import Provider, Refused
from tests.integration.api.world import Patient, Service, assert_problem
from tests.networks.acts import STORED, read, row_of, store_text, under_way
from tests.support.testnet import STALENESS_SECONDS, Testnet, head, until

HALT_SECONDS = STALENESS_SECONDS + 20


@pytest.fixture(autouse=True)
def healed(network: Testnet) -> Iterator[None]:
    """Begin with a network that is whole."""
    network.heal()
    yield
    network.heal()


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    return new_patient()


@contextmanager
def watching(clinic: Provider, patient: Patient) -> Iterator[list[int]]:
    """Read all the time; the statuses that came."""
    seen: list[int] = []
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.05):
            seen.append(read(clinic, patient).status_code)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(60)


def settled(service: Service) -> bool:
    return not under_way(service, "consent", "revocation", "record")


def test_one_dead_validator_of_four_stops_nothing(
    network: Testnet, service: Service, patient: Patient, clinic: Provider
) -> None:
    network.validators[0].kill()
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    patient.end(consent)
    assert_problem(read(clinic, patient), 403, "consent_required")
    until(lambda: settled(service), "all is settled")


def test_two_dead_validators_halt_the_network_and_nothing_is_lost(
    network: Testnet,
    service: Service,
    hospital: Provider,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    other_clinic: Provider,
) -> None:
    kept, ended, granting = new_patient(), new_patient(), new_patient()
    kept.permit(clinic.member_id)
    to_end = ended.permit(clinic.member_id)
    until(lambda: {read(clinic, each).status_code for each in (kept, ended)} == {200}, "the grants are final")
    until(lambda: settled(service), "all is settled")

    for node in network.validators[:2]:
        node.kill()
    ended.wallet.revoke(to_end)
    assert_problem(read(clinic, ended), 403, "consent_required")  # in force at once
    assert read(clinic, kept).status_code == 200  # what was final stays readable
    halted_at = network.await_halt(network.validators[2:])
    with ThreadPoolExecutor(3) as threads:
        waiting: list[Any] = []
        for member in (clinic.member_id, other_clinic.member_id):
            waiting.append(threads.submit(_or_problem, lambda member=member: granting.permit(member)))
            time.sleep(0.5)
        waiting.append(threads.submit(store_text, hospital, granting, "halted"))
        while (answer := read(clinic, kept)).status_code == 200:
            assert time.monotonic() < halted_at + HALT_SECONDS, "a stale view went on to permit"
            assert read(clinic, ended).status_code in (403, 503)
            time.sleep(0.2)
        assert_problem(answer, 503, "ledger_stale")
        assert time.monotonic() - halted_at >= STALENESS_SECONDS - 3
        assert service.http.get("/health/ready").json()["parts"]["ledger"] != "up"
        for each in waiting:  # kept, and not acknowledged as done
            assert each.result(90) in ("later", 202, 503)

    network.local.start()
    until(lambda: read(clinic, kept).status_code == 200, "it goes on", seconds=60)
    until(lambda: settled(service), "all that was kept is settled", seconds=120)
    until(lambda: read(other_clinic, granting).status_code == 200, "the grants count")
    first, second = (
        next(row for row in granting.consents() if row["message"]["terms"]["grantee"] == member)
        for member in (clinic.member_id, other_clinic.member_id)
    )
    assert first["block"] <= second["block"]  # in the order that they were given in
    assert row_of(ended, to_end)["state"] == "revoked"
    assert_problem(read(clinic, ended), 403, "consent_required")
    assert store_text(hospital, granting, "halted") == STORED  # the retry finds what was kept


def _or_problem(act: Callable[[], object]) -> str:
    try:
        act()
    except Refused as refusal:
        if refusal.status != 503:
            raise
        return "later"
    except httpx.TimeoutException:
        return "later"
    return "done"


def test_partition_into_halves_permits_nothing_new_and_heals(
    network: Testnet,
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    other_clinic: Provider,
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    until(lambda: settled(service), "all is settled")
    one = [*network.validators[:2], network.service_node]
    other = [*network.validators[2:], network.plain[1]]
    network.cut(one, other)
    patient.wallet.revoke(consent)
    with watching(clinic, patient) as denied, watching(other_clinic, patient) as permitted:
        with ThreadPoolExecutor(1) as threads:
            granting = threads.submit(_or_problem, lambda: patient.permit(other_clinic.member_id))
            time.sleep(8)  # each half seals at most two blocks and halts
            heads = [head(node) for node in network.nodes.values()]
            time.sleep(3)
            assert heads == [head(node) for node in network.nodes.values()]
            assert 200 not in permitted, "half of the network made a grant final"
            network.heal()
            granting.result(90)
        until(lambda: settled(service), "all is settled", seconds=120)
        until(lambda: permitted[-1:] == [200], "the grant counts in the end")
    assert 200 not in denied, "a revoked consent permitted"
    assert row_of(patient, consent)["state"] == "revoked"


@pytest.mark.parametrize(("depth", "lost"), [(1, False), (2, True), (3, False)])
def test_blocks_within_the_finality_depth_are_replaced_and_no_answer_was_too_wide(
    network: Testnet,
    service: Service,
    new_patient: Callable[[], Patient],
    clinic: Provider,
    other_clinic: Provider,
    depth: int,
    lost: bool,
) -> None:
    patient = new_patient()
    ended = patient.permit(clinic.member_id)
    until(lambda: read(clinic, patient).status_code == 200, "the grant is final")
    until(lambda: settled(service), "all is settled")
    with watching(clinic, patient) as denied, watching(other_clinic, patient) as permitted:
        # A grant, a revocation and an anchor wait for the first of the blocks that will be replaced.
        network.stop_sealing()
        patient.wallet.revoke(ended)
        begun = len(denied) + 1  # one answer may have been on its way
        with ThreadPoolExecutor(2) as threads:
            threads.submit(_or_problem, lambda: patient.permit(other_clinic.member_id))
            threads.submit(service.world.services.anchorer.run_once)
            time.sleep(1.5)
            network.seal_exactly(depth)
            assert row_of(patient, ended)["state"] == "revoked"
            time.sleep(0.5)
            early = list(permitted)
            network.replace_blocks(depth, forget=lost)
        until(lambda: settled(service), "all is settled", seconds=120)
        until(lambda: permitted[-1:] == [200], "the grant counts in the end")
    assert 200 not in early, "a grant permitted in a block that was not final"
    assert 200 not in denied[begun:], "a revoked consent permitted"
    assert row_of(patient, ended)["state"] == "revoked"
    network.heal()
    _assert_projected(network, service, next(row for row in patient.consents() if row["state"] == "live"))
    until(lambda: _anchors_all(service), "the whole log is anchored", seconds=180)


def _anchors_all(service: Service) -> bool:
    """Try as the anchorer does: it comes back where a transaction was lost or waits for one that was."""
    size, _ = service.world.services.audit.state.head()
    with suppress(OutcomeUnknown):
        service.world.services.anchorer.run_once()
    anchored = service.world.stores.anchor.anchored()
    return anchored is not None and anchored.size >= size


def _assert_projected(network: Testnet, service: Service, row: dict[str, Any]) -> None:
    """The index names the block of the grant that the other node has too."""
    found = network.plain[1].ask(
        "eth_getLogs",
        {
            "address": service.world.services.domain.verifying_contract,
            "fromBlock": "0x0", "toBlock": "latest", "topics": [None, row["consent_id"]],
        },
    )  # fmt: skip
    assert [int(each["blockNumber"], 16) for each in found] == [row["block"]]
