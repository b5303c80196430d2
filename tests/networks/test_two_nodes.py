"""A service that asks two nodes: permission needs both, and what either of them knows restricts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from backend.adapters.ledger.consents import ConsentRegistry
from backend.adapters.ledger.deployment import verify_node
from backend.adapters.ledger.errors import (
    ChainChanged,
    ContractCodeDiffers,
    FinalityBroken,
    NodeSilent,
    SameNode,
    StaleHead,
    WrongChain,
)
from backend.adapters.ledger.network import NetworkChain
from backend.adapters.ledger.node import Node
from backend.consent.ledger_types import ConsentSlot
from backend.demo.actors import Provider
from backend.errors import LedgerUnavailable
from backend.identity.roles import Role
from backend.settings import Settings
from backend.stores import sending_accounts
from backend.types import BlockNumber, ConsentId
from tests.integration.api.world import Patient, Service, assert_problem, enrol, open_service, provider, staff
from tests.networks.acts import read, row_of, under_way
from tests.support.faulty_rpc import Fault, FaultyRpc
from tests.support.testnet import STALENESS_SECONDS, Testnet, head, until

pytestmark = pytest.mark.timeout(900)
BEHIND_BLOCKS = 100
BOTH = pytest.mark.parametrize("faulty", [0, 1], ids=["first", "second"])


@pytest.fixture(scope="module")
def proxies(network: Testnet) -> Iterator[list[FaultyRpc]]:
    network.heal()
    made = [FaultyRpc(node.node.rpc_url) for node in network.plain]
    yield made
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two-nodes")


@pytest.fixture(scope="module")
def service(network: Testnet, proxies: list[FaultyRpc], directory: Path) -> Iterator[Service]:
    """Another service than the other tests', with contracts of its own."""
    network.fund(sending_accounts(Settings(data_directory=directory)).values())
    settings = network.settings(proxies[0].url, proxies[1].url)
    with open_service(directory, **settings, access_token_minutes=60) as running:
        yield running


@pytest.fixture(scope="module")
def clinic(service: Service) -> Provider:
    return provider(service, staff(service, "operator", Role.OPERATOR), "Lakeside Clinic")


@pytest.fixture(scope="module")
def new_patient(service: Service) -> Callable[[], Patient]:
    desk, operator = staff(service, "desk", Role.IDENTITY_DESK), staff(service, "operator2", Role.OPERATOR)
    hospital = provider(service, operator, "hospital system", "0x" + service.world.stores.tenant.hex())
    numbers = count(10)
    return lambda: enrol(service, desk, hospital, next(numbers))


@pytest.fixture
def connect(network: Testnet, proxies: list[FaultyRpc]) -> Iterator[Callable[..., NetworkChain]]:
    with ExitStack() as closing:

        def open_chain(**settings: object) -> NetworkChain:
            urls = {"second_url": proxies[1].url, "view_age_seconds": 0.0, "patience_seconds": 2.0}
            chain = network.chain(proxies[0].url, **{**urls, **settings})
            closing.callback(chain.close)
            return chain

        yield open_chain


def permitted(clinic: Provider, patient: Patient) -> bool:
    return read(clinic, patient).status_code == 200


def settled(service: Service) -> bool:
    return not under_way(service, "consent", "revocation")


