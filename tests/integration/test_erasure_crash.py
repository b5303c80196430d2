"""An erasure broken at each call of each port ends exactly once after a restart, and is locked till then."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.erasables import RecordVersions, under_way
from backend.adapters.index.erasure_store import MongoErasureRows, MongoHoldRows
from backend.adapters.index.slot_store import MongoSlotIndex
from backend.audit.entry import Agent, AgentKind
from backend.demo.actors import Api, Provider
from backend.erasure.destruction import Destruction
from backend.erasure.holds import LegalHolds
from backend.erasure.service import ACT, Erasures
from backend.erasure.types import Cause, Scope, State, Wish
from backend.erasure_wiring import open_erasables
from backend.idempotency import Attempt
from backend.identity.roles import Role
from backend.records.manifest import salt_of, version_name
from backend.records.manifests import ManifestBook
from backend.records.slot_book import SlotBook
from backend.records.storing import NewDocument
from backend.sealed import documents_key
from backend.types import RecordId, SubjectId, UnixSeconds
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.support.breaking_process import ConsentProcess
from tests.support.faults import Crash, Faults
from tests.support.process_world import People, eventually, run_cli, running_program

HOURS_72 = 72 * 3600


@dataclass(slots=True)
class Stage:
    service: Service
    operator: Api
    auditor: Api
    hospital: Provider
    patient: Patient
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(500, 900)))

    @property
    def subject(self) -> SubjectId:
        return SubjectId(int(self.patient.subject, 16))

    def logged(self, erasure_id: str) -> Counter[str]:
        """How many entries of the system's log and of the patient's name the erasure, by type."""
        entries = [
            *self.auditor.get("/v1/log/entries", limit=200)["entries"],
            *self.patient.accesses(),
        ]
        seen = {entry["index"]: entry for entry in entries}.values()
        return Counter(entry["type"] for entry in seen if entry["detail"].get("erasure") == erasure_id)


class ErasureProcess(ConsentProcess):
    """``deep``: also each class of rows is a port that breaks."""

    def __init__(self, stage: Stage, faults: Faults, *, deep: bool, late: bool = False) -> None:
        super().__init__(stage.service.world, faults, late=late)
        stores, services, wrap = stage.service.world.stores, stage.service.world.services, faults.wrap
        slots = SlotBook(
            tenant=stores.tenant,
            index=MongoSlotIndex(stores.database),
            keys=stores.keys,
            sealer=self.sealer,
        )
        manifests = ManifestBook(
            index=None,  # type: ignore[arg-type]  # only opens what it is given
            keys=stores.keys,
            sealer=self.sealer,
            ledger=stores.commitments,
            erases=self.restrictions.erases,
        )
        classes = open_erasables(stores, slots=slots, sealer=self.sealer)
        self.erasures = Erasures(
            rows=wrap(MongoErasureRows(stores.database, stores.keys), "erasures"),
            records=wrap(RecordVersions(stores.database), "records"),
            holds=LegalHolds(
                rows=MongoHoldRows(stores.database, stores.keys),
                is_erased=lambda _: False,
                signer=services.documents,
                sealer=self.sealer,
                custodian=services.custodian,
                audit=self.audit,
                clock=self.now,
            ),
            destruction=Destruction(
                keys=wrap(stores.keys, "keys") if deep else stores.keys,
                blocks=wrap(stores.blocks, "blocks"),
                records=RecordVersions(stores.database),
                commitments=wrap(stores.commitments, "commitments"),
                erasables=[wrap(each, each.name) for each in classes] if deep else classes,
                open_manifest=manifests.unchecked,
                forget=self.evidence.forget,
                under_way=under_way(stores.database),
            ),
            restrictions=self.restrictions,
            code_key=bytes(32),
            **self.acting,
        )

    def recover(self) -> None:
        """What a start does."""
        self.erasures.restore()
        self.outbox.recover()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_service(tmp_path_factory.mktemp("erasure-crash") / "data") as service:
        operator = staff(service, "crash-operator", Role.OPERATOR, Role.IDENTITY_DESK)
        auditor = staff(service, "crash-auditor", Role.AUDITOR)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        yield Stage(service, operator, auditor, hospital, enrol(service, operator, hospital, 499))


Check = Callable[[Any, str], None]


def a_record(stage: Stage) -> tuple[Scope, Check]:
    record = RecordId(secrets.token_bytes(16))
    stores = stage.service.world.stores
    stage.service.world.services.storing.store_attachment(
        NewDocument(
            subject=stage.subject,
            record_id=record,
            version=1,
            content=b"a report of " + record.hex().encode(),
            media_type="text/plain",
            author=stores.tenant,
            actor=Agent(AgentKind.SERVICE, "faults"),
            categories=("laboratory",),
            sensitivities=(),
        )
    )
    scope = Scope(stage.subject, (record,))
    (row,) = RecordVersions(stores.database).versions(scope)

    def check(restrictions: Any, erasure_id: str) -> None:
        assert restrictions.erases(stage.subject, record)
        assert not RecordVersions(stores.database).versions(scope)
        assert not stores.keys.exists(*salt_of(version_name(record, 1)))
        assert stores.commitments.committed([row.commitment]) == [False]
        assert stores.keys.exists(*documents_key(stage.subject, 1))
        assert stage.logged(erasure_id) == {
            "erasure.requested": 1, "erasure.done": 1, "record.erased": 1,
        }  # fmt: skip

    return scope, check


def a_person(stage: Stage) -> tuple[Scope, Check]:
    patient = enrol(stage.service, stage.operator, stage.hospital, next(stage.numbers))
    subject = SubjectId(int(patient.subject, 16))
    stores = stage.service.world.stores
    scope = Scope(subject)

    def check(restrictions: Any, erasure_id: str) -> None:
        assert restrictions.erases(subject)
        assert not stores.keys.exists(*documents_key(subject, 1))
        assert not RecordVersions(stores.database).versions(scope)
        assert stores.database["enrolments"].find_one({"_id": scope.subject_hex}) is None
        assert stage.logged(erasure_id)["erasure.done"] == 1

    return scope, check


def wish_of(scope: Scope, grace_seconds: int) -> Wish:
    return Wish(
        scope=scope,
        cause=Cause.PATIENT_REQUEST,
        by=Agent(AgentKind.SERVICE, "faults"),
        grace_seconds=grace_seconds,
    )


def an_attempt() -> Attempt:
    return Attempt(UnixSeconds(int(time.time())), secrets.token_bytes(32))


def unfinished(stage: Stage) -> int:
    return len(
        MongoActStore(stage.service.world.stores.database, stage.service.world.stores.keys).unfinished([ACT])
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("make", "deep", "least", "after"),
    [(a_record, True, 100, False), (a_person, False, 20, True)],
    ids=["record", "person"],
)
def test_erasure_broken_at_each_port_call_is_complete_exactly_once_after_a_restart(
    stage: Stage, make: Callable[[Stage], tuple[Scope, Check]], deep: bool, least: int, after: bool
) -> None:
    number, reached = 0, True
    while reached:
        scope, check = make(stage)
        wish, attempt = wish_of(scope, 0), an_attempt()
        erasure_id = attempt.draw("erasure", 16).hex()
        faults = Faults()
        faults.arm(number, after=after)
        process = ErasureProcess(stage, faults, deep=deep)
        with suppress(Crash):
            process.erasures.request(wish, attempt)
            process.go_on()
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = ErasureProcess(stage, Faults(), deep=deep, late=True)
        promised = bool(unfinished(stage))
        restarted.recover()
        if promised:
            assert restarted.restrictions.erases(scope.subject, scope.locks[0]), point
        else:  # what was never acknowledged is sent again
            restarted.erasures.request(wish, attempt)
            restarted.go_on()
        try:
            assert not unfinished(stage)
            assert restarted.erasures.get(erasure_id).state is State.ERASED
            assert restarted.erasures.get(erasure_id).destroyed["keys"] > 0
            check(restarted.restrictions, erasure_id)
        except AssertionError as failure:
            raise AssertionError(f"call {number} ({point}), after={after}") from failure
        number += 1
    assert number > least


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cancelling_broken_at_each_port_call_cancels_once_or_not_at_all(stage: Stage, after: bool) -> None:
    number, reached = 0, True
    by = Agent(AgentKind.SERVICE, "faults")
    while reached:
        scope, _ = a_record(stage)
        attempt = an_attempt()
        requested = ErasureProcess(stage, Faults(), deep=False)
        erasure_id = requested.erasures.request(wish_of(scope, HOURS_72), attempt).row.erasure_id
        faults = Faults()
        faults.arm(number, after=after)
        process = ErasureProcess(stage, faults, deep=False)
        with suppress(Crash):
            process.erasures.cancel(erasure_id, by=by)
        reached = len(faults.calls) > number
        restarted = ErasureProcess(stage, Faults(), deep=False, late=True)
        restarted.recover()
        if restarted.erasures.get(erasure_id).state is State.LOCKED:
            assert restarted.restrictions.erases(scope.subject, scope.locks[0])
            restarted.erasures.cancel(erasure_id, by=by)
            restarted.outbox.recover()
        assert restarted.erasures.get(erasure_id).state is State.CANCELLED
        assert not restarted.restrictions.erases(scope.subject, scope.locks[0])
        assert RecordVersions(stage.service.world.stores.database).versions(scope)
        assert stage.logged(erasure_id) == {"erasure.requested": 1, "erasure.cancelled": 1}
        number += 1
    assert number > 3


@pytest.mark.timeout(600)
def test_program_killed_while_it_erases_ends_every_erasure(tmp_path: Path) -> None:
    draw = random.Random(6)
    with running_program(tmp_path) as program:
        people = People(program)
        asked: list[dict[str, Any]] = []
        for number in range(8):
            record = people.store(f"record-{number}", b"a report of the left elbow")
            body = {"subject": people.patient.subject, "record_id": record, "grace_hours": 0}
            asked.append(people.patient.api.post("/v1/erasures", body))
            time.sleep(draw.uniform(0, 0.12))
            program.kill()
            program.start()
            people.reconnect()
        kept = people.store("kept", b"a report of the right elbow")
        for erasure in asked:
            name = f"/v1/erasures/{erasure['erasure_id']}"
            eventually(
                lambda name=name: people.patient.api.get(name)["state"] == "erased",  # type: ignore[misc]
                seconds=60,
                what="an erasure is done",
            )
        assert people.listed_records() == [kept]
        kinds = Counter(
            (entry["type"], entry["detail"].get("erasure"))
            for entry in people.entries()
            if "erasure" in entry["detail"]
        )
        assert kinds == {
            (kind, erasure["erasure_id"]): 1
            for erasure in asked
            for kind in ("erasure.requested", "record.erased")
        }
        program.stop()
        checked = run_cli("fsck", "--data-directory", program.data, "--json")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert json.loads(checked.stdout)["damage"] == []
