"""Every event makes the words that its contract writes; each expectation is packed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from backend.adapters.ledger.abi import CONTRACTS, artifact
from backend.adapters.ledger.deployment_file import SUCCEEDED, artifact_of
from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.ledger_state import LedgerState
from backend.adapters.ledger.rebuild.words import Element, Step, word
from backend.consent.ledger_types import TimedEvent
from tests.support.ledger_events import NOBODY, account, event

ID, OTHER, THIRD = (bytes([number]) * 32 for number in (0xA1, 0xB2, 0xC3))
A, B = account(0xAA), account(0xBB)
Path = tuple[Step, ...]


def replay(*events: TimedEvent, generations: int = 1) -> LedgerState:
    state = LedgerState(generations)
    for each in events:
        state.apply(each)
    return state


def stored(state: LedgerState, contract: str, generation: int = 0) -> dict[tuple[str, Path], int]:
    """Return every word that is not empty."""
    entries = state.contracts[contract, generation].storage()
    return {(entry.variable, entry.path): entry.value for entry in entries if entry.value}


def test_every_event_of_every_contract_is_replayed() -> None:
    state = LedgerState(3)
    succeeding = {(name, generation) for name in SUCCEEDED for generation in (1, 2)}
    assert set(state.contracts) == {(name, 0) for name in CONTRACTS} | succeeding
    for (name, generation), contract in state.contracts.items():
        interface = artifact(artifact_of(name, generation)).events.values()
        assert set(contract.handlers) == {found.name for found in interface}, name


def test_every_variable_of_the_layout_is_made_or_is_known_to_stay_empty() -> None:
    made = {
        "AccessManager": {"_targets", "_roles", "_schedules"},
        "AuditAnchor": {"_heads", "_cosignatures", "_forkReportedAt"},
        "ConsentRegistry": {"_subjects", "_consents", "_openingCustodians", "_endedForCause"},
        "EmergencyAccess": {"_policies", "_forbids", "_openings", "_unreviewed"},
        "ParticipantRegistry": {"_authority", "_members", "_memberOf", "_activeRoles"},
        "RecordRegistry": {"_commitments", "_transferred"},
        "Recovery": {"_recoveries"},
        "ResearchMarket": {
            "_permits", "_status", "_escrows", "_results", "_rounds", "_claimed", "_studyOfPayee",
            "_donations",
        },
        "WitnessPairs": set(),
        "KeyRegistry": {"_bindings"},
        "SucceedingConsentRegistry": {
            "_subjects", "_consents", "_openingCustodians", "_endedForCause", "adoptedAtOf",
        },
        "SucceedingRecovery": {"_recoveries"},
        "SucceedingKeyRegistry": {"_bindings"},
        "SucceedingEmergencyAccess": {
            "_policies", "_forbids", "_openings", "_unreviewed", "_roundsPassed", "_roundsAtOpening",
        },
    }  # fmt: skip
    # Names of at most 31 bytes are kept in the code; the others are set and cleared within one call.
    empty = {"_nameFallback", "_versionFallback", "_executionId", "_consumingSchedule"}
    assert set(made) == set(CONTRACTS) | {artifact_of(name, 1) for name in SUCCEEDED}
    for name, variables in made.items():
        assert set(artifact(name).layout) - empty == variables, name


# --- participants


def member(name: str, **changes: Any) -> TimedEvent:
    values = {
        "member": ID, "account": A, "roles": 5, "credentialExpiry": 900, "credentialHash": OTHER,
        "keyHash": THIRD,
    }  # fmt: skip
    return event("ParticipantRegistry", name, **values | changes)


def standing(name: str) -> TimedEvent:
    return event("ParticipantRegistry", name, member=ID)


def words_of_member(account_: str, roles: int, standing_: int) -> dict[Any, int]:
    packed = int(account_, 16) | roles << 160 | 900 << 176 | standing_ << 216
    return {
        ("_members", (ID, 0)): packed,
        ("_members", (ID, 1)): int.from_bytes(OTHER),
        ("_members", (ID, 2)): int.from_bytes(THIRD),
        ("_memberOf", (word(account_),)): int.from_bytes(ID),
    }


@pytest.mark.parametrize(
    ("names", "standing_", "active"),
    [
        ([], 1, True),
        (["MemberSuspended"], 2, False),
        (["MemberSuspended", "MemberReinstated"], 1, True),
        (["MemberRemoved"], 3, False),
    ],
)
def test_member_stands_where_its_events_left_it(names: list[str], standing_: int, active: bool) -> None:
    state = replay(member("MemberAdmitted"), *map(standing, names))
    expected = words_of_member(A, 5, standing_)
    if active:
        expected["_activeRoles", (word(A),)] = 5 | 900 << 16
    assert stored(state, "ParticipantRegistry") == expected


def test_member_amended_leaves_nothing_at_its_old_account() -> None:
    state = replay(member("MemberAdmitted"), member("MemberAmended", account=B, roles=1))
    expected = words_of_member(B, 1, 1) | {("_activeRoles", (word(B),)): 1 | 900 << 16}
    assert stored(state, "ParticipantRegistry") == expected


def test_member_amended_while_suspended_stays_suspended() -> None:
    state = replay(member("MemberAdmitted"), standing("MemberSuspended"), member("MemberAmended"))
    assert stored(state, "ParticipantRegistry") == words_of_member(A, 5, 2)


def test_member_without_account_has_no_word_by_account() -> None:
    state = replay(member("MemberAdmitted", account=NOBODY))
    assert {variable for variable, _ in stored(state, "ParticipantRegistry")} == {"_members"}


def test_roles_reduced_and_authority_updated() -> None:
    reduced = event("ParticipantRegistry", "MemberRolesReduced", member=ID, roles=4)
    updated = event("ParticipantRegistry", "AuthorityUpdated", authority=B)
    found = stored(replay(member("MemberAdmitted"), reduced, updated), "ParticipantRegistry")
    assert found["_activeRoles", (word(A),)] == 4 | 900 << 16
    assert found["_authority", ()] == 0xBB


# --- access


def granted(delay: int, since: int, *, new: bool, time: int = 1000) -> TimedEvent:
    values = {"roleId": 1, "account": A, "delay": delay, "since": since, "newMember": new}
    return event("AccessManager", "RoleGranted", time=time, **values)


def test_role_granted_again_keeps_its_begin_and_delays_the_shorter_delay() -> None:
    state = replay(granted(3600, 1000, new=True), granted(60, 4540, new=False))
    delay = 60 | 3600 << 32 | 4540 << 64
    assert stored(state, "AccessManager") == {("_roles", (word(1), 0, word(A))): 1000 | delay << 48}
    state.apply(granted(90, 5000, new=False, time=5000))  # the change to 60 is in effect by now
    delay = 90 | 60 << 32 | 5000 << 64
    assert stored(state, "AccessManager") == {("_roles", (word(1), 0, word(A))): 1000 | delay << 48}
    state.apply(event("AccessManager", "RoleRevoked", roleId=1, account=A))
    assert stored(state, "AccessManager") == {}


def test_roles_and_targets_are_configured() -> None:
    state = replay(
        event("AccessManager", "RoleAdminChanged", roleId=7, admin=1),
        event("AccessManager", "RoleGuardianChanged", roleId=7, guardian=2),
        event("AccessManager", "RoleGrantDelayChanged", roleId=7, delay=60, since=2000),
        event("AccessManager", "RoleLabel", roleId=7, label="name"),
        event("AccessManager", "TargetFunctionRoleUpdated", target=B, selector=b"\x01\x02\x03\x04", roleId=7),
        event("AccessManager", "TargetAdminDelayUpdated", target=B, delay=30, since=3000),
        event("AccessManager", "TargetClosed", target=B, closed=True),
    )
    selector = b"\x01\x02\x03\x04" + bytes(28)
    assert stored(state, "AccessManager") == {
        ("_roles", (word(7), 1)): 1 | 2 << 64 | (60 | 2000 << 64) << 128,
        ("_targets", (word(B), 0, selector)): 7,
        ("_targets", (word(B), 1)): 30 | 3000 << 64 | 1 << 112,
    }


@pytest.mark.parametrize("end", ["OperationExecuted", "OperationCanceled"])
def test_operation_that_is_over_keeps_its_number(end: str) -> None:
    values = {"operationId": ID, "nonce": 3, "schedule": 5000, "caller": A, "target": B, "data": b"\1\2\3\4"}
    state = replay(event("AccessManager", "OperationScheduled", **values))
    assert stored(state, "AccessManager") == {("_schedules", (ID,)): 5000 | 3 << 48}
    state.apply(event("AccessManager", end, operationId=ID, nonce=3))
    assert stored(state, "AccessManager") == {("_schedules", (ID,)): 3 << 48}


# --- consents

SLOT = 9 | 1 << 96 | 2000 << 176 | 500 << 216
TAGGED = SLOT | (1 << 39 | 77) << 136
OPENED = event("ConsentRegistry", "SubjectOpened", subject=9, controller=A, custodian=B, member=OTHER)
GRANTED = event("ConsentRegistry", "ConsentGranted", id=ID, subject=9, slot=SLOT, delegation=bytes(32))
REVOKED = event("ConsentRegistry", "ConsentRevoked", id=ID, subject=9, revokedAt=1500)


def consent_words(subject: int, slot: int = 0) -> dict[Any, int]:
    words = {
        ("_subjects", (word(9),)): subject | 1 << 224,
        ("_openingCustodians", (word(9),)): int.from_bytes(OTHER),
    }
    return words | ({("_consents", (ID,)): slot} if slot else {})


def test_grant_is_counted_and_its_revocation_dated() -> None:
    state = replay(OPENED, GRANTED)
    assert stored(state, "ConsentRegistry") == consent_words(0xAA | 1 << 192, slot=SLOT)
    state.apply(REVOKED)
    assert stored(state, "ConsentRegistry") == consent_words(0xAA | 1 << 192, slot=SLOT | 1500 << 136)


def test_revocation_of_a_delegates_grant_replaces_the_tag() -> None:
    given = event("ConsentRegistry", "ConsentGranted", id=ID, subject=9, slot=TAGGED, delegation=THIRD)
    state = replay(OPENED, given)
    assert stored(state, "ConsentRegistry")["_consents", (ID,)] == TAGGED
    assert state.consents.used == {ID: THIRD}
    state.apply(REVOKED)
    assert stored(state, "ConsentRegistry")["_consents", (ID,)] == SLOT | 1500 << 136


def test_delegation_is_counted_and_ended_for_cause_under_its_tag() -> None:
    ended = event("ConsentRegistry", "DelegationEndedForCause", id=ID, subject=9, endedAt=1600)
    recorded = event("ConsentRegistry", "DelegationRecorded", id=ID, subject=9, delegate=B, slot=SLOT)
    found = stored(replay(OPENED, recorded, ended), "ConsentRegistry")
    tag = int.from_bytes(ID) % (1 << 39) | 1 << 39
    cause = {("_endedForCause", (word(9), word(tag))): 1600}
    assert found == consent_words(0xAA | 1 << 192, slot=SLOT) | cause


def test_revocation_ahead_is_not_counted() -> None:
    ahead = event("ConsentRegistry", "ConsentRevokedAhead", id=ID, subject=9, slot=SLOT)
    assert stored(replay(OPENED, ahead), "ConsentRegistry") == consent_words(0xAA, slot=SLOT)


def test_epoch_controller_and_flag_of_a_subject() -> None:
    state = replay(OPENED, event("ConsentRegistry", "AllRevoked", subject=9, epoch=3))
    assert stored(state, "ConsentRegistry") == consent_words(0xAA | 3 << 160)
    state.apply(event("ConsentRegistry", "RecoveryStepped", subject=9, controller=A, proposed=True))
    assert stored(state, "ConsentRegistry") == consent_words(0xAA | 3 << 160 | 1 << 225)
    state.apply(event("ConsentRegistry", "RecoveryStepped", subject=9, controller=B, proposed=False))
    assert stored(state, "ConsentRegistry") == consent_words(0xBB | 3 << 160)


def test_batch_items_left_out_write_nothing() -> None:
    rejected = event("ConsentRegistry", "GrantRejected", id=ID, subject=9, reason=b"")
    also = event("ConsentRegistry", "RevocationRejected", id=ID, reason=b"")
    assert stored(replay(OPENED, rejected, also), "ConsentRegistry") == consent_words(0xAA)


@pytest.mark.parametrize(
    "name", ["RecoveryPolicySet", "RecoveryProposed", "RecoveryVetoed", "RecoveryCompleted"]
)
def test_recovery_is_what_its_last_event_says(name: str) -> None:
    extra = {
        "RecoveryProposed": {"controller": B, "desk": NOBODY}, "RecoveryCompleted": {"controller": B},
    }.get(name, {})  # fmt: skip
    state = (ID, OTHER, 100, 2, 300, B, 400, 5, True)
    found = stored(replay(event("Recovery", name, subject=9, state=state, **extra)), "Recovery")
    assert found == {
        ("_recoveries", (word(9), 0)): int.from_bytes(ID),
        ("_recoveries", (word(9), 1)): int.from_bytes(OTHER),
        ("_recoveries", (word(9), 2)): 100 | 2 << 40 | 300 << 72,
        ("_recoveries", (word(9), 3)): 0xBB | 400 << 160 | 5 << 200 | 1 << 232,
    }


# --- keys


def test_key_is_bound_replaced_and_withdrawn() -> None:
    bound = {"subject": 9, "keyHash": ID, "sequence": 1, "controller": A, "boundAt": 100}
    state = replay(event("KeyRegistry", "KeyBound", **bound))
    assert stored(state, "KeyRegistry") == {
        ("_bindings", (word(9), 0)): int.from_bytes(ID),
        ("_bindings", (word(9), 1)): 0xAA | 1 << 160 | 100 << 192,
    }
    again = bound | {"keyHash": OTHER, "sequence": 2, "controller": B, "boundAt": 200}
    state.apply(event("KeyRegistry", "KeyBound", **again))
    assert stored(state, "KeyRegistry")["_bindings", (word(9), 1)] == 0xBB | 2 << 160 | 200 << 192
    withdrawn = {"subject": 9, "sequence": 3, "controller": B, "withdrawnAt": 300}
    state.apply(event("KeyRegistry", "KeyWithdrawn", **withdrawn))
    assert stored(state, "KeyRegistry") == {("_bindings", (word(9), 1)): 3 << 160}


# --- records and logs


def test_record_is_committed_withdrawn_or_passed_on() -> None:
    committed = event("RecordRegistry", "RecordCommitted", commitment=ID, custodian=A, committedAt=100)
    state = replay(committed)
    assert stored(state, "RecordRegistry") == {("_commitments", (word(A), ID)): 100}
    state.apply(event("RecordRegistry", "RecordWithdrawn", commitment=ID, custodian=A, withdrawnAt=200))
    assert stored(state, "RecordRegistry") == {("_commitments", (word(A), ID)): 100 | 200 << 40}
    passed = {"commitment": ID, "from": A, "to": B, "committedAt": 90}
    made = {"transfer": OTHER, "from": A, "to": B}
    state = replay(
        committed,
        event("RecordRegistry", "RecordTransferred", **passed),
        event("RecordRegistry", "CustodyTransferred", **made),
    )
    expected = {("_commitments", (word(B), ID)): 90, ("_transferred", (OTHER,)): 1}
    assert stored(state, "RecordRegistry") == expected


def test_anchor_takes_number_and_time_from_its_block() -> None:
    values = {"logId": ID, "custodian": OTHER, "origin": THIRD}
    anchored = event("AuditAnchor", "CheckpointAnchored", block=12, time=1234, size=3, root=OTHER, **values)
    fork = {"size": 1, "root": OTHER, "otherSize": 1, "otherRoot": THIRD}
    state = replay(
        anchored,
        event("AuditAnchor", "CheckpointCosigned", logId=ID, witness=THIRD, size=2, root=ID, cosignedAt=1300),
        event("AuditAnchor", "ForkReported", reportedAt=1400, **values, **fork),
        event("AuditAnchor", "ForkReported", reportedAt=1500, **values, **fork),
    )
    assert stored(state, "AuditAnchor") == {
        ("_heads", (ID, 0)): int.from_bytes(OTHER),
        ("_heads", (ID, 1)): 3 | 12 << 64 | 1234 << 128,
        ("_cosignatures", (ID, THIRD)): 2 | 1300 << 64,
        ("_forkReportedAt", (ID,)): 1400,  # the first report stays
    }


# --- emergencies


def opened(opening: bytes) -> TimedEvent:
    return event(
        "EmergencyAccess", "EmergencyOpened", opening=opening, subject=9, member=THIRD, responder=A,
        countersigner=OTHER, reason=ID, openedAt=10, expiresAt=20, recordedAt=30, late=True,
    )  # fmt: skip


def test_openings_wait_in_a_list_and_leave_it_in_any_order() -> None:
    first, second, third = (bytes([number]) * 32 for number in (1, 2, 3))
    state = replay(*map(opened, (first, second, third)))

    def queue() -> dict[Any, int]:
        found = stored(state, "EmergencyAccess")
        return {path[1:]: value for (variable, path), value in found.items() if variable == "_unreviewed"}

    number = int.from_bytes
    assert queue() == {
        (0,): number(first), (1,): number(third),
        (2, first, 1): number(second),
        (2, second, 0): number(first), (2, second, 1): number(third),
        (2, third, 0): number(second),
    }  # fmt: skip
    review = {"reviewer": OTHER, "finding": ID, "reviewedAt": 40}
    state.apply(event("EmergencyAccess", "EmergencyReviewed", opening=second, **review))
    assert queue() == {
        (0,): number(first), (1,): number(third), (2, first, 1): number(third), (2, third, 0): number(first),
    }  # fmt: skip
    for opening in (third, first):
        state.apply(event("EmergencyAccess", "EmergencyReviewed", opening=opening, **review))
    assert queue() == {}


def test_opening_is_closed_and_reviewed() -> None:
    state = replay(
        opened(ID),
        event("EmergencyAccess", "EmergencyClosed", opening=ID, closer=A, closedAt=15),
        event(
            "EmergencyAccess", "EmergencyReviewed", opening=ID, reviewer=OTHER, finding=OTHER, reviewedAt=50
        ),
    )
    dates = 10 | 20 << 40 | 30 << 80 | 15 << 120 | 50 << 160 | 1 << 200
    assert stored(state, "EmergencyAccess") == {
        ("_openings", (ID, 0)): int.from_bytes(THIRD),
        ("_openings", (ID, 1)): int.from_bytes(OTHER),
        ("_openings", (ID, 2)): int.from_bytes(OTHER),
        ("_openings", (ID, 3)): 0xAA | 9 << 160,
        ("_openings", (ID, 4)): dates,
    }


def policy(code: int, round_: int, at: int) -> TimedEvent:
    return event("EmergencyAccess", "EmergencyPolicySet", subject=9, policy=code, round=round_, setAt=at)


def test_policies_of_one_second_share_a_checkpoint_and_every_forbid_is_kept() -> None:
    state = replay(policy(1, 1, 100), policy(2, 2, 100), policy(0, 3, 100), policy(2, 4, 200))
    assert stored(state, "EmergencyAccess") == {
        ("_policies", (word(9),)): 2,
        ("_policies", (word(9), Element(0))): 100 | (3 << 8) << 48,
        ("_policies", (word(9), Element(1))): 200 | (2 | 4 << 8) << 48,
        ("_forbids", (word(9),)): 2,
        ("_forbids", (word(9), Element(0))): 100 | 100 << 48,
        ("_forbids", (word(9), Element(1))): 200 | 200 << 48,
    }


# --- market

STATUS: dict[Any, int] = {("_status", ()): 1}
TERMS = (THIRD, OTHER, A, B)


def market(name: str, *, time: int = 1000, **arguments: Any) -> TimedEvent:
    return event("ResearchMarket", name, time=time, **arguments)


PERMITTED = market("StudyPermitted", study=THIRD, rules=OTHER, notBefore=10, notAfter=20, members=())


@pytest.mark.parametrize(
    ("events", "word_"),
    [
        ([], 0),
        ([market("StudySuspended", study=THIRD, round=1, boardMember=A)], 1 << 120 | 1 << 152),
        (
            [
                market("StudySuspended", study=THIRD, round=1, boardMember=A),
                market("StudyResumed", study=THIRD, round=2, members=()),
            ],
            2 << 120,
        ),
        ([market("StudyRevoked", study=THIRD, revokedAt=15, members=())], 15 << 80),
    ],
)
def test_study_stands_where_its_events_left_it(events: list[TimedEvent], word_: int) -> None:
    found = stored(replay(PERMITTED, *events), "ResearchMarket")
    rules = {("_permits", (THIRD, 0)): int.from_bytes(OTHER)}
    assert found == STATUS | rules | {("_permits", (THIRD, 1)): 10 | 20 << 40 | word_}


def test_study_refused_has_a_date_only() -> None:
    found = stored(replay(market("StudyRefused", study=THIRD, refusedAt=15, members=())), "ResearchMarket")
    assert found == STATUS | {("_permits", (THIRD, 1)): 15 << 80}


FUNDED = market("EscrowFunded", escrow=ID, study=THIRD, terms=TERMS, received=100)
PROPOSED = market(
    "PayoutProposed",
    round=OTHER,
    escrow=ID,
    result=THIRD,
    root=ID,
    total=70,
    attempt=1,
    opensAt=10,
    closesAt=20,
)


def money(available: int, remaining: int, rest: int, *, root: bytes = ID) -> dict[Any, int]:
    words = {
        ("_escrows", (ID,)): available,
        ("_rounds", (OTHER, 0)): int.from_bytes(root),
        ("_rounds", (OTHER, 1)): remaining | rest,
    }
    return STATUS | {place: value for place, value in words.items() if value}


def test_escrow_is_funded_released_and_refunded() -> None:
    state = replay(FUNDED, FUNDED, market("EscrowReleased", escrow=ID))
    assert stored(state, "ResearchMarket") == STATUS | {("_escrows", (ID,)): 200 | 1 << 128}
    state.apply(market("EscrowRefunded", escrow=ID, to=A, amount=200))
    assert stored(state, "ResearchMarket") == STATUS | {("_escrows", (ID,)): 1 << 128}


def test_escrow_that_nobody_funded_may_be_released() -> None:
    found = stored(replay(market("EscrowReleased", escrow=ID)), "ResearchMarket")
    assert found == STATUS | {("_escrows", (ID,)): 1 << 128}


def test_payout_is_objected_to_upheld_and_rejected() -> None:
    window = 10 << 128 | 20 << 168 | 1 << 208
    state = replay(FUNDED, PROPOSED)
    assert stored(state, "ResearchMarket") == money(30, 70, window)
    state.apply(market("PayoutObjected", round=OTHER, objector=A, opensAt=30, closesAt=40))
    window = 30 << 128 | 40 << 168 | 1 << 208 | 1 << 240
    assert stored(state, "ResearchMarket") == money(30, 70, window)
    state.apply(market("PayoutUpheld", round=OTHER, attempt=1, opensAt=25, closesAt=35, members=()))
    window = 25 << 128 | 35 << 168 | 1 << 208 | 1 << 240
    assert stored(state, "ResearchMarket") == money(30, 70, window)
    state.apply(market("PayoutRejected", round=OTHER, attempt=1, total=70, members=()))
    assert stored(state, "ResearchMarket") == money(100, 0, 1 << 208, root=bytes(32))


def test_payments_set_bits_and_bind_their_accounts_but_donations() -> None:
    claims = [
        market("PaymentClaimed", round=OTHER, index=index, account=to, amount=10)
        for index, to in ((3, A), (700, B), (255, A))
    ]
    state = replay(FUNDED, PROPOSED, market("DonationNamed", account=B, members=()), *claims)
    window = 10 << 128 | 20 << 168 | 1 << 208
    expected = money(30, 40, window) | {
        ("_claimed", (OTHER, 0, word(0))): 1 << 3 | 1 << 255,
        ("_claimed", (OTHER, 0, word(2))): 1 << 700 % 256,
        ("_studyOfPayee", (word(A),)): int.from_bytes(THIRD),
        ("_donations", (word(B),)): 1,
    }
    assert stored(state, "ResearchMarket") == expected
    state.apply(market("ClaimRejected", round=OTHER, index=9, reason=b""))
    assert stored(state, "ResearchMarket") == expected
    state.apply(market("PayoutClosed", round=OTHER, unclaimed=40))
    assert stored(state, "ResearchMarket") == expected | money(70, 0, window)


def test_result_takes_its_time_from_its_block() -> None:
    committed = market("ResultCommitted", time=1234, study=THIRD, custodian=OTHER, result=ID)
    expected = STATUS | {("_results", (THIRD, OTHER, ID)): 1234}
    assert stored(replay(committed), "ResearchMarket") == expected


# --- contradictions


@pytest.mark.parametrize(
    "events",
    [
        [REVOKED],
        [GRANTED],
        [standing("MemberSuspended")],
        [PROPOSED],
        [FUNDED, market("EscrowRefunded", escrow=ID, to=A, amount=101)],
        [event("EmergencyAccess", "EmergencyClosed", opening=ID, closer=A, closedAt=15)],
        [event("AccessManager", "OperationExecuted", operationId=ID, nonce=1)],
        [
            event(
                "RecordRegistry",
                "RecordTransferred",
                **{"commitment": ID, "from": A, "to": B, "committedAt": 1},
            )
        ],
    ],
    ids=lambda events: events[-1].event.name,
)
def test_event_that_cannot_follow_is_named(events: list[TimedEvent]) -> None:
    with pytest.raises(EventsContradict, match=rf"{events[-1].event.name} in block 7"):
        replay(*events)
