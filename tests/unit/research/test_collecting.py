"""Records are opened for computing as for reading: decided, audited before use, and no more of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from backend.audit.entry import Action, Agent, AgentKind, AuditEvent
from backend.consent.deciding import Question
from backend.consent.decision_types import Answer, Decision, Requester, Segment
from backend.consent.errors import RestrictionArrived
from backend.consent.uses import UsesExhausted
from backend.errors import LedgerUnavailable
from backend.records.blocks import BlobAddress
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.reading import ATTEMPTS, ReadingService, ReleasedSegment
from backend.records.segments import FHIR_MEDIA_TYPE
from backend.records.slot_book import KeyWithheld
from backend.records.trail import Reader
from backend.types import ConsentId, MemberId, QueuePosition, RecordId, SubjectId, UnixSeconds

CATEGORIES = {"people": 1, "laboratory": 2, "notes": 4}


def part(name: str, *, media_type: str = FHIR_MEDIA_TYPE) -> SegmentManifest:
    return SegmentManifest(
        name=name,
        kind=name,
        key_epoch=0,
        categories=CATEGORIES.get(name, 8),
        sensitivities=0,
        data_from=UnixSeconds(0),
        data_to=UnixSeconds(1),
        media_type=media_type,
        resources=1,
        size_bytes=9,
        sha256=bytes(32),
        wrapped_dek=bytes(40),
        address=BlobAddress("b", (), 9),  # type: ignore[arg-type]
    )


@dataclass
class World:
    """Manifests, decisions, vault and log in one: every subject has one record with the same segments."""

    denied: set[SubjectId] = field(default_factory=set)
    withheld: set[tuple[SubjectId, str]] = field(default_factory=set)
    restricted: dict[SubjectId, int] = field(default_factory=dict)  # how often a restriction arrives
    spent: set[SubjectId] = field(default_factory=set)
    failing: BaseException | None = None
    events: list[str] = field(default_factory=list)
    entries: list[AuditEvent] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of_subject(self, subject: SubjectId) -> Sequence[Manifest]:
        segments = (*map(part, CATEGORIES), part("image", media_type="image/png"))
        record = RecordId(subject.to_bytes(16, "big"))
        return [
            Manifest(record, 1, subject, MemberId(bytes(32)), "fhir-bundle", UnixSeconds(1), b"", segments)
        ]

    def erases(self, subject: SubjectId, record: RecordId | None) -> bool:
        return False

    def decide(
        self, question: Question, segments: Sequence[Segment], *, held: object = ()
    ) -> tuple[Decision, ...]:
        answer = Answer.NO_CONSENT if question.subject in self.denied else Answer.PERMIT
        consents = (ConsentId(bytes(32)),) if answer is Answer.PERMIT else ()
        return tuple(
            Decision(answer, 0, (), consents, None, None, QueuePosition(0), tables="00") for _ in segments
        )

    def take_uses(self, subject: SubjectId, consents: object) -> None:
        if subject in self.spent:
            raise UsesExhausted

    def guard(self, decision: Decision, subject: SubjectId) -> Callable[[], None]:
        def check() -> None:
            left = self.restricted.get(subject, 0)
            if left:
                self.restricted[subject] = left - 1
                raise RestrictionArrived

        return check

    def read(self, manifest: Manifest, segment: SegmentManifest) -> bytes:
        with self.lock:
            self.events.append(f"open {manifest.subject} {segment.name}")
        if (manifest.subject, segment.name) in self.withheld:
            raise KeyWithheld
        return segment.name.encode()

    def append_all(self, entries: Sequence[tuple[AuditEvent, Any]]) -> list[object]:
        self.events.append(f"log {len(entries)}")
        outcomes: list[object] = []
        for event, guard in entries:
            try:
                if self.failing is not None:
                    raise self.failing
                guard()
            except Exception as failure:  # noqa: BLE001
                outcomes.append(failure)
            else:
                self.entries.append(event)
                outcomes.append(event)
        return outcomes

    def collect(
        self, *subjects: int, wanted: Callable[[SegmentManifest], bool] = lambda _: True
    ) -> list[list[str]]:
        service = ReadingService(
            index=self,  # type: ignore[arg-type]
            manifests=self,  # type: ignore[arg-type]
            vault=self,  # type: ignore[arg-type]
            decisions=self,  # type: ignore[arg-type]
            audit=self,  # type: ignore[arg-type]
        )
        found = service.collect([reader(SubjectId(number)) for number in subjects], lambda _: wanted)
        return [[names(item) for item in parts] for parts in found]


def names(item: ReleasedSegment) -> str:
    assert item.payload == item.segment.name.encode()
    return item.segment.name


def reader(subject: SubjectId) -> Reader:
    question = Question(subject, Requester(actor=MemberId(b"r" * 32)), 1, 1)
    return Reader(Agent(AgentKind.CLIENT, "x"), MemberId(b"r" * 32), question, "HRESCH", Action.COMPUTE)


@pytest.fixture
def world() -> World:
    return World()


def test_only_wanted_fhir_segments_are_opened_and_named(world: World) -> None:
    found = world.collect(1, 2, wanted=lambda segment: bool(segment.categories & 3))
    assert found == [["people", "laboratory"]] * 2
    assert not any("notes" in event or "image" in event for event in world.events)
    assert [entry.segments for entry in world.entries] == [(b"people", b"laboratory")] * 2


def test_entries_of_all_are_durable_before_the_first_is_used(world: World) -> None:
    world.collect(*range(1, 9))
    assert world.events[-1] == "log 8"
    assert len([event for event in world.events if event.startswith("open")]) == 24


def test_who_does_not_permit_has_nothing_opened_and_no_entry(world: World) -> None:
    world.denied = {SubjectId(2)}
    assert [len(found) for found in world.collect(1, 2, 3)] == [3, 0, 3]
    assert not any(event.startswith("open 2 ") for event in world.events)
    assert len(world.entries) == 2


def test_restriction_meanwhile_is_decided_about_again_for_that_patient_alone(world: World) -> None:
    world.restricted = {SubjectId(2): 1}
    assert [len(found) for found in world.collect(1, 2, 3)] == [3, 3, 3]
    assert [event for event in world.events if event.startswith("log")] == ["log 3", "log 1"]
    assert len([event for event in world.events if event.startswith("open 1 ")]) == 3


def test_restriction_that_goes_on_ends_the_collecting(world: World) -> None:
    world.restricted = {SubjectId(2): ATTEMPTS}
    with pytest.raises(RestrictionArrived):
        world.collect(1, 2)


def test_segment_kept_end_to_end_is_left_out_and_not_named(world: World) -> None:
    world.withheld = {(SubjectId(1), "laboratory")}
    assert world.collect(1) == [["people", "notes"]]
    assert world.entries[0].segments == (b"people", b"notes")
    world.withheld |= {(SubjectId(2), name) for name in CATEGORIES}
    assert world.collect(2) == [[]]
    assert len(world.entries) == 1


def test_patient_whose_last_use_was_taken_is_left_out(world: World) -> None:
    world.spent = {SubjectId(1)}
    assert world.collect(1, 2) == [[], ["people", "laboratory", "notes"]]
    assert len(world.entries) == 1


def test_failure_of_the_log_releases_nothing(world: World) -> None:
    world.failing = LedgerUnavailable()
    with pytest.raises(LedgerUnavailable):
        world.collect(1, 2)
