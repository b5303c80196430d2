"""Admission and reinstatement on a chain that delays them: announced, waited out, carried out."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger.calls import Sender
from backend.adapters.ledger.custodian import CustodianAdmissionWaits, CustodianNotAdmitted, admit_custodian
from backend.adapters.ledger.embedded import EmbeddedChain
from backend.adapters.ledger.members import Credential
from backend.adapters.ledger.participants import RegistryParticipants
from backend.audit.entry import Agent, AgentKind, AuditEvent
from backend.consent.ledger_types import MemberStanding
from backend.consent.member_admissions import MemberAdmissions, MemberDiffers
from backend.consent.member_book import MemberBook, Shown
from backend.consent.member_order import MemberNotAdmitted, MemberUnknown
from backend.consent.member_registry import CUSTODIAN_ROLES, Widening
from backend.consent.member_stops import MemberStops
from backend.consent.restrictions import RestrictionQueue
from backend.errors import AssentError
from backend.idempotency import Attempt
from backend.identity.roles import Role
from backend.outbox.service import MAX_BACKOFF_SECONDS, Outbox
from backend.outbox.types import Act
from backend.types import MAX_UINT40, Address, MemberId, SubjectId, UnixSeconds
from tests.support.ledger_world import ANVIL, CLINIC, World, attach
from tests.support.memory_acts import MemoryActStore

DELAY = 3600
WEEK = 7 * 24 * 3600
OPERATOR = Agent(AgentKind.STAFF, "ab" * 16)
TENANT = MemberId(b"\x09" * 32)


class Log:
    def __init__(self) -> None:
        self.entries: dict[bytes, AuditEvent] = {}

    def append(self, event: AuditEvent, *, act: bytes) -> None:
        self.entries.setdefault(act, event)

    def changes(self) -> list[Any]:
        return [(event.detail["change"], event.outcome.value) for event in self.entries.values()]


class Names:
    def __init__(self) -> None:
        self.names: dict[MemberId, str] = {}

    def put(self, member_id: MemberId, name: str) -> None:
        self.names[member_id] = name

    def of(self, members: Collection[MemberId]) -> dict[MemberId, str]:
        return {member: self.names[member] for member in members if member in self.names}


class Driver:
    def hand_over(self, act: Act) -> None:
        """Nothing: the test calls ``go_on``."""


@dataclass
class Deployment:
    """A chain whose clock the test sets, and the acts, which outlive a restart."""

    world: World
    now: list[int]
    store: MemoryActStore = field(default_factory=MemoryActStore)
    names: Names = field(default_factory=Names)
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        self.registry = RegistryParticipants(self.world.ledger.members)
        self.restart()

    def clock(self) -> int:
        return self.now[0]

    def restart(self) -> None:
        self.outbox = Outbox(store=self.store, clock=self.clock, holder=os.urandom(4).hex())
        self.restrictions = RestrictionQueue()
        shared: Any = {
            "registry": self.registry,
            "outbox": self.outbox,
            "driver": Driver(),
            "audit": self.log,
            "clock": self.clock,
        }
        self.stops = MemberStops(**shared, tenant=TENANT, restrictions=self.restrictions)
        self.admissions = MemberAdmissions(**shared, names=self.names, delay_seconds=DELAY)
        self.book = MemberBook(registry=self.registry, names=self.names, outbox=self.outbox, clock=self.clock)
        self.stops.restore_restrictions()

    def go_on(self, seconds: int = MAX_BACKOFF_SECONDS + 30) -> None:
        """Let time pass, and the driver take up what is due."""
        self.now[0] += seconds
        for _ in range(5):
            try:
                self.outbox.recover()
            except AssentError:
                continue
            self.now[0] += 10

    def admit(self, attempt: Attempt | None = None, *, days: int = 365) -> MemberId:
        return self.admissions.admit(
            "Clinic",
            roles=frozenset({Role.PROVIDER}),
            account=None,
            days=days,
            attempt=attempt or Attempt.only(now=self.now[0]),
            by=OPERATOR,
        )

    def shown(self, member: MemberId) -> Shown:
        return self.book.standing(member).shown

    def is_suspended(self, member: MemberId) -> bool:
        return member in self.restrictions.pending_for(SubjectId(1)).suspended

    def suspended(self) -> MemberId:
        """A member admitted and suspended in the past."""
        member = self.admit()
        self.go_on(DELAY)
        self.stops.suspend(member, by=OPERATOR)
        self.go_on()
        assert self.registry.member(member).standing == MemberStanding.SUSPENDED
        self.log.entries.clear()
        return member


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    now = [int(time.time())]
    chain = EmbeddedChain(directory=tmp_path, binary=ANVIL, clock=lambda: now[0])
    world = attach(chain, tmp_path / "deployment.json", admission_delay_seconds=DELAY)
    yield Deployment(world, now)
    world.relayer.close()
    chain.close()


def test_admission_is_announced_and_carries_itself_out_after_the_delay_through_restarts(
    deployment: Deployment,
) -> None:
    attempt = Attempt(UnixSeconds(deployment.now[0]), b"\x05" * 32)
    member = deployment.admit(attempt, days=1)
    entry = deployment.book.get(member)
    assert (entry.standing.shown, entry.standing.recorded, entry.name) == (Shown.SCHEDULED, False, "Clinic")
    assert entry.standing.effective_from is not None
    assert 0 <= entry.standing.effective_from - deployment.now[0] - DELAY <= 5
    assert deployment.book.all() == [entry]
    deployment.restart()
    assert deployment.admit(attempt, days=1) == member
    deployment.go_on()
    assert deployment.shown(member) is Shown.SCHEDULED
    deployment.restart()
    deployment.go_on(DELAY)
    assert deployment.shown(member) is Shown.ACTIVE
    found = deployment.registry.member(member)
    assert found.expiry == attempt.begun_at + DELAY + 24 * 3600  # a whole day of the credential is left
    assert deployment.log.changes() == [("admission", "changed"), ("admitted", "changed")]
    assert deployment.admit(attempt, days=1) == member
    deployment.go_on()
    assert len(deployment.log.entries) == 2
    assert not deployment.outbox.unfinished("admission")


def test_announcement_that_lapsed_while_the_service_was_down_is_made_again(deployment: Deployment) -> None:
    member = deployment.admit()
    deployment.now[0] += DELAY + WEEK + 60
    deployment.restart()
    deployment.go_on()
    standing = deployment.book.standing(member)
    assert standing.shown is Shown.SCHEDULED
    assert standing.effective_from is not None
    assert standing.effective_from > deployment.now[0]
    deployment.go_on(DELAY)
    assert deployment.shown(member) is Shown.ACTIVE


def test_reinstatement_waits_out_the_delay_and_a_repetition_does_not_begin_it_anew(
    deployment: Deployment,
) -> None:
    member = deployment.suspended()
    deployment.admissions.reinstate(member, by=OPERATOR)
    first = deployment.book.standing(member)
    assert (first.shown, first.recorded) == (Shown.SCHEDULED, False)
    deployment.go_on(DELAY // 2)
    deployment.admissions.reinstate(member, by=OPERATOR)
    assert deployment.book.standing(member) == first
    assert deployment.registry.member(member).standing == MemberStanding.SUSPENDED
    deployment.go_on(DELAY // 2)
    assert deployment.shown(member) is Shown.ACTIVE
    assert not deployment.is_suspended(member)
    assert deployment.log.changes() == [("reinstatement", "changed"), ("reinstated", "changed")]


def test_reinstatement_is_not_lost_when_the_stop_reaches_the_chain_in_its_middle(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = deployment.admit()
    deployment.go_on(DELAY)
    deployment.stops.suspend(member, by=OPERATOR)
    look = RegistryParticipants.member

    def look_and_let_the_stop_end(registry: RegistryParticipants, name: MemberId) -> Any:
        found = look(registry, name)
        monkeypatch.setattr(RegistryParticipants, "member", look)
        deployment.go_on()
        return found

    monkeypatch.setattr(RegistryParticipants, "member", look_and_let_the_stop_end)
    deployment.admissions.reinstate(member, by=OPERATOR)
    assert deployment.shown(member) is Shown.SCHEDULED


def test_suspension_calls_a_waiting_reinstatement_off_and_the_next_one_waits_from_the_start(
    deployment: Deployment,
) -> None:
    member = deployment.suspended()
    deployment.admissions.reinstate(member, by=OPERATOR)
    deployment.go_on(DELAY // 2)
    deployment.stops.suspend(member, by=OPERATOR)
    assert deployment.shown(member) is Shown.SUSPENDED
    assert deployment.is_suspended(member)
    deployment.go_on()
    deployment.go_on()
    assert not deployment.outbox.unfinished("reinstatement", "member_stop")
    assert deployment.world.ledger.members.reinstatement_due(member) is None
    assert ("reinstatement", "denied") in deployment.log.changes()
    deployment.go_on(DELAY)
    assert deployment.registry.member(member).standing == MemberStanding.SUSPENDED
    deployment.admissions.reinstate(member, by=OPERATOR)
    assert deployment.shown(member) is Shown.SCHEDULED
    deployment.go_on(DELAY)
    assert deployment.shown(member) is Shown.ACTIVE


def test_removal_calls_a_waiting_admission_off(deployment: Deployment) -> None:
    member = deployment.admit()
    with pytest.raises(MemberNotAdmitted):
        deployment.stops.suspend(member, by=OPERATOR)
    with pytest.raises(MemberNotAdmitted):
        deployment.admissions.reinstate(member, by=OPERATOR)
    deployment.stops.remove(member, by=OPERATOR)
    assert deployment.shown(member) is Shown.REMOVED
    assert deployment.is_suspended(member)
    deployment.go_on()
    deployment.go_on(DELAY)
    assert deployment.registry.member(member).standing == MemberStanding.UNKNOWN
    assert not deployment.outbox.unfinished("admission", "member_stop")
    assert not deployment.is_suspended(member)
    with pytest.raises(MemberUnknown):
        deployment.book.get(member)


def test_admission_that_is_on_its_way_to_the_chain_is_removed_after_it_landed(deployment: Deployment) -> None:
    """The removal comes when the admission has passed its last check: the chain must not keep the member."""
    member = deployment.admit()
    deployment.now[0] += DELAY
    widen = deployment.registry.widen

    def remove_meanwhile(widening: Widening) -> Any:
        deployment.registry.widen = widen  # type: ignore[method-assign]
        deployment.stops.remove(member, by=OPERATOR)
        (stop,) = deployment.outbox.unfinished("member_stop")
        with pytest.raises(AssentError):
            deployment.outbox.drive(stop)
        assert deployment.is_suspended(member)
        return widen(widening)

    deployment.registry.widen = remove_meanwhile  # type: ignore[method-assign]
    deployment.go_on()
    assert deployment.registry.member(member).standing == MemberStanding.REMOVED


def test_announcement_taken_back_on_the_chain_is_not_made_again(deployment: Deployment) -> None:
    member = deployment.suspended()
    deployment.admissions.reinstate(member, by=OPERATOR)
    deployment.world.ledger.members.cancel_reinstatement(member)
    deployment.go_on()
    assert deployment.world.ledger.members.reinstatement_due(member) is None
    assert deployment.shown(member) is Shown.SUSPENDED
    (refused,) = [event for event in deployment.log.entries.values() if event.outcome.value == "denied"]
    assert refused.reasons == ("announcement_withdrawn",)
    deployment.admissions.reinstate(member, by=OPERATOR)
    assert deployment.shown(member) is Shown.SCHEDULED


def test_custodian_is_announced_at_its_first_start_and_admitted_at_one_after_the_delay(
    deployment: Deployment, tmp_path: Path
) -> None:
    account = deployment.world.relayer.address(Sender.CUSTODIAN)

    def start() -> None:
        admit_custodian(
            deployment.registry, TENANT, account, wish=tmp_path / "custodian.json", clock=deployment.clock
        )

    told = set()
    for _ in range(3):
        with pytest.raises(CustodianAdmissionWaits) as waits:
            start()
        told.add(waits.value.detail)
        deployment.now[0] += 60
    assert len(told) == 1
    assert "UTC" in told.pop()
    deployment.now[0] += DELAY + WEEK
    with pytest.raises(CustodianAdmissionWaits):
        start()
    deployment.now[0] += DELAY + 1
    for _ in range(2):
        start()
        found = deployment.registry.member(TENANT)
        assert (found.standing, found.roles, found.account) == (MemberStanding.ACTIVE, 131, account)


def test_custodian_out_of_standing_starts_and_says_so(
    deployment: Deployment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It must go on taking stops."""
    members = deployment.world.ledger.members
    credential = Credential(roles=131, expiry=UnixSeconds(MAX_UINT40))
    members.schedule_member(CLINIC, credential)
    deployment.now[0] += DELAY
    members.register_member(CLINIC, credential)
    members.suspend_member(CLINIC)
    account = deployment.world.relayer.address(Sender.CUSTODIAN)
    admit_custodian(deployment.registry, CLINIC, account, wish=tmp_path / "wish", clock=deployment.clock)
    assert "not in standing" in caplog.text


