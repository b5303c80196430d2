"""What a permit rested on: consents, standing, account and keys, each missing alone at the earlier block."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.audit import codes
from backend.audit.entry import Agent, AgentKind, AuditEvent, Group, Outcome
from backend.consent.basis import Basis
from backend.consent.decision_types import Requester, Team
from backend.consent.ledger_types import NO_MEMBER, BoundKey, Membership, MemberStanding
from backend.maintenance.rested import Ground, lost_grounds, may_rest
from backend.types import Address, Bytes32, ConsentId, MemberId, SubjectId, UnixSeconds

NOW = 1_800_000_000
ANNA = SubjectId(7)
ACCOUNT = Address("0x" + "a1" * 20)
CONSENT, OTHER = ConsentId(b"\x01" * 32), ConsentId(b"\x02" * 32)
CLINIC, WARD, STUDY, TEAM = (MemberId(bytes([number]) * 32) for number in (10, 11, 12, 13))
KEY, NEW_KEY, NONE = (Bytes32(bytes([number]) * 32) for number in (20, 21, 0))
IN_STANDING = Membership(MemberStanding.ACTIVE, UnixSeconds(NOW + 1))


@dataclass
class Chain:
    """Everything was there, until a test takes something away."""

    consents: set[ConsentId] = field(default_factory=lambda: {CONSENT, OTHER})
    members: dict[MemberId, Membership] = field(
        default_factory=lambda: {CLINIC: IN_STANDING, WARD: IN_STANDING}
    )
    account: Address = ACCOUNT
    bound: BoundKey = BoundKey(KEY, 3, UnixSeconds(5))  # noqa: RUF009 - frozen
    registered: Bytes32 = KEY

    def is_recorded(self, subject: SubjectId, consent: ConsentId) -> bool:
        assert subject == ANNA
        return consent in self.consents

    def membership(self, member: MemberId) -> Membership:
        return self.members.get(member, NO_MEMBER)

    def controller(self, subject: SubjectId) -> Address:
        assert subject == ANNA
        return self.account

    def subject_key(self, subject: SubjectId) -> BoundKey:
        assert subject == ANNA
        return self.bound

    def member_key(self, member: MemberId) -> Bytes32:
        return self.registered if member == CLINIC else NONE


@pytest.fixture
def then() -> Chain:
    return Chain()


def basis(**requester: Any) -> bytes:
    return Basis(now=UnixSeconds(NOW), requester=Requester(**requester)).encode()


READ = AuditEvent(
    type=codes.RECORD_READ,
    outcome=Outcome.PERMITTED,
    occurred_at_ms=NOW * 1000,
    actor=Agent(AgentKind.CLIENT, "system"),
    organisation=CLINIC,
    subject=ANNA,
    consents=(CONSENT, OTHER),
    basis=basis(actor=CLINIC, organisations=(WARD, STUDY)),
)


def test_permit_of_which_all_was_there_rests_on_nothing_that_was_lost(then: Chain) -> None:
    assert may_rest(READ)
    assert lost_grounds(READ, then) == ()
    assert lost_grounds(replace(READ, detail={"sealed_to": KEY}), then) == ()


def test_consent_that_was_not_recorded_is_named(then: Chain) -> None:
    then.consents = {CONSENT}
    assert lost_grounds(READ, then) == (Ground("consent", "0x" + OTHER.hex(), "not recorded"),)


@pytest.mark.parametrize(
    ("membership", "why"),
    [
        (NO_MEMBER, "not admitted"),
        (replace(IN_STANDING, expiry=UnixSeconds(NOW)), "expired"),
        (replace(IN_STANDING, standing=MemberStanding.SUSPENDED), "suspended"),
        (replace(IN_STANDING, standing=MemberStanding.REMOVED), "removed"),
    ],
)
def test_member_that_did_not_count_is_named_with_how_it_stood(
    then: Chain, membership: Membership, why: str
) -> None:
    then.members[CLINIC] = membership
    expected = (Ground("member", "0x" + CLINIC.hex(), why),)
    assert lost_grounds(READ, then) == expected
    bare = replace(READ, basis=b"", type=codes.TOKEN_ISSUED)  # an entry that keeps no requester
    assert lost_grounds(bare, then) == expected


def test_organisation_acted_for_counts_where_it_was_a_member_and_is_no_ground_where_it_was_none(
    then: Chain,
) -> None:
    del then.members[WARD]
    assert lost_grounds(READ, then) == ()  # a study, say: named by the consent, and in no registry
    then.members[WARD] = replace(IN_STANDING, standing=MemberStanding.SUSPENDED)
    assert lost_grounds(READ, then) == (Ground("member", "0x" + WARD.hex(), "suspended"),)


def test_team_needs_its_organisation_where_access_was_had_through_it(then: Chain) -> None:
    event = replace(
        READ, organisation=None, basis=basis(actor=CLINIC, teams=(Team(TEAM, WARD),)), consents=()
    )
    del then.members[WARD]
    assert lost_grounds(event, then) == ()
    through = replace(event, groups=(Group(TEAM, 1, b"\x05" * 32),))
    assert lost_grounds(through, then) == (Ground("member", "0x" + WARD.hex(), "not admitted"),)


def test_own_records_rest_on_the_account(then: Chain) -> None:
    own = replace(
        READ,
        actor=Agent.account(ACCOUNT),
        organisation=None,
        consents=(),
        reasons=("own_records",),
        basis=basis(account=ACCOUNT),
    )
    assert lost_grounds(own, then) == ()
    then.account = Address("0x" + "b2" * 20)
    assert lost_grounds(own, then) == (Ground("account", ACCOUNT, "not in control"),)


def test_content_rests_on_the_key_that_it_left_sealed_to(then: Chain) -> None:
    to_clinic = replace(READ, detail={"sealed_to": NEW_KEY})
    named = "0x" + NEW_KEY.hex()
    assert lost_grounds(to_clinic, then) == (Ground("key", named, "not registered"),)
    then.registered = NEW_KEY
    assert lost_grounds(to_clinic, then) == ()
    to_patient = replace(READ, organisation=None, basis=basis(account=ACCOUNT), detail={"sealed_to": NEW_KEY})
    assert lost_grounds(to_patient, then) == (Ground("key", named, "not bound"),)
    then.bound = BoundKey(NEW_KEY, 4, UnixSeconds(5))
    assert lost_grounds(to_patient, then) == ()


def test_key_that_was_handed_over_or_shared_rests_on_the_registered_one(then: Chain) -> None:
    over = replace(
        READ,
        type=codes.KEY_HANDED_OVER,
        outcome=Outcome.CHANGED,
        organisation=None,
        consents=(),
        basis=b"",
        detail={"sequence": 4, "epoch": 0},
    )
    assert may_rest(over)
    assert lost_grounds(over, then) == (Ground("key", "4", "not bound"),)
    assert lost_grounds(replace(over, detail={"sequence": 3, "epoch": 0}), then) == ()
    shared = replace(over, type=codes.KEY_SHARED, organisation=CLINIC, detail={"sealed_to": NEW_KEY})
    assert lost_grounds(shared, then) == (Ground("key", "0x" + NEW_KEY.hex(), "not registered"),)


@pytest.mark.parametrize(
    "changes", [{"outcome": Outcome.DENIED}, {"outcome": Outcome.UNAVAILABLE}, {"subject": None}], ids=str
)
def test_what_is_no_permit_rests_on_nothing(changes: dict[str, Any]) -> None:
    assert not may_rest(replace(READ, **changes))
