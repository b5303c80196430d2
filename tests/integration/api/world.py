"""A running service and the people who use it, for tests that speak HTTP to it."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fhir.resources.R4B.operationoutcome import OperationOutcome
from starlette.types import ASGIApp

from backend.api.app import create_app
from backend.bootstrap import World, open_world
from backend.demo.actors import Api, Provider, Wallet
from backend.identity.roles import Role
from backend.main import bind, server_config
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.settings import Settings
from backend.types import SubjectId
from scripts.generate_bundles import encode, generate

MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_ATTACHMENT_BYTES = 48 * 1024 * 1024
EVERYTHING = ["laboratory", "medications", "conditions", "vital_signs", "demographics"]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
PASSWORD = "correct horse battery staple"


@dataclass(slots=True)
class Patient:
    """An enrolled wallet with a stored bundle."""

    wallet: Wallet
    record_number: str
    bundle: bytes
    record_id: str

    @property
    def api(self) -> Api:
        return self.wallet.api

    @property
    def subject(self) -> str:
        return self.wallet.subject

    def accesses(self) -> list[dict[str, Any]]:
        """The patient's access list, newest first, without the entries that reading it leaves."""
        page = self.api.get("/v1/accesses", subject=self.subject, limit=200)
        assert page["gaps"] == 0
        return [entry for entry in page["entries"] if entry["type"] != "audit.read"]

    def consents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/v1/consents", subject=self.subject)
        return found

    def end(self, *names: str) -> None:
        """Revoke, and wait until it is on the chain: until then a deny holds, also against the next test."""
        for name in names:
            self.wallet.revoke(name)
        deadline = time.monotonic() + 60
        while any(row["consent_id"] in names and row["state"] != "revoked" for row in self.consents()):
            assert time.monotonic() < deadline, "a revocation did not get to the chain"
            time.sleep(0.02)

    def permit(self, member_id: str, **narrower: Any) -> str:
        """Sign a permit for treatment and return its consent id."""
        wish: dict[str, Any] = {
            "kind": "permit",
            "grantee": member_id,
            "purposes": ["TREAT"],
            "categories": EVERYTHING,
            "actions": ["access"],
            "not_after": in_days(30),
        }
        return str(self.wallet.consent(**{**wish, **narrower})["consent_id"])


