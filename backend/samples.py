"""The first run: an operator account, and in development sample patients whose keys lie beside the data."""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

from backend.adapters.durable import write_file
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import World
from backend.identity.roles import Role
from backend.records.storing import NewDocument
from backend.types import Address, RecordId
from scripts.generate_bundles import encode, generate

OPERATOR_FILE: Final = "operator.json"
SAMPLES_FILE: Final = "sample-patients.json"
SAMPLE_COUNT: Final = 3
SAMPLE_SEED: Final = 20


def first_run(world: World, *, load_samples: bool) -> str:
    """Make the operator's account and the samples if they are not there; return what to say about them."""
    root = world.stores.directory.root
    lines = []
    operator = root / OPERATOR_FILE
    if not operator.exists():
        password = secrets.token_urlsafe(18)
        world.services.identity.add_user(
            username="operator",
            password=password,
            roles=frozenset({Role.OPERATOR, Role.IDENTITY_DESK}),
            member_id=world.stores.tenant,
            by=None,
        )
        write_file(operator, json.dumps({"username": "operator", "password": password}).encode())
    lines.append(f"  operator's password         {operator}")
    samples = root / SAMPLES_FILE
    if load_samples and not samples.exists():
        write_file(samples, json.dumps(_load_samples(world), indent=2).encode())
    if samples.exists():
        lines.append(f"  sample patients             {samples} (with their wallets' keys: development only)")
    return "\n".join(lines)


def _load_samples(world: World) -> list[dict[str, Any]]:
    """Enrol sample patients and store their generated bundles."""
    loaded = []
    for bundle in generate(SAMPLE_COUNT, SAMPLE_SEED):
        patient = next(
            entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
        )
        wallet = Account.create()
        record_number = patient["identifier"][0]["value"]
        issued = world.services.identity.enrolments.issue(
            record_number,
            name=patient["name"][0]["family"],
            birth_date=patient.get("birthDate"),
            checked_by="sample",
        )
        account = Address(wallet.address)
        draft = world.services.identity.draft_claim(issued.code, account)
        signature = wallet.sign_message(encode_typed_data(full_message=dict(draft))).signature
        claimed = world.services.identity.claim(
            issued.code, account, message=draft["message"], signature=bytes(signature)
        )
        world.services.open_subject(claimed)
        stored = world.services.storing.store_bundle(
            NewDocument(
                subject=claimed.subject_id,
                record_id=RecordId(secrets.token_bytes(16)),
                version=1,
                content=encode(bundle),
                media_type="application/fhir+json",
                author=world.stores.tenant,
                actor=Agent(AgentKind.SERVICE, "samples"),
            )
        )
        loaded.append(
            {
                "record_number": record_number,
                "subject": f"0x{claimed.subject_id:024x}",
                "record_id": stored.record_id.hex(),
                "account": wallet.address,
                "private_key": "0x" + bytes(wallet.key).hex(),
            }
        )
    return loaded
