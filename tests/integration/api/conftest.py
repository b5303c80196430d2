"""One running service for all tests of the API; its people are fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def operator(service: Service) -> Api:
    return staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="session")
def desk(service: Service) -> Api:
    return staff(service, "desk", Role.IDENTITY_DESK)


@pytest.fixture(scope="session")
def auditor(service: Service) -> Api:
    return staff(service, "auditor", Role.AUDITOR)


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
    """For tests that change a patient for good."""
    numbers = count(10)
    return lambda: enrol(service, desk, hospital, next(numbers))


@pytest.fixture(scope="module")
def patient(new_patient: Callable[[], Patient]) -> Patient:
    """Shared by the tests of a file, which leave its consents and epoch as they were. Shared by all files its
    log would outgrow a page."""
    return new_patient()


@pytest.fixture(scope="session")
def stranger(service: Service) -> Wallet:
    """A wallet that nobody enrolled."""
    wallet = Wallet(service.anyone())
    wallet.sign_in()
    return wallet