def test_grant_permits_with_both_nodes_and_revocation_ends_it(
    service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    consent = patient.permit(clinic.member_id)
    until(lambda: permitted(clinic, patient), "the grant is final at both")
    parts = service.http.get("/health/ready").json()["parts"]
    assert (parts["ledger node 1"], parts["ledger node 2"]) == ("up", "up")
    patient.end(consent)
    assert_problem(read(clinic, patient), 403, "consent_required")
    until(lambda: settled(service), "it is settled")
    assert_problem(read(clinic, patient), 403, "consent_required")


@BOTH
def test_node_that_hides_a_revocation_permits_nothing(
    network: Testnet,
    service: Service,
    proxies: list[FaultyRpc],
    new_patient: Callable[[], Patient],
    clinic: Provider,
    faulty: int,
) -> None:
    patient, other = new_patient(), new_patient()
    consent = patient.permit(clinic.member_id)
    other.permit(clinic.member_id)
    until(lambda: permitted(clinic, patient) and permitted(clinic, other), "the grants are final")
    until(lambda: settled(service), "they are settled")
    before = head(network.service_node)
    patient.wallet.revoke(consent)
    until(lambda: settled(service), "the queue has let go of it: the chain alone knows")
    with proxies[faulty].faulty(Fault.OLD_STATE, since=before):
        network.await_blocks(2)
        time.sleep(0.3)  # the view that was read before
        for _ in range(10):
            assert_problem(read(clinic, patient), 503, "ledger_nodes_disagree")
            time.sleep(0.2)
        until(lambda: permitted(clinic, other), "what both nodes say permits")
        parts = service.http.get("/health/ready").json()["parts"]
        assert parts["ledger"] == "up"
        assert parts["ledger nodes"] == "ledger_nodes_disagree"
    network.await_blocks(1)
    until(lambda: read(clinic, patient).status_code == 403, "the node is honest again")


@BOTH
def test_silent_node_ends_permission_after_the_limit_and_no_stop_is_held_up(
    network: Testnet,
    service: Service,
    proxies: list[FaultyRpc],
    new_patient: Callable[[], Patient],
    clinic: Provider,
    faulty: int,
) -> None:
    kept, ended, late = new_patient(), new_patient(), new_patient()
    kept.permit(clinic.member_id)
    to_end, to_end_late = ended.permit(clinic.member_id), late.permit(clinic.member_id)
    until(lambda: all(permitted(clinic, each) for each in (kept, ended, late)), "the grants are final")
    until(lambda: settled(service), "they are settled")
    name = f"ledger node {faulty + 1}"
    with proxies[faulty].faulty(Fault.HANGS):
        ended.wallet.revoke(to_end)
        assert_problem(read(clinic, ended), 403, "consent_required")
        until(lambda: row_of(ended, to_end)["state"] == "revoked", "the other node takes it to the chain")
        until(lambda: not permitted(clinic, kept), "its last word is stale", seconds=STALENESS_SECONDS + 60)
        assert_problem(read(clinic, kept), 503, "ledger_node_silent")
        parts = service.http.get("/health/ready").json()["parts"]
        assert parts[name] != "up"
        assert parts[f"ledger node {2 - faulty}"] == "up"
        metrics = service.http.get("/metrics").text
        assert f'assent_part_up{{part="{name}"}} 0.0' in metrics
        assert late.wallet.revoke(to_end_late)["state"] == "in_force"
        until(lambda: _revoked_on_chain(service, to_end_late), "that is taken to the chain, too")
        answer = read(clinic, late)
        assert answer.status_code == 503
    until(lambda: permitted(clinic, kept), "it answers again")
    until(lambda: settled(service), "all is settled")
    for each in (ended, late):
        assert_problem(read(clinic, each), 403, "consent_required")


def _revoked_on_chain(service: Service, consent: str) -> bool:
    stores = service.world.stores
    registry = ConsentRegistry(stores.deployment.address("ConsentRegistry"), stores.chain)
    return bool(_slot(registry, consent, stores.chain.shown().head_number).revoked_at)


def test_node_behind_by_a_hundred_blocks_makes_no_answer_too_wide(
    network: Testnet,
    service: Service,
    connect: Callable[..., NetworkChain],
    new_patient: Callable[[], Patient],
    clinic: Provider,
) -> None:
    kept, ended, granting = new_patient(), new_patient(), new_patient()
    kept.permit(clinic.member_id)
    to_end = ended.permit(clinic.member_id)
    until(lambda: permitted(clinic, kept) and permitted(clinic, ended), "the grants are final")
    until(lambda: settled(service), "they are settled")
    patient_chain = connect(staleness_seconds=3600)  # so that nothing but the comparison protects
    registry = ConsentRegistry(service.world.stores.deployment.address("ConsentRegistry"), patient_chain)
    behind = network.plain[0]
    others = [node for node in network.nodes.values() if node is not behind]
    network.cut([behind], others)
    try:
        cut_at = head(behind)
        ended.wallet.revoke(to_end)
        granted = granting.permit(clinic.member_id)
        while head(others[-1]) < cut_at + BEHIND_BLOCKS:
            assert head(behind) <= cut_at + 1
            assert read(clinic, ended).status_code in (403, 503)
            assert read(clinic, granting).status_code in (403, 503)
            time.sleep(0.5)
        assert_problem(read(clinic, kept), 503, "ledger_stale")
        view = patient_chain.view()
        assert view.final_number <= cut_at + 1 < view.head_number - BEHIND_BLOCKS // 2
        assert _slot(registry, to_end, view.final_number).is_recorded
        assert _slot(registry, to_end, view.head_number).revoked_at, "the revocation was hidden"
        assert _slot(registry, granted, view.head_number).is_recorded
        assert not _slot(registry, granted, view.final_number).is_recorded, "one node's grant is final"
    finally:
        network.join([behind], others)
    until(lambda: permitted(clinic, kept), "it has caught up")
    until(lambda: permitted(clinic, granting), "the grant is final at both")
    assert_problem(read(clinic, ended), 403, "consent_required")


def _slot(registry: ConsentRegistry, consent: str, block: BlockNumber) -> ConsentSlot:
    return registry.slot(ConsentId(bytes.fromhex(consent[2:])), block=block)


def test_transaction_that_one_node_loses_is_mined_by_way_of_the_other(
    network: Testnet, service: Service, new_patient: Callable[[], Patient], clinic: Provider
) -> None:
    patient = new_patient()
    others = [node for node in network.nodes.values() if node is not network.plain[0]]
    network.cut([network.plain[0]], others)  # what it is sent goes nowhere
    try:
        consent = patient.permit(clinic.member_id)
        assert row_of(patient, consent)["block"]
    finally:
        network.join([network.plain[0]], others)
    until(lambda: permitted(clinic, patient), "the grant is final at both")


@BOTH
def test_fork_that_one_node_serves_ends_all_permission(
    network: Testnet, proxies: list[FaultyRpc], connect: Callable[..., NetworkChain], faulty: int
) -> None:
    chain = connect()
    chain.view()
    with proxies[faulty].faulty(Fault.FORKED):
        network.await_blocks(network.network.finality_blocks + 2)
        until(lambda: _failure(chain) is FinalityBroken, "it is noticed")
    network.await_blocks(1)
    assert _failure(chain) is FinalityBroken  # honest again, it contradicts itself


@BOTH
def test_node_of_another_chain_is_refused_at_the_start_and_later(
    proxies: list[FaultyRpc], connect: Callable[..., NetworkChain], faulty: int
) -> None:
    chain = connect()
    with proxies[faulty].faulty(Fault.OTHER_CHAIN):
        with pytest.raises(WrongChain):
            connect()
        with pytest.raises(ChainChanged):
            chain.view()
    assert chain.view()


def test_one_node_under_two_addresses_is_refused(
    proxies: list[FaultyRpc], network: Testnet, connect: Callable[..., NetworkChain]
) -> None:
    with pytest.raises(SameNode):
        connect(second_url=network.plain[0].node.rpc_url)


@BOTH
def test_node_with_other_code_of_the_contracts_is_refused(
    service: Service,
    proxies: list[FaultyRpc],
    connect: Callable[..., NetworkChain],
    faulty: int,
) -> None:
    deployment = service.world.stores.deployment

    def check(node: Node) -> None:
        verify_node(deployment, node)

    with proxies[faulty].faulty(Fault.OTHER_CODE), pytest.raises(ContractCodeDiffers):
        connect().demand(check)
    late = connect()
    late.demand(check)
    assert late.view()


@BOTH
def test_node_that_is_silent_at_the_start_has_to_pass_before_anything_is_permitted(
    service: Service, proxies: list[FaultyRpc], connect: Callable[..., NetworkChain], faulty: int
) -> None:
    deployment = service.world.stores.deployment
    with proxies[faulty].faulty(Fault.HANGS):
        chain = connect(timeout_seconds=2.0)
        chain.demand(lambda node: verify_node(deployment, node))
        with pytest.raises(NodeSilent):
            chain.view()
        assert chain.shown().head_number > 0
    with proxies[faulty].faulty(Fault.OTHER_CODE):
        until(lambda: _failure(chain) is ChainChanged, "it answers, with other contracts")
    until(lambda: _failure(chain) is None, "it is the right one")


def _failure(chain: NetworkChain) -> type[LedgerUnavailable] | None:
    try:
        chain.view()
    except LedgerUnavailable as failure:
        return type(failure)
    return None


@BOTH
def test_head_of_one_node_that_stands_still_is_stale_after_the_limit(
    network: Testnet, proxies: list[FaultyRpc], connect: Callable[..., NetworkChain], faulty: int
) -> None:
    ahead = [0.0]
    chain = connect(clock=lambda: int(time.time() + ahead[0]), staleness_seconds=600)
    with proxies[faulty].faulty(Fault.STUCK_HEAD):
        stuck = chain.view()
        network.await_blocks(network.network.finality_blocks + 2)
        moved = chain.view()
        assert moved.head_number > stuck.head_number
        assert moved.final_number <= stuck.head_number
        ahead[0] = 601.0
        with pytest.raises(StaleHead):
            chain.view()
