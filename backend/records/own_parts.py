"""Which segments of a patient's records somebody may see at the patient's own request.

Whoever looks for the patient at what others see is told of these, and of no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backend.consent.deciding import DecisionService, Question
from backend.consent.decision import PATIENT_REQUESTS
from backend.consent.decision_types import Answer, Requester
from backend.consent.decision_types import Segment as Asked
from backend.records.judging import asked_of
from backend.records.manifest import Manifest
from backend.types import RecordId, SubjectId


class Part(NamedTuple):
    """One segment of a record, as a decision is asked about it."""

    record: RecordId
    name: str
    asked: Asked
    media_type: str


def own_parts(
    decisions: DecisionService,
    manifests: Sequence[Manifest],
    subject: SubjectId,
    caller: Requester,
    action: int,
) -> list[Part]:
    """Return the segments that the caller may read at the patient's own request. Raises as a read does, but
    for refusals."""
    parts = [
        Part(manifest.record_id, segment.name, asked_of(manifest, segment), segment.media_type)
        for manifest in manifests
        for segment in manifest.segments
    ]
    found: set[Part] = set()
    for purpose in bits(PATIENT_REQUESTS):
        if parts:
            question = Question(subject, caller, purpose, action)
            decided = decisions.decide(question, [part.asked for part in parts])
            pairs = zip(parts, decided, strict=True)
            found.update(part for part, decision in pairs if decision.answer is Answer.PERMIT)
    return [part for part in parts if part in found]


def bits(mask: int) -> Iterator[int]:
    """Yield the masks of one bit that make up ``mask``, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest
        mask ^= lowest
