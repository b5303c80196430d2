"""The first run: an operator account, and in development sample patients whose keys lie beside the data."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

from backend.adapters.durable import write_file
from backend.audit.entry import Agent, AgentKind
from backend.bootstrap import World
from backend.identity.errors import RecordAlreadyEnrolled
from backend.identity.roles import Role
from backend.records.storing import NewDocument
from backend.types import Address, RecordId, SubjectId
from scripts.generate_bundles import encode, generate

OPERATOR_FILE: Final = "operator.json"
SAMPLES_FILE: Final = "sample-patients.json"
PLAN_FILE: Final = "sample-plan.json"
SAMPLE_COUNT: Final = 3
SAMPLE_SEED: Final = 20


def first_run(world: World, *, load_samples: bool) -> str:
    """Make the operator's account and the samples if they are not there; return what to say about them."""
    root = world.stores.directory.root
    lines = []
    operator = root / OPERATOR_FILE
    if not operator.exists():
        # The file first: an account whose password a crash took along would lock everybody out.
        account = {"username": "operator", "password": secrets.token_urlsafe(18)}
        write_file(operator, json.dumps(account).encode())
    _make_operator(world, json.loads(operator.read_bytes()))
    lines.append(f"  operator's password         {operator}")
    samples = root / SAMPLES_FILE
    if load_samples and not samples.exists():
        write_file(samples, json.dumps(_load_samples(world, _plan(root)), indent=2).encode())
    if samples.exists():
        lines.append(f"  sample patients             {samples}")
        lines.append(
            "                              (with their keys; they grant what they are asked: development)"
        )
    return "\n".join(lines)


def _make_operator(world: World, account: dict[str, str]) -> None:
    identity = world.services.identity
    if any(known.username == account["username"] for known in identity.staff.all()):
        return
    identity.add_user(
        username=account["username"],
        password=account["password"],
        roles=frozenset({Role.OPERATOR, Role.IDENTITY_DESK}),
        member_id=world.stores.tenant,
        by=None,
    )


def _plan(root: Path) -> list[dict[str, str]]:
    """Draw the samples' keys and record ids once, so that a run that was killed is taken up, not repeated."""
    path = root / PLAN_FILE
    if not path.exists():
        drawn = [
            {"private_key": "0x" + bytes(Account.create().key).hex(), "record_id": secrets.token_hex(16)}
            for _ in range(SAMPLE_COUNT)
        ]
        write_file(path, json.dumps(drawn).encode())
    planned: list[dict[str, str]] = json.loads(path.read_bytes())
    return planned


def _load_samples(world: World, plan: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Enrol sample patients and store their generated bundles; what is done already is passed over."""
    loaded = []
    for drawn, bundle in zip(plan, generate(SAMPLE_COUNT, SAMPLE_SEED), strict=True):
        patient = next(
            entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"
        )
        wallet = Account.from_key(drawn["private_key"])
        record_number = patient["identifier"][0]["value"]
        subject = _enrol(world, patient, record_number, wallet)
        stored = world.services.storing.store_bundle(
            NewDocument(
                subject=subject,
                record_id=RecordId(bytes.fromhex(drawn["record_id"])),
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
                "subject": f"0x{subject:024x}",
                "record_id": stored.record_id.hex(),
                "account": wallet.address,
                "private_key": drawn["private_key"],
            }
        )
    return loaded


def _enrol(world: World, patient: dict[str, Any], record_number: str, wallet: Any) -> SubjectId:
    identity = world.services.identity
    try:
        issued = identity.enrolments.issue(
            record_number,
            name=patient["name"][0]["family"],
            birth_date=patient.get("birthDate"),
            checked_by="sample",
        )
    except RecordAlreadyEnrolled:  # claimed before a crash; opening it was completed at this start
        tenant = world.stores.tenant
        return identity.references.resolve(tenant, identity.references.refer(tenant, record_number))
    account = Address(wallet.address)
    draft = identity.draft_claim(issued.code, account)
    signature = wallet.sign_message(encode_typed_data(full_message=dict(draft))).signature
    claimed = identity.claim(issued.code, account, message=draft["message"], signature=bytes(signature))
    world.services.open_subject(claimed)
    return claimed.subject_id