@dataclass(slots=True)
class Service:
    """The world under its HTTP server."""

    world: World
    url: str
    http: httpx.Client

    def anyone(self) -> Api:
        return Api(self.http)


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@contextmanager
def serving(app: ASGIApp, listener: Any) -> Iterator[None]:
    """Serve on an open listener, in a thread, until the block ends."""
    config = server_config(app)
    config.timeout_graceful_shutdown = 5
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@contextmanager
def open_service(
    directory: Path,
    *,
    port: int = 0,
    http: httpx.Client | None = None,
    host: str = "127.0.0.1",
    pages: Path | None = None,
    **options: Any,
) -> Iterator[Service]:
    """Open a world below ``directory`` and serve it on 127.0.0.1. ``options``: settings.

    ``host``: how its people call it. ``pages``: the build of the pages it serves, if any.
    ``http``: a client that outlives the service, so that who holds it goes on after a restart on its port.
    """
    listener = bind("127.0.0.1", port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    settings = Settings(
        data_directory=directory,
        public_url=url,
        max_body_bytes=MAX_BODY_BYTES,
        max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        anchor_interval_seconds=3600,
        webhook_private_networks="127.0.0.0/8",
        **options,
    )
    world = open_world(settings)
    try:
        app = create_app(
            world.services,
            max_body_bytes=settings.max_body_bytes,
            max_attachment_bytes=settings.max_attachment_bytes,
            pages=pages,
        )
        with serving(app, listener), ExitStack() as closing:
            client = http or closing.enter_context(httpx.Client(timeout=60))
            client.base_url = httpx.URL(url)
            yield Service(world, url, client)
    finally:
        world.close()


def staff(service: Service, username: str, *roles: Role) -> Api:
    """Make a staff account without asking the API, and sign it in."""
    service.world.services.identity.add_user(
        username=username,
        password=PASSWORD,
        roles=frozenset(roles),
        member_id=service.world.stores.tenant,
        by=None,
    )
    api = service.anyone()
    sign_in(api, username)
    return api


def sign_in(api: Api, username: str) -> None:
    """Sign a staff account in, once more perhaps."""
    api.token = api.post("/v1/auth/staff", {"username": username, "password": PASSWORD})["access_token"]


def provider(service: Service, operator: Api, name: str, member_id: str | None = None) -> Provider:
    """Admit an organisation unless it is there, and register a system of it."""
    if member_id is None:
        member_id = operator.post("/v1/members", {"name": name, "roles": ["provider"]})["member_id"]
    client = operator.post("/v1/clients", {"name": name, "roles": ["provider"], "member_id": member_id})
    found = Provider(service.anyone(), client["client_id"], client["client_secret"], member_id)
    found.sign_in()
    return found


def bundle_of(number: int) -> tuple[str, bytes]:
    """A fresh record number and the generated bundle of an adult who has it; ``number`` is the seed."""
    (bundle,) = generate(1, number)
    person = next(
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
    )
    record_number = f"T{number}-{secrets.token_hex(4)}"
    person["identifier"][0]["value"] = record_number
    return record_number, encode(bundle)


def store(hospital: Provider, subject: str, content: bytes, **options: Any) -> httpx.Response:
    """Store a bundle; the answer as it came."""
    headers = {"Content-Type": FHIR_MEDIA_TYPE, "Authorization": f"Bearer {hospital.api.token}"}
    headers.update(options.pop("headers", {}))
    return hospital.api.http.post(
        "/v1/records", params={"subject": subject}, content=content, headers=headers, **options
    )


def enrol(service: Service, desk: Api, hospital: Provider, number: int) -> Patient:
    """Enrol a fresh wallet, sign it in and store its bundle."""
    record_number, bundle = bundle_of(number)
    issued = desk.post("/v1/enrolments", {"record_number": record_number, "name": "Test Person"})
    wallet = Wallet(service.anyone())
    wallet.claim(issued["code"])
    wallet.sign_in()
    stored = store(hospital, wallet.subject, bundle)
    assert stored.status_code == 201, stored.text
    return Patient(wallet, record_number, bundle, stored.json()["record_id"])


def raw(api: Api, method: str, path: str, **options: Any) -> httpx.Response:
    """A request with the caller's token, the answer as it came."""
    headers = dict(options.pop("headers", {}))
    if api.token is not None:
        headers.setdefault("Authorization", f"Bearer {api.token}")
    return api.http.request(method, path, headers=headers, **options)


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem (RFC 9457) with this status and code, complete, and gives nothing away.

    Below /fhir it is an OperationOutcome, and what R4 answers with 400 is told here as 422.
    """
    if response.request.url.path.startswith("/fhir/"):
        return assert_outcome(response, 400 if status == 422 else status, code)
    assert (response.status_code, response.json().get("code")) == (status, code), response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "code", "detail", "remedy", "request_id"} <= set(problem)
    assert problem["status"] == status
    assert problem["type"] == f"/docs/errors#{code}"
    assert problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in json.dumps(problem)
    return problem


def assert_outcome(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is an OperationOutcome with this status and our code, and gives nothing away."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == FHIR_MEDIA_TYPE
    outcome: dict[str, Any] = response.json()
    OperationOutcome.model_validate(outcome)
    (issue,) = outcome["issue"]
    assert issue["details"]["coding"] == [{"system": "urn:assent:error", "code": code}], response.text[:500]
    assert response.headers["x-request-id"] in issue["diagnostics"]
    assert "Traceback" not in json.dumps(outcome)
    return outcome


def assert_refused(
    service: Service, patient: Patient, answer: Callable[[], httpx.Response], status: int, code: str
) -> None:
    """The call is refused so, and neither the consents nor the log nor what the chain counts have changed."""

    def state() -> Any:
        # Not the number of the head: what others began goes on behind their answers and makes blocks.
        on_chain = service.world.services.evidence.subject(SubjectId(int(patient.subject, 16)))
        return patient.consents(), patient.accesses(), on_chain.epoch, on_chain.count

    before = state()
    assert_problem(answer(), status, code)
    assert state() == before


def high_s(signature: bytes) -> bytes:
    """The other signature of the same message: s becomes order - s, and the parity flips."""
    s = ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([55 - signature[64]])


def permit_wish(patient: Patient, clinic: Provider, **members: Any) -> dict[str, Any]:
    """Return a wish for a permit to the clinic for a day; ``members`` replace or add."""
    return {
        "subject": patient.subject,
        "kind": "permit",
        "grantee": clinic.member_id,
        "purposes": ["TREAT"],
        "categories": ["laboratory"],
        "actions": ["access"],
        "not_after": in_days(1),
        **members,
    }
