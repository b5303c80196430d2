"""Resident memory of the service once 10,000 records are stored, through the API like any other."""

from __future__ import annotations

import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from bench.machine import children, resident_mib
from bench.results import Result, at_most, shown
from bench.scene import Scene

RECORDS = 10_000
CLIENTS = 32  # the relayer and the audit log take whatever waits together
SIZE_BYTES = 1024
GOAL_MIB = 400


def measure(scene: Scene, data_directory: Path, *, records: int = RECORDS) -> list[Result]:
    """Store ``records`` small attachments, then look at the process and at those it started."""
    pid = json.loads((data_directory / "run.json").read_text())["pid"]
    before = resident_mib(pid)
    started = time.perf_counter()
    store(scene, records=records)
    seconds = time.perf_counter() - started
    name = f"memory of the service with {records:,} records"
    own, beside = resident_mib(pid), {child: resident_mib(child) for child in children(pid)}
    return [
        at_most(name, own, "MiB", GOAL_MIB),
        shown(f"{name}: before", before, "MiB"),
        *(
            shown(f"{name}: {program}, its own process", beside[child], "MiB")
            for child, program in children(pid).items()
        ),
        shown(f"{name}: all processes together", own + sum(beside.values()), "MiB"),
        shown(f"storing small records, {CLIENTS} clients", records / seconds, "1/s"),
    ]


def store(scene: Scene, *, records: int) -> None:
    """Store so many small attachments of the patient, by several clients at once."""
    shares = [records // CLIENTS + (number < records % CLIENTS) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for outcome in [pool.submit(_store, scene, share) for share in shares]:
            outcome.result()


def _store(scene: Scene, count: int) -> None:
    with httpx.Client(base_url=scene.http.base_url, timeout=120) as http:
        for _ in range(count):
            scene.store(secrets.token_bytes(SIZE_BYTES), http=http)
