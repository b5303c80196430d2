"""How long a service with many consents and records takes to be ready again, and a reindex from zero.

What there is was made by the services themselves: subjects opened and grants signed by their patients, each
with its document in the index and recorded through the contract, records stored with block, keys, commitment
and their entries of the audit log. ``EACH`` grants and as many records a patient.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx
from eth_account import Account

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.server import EmbeddedIndex, connect
from backend.audit.entry import Agent
from backend.bootstrap import World, open_world
from backend.consent.drafting import Wish
from backend.consent.terms import Kind
from backend.demo.service import Service
from backend.records.storing import NewDocument
from backend.settings import Settings
from backend.types import MemberId, RecordId, UnixSeconds
from bench.enrolment import enrol, signed
from bench.results import Result, at_most, shown
from bench.scene import CATEGORY

CONSENTS: Final = 100_000
EACH: Final = 10
GOAL_OF_RESTART_SECONDS: Final = 5
GOAL_OF_REINDEX_SECONDS: Final = 60
WORK: Final = "consents and as many records"
_CLIENTS: Final = 32  # the relayer and the audit log take whatever waits together
_DOCUMENT_BYTES: Final = 256
_REINDEX_SECONDS: Final = 3_600


def measure(directory: Path, *, consents: int = CONSENTS) -> list[Result]:
    """The restart is from the start of the process until ``/health/ready`` says that every part is up."""
    data = directory / "restarting" / "data"
    patients = max(1, consents // EACH)
    making = _timed(lambda: _make(data, patients))
    name = f"{patients * EACH:,} {WORK}"
    service = Service(data, storage="directory")
    try:
        first = _timed(service.start)
        stopping = _timed(service.stop)
        restart = _timed(service.start)
        service.kill()
        after_kill = _timed(service.start)
        _require(service, patients * EACH)
    finally:
        service.stop()
    _forget_projections(data)
    reindex = _timed(lambda: _reindex(data))
    return [
        at_most(f"restart of a service with {name}", restart, "s", GOAL_OF_RESTART_SECONDS),
        shown(f"restart of a service with {name}: in order, the stop before it", stopping, "s"),
        shown(f"restart of a service with {name}: the first one, files not in memory", first, "s"),
        shown(f"restart of a service with {name}: after a kill", after_kill, "s"),
        at_most(f"reindex from zero of {name}", reindex, "s", GOAL_OF_REINDEX_SECONDS),
        shown(f"making {name}", making, "s"),
    ]


def _make(data: Path, patients: int) -> None:
    with closing(open_world(Settings(data_directory=data))) as world, ThreadPoolExecutor(_CLIENTS) as pool:
        for _ in pool.map(lambda number: _patient(world, number), range(patients)):
            pass
        acts = MongoActStore(world.stores.database, world.stores.keys)
        while acts.waiting():  # what a grant leaves to do behind its answer
            time.sleep(1)


def _patient(world: World, number: int) -> None:
    services, account = world.services, Account.create()
    tables = services.tables
    subject = enrol(world, account, f"R{number}", "A Patient", "1970-01-01")
    for _ in range(EACH):
        wish = Wish(
            Kind.PERMIT,
            MemberId(secrets.token_bytes(32)),
            purposes=tables.purposes.mask(["TREAT"]),
            categories=tables.categories.mask([CATEGORY]),
            actions=tables.actions.mask(["access"]),
        )
        epoch, now = services.evidence.subject(subject).epoch, UnixSeconds(int(time.time()))
        grant = services.drafter.grant(wish, subject=subject, epoch=epoch, now=now, language="en")
        services.consents.submit(grant, signed(account, grant, services.domain))
        services.storing.store_attachment(
            NewDocument(
                subject=subject,
                record_id=RecordId(secrets.token_bytes(16)),
                version=1,
                content=secrets.token_bytes(_DOCUMENT_BYTES),
                media_type="application/octet-stream",
                author=world.stores.tenant,
                actor=Agent.service("benchmark"),
                categories=(CATEGORY,),
                sensitivities=(),
            )
        )


def _require(service: Service, number: int) -> None:
    """All of it is there and counted: each act left an entry."""
    checkpoint = httpx.get(f"{service.url}/v1/log/checkpoint", timeout=30).json()["checkpoint"]
    if int(checkpoint.splitlines()[1]) < 2 * number:
        raise RuntimeError("the log does not hold what was made")


def _forget_projections(data: Path) -> None:
    """Take from the index all that it repeats of the chain."""
    settings = Settings(data_directory=data)
    index = EmbeddedIndex(data / "index")
    index.start()
    try:
        database = connect(index.uri, database=f"assent_{settings.tenant}", timeout_ms=60_000)
        database["consents"].update_many({}, {"$set": {"block": None, "transaction": None}})
        database["records"].update_many({}, {"$set": {"current": False}})
        database.client.close()
    finally:
        index.stop()


def _reindex(data: Path) -> None:
    command = [sys.executable, "-m", "backend.cli", "reindex", "--data-directory", str(data)]
    subprocess.run(command, env=os.environ, check=True, timeout=_REINDEX_SECONDS, capture_output=True)  # noqa: S603


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
