"""One running service for all tests of the API; its people are fixtures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, sign_in, staff

RENEW_SECONDS = 240  # a token lives a quarter of an hour


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(tmp_path_factory.mktemp("service")) as running:
        yield running


class SignIns:
    """Who is signed in for the whole run, and how to sign in again: it lasts longer than a token does."""

    def __init__(self) -> None:
        self._again: list[Callable[[], None]] = []
        self._renewed = time.monotonic()

    def staff(self, service: Service, name: str, role: Role) -> Api:
        api = staff(service, name, role)
        self._again.append(lambda: sign_in(api, name))
        return api

    def provider(self, made: Provider) -> Provider:
        self._again.append(made.sign_in)
        return made

    def also(self, again: Callable[[], None]) -> None:
        self._again.append(again)

    def renew(self) -> None:
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            for again in self._again:
                again()


@pytest.fixture(scope="session")
def sign_ins() -> SignIns:
    return SignIns()


@pytest.fixture(scope="module", autouse=True)
def signed_in(sign_ins: SignIns) -> None:
    """Begin each file with tokens that outlive it."""
    sign_ins.renew()


@pytest.fixture(scope="session")
def operator(service: Service, sign_ins: SignIns) -> Api:
    return sign_ins.staff(service, "operator", Role.OPERATOR)


@pytest.fixture(scope="session")
def desk(service: Service, sign_ins: SignIns) -> Api:
    return sign_ins.staff(service, "desk", Role.IDENTITY_DESK)


@pytest.fixture(scope="session")
def auditor(service: Service, sign_ins: SignIns) -> Api:
    return sign_ins.staff(service, "auditor", Role.AUDITOR)


@pytest.fixture(scope="session")
def hospital(service: Service, operator: Api, sign_ins: SignIns) -> Provider:
    """The custodian's own system."""
    tenant = "0x" + service.world.stores.tenant.hex()
    return sign_ins.provider(provider(service, operator, "hospital system", tenant))


@pytest.fixture(scope="session")
def clinic(service: Service, operator: Api, sign_ins: SignIns) -> Provider:
    return sign_ins.provider(provider(service, operator, "Lakeside Clinic"))


@pytest.fixture(scope="session")
def other_clinic(service: Service, operator: Api, sign_ins: SignIns) -> Provider:
    return sign_ins.provider(provider(service, operator, "Hilltop Clinic"))


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
def stranger(service: Service, sign_ins: SignIns) -> Wallet:
    """A wallet that nobody enrolled."""
    wallet = Wallet(service.anyone())
    wallet.sign_in()
    sign_ins.also(wallet.sign_in)
    return wallet
