"""How things stand at a second, in the words of docs/contracts.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.consent.ledger_types import TimedEvent
from backend.explorer.thing import Constants, Thing, View
from backend.explorer.things import find
from tests.support.ledger_events import NOBODY, account, event

ID, OTHER, THIRD = (bytes([number]) * 32 for number in (0xA1, 0xB2, 0xC3))
A, B = account(2**100), account(2**101)
DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "contracts.md").read_text()
OPENED = event("ConsentRegistry", "SubjectOpened", subject=9, controller=A, custodian=B, member=OTHER)


def the_thing(events: list[TimedEvent], now: int, word: bytes = ID, generations: int = 1) -> Thing:
    state = LedgerState(generations)
    for each in events:
        state.apply(each)
    (found,) = find(View(state, Constants(recovery_delay=100, grace=50), now), word)
    return found


def slot(kind: int = 1, *, epoch: int = 0, begin: int = 500, mark: int = 0) -> int:
    return 9 | kind << 96 | epoch << 104 | mark << 136 | 2000 << 176 | begin << 216


def granted(packed: int) -> TimedEvent:
    return event("ConsentRegistry", "ConsentGranted", id=ID, subject=9, slot=packed, delegation=bytes(32))


REVOKED = event("ConsentRegistry", "ConsentRevoked", id=ID, subject=9, revokedAt=1500)
AHEAD = event("ConsentRegistry", "ConsentRevokedAhead", id=ID, subject=9, slot=slot(begin=0, mark=7))
ALL = event("ConsentRegistry", "AllRevoked", subject=9, epoch=1)
CAUSE = event("ConsentRegistry", "DelegationEndedForCause", id=THIRD, subject=9, endedAt=1600)
TAG = int.from_bytes(THIRD) % (1 << 39) | 1 << 39


@pytest.mark.parametrize(
    ("events", "now", "state"),
    [
        ([granted(slot())], 499, "Waiting"),
        ([granted(slot())], 500, "Live"),
        ([granted(slot())], 1999, "Live"),
        ([granted(slot())], 2000, "Ended"),
        ([granted(slot()), REVOKED], 1600, "Revoked"),
        ([granted(slot()), REVOKED], 3000, "Revoked"),
        ([AHEAD], 1600, "RevokedAhead"),
        ([granted(slot()), ALL], 1600, "Stopped"),
        ([granted(slot(2)), ALL], 1600, "Live"),  # a deny stands
        ([granted(slot(5)), ALL], 1600, "Live"),
        ([granted(slot(4)), ALL], 1600, "Live"),
        ([ALL, granted(slot(epoch=1))], 1600, "Live"),
        ([granted(slot(mark=TAG))], 1600, "Live"),
        ([granted(slot(mark=TAG)), CAUSE], 1600, "Stopped"),
        ([granted(slot(2, mark=TAG)), CAUSE], 1600, "Live"),
    ],
)
def test_consent_stands_in_its_life(events: list[TimedEvent], now: int, state: str) -> None:
    found = the_thing([OPENED, *events], now)
    assert found.state.split(":")[0].split()[0] == state
    assert f" {state}" in DOCUMENT[DOCUMENT.index("## Life of a consent") :]


def test_delegation_says_that_it_needs_its_parents() -> None:
    given = event("ConsentRegistry", "DelegationRecorded", id=ID, subject=9, delegate=B, slot=slot(3))
    found = the_thing([OPENED, given], 600)
    assert (found.kind, found.state) == ("delegation", "Live, if every delegation above it is")
    assert found.facts["delegate"] == B


PERMIT = event(
    "ResearchMarket", "StudyPermitted", study=ID, rules=OTHER, notBefore=10, notAfter=20, members=()
)
SUSPENDED = event("ResearchMarket", "StudySuspended", study=ID, round=1, boardMember=A)
STUDY_REVOKED = event("ResearchMarket", "StudyRevoked", study=ID, revokedAt=15, members=())


@pytest.mark.parametrize(
    ("events", "now", "state"),
    [
        ([PERMIT], 5, "Permitted, from 1970-01-01T00:00:10Z"),
        ([PERMIT], 10, "Permitted"),
        ([PERMIT, SUSPENDED], 12, "Suspended"),
        ([PERMIT, SUSPENDED], 20, "Ended 1970-01-01T00:00:20Z"),
        ([PERMIT, STUDY_REVOKED], 30, "Revoked 1970-01-01T00:00:15Z"),
        (
            [event("ResearchMarket", "StudyRefused", study=ID, refusedAt=15, members=())],
            30,
            "Refused 1970-01-01T00:00:15Z",
        ),
    ],
)
def test_study_stands_in_its_life(events: list[TimedEvent], now: int, state: str) -> None:
    assert the_thing(events, now).state == state


def escrow(now: int, *events: TimedEvent) -> str:
    terms = (ID, OTHER, A, B)
    funded = event("ResearchMarket", "EscrowFunded", escrow=THIRD, study=ID, terms=terms, received=100)
    return the_thing([*events, funded], now, THIRD).state


def test_escrow_says_whether_its_free_part_may_go_back() -> None:
    assert escrow(15) == "not locked: its study is not permitted"
    assert escrow(69, PERMIT) == "locked until 1970-01-01T00:01:10Z"
    assert escrow(70, PERMIT) == "free since 1970-01-01T00:01:10Z"
    assert escrow(20, PERMIT, STUDY_REVOKED) == "locked until 1970-01-01T00:01:05Z"
    released = event("ResearchMarket", "EscrowReleased", escrow=THIRD)
    assert escrow(20, PERMIT, released).startswith("released")


PAID_FROM = event(
    "ResearchMarket", "EscrowFunded", escrow=ID, study=ID, terms=(ID, OTHER, A, B), received=100
)
PROPOSED = event(
    "ResearchMarket", "PayoutProposed", round=THIRD, escrow=ID, result=OTHER, root=ID, total=70, attempt=1,
    opensAt=10, closesAt=20,
)  # fmt: skip


def payout(now: int, *events: TimedEvent) -> str:
    return the_thing([PAID_FROM, PROPOSED, *events], now, THIRD).state


def test_payout_stands_in_its_life() -> None:
    objected = event("ResearchMarket", "PayoutObjected", round=THIRD, objector=A, opensAt=15, closesAt=20)
    rejected = event("ResearchMarket", "PayoutRejected", round=THIRD, attempt=1, total=70, members=())
    closed = event("ResearchMarket", "PayoutClosed", round=THIRD, unclaimed=70)
    assert payout(9) == "Waiting"
    assert payout(12, objected) == "Disputed"
    assert payout(10) == "Open"
    assert payout(20) == "over, the unclaimed is not returned yet"
    assert payout(20, closed) == "Closed"
    assert payout(12, rejected).startswith("rejected")


RESPONDER = event(
    "ParticipantRegistry", "MemberAdmitted", member=THIRD, account=A, roles=32, credentialExpiry=10**9,
    credentialHash=OTHER, keyHash=OTHER,
)  # fmt: skip
OPENING = event(
    "EmergencyAccess", "EmergencyOpened", opening=ID, subject=9, member=THIRD, responder=A,
    countersigner=bytes(32), reason=OTHER, openedAt=100, expiresAt=200, recordedAt=100, late=False,
)  # fmt: skip
CLOSED = event("EmergencyAccess", "EmergencyClosed", opening=ID, closer=A, closedAt=150)
FORBIDDEN = event("EmergencyAccess", "EmergencyPolicySet", subject=9, policy=2, round=1, setAt=150)
REVIEWED = event(
    "EmergencyAccess", "EmergencyReviewed", opening=ID, reviewer=OTHER, finding=OTHER, reviewedAt=300
)
DUE = 100 + 72 * 3600


@pytest.mark.parametrize(
    ("events", "now", "state"),
    [
        ([RESPONDER, OPENING], 150, "Open"),
        ([OPENING], 150, "Paused"),
        ([RESPONDER, OPENING], 200, "Over"),
        ([RESPONDER, OPENING, CLOSED], 160, "Over"),
        ([RESPONDER, OPENING, FORBIDDEN], 160, "Over"),
        ([RESPONDER, OPENING], DUE - 1, "Over"),
        ([RESPONDER, OPENING], DUE, "Overdue"),
        ([RESPONDER, OPENING, REVIEWED], DUE, "Reviewed"),
    ],
)
def test_opening_stands_in_its_life(events: list[TimedEvent], now: int, state: str) -> None:
    found = the_thing(events, now)
    assert found.state.replace(",", " ").replace(":", " ").split()[0] == state
    assert f" {state}" in DOCUMENT[DOCUMENT.index("## Life of an emergency opening") :]


def recovery(now: int, *states: tuple[str, str, bool]) -> str:
    events = []
    for name, controller, spent in states:
        extra: dict[str, Any] = {"controller": B, "desk": NOBODY} if name == "RecoveryProposed" else {}
        state = (OTHER, bytes(32), 0, 1, 400, controller, 400, 1, spent)
        events.append(event("Recovery", name, subject=9, state=state, **extra))
    return str(the_thing([OPENED, *events], now, (9).to_bytes(32)).facts["recovery"]).split(":")[0]


def test_recovery_stands_in_its_life() -> None:
    proposed, last = ("RecoveryProposed", B, False), ("RecoveryProposed", B, True)
    vetoed = ("RecoveryVetoed", NOBODY, True)
    lapse = 500 + 7 * 86_400
    assert recovery(450) == "Quiet"
    assert recovery(450, proposed) == recovery(lapse - 1, proposed) == "Pending"
    assert recovery(lapse, proposed) == "Quiet"
    assert recovery(450, proposed, vetoed) == "Vetoed"
    assert recovery(450, vetoed, last) == "Last"
    assert recovery(lapse, vetoed, last) == "Vetoed"


def test_member_whose_credential_ended_says_so() -> None:
    assert the_thing([RESPONDER], 10, THIRD).state == "active"
    assert the_thing([RESPONDER], 10**9, THIRD).state == "active, but its credential has expired"
    suspended = event("ParticipantRegistry", "MemberSuspended", member=THIRD)
    assert the_thing([RESPONDER, suspended], 10**9, THIRD).state == "suspended"


def test_account_tells_what_it_is_to_the_contracts() -> None:
    given = event("ConsentRegistry", "DelegationRecorded", id=ID, subject=9, delegate=A, slot=slot(3))
    committed = event("RecordRegistry", "RecordCommitted", commitment=ID, custodian=A, committedAt=5)
    found = the_thing([RESPONDER, OPENED, given, committed], 10, int(A, 16).to_bytes(32))
    assert found.kind == "account"
    assert found.facts == {
        "member": "0x" + THIRD.hex(),
        "controls subjects": ["0x000000000000000000000009"],
        "delegate of": ["0x" + ID.hex()],
        "record versions committed": 1,
    }


BOUND = event("KeyRegistry", "KeyBound", subject=9, keyHash=ID, sequence=1, controller=A, boundAt=700)
WITHDRAWN = event("KeyRegistry", "KeyWithdrawn", subject=9, sequence=2, controller=A, withdrawnAt=800)
REPLACED = event("ConsentRegistry", "RecoveryStepped", subject=9, controller=B, proposed=False)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "none (never bound)"),
        ([BOUND], f"0x{ID.hex()}, number 1, bound 1970-01-01T00:11:40Z"),
        ([BOUND, WITHDRAWN], "none: withdrawn up to number 2"),
        ([BOUND, REPLACED], f"none: number 1 was bound by {A}, who was replaced"),
    ],
)
def test_subject_says_which_key_counts(events: list[TimedEvent], said: str) -> None:
    subject = the_thing([OPENED, *events], 1000, word=(9).to_bytes(32))
    assert subject.facts["encryption key"] == said


ADOPTED = event(
    "ConsentRegistry", "SubjectAdopted", generation=1, time=1400, subject=9, member=OTHER,
    slot=int(A, 16) | 1 << 192 | 1 << 224,
)  # fmt: skip


def taken_over(packed: int) -> list[TimedEvent]:
    adopted = event("ConsentRegistry", "ConsentAdopted", generation=1, id=ID, subject=9, slot=packed)
    return [OPENED, granted(packed), adopted, ADOPTED]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (taken_over(slot()), "Live"),
        ([*taken_over(slot()), REVOKED], "Revoked 1970-01-01T00:25:00Z"),
        ([*taken_over(slot()), ALL], "Stopped: the subject revoked everything, epoch 1 is current"),
        ([*taken_over(slot(2)), REVOKED], "Live"),  # to end a deny widens
        ([*taken_over(slot(mark=TAG)), CAUSE], "Revoked 1970-01-01T00:26:40Z"),
    ],
)
def test_consent_that_was_taken_over_ends_where_it_came_from(events: list[TimedEvent], state: str) -> None:
    found = the_thing(events, 1700, generations=2)
    assert found.state == state
    assert found.facts["taken over"] == "1970-01-01T00:23:20Z"


def test_what_was_not_taken_over_says_so() -> None:
    adopted = event("ConsentRegistry", "ConsentAdopted", generation=1, id=ID, subject=9, slot=slot())
    for events in ([OPENED, granted(slot())], [OPENED, granted(slot()), adopted]):
        found = the_thing(events, 1700, generations=2)
        assert found.state == "Not taken over; in the registry that was succeeded: Live"
        subject = the_thing(events, 1700, (9).to_bytes(32), generations=2)
        assert subject.state == "open, in the registry that was succeeded; not taken over"
        assert subject.facts["consents"] == [f"0x{ID.hex()} permit: {found.state}"]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "limit (never set)"),
        ([(0, 1, 1, 1300)], "allow, by what was set in the contract that was succeeded"),
        ([(0, 1, 1, 1300), (1, 2, 2, 1500)], "forbid, since 1970-01-01T00:25:00Z"),
        ([(1, 1, 1, 1500), (0, 2, 1, 1600)], "forbid, by what was set in the contract that was succeeded"),
    ],
)
def test_policy_of_a_subject_says_where_it_was_set(
    events: list[tuple[int, int, int, int]], said: str
) -> None:
    policies = [
        event(
            "EmergencyAccess", "EmergencyPolicySet", generation=generation, subject=9, policy=policy,
            round=round_, setAt=at,
        )
        for generation, policy, round_, at in events
    ]  # fmt: skip
    told = [*taken_over(slot()), *policies]
    assert the_thing(told, 1700, (9).to_bytes(32), generations=2).facts["emergency policy"] == said


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([(0, 1, 700)], f"0x{ID.hex()}, number 1, bound 1970-01-01T00:11:40Z"),
        ([(0, 1, 700), (0, 2, 1500)], "none: number 2 was used in the contract that was succeeded"),
        ([(0, 1, 700), (1, 2, 1500)], f"0x{ID.hex()}, number 2, bound 1970-01-01T00:25:00Z"),
    ],
)
def test_key_of_a_subject_counts_if_it_was_bound_before(
    events: list[tuple[int, int, int]], said: str
) -> None:
    keys = [
        event(
            "KeyRegistry", "KeyBound", generation=generation, subject=9, keyHash=ID, sequence=sequence,
            controller=A, boundAt=at,
        )
        for generation, sequence, at in events
    ]  # fmt: skip
    told = [*taken_over(slot()), *keys]
    assert the_thing(told, 1700, (9).to_bytes(32), generations=2).facts["encryption key"] == said
