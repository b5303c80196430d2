"""A part that is down is named, is never mistaken for a refusal, and comes back with everything it had."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from backend.adapters.index.server import EmbeddedIndex
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.demo.actors import Provider
from tests.integration.api.world import Patient, Service, assert_problem, raw

TIMEOUT_SECONDS = 60


def _ready(service: Service) -> httpx.Response:
    return service.http.get("/health/ready")


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture
def readable(service: Service, patient: Patient, clinic: Provider) -> Iterator[Callable[[], httpx.Response]]:
    """A read that is permitted as long as everything is up."""
    consent = patient.permit(clinic.member_id)

    def read() -> httpx.Response:
        return raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})

    assert read().status_code == 200
    yield read
    _eventually(lambda: _ready(service).status_code == 200)
    patient.wallet.revoke(consent)


def _index_of(service: Service) -> int:
    """The process id of the service's own index."""
    return _child("nx-27017", str(service.world.stores.directory.root))


def _child(*markers: str) -> int:
    """The process id of our own child whose command line holds each of the markers."""
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_text()
            if parent == os.getpid() and all(marker in command for marker in markers):
                return int(entry.name)
        except (OSError, IndexError, ValueError):
            continue
    raise AssertionError(f"no child runs {markers}")


def test_ready_names_every_part_when_all_are_up(service: Service) -> None:
    answer = _ready(service)
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "parts": dict.fromkeys(("ledger", "index", "blocks", "disk", "care teams", "log"), "up"),
    }


def test_chain_that_is_down_is_named_and_reads_answer_503_never_403(
    service: Service, readable: Callable[[], httpx.Response]
) -> None:
    chain = service.world.stores.chain
    assert isinstance(chain, EmbeddedChain)
    program, chain.binary = chain.binary, Path("/bin/false")  # so that it stays down
    try:
        os.kill(chain.pid(), signal.SIGKILL)
        statuses = set()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and 503 not in statuses:
            statuses.add(readable().status_code)
        down = readable()
        assert_problem(down, 503, "ledger_unavailable")
        assert down.headers["retry-after"]
        assert statuses <= {200, 503}
        answer = _ready(service)
        assert (answer.status_code, answer.json()["parts"]["ledger"]) == (503, "ledger_unavailable")
        assert answer.json()["parts"]["index"] == "up"
        assert service.http.get("/health/live").status_code == 200
    finally:
        chain.binary = program
    _eventually(lambda: _ready(service).status_code == 200)
    assert readable().status_code == 200


def test_read_while_the_chain_is_down_is_in_the_patients_list(
    service: Service, readable: Callable[[], httpx.Response], patient: Patient
) -> None:
    chain = service.world.stores.chain
    assert isinstance(chain, EmbeddedChain)
    program, chain.binary = chain.binary, Path("/bin/false")
    try:
        os.kill(chain.pid(), signal.SIGKILL)
        _eventually(lambda: readable().status_code == 503)
    finally:
        chain.binary = program
    _eventually(lambda: _ready(service).status_code == 200)
    entry = next(entry for entry in patient.accesses() if entry["type"] == "record.read")
    assert entry["outcome"] == "unavailable"


def test_stop_while_the_chain_is_down_is_acknowledged_and_holds_when_it_is_back(
    service: Service, patient: Patient, clinic: Provider
) -> None:
    consent = patient.permit(clinic.member_id)
    draft = patient.api.post("/v1/revocations/draft", {"consent_id": consent})
    body = {"consent_id": consent, "signature": patient.wallet.sign_typed(draft["typed_data"])}
    chain = service.world.stores.chain
    assert isinstance(chain, EmbeddedChain)
    program, chain.binary = chain.binary, Path("/bin/false")
    try:
        os.kill(chain.pid(), signal.SIGKILL)
        _eventually(lambda: _ready(service).status_code == 503)
        stopped = raw(service.anyone(), "POST", "/v1/revocations", json=body)
        assert stopped.json()["state"] == "in_force"
    finally:
        chain.binary = program
    _eventually(lambda: _ready(service).status_code == 200)
    response = raw(clinic.api, "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"})
    assert_problem(response, 403, "consent_required")


def test_index_that_is_down_is_named_and_comes_back_with_everything(
    service: Service,
    readable: Callable[[], httpx.Response],
    patient: Patient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = patient.consents()
    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedIndex, "ensure_running", lambda _: None)  # so that it stays down
        os.kill(_index_of(service), signal.SIGKILL)
        answer = _ready(service)  # waits for the driver to give up, 5 seconds
        assert (answer.status_code, answer.json()["parts"]["index"]) == (503, "index_unavailable")
        assert answer.json()["parts"]["ledger"] == "up"
    _eventually(lambda: _ready(service).status_code == 200)
    assert readable().status_code == 200
    assert patient.consents() == before


def test_index_that_is_killed_is_started_again_by_the_readiness_check(
    service: Service, readable: Callable[[], httpx.Response]
) -> None:
    os.kill(_index_of(service), signal.SIGKILL)
    _eventually(lambda: _ready(service).status_code == 200)
    assert readable().status_code == 200