def test_custodian_on_a_registry_of_somebody_else_is_told_what_to_ask_for(
    deployment: Deployment, tmp_path: Path
) -> None:
    foreign = attach(deployment.world.chain, tmp_path / "deployment.json", admission_delay_seconds=DELAY)
    accounts = foreign.relayer._accounts
    accounts[Sender.OPERATOR] = accounts[Sender.CUSTODIAN]
    account = foreign.relayer.address(Sender.CUSTODIAN)
    try:
        with pytest.raises(CustodianNotAdmitted) as refusal:
            admit_custodian(
                RegistryParticipants(foreign.ledger.members),
                TENANT,
                account,
                wish=tmp_path / "wish",
                clock=deployment.clock,
            )
    finally:
        foreign.relayer.close()
    assert account in refusal.value.detail
    assert "0x" + TENANT.hex() in refusal.value.detail


def test_custodian_is_admitted_under_its_own_id_after_the_delay_and_can_be_called_off(
    deployment: Deployment,
) -> None:
    member, account = MemberId(b"\x2c" * 32), Address("0x" + "2C" * 20)

    def admit(*, at: Address = account) -> None:
        deployment.admissions.admit_custodian(
            "Lakeside", member=member, account=at, days=30, begun_at=deployment.now[0], by=OPERATOR
        )

    admit()
    assert deployment.shown(member) is Shown.SCHEDULED
    deployment.now[0] += 5
    admit()  # asked again: the delay does not begin anew
    with pytest.raises(MemberDiffers):
        admit(at=Address("0x" + "2D" * 20))
    deployment.stops.remove(member, by=OPERATOR)
    deployment.go_on(DELAY)
    assert deployment.registry.member(member).standing == MemberStanding.UNKNOWN
    admit()
    deployment.go_on(DELAY)
    found = deployment.registry.member(member)
    assert (found.standing, found.roles) == (MemberStanding.ACTIVE, CUSTODIAN_ROLES)
    assert found.account.lower() == account.lower()
    deployment.stops.suspend(member, by=OPERATOR)
    deployment.go_on()
    with pytest.raises(MemberDiffers):
        admit()
