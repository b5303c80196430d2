"""Minutes of reads, writes, grants and revocations on a network of six nodes and three Kubo nodes, with a
fault each minute: nothing acknowledged is lost or done twice, no read is permitted wrongly, memory is flat.

In the end everything is healed, what waits is done, and each act that was acknowledged is looked for: records
are read back, the patients' lists of consents and their parts of the audit log are compared, ``fsck`` and
``audit fsck`` check the stores against the chain.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from rich.console import Console

from backend.audit.codes import CONSENT_GRANTED, CONSENT_REVOKED, RECORD_READ, RECORD_STORED
from backend.demo.actors import Api
from bench.enduring_clients import Crowd, Person
from bench.enduring_model import Verdict
from bench.enduring_stage import Stage, schedule
from bench.machine import resident_mib
from bench.results import Result, at_most, shown, skipped
from bench.waiting import until
from scripts.testnet.build import BINARY, BUILD_COMMAND

MINUTES: Final = 24
WORK: Final = "minutes of mixed load with a fault each minute"
GOAL_OF_MEMORY: Final = 1.15
_MINUTE: Final = 60.0
_SAMPLE_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 600.0
_PAGE: Final = 200
_COMMAND_SECONDS: Final = 1_800


class Sample(NamedTuple):
    """Resident memory of a process so many seconds after it began to serve."""

    pid: int
    seconds: float
    mib: float


def measure(directory: Path, *, minutes: int = MINUTES, console: Console | None = None) -> list[Result]:
    name = f"{minutes} {WORK}"
    if not BINARY.is_file():
        return [skipped(name, "acts", f"no geth here: {BUILD_COMMAND}")]
    stage = Stage(directory / "enduring")
    try:
        stage.start()
        return _measure(stage, name, minutes, console or Console(stderr=True))
    finally:
        stage.stop()


def _measure(stage: Stage, name: str, minutes: int, console: Console) -> list[Result]:
    faults = schedule(minutes, kubo=stage.swarm is not None)
    crowd = Crowd(stage.service.url, stage.service.operator())
    memory = _Memory(stage)
    memory.start()
    crowd.start()
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  {time.monotonic() - began:5.0f} s  {text}", highlight=False)

    try:
        for number, fault in enumerate(faults):
            _wait_until(began + number * _MINUTE + _MINUTE / 4)
            say(fault.name)
            fault.run(stage)
            say("healed")
        _wait_until(began + minutes * _MINUTE)
    finally:
        crowd.stop()
        memory.stop()
    say(f"no more load; answers: {dict(crowd.verdicts)}, odd: {dict(crowd.odd)}")
    faulty = [*_unfinished(crowd), *_found_by_people(crowd), *_found_in_stores(stage, crowd)]
    for each in faulty:
        say(each)
    crowd.close()
    return [*_rows(name, crowd, len(faults), faulty), *_memory_rows(name, memory.samples)]


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _rows(name: str, crowd: Crowd, faults: int, faulty: Sequence[str]) -> list[Result]:
    verdicts, promised = crowd.verdicts, [person.promised for person in crowd.people]
    stored = sum(len(each.records) for each in promised)
    consents = [consent for each in promised for consent in each.consents]
    stops = sum(consent.stopped is not None for consent in consents)
    return [
        at_most(f"{name}: acts lost or done twice", len(faulty), "acts", 0),
        at_most(f"{name}: wrong permits", verdicts[Verdict.WRONG_PERMIT], "reads", 0),
        at_most(f"{name}: other bytes than stored", verdicts[Verdict.ALTERED], "reads", 0),
        shown(f"{name}: wrong denies", verdicts[Verdict.WRONG_DENY], "reads"),
        shown(f"{name}: other wrong answers", crowd.odd.total(), "answers"),
        shown(f"{name}: faults", faults, "faults"),
        shown(f"{name}: reads permitted", verdicts[Verdict.PERMITTED], "reads"),
        shown(f"{name}: reads denied", verdicts[Verdict.DENIED], "reads"),
        shown(f"{name}: reads that nobody could answer", verdicts[Verdict.AWAY], "reads"),
        shown(f"{name}: records stored", stored, "records"),
        shown(f"{name}: permits granted", len(consents), "permits"),
        shown(f"{name}: permits revoked", stops, "permits"),
    ]


def _memory_rows(name: str, samples: Sequence[Sample]) -> list[Result]:
    """Of the process that ran longest: its last quarter against its second, after which caches are full."""
    longest = Counter(sample.pid for sample in samples).most_common(1)[0][0]
    own = [sample.mib for sample in samples if sample.pid == longest]
    quarter = len(own) // 4
    second, last = (statistics.median(part) for part in (own[quarter : 2 * quarter], own[-quarter:]))
    row = f"{name}: memory of the service, last quarter against the second"
    return [
        Result(
            row, round(last, 1), "MiB", round(second, 1), round(last / second, 3),
            f"<= {GOAL_OF_MEMORY:g} x", last / second <= GOAL_OF_MEMORY,
        )
    ]  # fmt: skip


class _Memory:
    """Looks at the service once a second, whichever process it is."""

    def __init__(self, stage: Stage) -> None:
        self.samples: list[Sample] = []
        self._stage = stage
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        began: dict[int, float] = {}
        while not self._over.wait(_SAMPLE_SECONDS):
            pid = self._stage.service.pid
            if pid is None:
                continue
            try:
                mib = resident_mib(pid)
            except OSError:
                continue  # it was killed this moment
            now = time.monotonic()
            self.samples.append(Sample(pid, now - began.setdefault(pid, now), mib))


def _unfinished(crowd: Crowd) -> Iterator[str]:
    """What was accepted and is not done though nothing is broken any more."""

    def waiting() -> dict[str, int]:
        queues = crowd.operator.get("/v1/operations")["queues"]
        return {queue["kind"]: queue["waiting"] for queue in queues if queue["waiting"]}

    try:
        until(lambda: not waiting(), "everything that waits is done", seconds=_SETTLE_SECONDS)
    except TimeoutError:
        yield from (f"{number} acts of {kind} are not done" for kind, number in waiting().items())


def _found_by_people(crowd: Crowd) -> Iterator[str]:
    """What of that which was acknowledged is not there, over the public API."""
    http = crowd.persistent()
    for person in crowd.people:
        person.wallet.api.http = http
        yield from _records(crowd, person, http)
        yield from _consents(person)
        yield from _entries(person)


def _records(crowd: Crowd, person: Person, http: httpx.Client) -> Iterator[str]:
    for record in person.promised.records:
        verdict = crowd.read(http, crowd.standing, person, record)
        if verdict is not Verdict.PERMITTED:
            yield f"record {record} is not read back: {verdict}"


def _consents(person: Person) -> Iterator[str]:
    rows = person.wallet.api.get("/v1/consents", subject=person.subject)
    found = Counter(row["consent_id"] for row in rows)
    states = {row["consent_id"]: row["state"] for row in rows}
    for consent in person.promised.consents:
        state = states.get(consent.consent_id)
        if consent.acknowledged is None and state is None:
            continue
        wanted = {"live"} if consent.stop_sent is None else {"revoked"}
        if consent.stop_sent is not None and consent.stopped is None:
            wanted.add("live")
        if state not in wanted:
            yield f"consent {consent.consent_id} is {state}"
    yield from (f"consent {name} is there {times} times" for name, times in found.items() if times > 1)
    sent = {consent.consent_id for consent in person.promised.consents}
    yield from (f"consent {name} was never sent" for name in found if name not in sent)


def _entries(person: Person) -> Iterator[str]:
    """Each act is in the patient's part of the log once; a read that was answered, at least."""
    logged: dict[str, Counter[str]] = {
        kind: Counter() for kind in (RECORD_STORED, CONSENT_GRANTED, CONSENT_REVOKED)
    }
    reads = 0
    for entry in _log(person.wallet.api, person.subject):
        reads += entry["type"] == RECORD_READ and entry["outcome"] == "permitted"
        if entry["type"] in logged:
            logged[entry["type"]].update(entry["records"] or entry["consents"])
    promised = person.promised
    for kind, wanted in (
        (RECORD_STORED, set(promised.records)),
        (CONSENT_GRANTED, {each.consent_id for each in promised.consents if each.acknowledged is not None}),
        (CONSENT_REVOKED, {each.consent_id for each in promised.consents if each.stopped is not None}),
    ):
        yield from (f"{kind} of {name} is not logged" for name in wanted - set(logged[kind]))
        yield from (f"{kind} of {name} is logged {n} times" for name, n in logged[kind].items() if n > 1)
    if reads < promised.reads:
        yield f"{promised.reads - reads} reads of {person.subject} are not logged"


