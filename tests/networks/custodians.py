"""A second organisation with a service of its own on the shared chain, set up as its operator would do it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from eth_account.messages import encode_typed_data
from typer.testing import CliRunner, Result

from backend.cli import app
from backend.consent.authority import revocation_for
from backend.consent.typed_data import Domain, typed_data
from backend.demo.actors import Api, Provider
from backend.types import Address, ConsentId
from tests.integration.api.world import Patient, Service, open_service, raw
from tests.support.testnet import Testnet, head, until


def command(*words: str | Path, **settings: Any) -> Result:
    """Run ``assent`` with these settings, given by name in small letters."""
    environment = {f"ASSENT_{name.upper()}": str(value) for name, value in settings.items()}
    return CliRunner().invoke(app, [str(word) for word in words], env=environment)


def deployment_of(service: Service) -> Path:
    """The file that the organisation which deployed the contracts hands out."""
    return service.world.stores.directory.chain / "deployment.json"


def join(directory: Path, deployment: Path, **settings: Any) -> dict[str, Any]:
    """Join the contracts; what the command shows."""
    done = command("ledger", "join", deployment, "--data-directory", directory, "--json", **settings)
    assert done.exit_code == 0, done.output
    joined: dict[str, Any] = json.loads(done.stdout)
    return joined


@contextmanager
def open_custodian(
    directory: Path,
    name: str,
    *,
    beside: Service,
    operator: Api,
    network: Testnet,
    url: str,
    http: httpx.Client | None = None,
) -> Iterator[Service]:
    """Join, be admitted by the registry's operator, be given what pays for gas, and start."""
    settings = {**network.settings(url), "tenant": name}
    height = beside.world.stores.chain.view().head_number
    until(lambda: all(head(node) >= height for node in network.plain), "its node has the contracts")
    joined = join(directory, deployment_of(beside), **settings)
    network.fund(joined["accounts"])
    body = {"name": name, "member_id": joined["member_id"], "account": joined["account"]}
    operator.post("/v1/members/custodians", body)
    until(
        lambda: join(directory, deployment_of(beside), **settings)["standing"] == "active", "it is admitted"
    )
    with open_service(directory, http=http, **settings) as running:
        yield running


def member_id(service: Service) -> str:
    return "0x" + service.world.stores.tenant.hex()


def signed_stop(patient: Patient, consent: str, ledger: dict[str, Any]) -> dict[str, Any]:
    """The patient's signed revocation, made from public values alone: no custodian is asked for a draft.

    ``ledger``: what any custodian answers to ``GET /v1/ledger``.
    """
    domain = Domain(ledger["chain_id"], Address(ledger["consent_registry"]))
    message = typed_data(revocation_for(ConsentId(bytes.fromhex(consent[2:])), ()), domain)
    signed = patient.wallet.account.sign_message(encode_typed_data(full_message=message))
    return {"consent_id": consent, "signature": "0x" + bytes(signed.signature).hex()}


def hand_in(service: Service, stop: dict[str, Any]) -> httpx.Response:
    """Without a session: whoever holds a signed stop may hand it in."""
    return service.http.post("/v1/revocations", json=stop)


def ask_token(client: Provider, patient: Patient) -> httpx.Response:
    """Ask for a token that is bound to the patient's consents."""
    form = {
        "grant_type": "client_credentials",
        "person_id": patient.subject,
        "purpose_of_use": "TREAT",
    }
    return client.api.http.post("/oauth2/token", data=form, auth=(client.client_id, client.client_secret))


def read_with(client: Provider, token: str, patient: Patient) -> httpx.Response:
    """Read the patient's record with such a token."""
    return raw(
        Api(client.api.http, token), "GET", f"/v1/records/{patient.record_id}", params={"purpose": "TREAT"}
    )
