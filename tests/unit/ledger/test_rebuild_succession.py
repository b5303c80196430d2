"""What succeeding contracts write; each expectation is packed by hand."""

from __future__ import annotations

import pytest

from backend.adapters.ledger.errors import EventsContradict
from backend.adapters.ledger.rebuild.words import word
from backend.consent.ledger_types import TimedEvent
from tests.support.ledger_events import NOBODY, account, event
from tests.unit.ledger.test_rebuild import replay, stored

ID, OTHER, THIRD = (bytes([number]) * 32 for number in (0xA1, 0xB2, 0xC3))
A, B = account(0xAA), account(0xBB)


def adopting(slot: int) -> list[TimedEvent]:
    """A subject and one document, recorded in the first registry and adopted by the second."""
    opened = event("ConsentRegistry", "SubjectOpened", subject=9, controller=A, custodian=B, member=OTHER)
    granted = event("ConsentRegistry", "ConsentGranted", id=ID, subject=9, slot=slot, delegation=bytes(32))
    adopted = event("ConsentRegistry", "ConsentAdopted", generation=1, id=ID, subject=9, slot=slot)
    shown = int(A, 16) | 3 << 160 | 1 << 192 | 1 << 224
    done = event(
        "ConsentRegistry", "SubjectAdopted", generation=1, time=77, subject=9, member=OTHER, slot=shown
    )
    revoked = event("ConsentRegistry", "AllRevoked", subject=9, epoch=3)
    return [opened, revoked, granted, adopted, done]


ADOPTED_SLOT = 9 | 1 << 96 | 3 << 104 | 2000 << 176 | 500 << 216
MARKED = ADOPTED_SLOT | 1 << 103
SUBJECT_WORD = int(A, 16) | 1 << 192 | 1 << 224 | 1 << 226
AT_ADOPTION = SUBJECT_WORD | 3 << 160 | 3 << 227


def test_what_is_adopted_lies_in_marked_slots() -> None:
    events = adopting(ADOPTED_SLOT)
    under_way = stored(replay(*events[:-1], events[-2], generations=2), "ConsentRegistry", 1)
    assert under_way == {("_subjects", (word(9),)): 1 << 192, ("_consents", (ID,)): MARKED}
    assert stored(replay(*events, generations=2), "ConsentRegistry", 1) == {
        ("_subjects", (word(9),)): AT_ADOPTION,
        ("_consents", (ID,)): MARKED,
        ("_openingCustodians", (word(9),)): int.from_bytes(OTHER),
        ("adoptedAtOf", (word(9),)): 77,
    }


def test_revocation_of_what_was_adopted_takes_mark_and_tag_off() -> None:
    tagged = ADOPTED_SLOT | (1 << 39 | 5) << 136
    revoked = event("ConsentRegistry", "ConsentRevoked", generation=1, id=ID, subject=9, revokedAt=1500)
    found = stored(replay(*adopting(tagged), revoked, generations=2), "ConsentRegistry", 1)
    assert found["_consents", (ID,)] == ADOPTED_SLOT | 1500 << 136


def subject_after(*events: TimedEvent) -> int:
    state = replay(*adopting(ADOPTED_SLOT), *events, generations=2)
    return stored(state, "ConsentRegistry", 1)["_subjects", (word(9),)]


def test_epoch_there_is_written_where_the_contract_writes_what_it_followed() -> None:
    there = event("ConsentRegistry", "AllRevoked", subject=9, epoch=4)
    here = event("ConsentRegistry", "AllRevoked", generation=1, subject=9, epoch=5)
    other = {"id": OTHER, "subject": 9, "generation": 1}
    granted = event("ConsentRegistry", "ConsentGranted", slot=ADOPTED_SLOT, delegation=bytes(32), **other)
    guardianship = event("ConsentRegistry", "DelegationRecorded", slot=9 | 4 << 96, delegate=B, **other)
    freed = event(
        "ConsentRegistry", "RecoveryStepped", generation=1, subject=9, controller=NOBODY, proposed=False
    )
    assert subject_after(there) == AT_ADOPTION
    assert subject_after(there, granted) == AT_ADOPTION + (1 << 192)
    assert subject_after(there, guardianship) == AT_ADOPTION + (1 << 192)
    caught_up = SUBJECT_WORD | 4 << 227
    assert subject_after(there, here) == caught_up | 5 << 160
    assert subject_after(there, freed, guardianship) == (caught_up | 4 << 160) + (1 << 192) - int(A, 16)


def test_rounds_there_are_kept_with_policies_and_openings() -> None:
    def policy(generation: int, round_: int) -> TimedEvent:
        values = {"subject": 9, "policy": 1, "round": round_, "setAt": 100 + round_}
        return event("EmergencyAccess", "EmergencyPolicySet", generation=generation, **values)

    def opening(identity: bytes, subject: int) -> TimedEvent:
        return event(
            "EmergencyAccess", "EmergencyOpened", generation=1, opening=identity, subject=subject,
            member=THIRD, responder=A, countersigner=bytes(32), reason=OTHER, openedAt=200,
            expiresAt=300, recordedAt=200, late=False,
        )  # fmt: skip

    events = (policy(0, 4), opening(ID, 9), policy(0, 5), opening(OTHER, 9), opening(THIRD, 8), policy(1, 6))
    found = stored(replay(*adopting(ADOPTED_SLOT), *events, generations=2), "EmergencyAccess", 1)
    rounds = {key: value for key, value in found.items() if key[0].startswith("_rounds")}
    assert rounds == {
        ("_roundsAtOpening", (word(9), word(200))): 5,  # the first of that second
        ("_roundsPassed", (word(9),)): 5,
    }


def test_recovery_is_adopted_whole() -> None:
    state = (OTHER, bytes(32), 0, 1, 400, NOBODY, 400, 2, True)
    adopted = event("Recovery", "RecoveryAdopted", generation=1, subject=9, state=state)
    assert stored(replay(adopted, generations=2), "Recovery", 1) == {
        ("_recoveries", (word(9), 0)): int.from_bytes(OTHER),
        ("_recoveries", (word(9), 2)): 1 << 40 | 400 << 72,
        ("_recoveries", (word(9), 3)): 400 << 160 | 2 << 200 | 1 << 232,
    }


def test_events_of_a_generation_that_is_not_known_contradict() -> None:
    with pytest.raises(EventsContradict):
        replay(*adopting(ADOPTED_SLOT), generations=1)
