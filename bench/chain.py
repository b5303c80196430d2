"""What the chain costs: a decision at a block not yet seen, and the gas of grants."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from backend.adapters.ledger.abi import artifact
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.api.services import Services
from backend.audit.entry import Agent
from backend.bootstrap import World, open_world
from backend.consent.deciding import Question
from backend.consent.decision_types import Answer, Requester, Segment
from backend.consent.drafting import Wish
from backend.consent.ledger_types import Receipt
from backend.consent.terms import Grant, Kind, OpenSubject, Revoke
from backend.consent.typed_data import consent_id, digest
from backend.idempotency import Attempt
from backend.identity.roles import Role
from backend.settings import Settings
from backend.types import Address, MemberId, SubjectId, UnixSeconds
from bench.results import Result, at_most, ratio_at_most

BLOCKS = 200
WARM_UP = 20
BATCH = 100
GOAL_RATIO = 1.5
GOAL_SINGLE_GAS = 62_000
GOAL_BATCH_GAS = 41_000
_UNBOUNDED = UnixSeconds(2**40 - 1)
_HOUR = 3600


def measure(directory: Path) -> list[Result]:
    """In this process, on a fresh embedded chain."""
    world = open_world(Settings(data_directory=directory / "chain-data"))
    try:
        return [_decision(world), *_gas(world)]
    finally:
        world.close()


class Patient:
    """A subject opened on the chain, and the key that speaks for it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.account: LocalAccount = Account.create()
        self.subject = SubjectId(secrets.randbits(96))
        deadline = UnixSeconds(int(time.time()) + _HOUR)
        command = OpenSubject(self.subject, Address(self.account.address), deadline)
        world.stores.ledger.open_subject(command, self.sign(command))

    def sign(self, command: OpenSubject | Grant | Revoke) -> bytes:
        hashed = Hash32(digest(command, self._world.services.domain))
        return bytes(self.account.unsafe_sign_hash(hashed).signature)

    def grant(self, clinic: MemberId) -> Grant:
        services = self._world.services
        tables = services.tables
        wish = Wish(
            Kind.PERMIT,
            clinic,
            tables.purposes.mask(["TREAT"]),
            tables.categories.mask(["laboratory"]),
            0,
            tables.actions.mask(["access"]),
        )
        epoch = services.evidence.subject(self.subject).epoch
        now = UnixSeconds(int(time.time()))
        return services.drafter.grant(wish, subject=self.subject, epoch=epoch, now=now, language="en")


def asked(services: Services, subject: SubjectId, clinic: MemberId) -> tuple[Question, Segment]:
    """Return what is decided: laboratory results of any time, for treatment."""
    question = Question(
        subject,
        Requester(clinic),
        services.tables.purposes.mask(["TREAT"]),
        services.tables.actions.mask(["access"]),
    )
    segment = Segment(
        categories=services.tables.categories.mask(["laboratory"]),
        sensitivities=0,
        data_from=UnixSeconds(0),
        data_to=_UNBOUNDED,
        references=frozenset(),
    )
    return question, segment


def _decision(world: World) -> Result:
    """Each measured call is the first at its block, for the decision and for the bare call alike."""
    services, chain = world.services, world.stores.chain
    now = int(time.time())
    patient = Patient(world)
    clinic = services.admissions.admit(
        "Clinic",
        roles=frozenset({Role.PROVIDER}),
        account=None,
        days=1,
        attempt=Attempt.only(now=now),
        by=Agent.service("benchmark"),
    )
    grant = patient.grant(clinic)
    services.consents.submit(grant, patient.sign(grant))
    question, segment = asked(services, patient.subject, clinic)
    # What the decision asks for, but for the clinic's membership: the slots of patient and consent.
    call = {
        "to": world.stores.deployment.contracts["ConsentRegistry"].address,
        "data": "0x" + _evidence_call(patient.subject, grant).hex(),
    }

    def decide() -> None:
        if services.decisions.decide(question, [segment])[0].answer is not Answer.PERMIT:
            raise RuntimeError("the decision should permit")

    def ask() -> None:
        chain.rpc().call("eth_call", call, hex(chain.view().head_number))

    if not isinstance(chain, EmbeddedChain):
        raise TypeError("empty blocks are made on the embedded chain only")
    decisions, calls = [], []
    for _ in range(BLOCKS + WARM_UP):
        chain.mine([])
        calls.append(_seconds(ask))
        chain.mine([])
        decisions.append(_seconds(decide))
    return ratio_at_most(
        "decision at a block not yet seen",
        1000 * statistics.median(decisions[WARM_UP:]),
        "ms",
        reference=1000 * statistics.median(calls[WARM_UP:]),
        limit=GOAL_RATIO,
    )


def _gas(world: World) -> list[Result]:
    ledger, clinic = world.stores.ledger, MemberId(secrets.token_bytes(32))
    patients = [Patient(world) for _ in range(BATCH + 1)]
    first = patients.pop()
    grant = first.grant(clinic)
    single = _gas_used(world, ledger.record(grant, first.sign(grant)))
    grants = [patient.grant(clinic) for patient in patients]
    signatures = [patient.sign(grant) for patient, grant in zip(patients, grants, strict=True)]
    outcomes = ledger.record_grants(grants, signatures)
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Receipt)]
    receipt = outcomes[0]
    if refused or not isinstance(receipt, Receipt):
        raise RuntimeError(f"{len(refused)} grants of the batch were refused")
    batch = _gas_used(world, receipt) / BATCH
    return [
        at_most("gas of a signed relayed grant", single, "gas", GOAL_SINGLE_GAS),
        at_most(f"gas of a grant in a batch of {BATCH}, each", batch, "gas", GOAL_BATCH_GAS),
    ]


def _gas_used(world: World, receipt: Receipt) -> int:
    transaction = "0x" + receipt.transaction_hash.hex()
    return int(world.stores.chain.rpc().call("eth_getTransactionReceipt", transaction)["gasUsed"], 16)


def _evidence_call(subject: SubjectId, grant: Grant) -> bytes:
    return artifact("ConsentRegistry").functions["evidence"].encode([subject, [consent_id(grant)]])


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
