"""The service behind a real HAProxy with the configuration of ``deploy``, as people and systems reach it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from backend.adapters.process import free_port
from tests.integration.api.world import Service, open_service
from tests.support.echo import Echo, echoing
from tests.support.edge import (
    CONFIGURATION,
    REQUESTS_PER_MINUTE,
    Edge,
    ProgramFound,
    require_haproxy,
    running_edge,
)

FORGED: Final = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Client-Cert": "Subject=root",
    "X-Client-Cert-SHA256": "00" * 32,
    "X-SSL-Client-Verify": "SUCCESS",
    "SSL-Client-Cert": "root",
    "Forwarded": "for=192.0.2.1",
}


@pytest.fixture(scope="module")
def program() -> ProgramFound:
    return require_haproxy()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with open_service(tmp_path_factory.mktemp("proxied"), trusted_proxies="127.0.0.1,::1") as running:
        yield running


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with echoing() as found:
        yield found


@pytest.fixture(scope="module")
def edge(program: ProgramFound, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(program, tmp_path_factory.mktemp("edge"), service.url) as made:
        with made.people() as http:
            deadline = time.monotonic() + 60
            while http.get("/health/live").status_code != 200:  # found away while it began
                assert time.monotonic() < deadline
                time.sleep(0.5)
        yield made


@pytest.fixture(scope="module")
def mirrored(program: ProgramFound, echo: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The same proxy before a server that says which headers it got."""
    with running_edge(program, tmp_path_factory.mktemp("mirrored"), echo.url) as made:
        yield made


@pytest.mark.parametrize("processes", [1, 2])
def test_configuration_is_one(program: ProgramFound, edge: Edge, processes: int) -> None:
    done = subprocess.run(
        [program[0], "-c", "-f", CONFIGURATION],
        env={
            **os.environ,
            **program[1],
            "ASSENT_TLS": str(edge.trusted),
            "SYSTEMS_CA": str(edge.client),
            "ASSENT_BACKEND": "127.0.0.1:1",
            **({"ASSENT_SECOND_BACKEND": "127.0.0.1:2"} if processes == 2 else {}),
            "REQUESTS_PER_MINUTE": "6000",
            **dict.fromkeys(("HTTP_PORT", "HTTPS_PORT", "SYSTEMS_PORT"), "1"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_people_are_served_with_tls_of_today_alone(edge: Edge) -> None:
    with edge.people() as http:
        answer = http.get("/health/live")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    old = edge.context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", edge.https), timeout=5) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_leads_to_tls_and_takes_no_token(edge: Edge) -> None:
    with httpx.Client(base_url=f"http://localhost:{edge.http}") as http:
        page = http.get("/app/")
        assert (page.status_code, page.headers["location"][:17]) == (308, "https://localhost")
        assert http.get("/v1/records", headers={"Authorization": "Bearer x"}).status_code == 403
        assert http.post("/v1/auth/staff", json={}).status_code == 403


def test_metrics_are_not_shown_outside(edge: Edge, service: Service) -> None:
    assert service.http.get("/metrics").status_code == 200
    for client in (edge.people(), edge.machine()):
        with client as http:
            answer = http.get("/metrics")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_forged_headers_do_not_come_through(mirrored: Edge) -> None:
    with mirrored.people() as http:
        got = {name.lower(): value for name, value in http.get("/", headers=FORGED).json().items()}
    assert got["x-forwarded-for"] in {"127.0.0.1", "::1"}
    assert {name.lower() for name in FORGED} & set(got) == {"x-forwarded-for"}


def test_systems_show_a_certificate_and_the_proxy_says_which(mirrored: Edge) -> None:
    with mirrored.machine() as http:
        got = {name.lower(): value for name, value in http.get("/", headers=FORGED).json().items()}
    certificate = x509.load_pem_x509_certificate(mirrored.client.read_bytes())
    assert got["x-client-cert-sha256"] == certificate.fingerprint(SHA256()).hex()
    assert got["x-forwarded-for"] in {"127.0.0.1", "::1"}
    with mirrored.machine(certificate=False) as http, pytest.raises(httpx.TransportError):
        http.get("/")


def test_one_address_is_limited_and_a_stop_is_not(edge: Edge) -> None:
    with edge.people() as http:
        last = [http.get("/health/live") for _ in range(REQUESTS_PER_MINUTE + 5)][-1]
        assert (last.status_code, last.json()["code"]) == (429, "address_limited")
        assert int(last.headers["retry-after"]) > 0
        stop = http.post("/v1/revocations", json={})
        assert stop.status_code == 422  # the service's own answer


def test_service_that_is_away_is_told_as_such(program: ProgramFound, tmp_path: Path) -> None:
    with running_edge(program, tmp_path, f"http://127.0.0.1:{free_port()}") as edge:
        with edge.people() as http:
            answer = http.get("/v1/records")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.text)["code"] == "unavailable"
