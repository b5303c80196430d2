"""Stops that others send to the chain: taken where they concern a patient here, and again after a failure."""

from __future__ import annotations

from typing import Any

import pytest

from backend.consent.ledger_types import SentStop
from backend.consent.revocations import Revocation
from backend.consent.stop_watch import StopWatch
from backend.errors import InvalidInput, LedgerUnavailable, Unavailable
from backend.types import ConsentId, SubjectId

OURS, THEIRS = ConsentId(b"\x01" * 32), ConsentId(b"\x02" * 32)
ANNA, STRANGER = SubjectId(1), SubjectId(2)


class Stops:
    def __init__(self) -> None:
        self.coming: list[SentStop] = []

    def new(self) -> list[SentStop]:
        coming, self.coming = self.coming, []
        return coming


class Index:
    def get(self, consent: ConsentId) -> object | None:
        return object() if consent == OURS else None

    def of_subject(self, subject: SubjectId) -> list[object]:
        return [object()] if subject == ANNA else []


class Revocations:
    def __init__(self) -> None:
        self.taken: list[Revocation] = []
        self.failure: Exception | None = None

    def revoke(self, revocation: Revocation) -> None:
        if self.failure is not None:
            raise self.failure
        self.taken.append(revocation)


@pytest.fixture
def stops() -> Stops:
    return Stops()


@pytest.fixture
def revocations() -> Revocations:
    return Revocations()


@pytest.fixture
def watch(stops: Stops, revocations: Revocations) -> StopWatch:
    index: Any = Index()
    service: Any = revocations
    return StopWatch(stops=stops, index=index, revocations=service)


def test_stops_of_own_patients_are_taken_and_no_others(
    watch: StopWatch, stops: Stops, revocations: Revocations
) -> None:
    stops.coming = [
        SentStop(b"a", consent=OURS),
        SentStop(b"b", consent=THEIRS),
        SentStop(b"c", subject=ANNA, epoch=3),
        SentStop(b"d", subject=STRANGER, epoch=3),
    ]
    watch.look()
    assert revocations.taken == [
        Revocation(signature=b"a", consent=OURS),
        Revocation(signature=b"c", subject=ANNA, epoch=3),
    ]


def test_false_stop_does_not_keep_the_next_one_out(
    watch: StopWatch, stops: Stops, revocations: Revocations
) -> None:
    stops.coming = [SentStop(b"a", consent=OURS)]
    revocations.failure = InvalidInput()
    watch.look()
    revocations.failure = None
    stops.coming = [SentStop(b"b", consent=OURS)]
    watch.look()
    assert [each.signature for each in revocations.taken] == [b"b"]


def test_stop_that_came_while_a_store_was_away_is_taken_later(
    watch: StopWatch, stops: Stops, revocations: Revocations
) -> None:
    stops.coming = [SentStop(b"a", consent=OURS), SentStop(b"b", consent=OURS)]
    revocations.failure = LedgerUnavailable()
    with pytest.raises(Unavailable):
        watch.look()
    revocations.failure = None
    watch.look()
    assert [each.signature for each in revocations.taken] == [b"a", b"b"]
