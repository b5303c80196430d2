"""Every port call of binding and withdrawing a key breaks once, before and after its effect; after a restart
the act is complete exactly once. Real chain and index."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from backend.adapters.index.act_store import MongoActStore
from backend.adapters.index.public_keys import MongoPublicKeys
from backend.bootstrap import World
from backend.consent.key_terms import BindKey, WithdrawKey
from backend.consent.terms_json import from_json
from backend.consent.typed_data import KEYS_NAME, Domain
from backend.identity.roles import Role
from backend.keystore import Secret
from backend.outbox.types import Act
from backend.records.patient_keys import BINDING, WITHDRAWAL, PatientKeys
from backend.records.sealing import RecipientPrivateKey
from backend.types import SubjectId
from tests.integration.api.world import Patient, Service, enrol, open_service, provider, staff
from tests.support.breaking_process import ConsentProcess, break_at_each_call
from tests.support.faults import Faults


@dataclass(slots=True)
class Stage:
    service: Service
    patient: Patient

    @property
    def world(self) -> World:
        return self.service.world

    @property
    def keys(self) -> PatientKeys:
        return self.world.services.patient_keys

    @property
    def subject(self) -> SubjectId:
        return SubjectId(int(self.patient.subject, 16))

    def signature(self, data: Any) -> bytes:
        return bytes.fromhex(self.patient.wallet.sign_typed(dict(data))[2:])

    def entries(self, kind: str, sequence: int) -> int:
        found = self.patient.accesses()
        return sum(e["type"] == kind and e["detail"]["sequence"] == sequence for e in found)


class Process(ConsentProcess):
    """With keys."""

    def __init__(self, stage: Stage, faults: Faults, *, late: bool = False) -> None:
        super().__init__(stage.world, faults, late=late)
        stores = stage.world.stores
        self.keys = PatientKeys(
            **self.acting,
            store=faults.wrap(MongoPublicKeys(stores.database), "public keys"),
            ledger=faults.wrap(stores.subject_keys, "keys on the chain"),
            evidence=self.evidence,
            relay=self.ledger,
            domain=Domain(stores.chain.chain_id, stores.deployment.address("KeyRegistry"), KEYS_NAME),
        )

    def recover(self) -> None:
        """What a start does."""
        self.keys.restore_restrictions()
        self.outbox.recover()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_service(tmp_path_factory.mktemp("key-faults") / "data") as service:
        operator = staff(service, "operator", Role.OPERATOR, Role.IDENTITY_DESK)
        hospital = provider(service, operator, "hospital", "0x" + service.world.stores.tenant.hex())
        yield Stage(service, enrol(service, operator, hospital, 3))


Run = Callable[[Process], object]
Attempt = tuple[Run, Callable[[], None]]  # the act, and what must hold once it was done


def binding(stage: Stage) -> Attempt:
    key = RecipientPrivateKey(Secret(secrets.token_bytes(32))).public
    data = stage.keys.draft_binding(stage.subject, key)
    command, signature = from_json(BindKey, data["message"]), stage.signature(data)

    def check() -> None:
        bound = stage.keys.state(stage.subject).bound
        assert bound is not None
        assert (bound.key_hash, bound.sequence) == (key.id, command.sequence)
        assert stage.entries("encryption_key.bound", command.sequence) == 1

    return lambda process: process.keys.bind(key, command, signature), check


def withdrawing(stage: Stage) -> Attempt:
    data = stage.keys.draft_withdrawal(stage.subject)
    command, signature = from_json(WithdrawKey, data["message"]), stage.signature(data)

    def run(process: Process) -> None:
        process.keys.withdraw(command, signature)
        assert process.keys.state(stage.subject).bound is None

    def check() -> None:
        assert stage.world.stores.subject_keys.last_number(stage.subject) == command.sequence
        assert stage.world.stores.subject_keys.key_of(stage.subject) is None
        assert stage.entries("encryption_key.withdrawn", command.sequence) == 1

    return run, check


@pytest.mark.parametrize("make", [binding, withdrawing])
def test_act_broken_at_each_port_call_is_complete_exactly_once_after_a_restart(
    stage: Stage, make: Callable[[Stage], Attempt]
) -> None:
    number = break_at_each_call(
        lambda: make(stage),
        lambda faults, late: Process(stage, faults, late=late),
        lambda: unfinished(stage),
    )
    assert number > 9  # so many calls the shorter act makes


def unfinished(stage: Stage) -> list[Act]:
    return MongoActStore(stage.world.stores.database, stage.world.stores.keys).unfinished(
        [BINDING, WITHDRAWAL]
    )
