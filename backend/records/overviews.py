"""Shows a patient who can see what now: for each one that a live permit names, and each of its purposes.

Every cell is decided by the function that decides reads, over the segments that are stored; whoever looks is
told of records that they may read themselves, and of no others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from backend.consent.deciding import DecisionService, Question
from backend.consent.decision import BTG, PATRQT
from backend.consent.decision_types import Answer, Decision, DecisionInput, Requester
from backend.consent.decision_types import Segment as Asked
from backend.consent.evidence_set import EvidenceSet
from backend.consent.ledger_types import NO_MEMBER, MemberStanding
from backend.consent.standing import grant_standing
from backend.consent.terms import Document, Grant, Kind
from backend.records.judging import judge
from backend.records.manifest import Manifest
from backend.records.manifests import ManifestBook
from backend.records.own_parts import Part, bits, own_parts
from backend.records.previews import SEEN
from backend.types import BlockNumber, ConsentId, MemberId, QueuePosition, RecordId, SubjectId, UnixSeconds

MAX_ROWS: Final = 100  # of one page
MAX_DECISIONS: Final = 100_000  # of one page, about; a page has at least one row
_NOTHING: Final = Asked(0, 0)
_Key = tuple[RecordId, str]  # a record and the name of one of its segments


@dataclass(frozen=True, slots=True)
class Cell:
    """What one reader can see of one category for one purpose.

    ``open`` of ``of`` records that have the category, in part or whole. ``until``: when the first of
    ``consents``, which settle what is open or would be, ends. ``covers_future``: a part of the category
    without any special protection, stored now, would be open.
    """

    category: int  # mask of one bit
    open: int
    of: int
    covers_future: bool
    until: UnixSeconds | None
    consents: tuple[ConsentId, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """``hidden``: records of which something stays hidden from this reader for this purpose."""

    grantee: MemberId
    is_team: bool
    purpose: int  # mask of one bit
    cells: tuple[Cell, ...]
    hidden: int


class LiveDeny(NamedTuple):
    consent_id: ConsentId
    deny: Grant


@dataclass(frozen=True, slots=True)
class Overview:
    """``rows`` of one page; ``next_offset`` is where the next begins, None after the last."""

    rows: tuple[Row, ...]
    next_offset: int | None
    denies: tuple[LiveDeny, ...]
    now: UnixSeconds
    final_block: BlockNumber | None
    head_block: BlockNumber | None
    queue_position: QueuePosition


class OverviewService:
    """``reader_of`` makes of a grantee's id the requester that a decision is about: a member, or a team.

    Nothing is released: counts and consents of what the caller may read or list anyway.
    """

    def __init__(
        self,
        *,
        manifests: ManifestBook,
        decisions: DecisionService,
        reader_of: Callable[[MemberId], Requester],
        categories: int,
        access: int,
    ) -> None:
        """``categories``: the mask of all there are; ``access``: that of the action."""
        self._manifests = manifests
        self._decisions = decisions
        self._reader_of = reader_of
        self._categories = categories
        self._access = access

    def overview(self, subject: SubjectId, *, caller: Requester, offset: int = 0) -> Overview:
        """Return the page of rows that begins there. Raises as a read does, but for refusals.

        Rows are ordered by grantee and purpose: pages follow each other while no consent changes.
        """
        at = self._decisions.gather(Question(subject, caller, PATRQT, self._access), _NOTHING)
        permits, denies = _live(at)
        named = {(one.terms.grantee, bit) for one in permits for bit in bits(one.terms.purposes)}
        pairs = sorted(pair for pair in named if pair[1] != BTG)  # breaking the glass is no read
        manifests = self._manifests.of_subject(subject)
        mine = own_parts(self._decisions, manifests, subject, caller, self._access)
        stored = sum(len(manifest.segments) for manifest in manifests)
        size = max(1, min(MAX_ROWS, MAX_DECISIONS // (stored + self._categories.bit_count())))
        page = pairs[offset : offset + size]
        rows = [self._row(subject, grantee, purpose, manifests, mine) for grantee, purpose in page]
        view = at.view
        return Overview(
            rows=tuple(row for row in rows if row is not None),
            next_offset=offset + size if offset + size < len(pairs) else None,
            denies=denies,
            now=at.now,
            final_block=None if view is None else view.final_number,
            head_block=None if view is None else view.head_number,
            queue_position=at.queue_position,
        )

    def _row(
        self,
        subject: SubjectId,
        grantee: MemberId,
        purpose: int,
        manifests: Sequence[Manifest],
        mine: Sequence[Part],
    ) -> Row | None:
        """Return the row; None for a grantee that is neither a member nor a team here, such as a study."""
        reader = self._reader_of(grantee)
        question = Question(subject, reader, purpose, self._access, fulfils=SEEN)
        at = self._decisions.gather(question, _NOTHING)
        if not reader.teams and not _is_member(grantee, at):
            return None
        opened: dict[_Key, Decision] = {}
        for judged in judge(manifests, lambda _: True, lambda asked: self._decisions.decide(question, asked)):
            for segment, decision in judged.permitted:
                opened[judged.manifest.record_id, segment.name] = decision
        future = self._future(question, at.now)
        ends = {
            name: _end(item.prepared.document) for name, item in EvidenceSet.of(at.evidence).by_id.items()
        }
        cells = tuple(_cells(mine, opened, future, ends))
        hidden = {part.record for part in mine if (part.record, part.name) not in opened}
        return Row(grantee, bool(reader.teams), purpose, cells, len(hidden))

    def _future(self, question: Question, now: UnixSeconds) -> Mapping[int, Decision]:
        """Return the decisions that permit what may be stored now, by category."""
        categories = list(bits(self._categories))
        new = [Asked(bit, 0, data_from=now, data_to=UnixSeconds(now + 1)) for bit in categories]
        pairs = zip(categories, self._decisions.decide(question, new), strict=True)
        return {bit: decision for bit, decision in pairs if decision.answer is Answer.PERMIT}


def _live(at: DecisionInput) -> tuple[list[Grant], tuple[LiveDeny, ...]]:
    permits: list[Grant] = []
    denies: list[LiveDeny] = []
    for name, item in EvidenceSet.of(at.evidence).by_id.items():
        document = item.prepared.document
        if isinstance(document, Grant):
            standing = grant_standing(item, at)
            if standing.permits:
                permits.append(document)
            elif document.kind == Kind.DENY and standing.restricts:
                denies.append(LiveDeny(name, document))
    return permits, tuple(denies)


def _is_member(grantee: MemberId, at: DecisionInput) -> bool:
    return any(
        of.get(grantee, NO_MEMBER).standing != MemberStanding.UNKNOWN
        for of in (at.members_final, at.members_head)
    )


def _cells(
    mine: Sequence[Part],
    opened: Mapping[_Key, Decision],
    future: Mapping[int, Decision],
    ends: Mapping[ConsentId, UnixSeconds],
) -> list[Cell]:
    having: dict[int, set[RecordId]] = defaultdict(set)
    showing: dict[int, set[RecordId]] = defaultdict(set)
    settling: dict[int, set[ConsentId]] = defaultdict(set)
    for part in mine:
        decision = opened.get((part.record, part.name))
        for bit in bits(part.asked.categories):
            having[bit].add(part.record)
            if decision is not None:
                showing[bit].add(part.record)
                settling[bit].update(decision.consent_ids)
    for bit, decision in future.items():
        settling[bit].update(decision.consent_ids)
    return [
        Cell(
            category=bit,
            open=len(showing[bit]),
            of=len(having[bit]),
            covers_future=bit in future,
            until=min((ends[name] for name in settling[bit] if name in ends), default=None),
            consents=tuple(sorted(settling[bit])),
        )
        for bit in sorted({*having, *future})
    ]


def _end(document: Document) -> UnixSeconds:
    """When a document stops permitting by itself."""
    if isinstance(document, Grant):
        return min(document.not_after, document.terms.erase_by)
    return document.not_after