def _log(api: Api, subject: str) -> Iterator[dict[str, Any]]:
    before: dict[str, int] = {}
    while True:
        page = api.get("/v1/accesses", subject=subject, limit=_PAGE, **before)
        if page["gaps"]:
            raise RuntimeError("the patient's part of the log has gaps")
        yield from page["entries"]
        if page["next_before"] is None:
            return
        before = {"before": page["next_before"]}


def _found_in_stores(stage: Stage, crowd: Crowd) -> Iterator[str]:
    """What the program's own checks say once it is stopped."""
    status = stage.service.stop()
    if status != 0:
        yield f"the service ended with {status}"
    stored = sum(len(person.promised.records) for person in crowd.people)
    tried = sum(person.promised.tried for person in crowd.people)
    for command in (("fsck",), ("audit", "fsck")):
        report = _command(stage, *command, "--json")
        yield from (f"{' '.join(command)}: {each}" for each in report["damage"])
        if command == ("fsck",) and not stored <= (found := report["checked"]["record versions"]) <= tried:
            yield f"fsck finds {found} records, {stored} were stored"


def _command(stage: Stage, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "backend.cli", *arguments, "--data-directory", str(stage.data)],
        env={**os.environ, **stage.service.environment},
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError as failure:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-2000:]}") from failure
    return found
