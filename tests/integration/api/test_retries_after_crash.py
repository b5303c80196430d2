"""A crash before or after each step of making a member, a user, a client or a secret: the retry completes it.

The stores are the real ones; what breaks is the call that reaches them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from fastapi import Response

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.idempotency_marks import MongoMarks
from backend.adapters.index.member_names import SealedMemberNames
from backend.adapters.ledger.abi import artifact
from backend.api.clients import ClientBody, RotationBody, add_client, rotate_secret
from backend.api.members import MemberBody, admit_member
from backend.api.security import Caller
from backend.api.users import UserBody, add_user
from backend.consent.member_admissions import MemberAdmissions
from backend.demo.actors import Api
from backend.idempotency import Idempotency
from backend.identity.roles import Role
from backend.outbox.service import Outbox
from backend.outbox.types import Act
from backend.sealed import DocumentSealer
from tests.integration.api.world import PASSWORD, Service, provider
from tests.support.faults import Crash, Faults

_numbers = count()


class NoDriver:
    """Nothing goes on behind the request: the retry has to complete it."""

    def hand_over(self, act: Act) -> None:
        raise AssertionError(f"{act.act_id} was left to the driver")


@dataclass
class Breaking:
    """The routes' functions over services whose ports break."""

    service: Service
    faults: Faults
    caller: Caller
    client_id: str

    def act(self, kind: str, name: str) -> Any:
        match kind:
            case "member":
                body = MemberBody(name=name, roles=[Role.PROVIDER])
                return admit_member(body, self.caller, Response(), f"member {name}")
            case "user":
                person = UserBody(username=name, password=PASSWORD, roles=[Role.AUDITOR])
                return add_user(person, self.caller, f"user {name}")
            case "client":
                member = "0x" + self.service.world.stores.tenant.hex()
                system = ClientBody(name=name, roles=[Role.PROVIDER], member_id=member)
                return add_client(system, self.caller, f"client {name}")
            case _:
                return rotate_secret(self.client_id, RotationBody(), self.caller, f"secret {name}")

    def count(self, kind: str, answer: Any) -> int:
        """How often the thing is there."""
        identity, stores = self.caller.services.identity, self.service.world.stores
        match kind:
            case "member":
                topic = artifact("ParticipantRegistry").topic("MemberAdmitted")
                query = {
                    "address": stores.deployment.contracts["ParticipantRegistry"].address,
                    "fromBlock": "0x0",
                    "toBlock": "latest",
                    "topics": ["0x" + topic.hex(), answer.member_id],
                }
                return len(stores.chain.rpc().call("eth_getLogs", query))
            case "user":
                return [staff.username for staff in identity.staff.all()].count(answer.username)
            case "client":
                return [client.client_id for client in identity.clients.all()].count(answer.client_id)
            case _:
                identity.sign_in_client(self.client_id, answer.client_secret)
                return 1


@pytest.fixture
def breaking(service: Service, operator: Api, monkeypatch: pytest.MonkeyPatch) -> Breaking:
    services, stores, faults = service.world.services, service.world.stores, Faults()
    identity = services.identity
    for part in (identity.staff, identity.clients):
        monkeypatch.setattr(part, "_store", faults.wrap(part._store, "store"))  # type: ignore[attr-defined]
        monkeypatch.setattr(part, "_audit", faults.wrap(part._audit, "audit"))  # type: ignore[attr-defined]
    names = SealedMemberNames(stores.database, DocumentSealer(stores.keys))
    broken = replace(
        services,
        admissions=MemberAdmissions(
            registry=faults.wrap(stores.participants, "chain"),
            names=faults.wrap(names, "names"),
            outbox=Outbox(
                store=faults.wrap(MongoActStore(stores.database, stores.keys), "acts"),
                clock=services.clock,
                holder="breaking",
            ),
            driver=NoDriver(),  # type: ignore[arg-type]
            audit=faults.wrap(services.audit, "audit"),
            delay_seconds=0,
            clock=services.clock,
        ),
        audit=faults.wrap(services.audit, "audit"),
        idempotency=Idempotency(
            key=services.idempotency_key,
            marks=faults.wrap(MongoMarks(stores.database), "marks"),
            clock=services.clock,
        ),
    )
    principal = identity.authenticate(operator.token or "")
    rotated = provider(service, operator, f"rotated after a crash {next(_numbers)}")
    return Breaking(service, faults, Caller(broken, principal), rotated.client_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["member", "user", "client", "secret"])
def test_crash_at_each_step_is_completed_by_the_retry_and_repeats_nothing(
    breaking: Breaking, kind: str, after: bool
) -> None:
    breaking.faults.arm(None)
    breaking.act(kind, f"whole-{kind}-{after}")
    steps = list(breaking.faults.calls)
    assert {"marks", "audit"} <= {step.split(".")[0] for step in steps}, steps
    for step in range(len(steps)):
        name = f"broken-{kind}-{after}-{step}".lower()
        breaking.faults.arm(step, after=after)
        with pytest.raises(Crash):
            breaking.act(kind, name)
        breaking.faults.arm(None)
        answer = breaking.act(kind, name)
        assert breaking.count(kind, answer) == 1, steps[step]
        assert breaking.act(kind, name) == answer
        breaking.faults.arm(None)


def test_entry_in_the_log_that_a_crash_prevented_is_written_by_the_retry(breaking: Breaking) -> None:
    audits: Callable[[], int] = lambda: sum("audit" in call for call in breaking.faults.calls)  # noqa: E731
    breaking.faults.arm(None)
    breaking.act("member", "logged")
    step = next(number for number, call in enumerate(breaking.faults.calls) if "audit" in call)
    breaking.faults.arm(step)
    with pytest.raises(Crash):
        breaking.act("member", "not-logged")
    breaking.faults.arm(None)
    breaking.act("member", "not-logged")
    assert audits() == 2  # asked for, and carried out
    breaking.act("member", "not-logged")
    assert audits() == 2  # asked for, and carried out
