"""A study over encrypted records, against fetching, decrypting and ``json.loads`` of the same segments.

Everything of a run counts for ours: for each patient it is decided on the chain's evidence who takes part,
segments are opened, the entries of the audit log are durable, values are extracted, answers are charged and
drawn. The reference opens the same segments with the same store and keys, one by one, and parses them.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from backend.audit.entry import Agent
from backend.bootstrap import World, open_world
from backend.consent.drafting import Wish
from backend.consent.member_terms import PermitStudy
from backend.consent.terms import Kind, ResearchTerms
from backend.idempotency import Attempt
from backend.identity.roles import Role as Position
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.storing import NewDocument
from backend.records.vault import Vault
from backend.research.board.types import MotionKind, Person
from backend.research.extraction import readable
from backend.research.outputs import Count, Filter, Histogram
from backend.research.study import Proposal, Study
from backend.research.types import NO_EPSILON_CAP
from backend.research.variables import Kind as Measure
from backend.research.variables import Role, Variable
from backend.settings import Settings
from backend.types import Address, MemberId, RecordId, SubjectId, UnixSeconds
from bench.enrolment import enrol, signed
from bench.machine import peak_resident_mib, reset_peak, resident_mib
from bench.results import Result, ratio_at_most, shown
from bench.waiting import until_quiet
from scripts.generate_bundles import encode, numbered

PATIENTS = 1_000
LARGE = 10_000  # the goal's number, about an hour to make: only when asked for
SEED = 7
CLIENTS = 16
GOAL = 3.0
_AT_ONCE = 8 * CLIENTS
_HOUR = 3_600
_DAY = 24 * _HOUR
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
VARIABLES = (
    Variable("sex", Measure.SEX, Role.QUASI),
    Variable("age", Measure.AGE, Role.QUASI, edges=("18", "40", "65", "90"), reference_date="2025-06-30"),
    Variable("diabetes", Measure.CONDITION, system=SNOMED, code="44054006"),
    Variable("hb", Measure.LABORATORY, system=LOINC, code="718-7", unit="g/dL", edges=("10", "12", "15")),
)
CATEGORIES = ("demographics", "contact", "identifiers", "conditions", "laboratory")


def work(patients: int) -> str:
    """Return how the name of each of its rows begins."""
    return f"a study over {patients:,} patients' encrypted records"


def measure(directory: Path, *, patients: int = PATIENTS) -> list[Result]:
    """In this process, on a fresh embedded world with one bundle of some 240 KB a patient."""
    world = open_world(Settings(data_directory=directory / "extracting-data", privacy_budget_epsilon=10.0))
    try:
        return _measure(world, patients)
    finally:
        world.close()


def _measure(world: World, patients: int) -> list[Result]:
    services = world.services
    researcher = _admit(world, "Institute", Position.RESEARCHER, None)
    study = _approved(world, _proposal(researcher))
    started = time.perf_counter()
    subjects: list[SubjectId] = []
    bundles = (numbered(number, SEED) for number in range(patients))
    with ThreadPoolExecutor(CLIENTS) as pool:
        while some := list(islice(bundles, _AT_ONCE)):  # all of them at once would fill the memory
            subjects += pool.map(lambda bundle: _patient(world, bundle, researcher), some)
    setting_up = time.perf_counter() - started
    if patients >= LARGE:
        until_quiet()
    services.evidence.forget_all()
    reference, count, size = _reference(world, subjects)
    before = resident_mib(os.getpid())
    reset_peak(os.getpid())
    started = time.perf_counter()
    agent = Agent.member(researcher)
    result = services.runner.run(study, services.candidates.of(study, agent=agent, researcher=researcher))
    ours = time.perf_counter() - started
    if len(result.participants) != patients:
        raise RuntimeError(f"{len(result.participants)} of {patients} patients took part")
    added = peak_resident_mib(os.getpid()) - before
    name = work(patients)
    return [
        ratio_at_most(name, ours, "s", reference=reference, limit=GOAL),
        shown(f"{name}: segments opened, each patient", count / patients, ""),
        shown(f"{name}: bytes parsed, each patient", size / patients, "B"),
        shown(f"{name}: memory that the run adds at its peak", added, "MiB"),
        shown(f"{name}: setting it up", setting_up, "s"),
    ]


def _reference(world: World, subjects: Sequence[SubjectId]) -> tuple[float, int, int]:
    """Seconds, number of segments and bytes. Manifests are read before: only the segments count."""
    reading = world.services.reading
    wanted = [
        (manifest, part)
        for subject in subjects
        for manifest in reading.manifests.of_subject(subject)
        for part in manifest.segments
        if any(readable(variable, part.categories) for variable in VARIABLES)
    ]
    reading.manifests.forget()
    started = time.perf_counter()
    for manifest, part in wanted:
        _parse(reading.vault, manifest, part)
    return time.perf_counter() - started, len(wanted), sum(part.size_bytes for _, part in wanted)


def _parse(vault: Vault, manifest: Manifest, part: SegmentManifest) -> object:
    return json.loads(vault.read(manifest, part))


def _admit(world: World, name: str, role: Position, account: str | None) -> MemberId:
    return world.services.admissions.admit(
        name,
        roles=frozenset({role}),
        account=None if account is None else Address(account),
        days=30,
        attempt=Attempt.only(now=int(time.time())),
        by=Agent.service("benchmark"),
    )


def _proposal(researcher: MemberId) -> Proposal:
    now = int(time.time())
    return Proposal(
        researcher=researcher,
        title="Haemoglobin and diabetes",
        purpose="HRESCH",
        duo=("DUO:0000042",),
        variables=VARIABLES,
        outputs=(
            Count("diabetics", (Filter("diabetes", ("present",)),)),
            Histogram("haemoglobin", "hb"),
            Histogram("ages", "age"),
        ),
        not_before=UnixSeconds(now - _DAY),
        not_after=UnixSeconds(now + 30 * _DAY),
        epsilon=2_000_000,
        runs=1,
        minimum_cohort=5,
        salt=secrets.token_bytes(32),
    )


def _approved(world: World, proposal: Proposal) -> Study:
    services, board = world.services, Account.create()
    _admit(world, "Ethics board", Position.ETHICS_BOARD, board.address)
    study, _ = services.studies.propose(proposal)
    permit = services.board.decisions.ballot(study, MotionKind.PERMIT).command
    if not isinstance(permit, PermitStudy):
        raise TypeError("a motion to permit is a permit")
    services.board.decisions.sign(
        study,
        MotionKind.PERMIT,
        signed(board, permit, services.board.domain),
        submit_by=permit.submit_by,
        by=Person(Agent.account(Address(board.address)), Address(board.address)),
    )
    return services.studies.get(study.study_id)


def _patient(world: World, bundle: dict[str, Any], researcher: MemberId) -> SubjectId:
    """Open a subject, store its bundle, sign its consent to the researcher's research."""
    services, account = world.services, Account.create()
    subject = _enrol(world, bundle, account)
    services.storing.store_bundle(
        NewDocument(
            subject=subject,
            record_id=RecordId(secrets.token_bytes(16)),
            version=1,
            content=encode(bundle),
            media_type="application/fhir+json",
            author=world.stores.tenant,
            actor=Agent.service("benchmark"),
        )
    )
    tables = services.tables
    wish = Wish(
        Kind.PERMIT,
        researcher,
        purposes=tables.purposes.mask(["HRESCH"]),
        categories=tables.categories.mask(CATEGORIES),
        actions=tables.actions.mask(["compute"]),
        research=ResearchTerms(("DUO:0000042",), 5, NO_EPSILON_CAP),
    )
    epoch, now = services.evidence.subject(subject).epoch, UnixSeconds(int(time.time()))
    grant = services.drafter.grant(wish, subject=subject, epoch=epoch, now=now, language="en")
    services.consents.submit(grant, signed(account, grant, services.domain))
    return subject


def _enrol(world: World, bundle: dict[str, Any], account: LocalAccount) -> SubjectId:
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    number, name = patient["identifier"][0]["value"], patient["name"][0]["family"]
    return enrol(world, account, number, name, patient.get("birthDate"))
