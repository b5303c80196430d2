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
def service(network: Testnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("service")
    network.fund(sending_accounts(Settings(data_directory=directory)).values())
    with open_service(directory, **network.settings(), access_token_minutes=60) as running:
        yield running


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
def new_patient(service: Service, desk: Api, hospital: Provider) -> Callable[[], Patient]:
    numbers = count(10)
    return lambda: enrol(service, desk, hospital, next(numbers))
