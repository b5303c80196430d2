"""A running service with a mail server of its own; its people are those of the API's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from backend.demo.actors import Api, Provider
from tests.integration.api import conftest as people
from tests.integration.api.world import Patient, Service, open_service
from tests.integration.mail.world import FROM, Mailed
from tests.support.certificates import self_signed
from tests.support.mail_server import MailServer, mail_server, only_for, starttls

sign_ins, signed_in = people.sign_ins, people.signed_in
operator, desk, hospital = people.operator, people.desk, people.hospital
clinic, other_clinic, new_patient = people.clinic, people.other_clinic, people.new_patient


@pytest.fixture(scope="session")
def running_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[MailServer, dict[str, object]]]:
    """The server, with STARTTLS under a certificate of its own and a login, and the settings for it."""
    directory = tmp_path_factory.mktemp("mail")
    context, certificate = self_signed(directory, "localhost")
    login = directory / "login"
    login.write_text("assent\nsecret of the login\n")
    options = starttls(context, auth_required=True, authenticator=only_for("assent", "secret of the login"))
    with mail_server(**options) as server:
        yield (
            server,
            {
                "smtp_url": f"smtp://localhost:{server.port}",
                "smtp_ca_file": certificate,
                "smtp_login_file": login,
                "mail_from": FROM,
            },
        )


@pytest.fixture
def server(running_server: tuple[MailServer, dict[str, object]]) -> Iterator[MailServer]:
    """It takes everything again after a test."""
    server, _ = running_server
    usual = (server.on_receiver, server.on_mail)
    yield server
    server.on_receiver, server.on_mail = usual


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, running_server: tuple[MailServer, dict[str, object]]
) -> Iterator[Service]:
    _, settings = running_server
    with open_service(tmp_path_factory.mktemp("service"), **settings) as running:
        yield running


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def mailed(
    new_patient: Callable[[], Patient], server: MailServer, service: Service, _numbers: Iterator[int]
) -> Mailed:
    """A patient with a confirmed address of its own, who wants everything, in English."""
    found = Mailed(new_patient(), server, service, f"patient{next(_numbers)}@mail.test")
    found.put(found.address)
    found.confirm()
    return found


__all__ = ["Api", "Provider"]
