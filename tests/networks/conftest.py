"""One network of six nodes for the whole run, and one service on it. Skipped where geth was not built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from backend.demo.actors import Api, Provider
from backend.identity.roles import Role
from backend.settings import Settings
from backend.stores import sending_accounts
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.support.faulty_rpc import FaultyRpc
from tests.support.testnet import Testnet, require_geth

# A server that stops after the test that started it writes to that test's stream, which is closed by then.
logging.raiseExceptions = False


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    require_geth()
    made = Testnet(tmp_path_factory.mktemp("testnet") / "net")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def proxy(network: Testnet) -> Iterator[FaultyRpc]:
    """Stands between the service and its node; passes everything on unless it is told otherwise."""
    made = FaultyRpc(network.service_node.node.rpc_url)
    yield made
    made.close()


@pytest.fixture(scope="session")
def service(
    network: Testnet, proxy: FaultyRpc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    network.fund(sending_accounts(Settings(data_directory=directory)).values())
    settings = network.settings(proxy.url)
    with open_service(directory, **settings, access_token_minutes=60) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What breaks finality goes last: no service on the network gives a permission afterwards."""
    items.sort(key=lambda item: item.get_closest_marker("breaks_finality") is not None)


@pytest.fixture(scope="session")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="session")
def desk(service: Service) -> Api:
    return staff(service, "desk", Role.IDENTITY_DESK)


@pytest.fixture(scope="session")
def hospital(service: Service, operator: Api) -> Provider:
    """The custodian's own system."""
    return provider(service, operator, "hospital system", "0x" + service.world.stores.tenant.hex())


@pytest.fixture(scope="session")
def clinic(service: Service, operator: Api) -> Provider:
    return provider(service, operator, "Lakeside Clinic")


@pytest.fixture(scope="session")
def other_clinic(service: Service, operator: Api) -> Provider:
    return provider(service, operator, "Hilltop Clinic")


@pytest.fixture(scope="session")
def new_patient(service: Service, desk: Api, hospital: Provider) -> Callable[[], Patient]:
    numbers = count(10)
    return lambda: enrol(service, desk, hospital, next(numbers))
