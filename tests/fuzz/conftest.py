"""The service that is fuzzed, with callers whose tokens open every route."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.demo.actors import Api
from backend.identity.roles import STAFF_ROLES, Role
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fuzz: generated requests to every route, about a minute")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # Nobody listens there: addresses are taken, and mail to them waits.
    mail = {"smtp_url": "smtp+plain://127.0.0.1:9", "mail_from": "notices@fuzz.test"}
    with open_service(tmp_path_factory.mktemp("fuzzed"), **mail) as running:
        yield running


@pytest.fixture(scope="session")
def everything(service: Service) -> Api:
    """A staff account with every role that staff may have."""
    return staff(service, "everything", *STAFF_ROLES)


@pytest.fixture(scope="session")
def patient(service: Service, everything: Api) -> Patient:
    hospital = provider(service, everything, "hospital", "0x" + service.world.stores.tenant.hex())
    return enrol(service, staff(service, "desk", Role.IDENTITY_DESK), hospital, 0)
