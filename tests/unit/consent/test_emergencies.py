"""Openings that the chain has: whom they concern, once into the log, and told to whoever is on call."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent
from backend.audit.errors import AuditUnavailable
from backend.audit.types import AppendedEntry
from backend.consent.emergencies import OpeningLog
from backend.consent.ledger_types import RecordedOpening
from backend.types import BlockNumber, Bytes32, LogIndex, MemberId, SubjectId, UnixSeconds

US, THEM, OTHERS = (MemberId(Bytes32(bytes([number]) * 32)) for number in (1, 2, 3))
ANNA, STRANGER = SubjectId(1), SubjectId(2)


class Log:
    def __init__(self) -> None:
        self.entries: list[AuditEvent] = []
        self.acts: list[bytes] = []
        self.failure: Exception | None = None

    def append(self, event: AuditEvent, *, act: bytes | None = None) -> AppendedEntry:
        if self.failure is not None:
            raise self.failure
        assert act is not None
        known = act in self.acts
        if not known:
            self.entries.append(event)
            self.acts.append(act)
        return AppendedEntry(LogIndex(self.acts.index(act)), b"", repeated=known)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def published() -> list[int]:
    return []


@pytest.fixture
def openings(log: Log, published: list[int]) -> OpeningLog:
    return OpeningLog(
        log=log, tenant=US, is_enrolled=lambda subject: subject == ANNA, publish=published.append
    )


def opening(
    *, subject: SubjectId = ANNA, member: MemberId = THEM, other: MemberId | None = None, number: int = 9
) -> RecordedOpening:
    return RecordedOpening(
        opening=Bytes32(bytes([number]) * 32),
        subject=subject,
        member=member,
        countersigner=other,
        opened_at=UnixSeconds(1_000),
        expires_at=UnixSeconds(8_200),
        late=False,
        block=BlockNumber(5),
        at=UnixSeconds(1_001),
        transaction=Bytes32(b"\x07" * 32),
    )


@pytest.mark.parametrize(
    ("found", "concerned"),
    [
        (opening(), True),
        (opening(subject=STRANGER), False),
        (opening(subject=STRANGER, member=US), True),
        (opening(subject=STRANGER, other=US), True),
        (opening(subject=STRANGER, other=OTHERS), False),
    ],
)
def test_opening_concerns_the_patients_custodian_and_those_who_signed(
    openings: OpeningLog, found: RecordedOpening, concerned: bool
) -> None:
    assert openings.concerns(found) is concerned


def test_opening_is_logged_once_in_the_patients_chain_with_what_it_is(
    openings: OpeningLog, log: Log, published: list[int]
) -> None:
    assert openings.take(opening(other=OTHERS))
    assert not openings.take(opening(other=OTHERS))
    (entry,) = log.entries
    assert (entry.type, entry.subject, entry.actor) == (codes.EMERGENCY_OPENED, ANNA, Agent.member(THEM))
    assert entry.occurred_at_ms == 1_000_000
    assert entry.detail == {
        "opening": "0x" + "09" * 32,
        "expires_at": 8_200,
        "late": False,
        "block": 5,
        "transaction": "0x" + "07" * 32,
        "countersigner": "0x" + OTHERS.hex(),
    }
    assert AuditEvent.decode(entry.encode()) == entry
    assert published == [1_001, 1_001]


def test_opening_of_ours_for_a_patient_elsewhere_names_no_patient(openings: OpeningLog, log: Log) -> None:
    assert openings.take(opening(subject=STRANGER, member=US))
    assert log.entries[0].subject is None


def test_two_openings_are_two_entries(openings: OpeningLog, log: Log) -> None:
    assert [openings.take(opening(number=number)) for number in (1, 2)] == [True, True]
    assert len(log.entries) == 2


def test_opening_that_the_log_did_not_take_is_not_told_as_taken(
    openings: OpeningLog, log: Log, published: Sequence[int]
) -> None:
    log.failure = AuditUnavailable()
    with pytest.raises(AuditUnavailable):
        openings.take(opening())
    assert list(published) == []
