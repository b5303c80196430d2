"""Shows a patient, before signing, which records a consent opens or closes, and which attempts it answers.

For each record and segment the decision is made twice, as things are and with the draft, by the function that
decides every read. Whoever previews is told of records that they may read themselves, and of no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.audit.access import AccessList
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.consent.deciding import DecisionService, Question
from backend.consent.decision_types import Answer, Decision, Requester
from backend.consent.previewing import preview
from backend.consent.terms import Delegation, Grant
from backend.records.manifests import ManifestBook
from backend.records.obligations import fulfilled, withholds
from backend.records.own_parts import Part, bits, own_parts
from backend.types import LogIndex, RecordId, SubjectId, UnixSeconds

_ATTEMPTS: Final = frozenset({codes.RECORD_READ, codes.RECORD_LISTED})
SEEN: Final = fulfilled(Action.ACCESS, by_person=True)  # by somebody who is shown it
_PAGE: Final = 200
MAX_ENTRIES: Final = 5_000  # of the patient's list that one preview looks through


@dataclass(frozen=True, slots=True)
class Draft:
    """A grant nobody has signed, and the delegations of a delegate who would."""

    grant: Grant
    via: tuple[Delegation, ...] = ()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who would read: for which purposes (code and mask of one bit), and what they want to do.

    A refused attempt is one of theirs when their organisation made it or, for a team, one of ``agents``.
    """

    requester: Requester
    purposes: Mapping[str, int]
    action: int
    agents: frozenset[Agent] = frozenset()  # those who are in the team that would read


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """Records with a segment of the category that is open now, open with the draft, or stays hidden."""

    now: Mapping[int, int]  # by mask of one bit
    then: Mapping[int, int]
    hidden: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """``attempts`` were refused in the period; ``answered`` of them would have shown something."""

    records_now: tuple[RecordId, ...]
    records_then: tuple[RecordId, ...]
    records_hidden: tuple[RecordId, ...]  # of which something stays hidden
    opened: tuple[RecordId, ...]  # of which the draft opens something
    closed: tuple[RecordId, ...]
    categories: CategoryCounts
    attempts: int
    answered: int


class PreviewService:
    """Nothing is released: record ids and categories of what the caller may read anyway."""

    def __init__(self, *, manifests: ManifestBook, decisions: DecisionService, accesses: AccessList) -> None:
        self._manifests = manifests
        self._decisions = decisions
        self._accesses = accesses

    def preview(
        self, subject: SubjectId, draft: Draft, viewer: Viewer, *, caller: Requester, since: UnixSeconds
    ) -> Preview:
        """Return what the draft would change for ``viewer``. Raises as a read does, but for refusals."""
        manifests = self._manifests.of_subject(subject)
        parts = own_parts(self._decisions, manifests, subject, caller, viewer.action)
        now: set[Part] = set()
        then: dict[str, set[Part]] = {}
        for code, purpose in viewer.purposes.items():
            question = Question(subject, viewer.requester, purpose, viewer.action, fulfils=SEEN)
            now_of, then_of = self._decided(question, draft, parts)
            now |= now_of
            then[code] = then_of
        opened = {part for of in then.values() for part in of}
        hidden = set(parts) - opened
        attempts = list(self._refused(subject, viewer, since))
        return Preview(
            records_now=_records(now),
            records_then=_records(opened),
            records_hidden=_records(hidden),
            opened=_records(opened - now),
            closed=_records(now - opened),
            categories=CategoryCounts(_counted(now), _counted(opened), _counted(hidden)),
            attempts=len(attempts),
            answered=sum(_is_answered(event, then) for event in attempts),
        )

    def _decided(
        self, question: Question, draft: Draft, parts: Sequence[Part]
    ) -> tuple[set[Part], set[Part]]:
        if not parts:
            return set(), set()
        segments = [part.asked for part in parts]
        request = self._decisions.gather(question, segments[0])
        decided = preview(request, draft.grant, segments, draft.via)
        now, then = (
            {part for part, pair in zip(parts, decided, strict=True) if _shows(pair[side], part)}
            for side in (0, 1)
        )
        return now, then

    def _refused(self, subject: SubjectId, viewer: Viewer, since: UnixSeconds) -> Iterator[AuditEvent]:
        """Yield the viewer's refused attempts since then, newest first."""
        before: LogIndex | None = None
        for _ in range(MAX_ENTRIES // _PAGE):
            page = self._accesses.page(subject, before=before, limit=_PAGE)
            for entry in page.entries:
                if 0 < entry.recorded_at_ms < since * 1000:
                    return
                event = entry.event
                if (
                    event is not None
                    and event.outcome is Outcome.DENIED
                    and event.type in _ATTEMPTS
                    and (event.organisation in viewer.requester.names or event.actor in viewer.agents)
                ):
                    yield event
            before = page.next_before
            if before is None:
                return


def _shows(decision: Decision, part: Part) -> bool:
    obligations, sensitivities = decision.obligations, part.asked.sensitivities
    return decision.answer is Answer.PERMIT and not withholds(
        obligations, sensitivities=sensitivities, media_type=part.media_type
    )


def _is_answered(event: AuditEvent, then: Mapping[str, set[Part]]) -> bool:
    opened = {part.record for part in then.get(event.purpose or "", ())}
    return bool(opened & set(event.records)) if event.type == codes.RECORD_READ else bool(opened)


def _records(parts: set[Part]) -> tuple[RecordId, ...]:
    return tuple(sorted({part.record for part in parts}))


def _counted(parts: set[Part]) -> Mapping[int, int]:
    pairs = {(part.record, bit) for part in parts for bit in bits(part.asked.categories)}
    return Counter(bit for _, bit in pairs)
