"""A member's new key on a chain that delays amendments: announced, waited out, carried out or called off."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.keystore import Secret
from backend.records.member_keys import AMENDMENT, MemberKeys
from backend.records.ports import KeyHolder
from backend.records.sealing import RecipientKey, RecipientPrivateKey
from backend.types import MemberId
from tests.integration.test_delayed_members import DELAY, OPERATOR, WEEK, Deployment, Driver, deployment

__all__ = ["deployment"]
KEY = RecipientPrivateKey(Secret(b"\x01" * 32)).public
OTHER = RecipientPrivateKey(Secret(b"\x02" * 32)).public


@dataclass
class Shelf:
    rows: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    def put(self, holder: KeyHolder, key_hash: bytes, encoded: bytes) -> None:
        self.rows[str(holder), key_hash] = encoded


@dataclass
class Stage:
    deployment: Deployment
    member: MemberId
    shelf: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.registry = self.deployment.world.ledger.member_keys
        self.restart()

    def restart(self) -> None:
        self.deployment.restart()
        shared: Any = {"driver": Driver(), "audit": self.deployment.log, "store": self.shelf}
        self.keys = MemberKeys(
            **shared,
            registry=self.registry,
            outbox=self.deployment.outbox,
            clock=self.deployment.clock,
        )

    def set(self, key: RecipientKey = KEY) -> Any:
        return self.keys.set(self.member, key, replacing=True, by=OPERATOR)


@pytest.fixture
def stage(deployment: Deployment) -> Stage:
    member = deployment.admit()
    deployment.go_on(DELAY)
    deployment.log.entries.clear()
    return Stage(deployment, member)


def test_key_is_announced_and_counts_after_the_delay_through_restarts(stage: Stage) -> None:
    state = stage.set()
    assert state.is_pending
    assert state.key_hash is None
    assert 0 <= state.effective_from - stage.deployment.now[0] - DELAY <= 5
    assert stage.registry.key_hash(stage.member) is None
    stage.restart()
    assert stage.set().is_pending  # the same again
    stage.deployment.go_on()
    assert stage.registry.key_hash(stage.member) is None
    stage.restart()
    stage.deployment.go_on(DELAY)
    assert stage.registry.key_hash(stage.member) == KEY.id
    assert stage.keys.state(stage.member).is_pending is False
    assert stage.deployment.log.changes() == [
        ("encryption_key_asked", "changed"),
        ("encryption_key", "changed"),
    ]
    assert stage.shelf.rows[f"member/{stage.member.hex()}", KEY.id] == KEY.encoded


def test_key_that_lapsed_while_the_service_was_down_is_announced_again(stage: Stage) -> None:
    stage.set()
    stage.deployment.go_on(DELAY + 2 * WEEK)
    assert stage.registry.key_hash(stage.member) is None
    stage.deployment.go_on(DELAY)
    assert stage.registry.key_hash(stage.member) == KEY.id


def test_role_taken_away_meanwhile_stays_away_and_the_key_is_refused(stage: Stage) -> None:
    stage.set()
    members = stage.deployment.world.ledger.members
    members.reduce_roles(stage.member, 2)
    stage.deployment.go_on(DELAY)
    assert members.member(stage.member).credential.roles == 0
    assert stage.registry.key_hash(stage.member) is None
    assert stage.deployment.log.changes()[-1] == ("encryption_key", "denied")
    assert not stage.deployment.outbox.unfinished(AMENDMENT)


def test_announcement_that_somebody_took_back_is_not_made_again(stage: Stage) -> None:
    stage.set()
    found = stage.registry.credential(stage.member)
    assert found is not None
    wanted = type(found)(found.account, found.roles, found.expiry, found.credential_hash, KEY.id)  # type: ignore[arg-type]
    stage.registry.withdraw(stage.member, wanted)
    stage.deployment.go_on(DELAY)
    stage.deployment.go_on(DELAY)
    assert stage.registry.key_hash(stage.member) is None
    assert stage.deployment.log.changes()[-1] == ("encryption_key", "denied")


def test_two_keys_asked_for_one_wins_and_the_other_is_refused(stage: Stage) -> None:
    stage.set()
    stage.set(OTHER)
    stage.deployment.go_on(DELAY)
    assert stage.registry.key_hash(stage.member) in (KEY.id, OTHER.id)
    changes = stage.deployment.log.changes()
    assert changes.count(("encryption_key", "changed")) == 1
    assert changes.count(("encryption_key", "denied")) == 1


def test_removed_member_gets_no_key(stage: Stage) -> None:
    stage.set()
    stage.deployment.stops.remove(stage.member, by=OPERATOR)
    stage.deployment.go_on(DELAY)
    assert stage.registry.key_hash(stage.member) is None
    assert not stage.deployment.outbox.unfinished(AMENDMENT)
