"""Every port call of the last signature and of a completion breaks once, before and after its effect; after a
restart the recovery is proposed, or completed, exactly once. Real chain, index and key store."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.recovery_store import MongoRecoveryCases, MongoRecoveryPolicies
from backend.consent.recovery_terms import AcceptRecovery
from backend.consent.terms_json import from_json
from backend.demo.actors import Api, Wallet
from backend.identity.roles import Role
from backend.recovery.books import CaseBook, PolicyBook
from backend.recovery.service import RecoveryService
from backend.recovery.steps import ACT, COMPLETION
from backend.recovery.types import Case, CaseState
from backend.types import Address, SubjectId
from tests.integration.api.test_recovery import agree, guardian_of, name_guardians, new_wallet
from tests.integration.api.world import Service, open_service, staff
from tests.support.breaking_process import ConsentProcess
from tests.support.faults import Crash, Faults

DELAY_SECONDS = 1


@dataclass(slots=True)
class Stage:
    service: Service
    desk: Api

    def entries(self, kind: str, subject: SubjectId) -> int:
        page = self.service.world.services.accesses.page(subject, before=None, limit=200)
        return sum(entry.event is not None and entry.event.type == kind for entry in page.entries)


@dataclass(slots=True)
class Waiting:
    """A patient whose guardians have agreed; the new account's signature is the last one."""

    subject: SubjectId
    account: Address
    acceptance: AcceptRecovery
    signature: bytes


class Process(ConsentProcess):
    """With recoveries."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        world, wrap = stage.service.world, faults.wrap
        super().__init__(world, faults, late=late)
        stores, running = world.stores, world.services.recovery
        policies = PolicyBook(wrap(MongoRecoveryPolicies(stores.database), "policies"), self.sealer)
        cases = CaseBook(wrap(MongoRecoveryCases(stores.database), "cases"), self.sealer)
        chain = wrap(stores.recoveries, "chain")
        steps = replace(
            running.steps,
            chain=chain,
            policies=policies,
            cases=cases,
            enrolments=wrap(world.services.identity.enrolments, "enrolments"),
            sessions=wrap(world.services.identity.tokens, "sessions"),
            outbox=self.outbox,
            driver=self.driver,
            audit=self.audit,
        )
        steps.register()
        self.recovery: RecoveryService = replace(
            running,
            chain=chain,
            policies=policies,
            cases=cases,
            steps=steps,
            outbox=self.outbox,
            audit=self.audit,
        )

    def recover(self) -> None:
        """What a start does."""
        self.recovery.resume()
        self.outbox.recover(takeover=True)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("recovery") / "data"
    with open_service(directory, recovery_delay_seconds=DELAY_SECONDS) as service:
        yield Stage(service, staff(service, "desk", Role.IDENTITY_DESK))


def waiting(stage: Stage) -> Waiting:
    issued = stage.desk.post("/v1/enrolments", {"record_number": secrets.token_hex(6), "name": "N"})
    patient, new = Wallet(stage.service.anyone()), new_wallet(stage.service)
    patient.claim(issued["code"])
    patient.sign_in()
    guardian, name = guardian_of(patient, stage.service)
    name_guardians(patient, [name], threshold=1)
    agree(guardian, patient.subject, new)
    draft = new.api.post("/v1/recovery/acceptances/draft", {"subject": patient.subject})["typed_data"]
    return Waiting(
        SubjectId(int(patient.subject, 16)),
        Address(new.address),
        from_json(AcceptRecovery, draft["message"]),
        bytes.fromhex(new.sign_typed(draft)[2:]),
    )


def case_of(process: Process, one: Waiting) -> Case:
    found = process.recovery.cases.find(one.subject, one.account)
    assert found is not None
    return found


def unfinished(stage: Stage, kind: str, one: Waiting) -> bool:
    stores = stage.service.world.stores
    acts = MongoActStore(stores.database, stores.keys).unfinished((kind,))
    return any(act.data["subject"] == f"{one.subject:024x}" for act in acts)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_last_signature_broken_at_each_call_is_proposed_once(stage: Stage, after: bool) -> None:
    number, reached = 0, True
    while reached:
        one, faults = waiting(stage), Faults()
        faults.arm(number, after=after)
        process = Process(stage, faults)
        with suppress(Crash):
            process.recovery.accept(one.acceptance, one.signature)
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = Process(stage, Faults(), late=True)
        if number % 2 == 0 or not case_of(restarted, one).acceptance:
            restarted.recovery.accept(one.acceptance, one.signature)
        restarted.recover()
        assert not unfinished(stage, ACT, one), f"call {number} ({point}) left something undone"
        state = stage.service.world.stores.recoveries.state(one.subject)
        completed = stage.service.world.services.evidence.subject(one.subject).controller == one.account
        assert state.controller == one.account or completed, point
        assert case_of(restarted, one).state in (CaseState.PROPOSED, CaseState.COMPLETED), point
        assert stage.entries("recovery.proposed", one.subject) == 1, point
        number += 1
    assert number > 10


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_completion_broken_at_each_call_is_complete_once(stage: Stage, after: bool) -> None:
    number, reached = 0, True
    while reached:
        one = waiting(stage)
        proposed = Process(stage, Faults()).recovery.accept(one.acceptance, one.signature)
        time.sleep(DELAY_SECONDS + 1.1)  # the chain's clock counts whole seconds
        faults = Faults()
        faults.arm(number, after=after)
        with suppress(Crash):
            Process(stage, faults).recovery.steps.complete(proposed)
        reached = len(faults.calls) > number
        point = faults.calls[-1] if reached else "no more"
        restarted = Process(stage, Faults(), late=True)
        restarted.recover()
        assert not unfinished(stage, COMPLETION, one), f"call {number} ({point}) left something undone"
        services = stage.service.world.services
        assert services.evidence.subject(one.subject).controller == one.account, point
        assert services.identity.enrolments.account_of(one.subject) == one.account, point
        assert case_of(restarted, one).state is CaseState.COMPLETED, point
        assert stage.entries("recovery.completed", one.subject) == 1, point
        number += 1
    assert number > 8


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The chain, on which somebody else's completion comes into the block before ours."""

    chain: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.chain, name)

    def complete(self, subject: SubjectId) -> Any:
        self.chain.complete(subject)
        return self.chain.complete(subject)


def test_completion_that_somebody_else_made_first_is_taken_for_ours(stage: Stage) -> None:
    one = waiting(stage)
    process = Process(stage, Faults())
    proposed = process.recovery.accept(one.acceptance, one.signature)
    time.sleep(DELAY_SECONDS + 1.1)
    steps = replace(process.recovery.steps, chain=Overtaken(process.recovery.steps.chain))
    steps.register()
    steps.complete(proposed)
    assert not unfinished(stage, COMPLETION, one)
    assert stage.service.world.services.identity.enrolments.account_of(one.subject) == one.account
    assert case_of(process, one).state is CaseState.COMPLETED
    assert stage.entries("recovery.completed", one.subject) == 1
