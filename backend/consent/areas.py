"""What a requester may have of a patient's data for one purpose, as areas: the decision turned round.

Each area is found by asking the decision itself, so a rule that names somebody else, or a consent that says
nothing here, leaves no trace in it. An area holds for every part of it: whoever may have data of all its
categories and labels may have data of some of them (what forbids a part forbids the whole, and what permits
the whole covers each part). Data under a forbidding rule about single records or authors is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from backend.consent.decision import decide_many
from backend.consent.decision_types import Answer, DecisionInput, Segment
from backend.consent.evidence_set import EvidenceSet
from backend.consent.standing import grant_standing
from backend.consent.terms import Grant
from backend.errors import LedgerUnavailable
from backend.types import ConsentId, UnixSeconds

MAX_CONSENTS: Final = 16  # that permit now are looked at, lowest ids first: a requester has a few


@dataclass(frozen=True, slots=True)
class Area:
    """Data all of whose categories and sensitivities are in the masks, from ``data_from <= t < data_to``.

    ``normal``: data without any sensitivity is in it. ``consent`` permits all of it until ``ends_at``.
    """

    consent: ConsentId
    ends_at: UnixSeconds
    categories: int
    sensitivities: int
    normal: bool
    data_from: UnixSeconds
    data_to: UnixSeconds


def permitted_areas(request: DecisionInput, *, only: Set[ConsentId] | None = None) -> tuple[Area, ...]:
    """Return what is permitted now; nothing is forbidden and everything else is. ``only``: resting on these.

    The segment of the request does not matter. Raises LedgerUnavailable when nothing can be decided.
    """
    naming = EvidenceSet.of(request.evidence).naming(request.requester)
    probe = Segment(categories=1, sensitivities=0)
    if decide_many(request, [probe])[0].answer is Answer.UNAVAILABLE:
        raise LedgerUnavailable
    documents = [item.prepared.document for item in naming]
    finder = _Finder(request, [document for document in documents if isinstance(document, Grant)])
    live = [
        (item.prepared.consent_id, item.prepared.document)
        for item in naming
        if isinstance(item.prepared.document, Grant) and grant_standing(item, request).permits
    ]
    found: list[Area] = []
    for name, grant in live[:MAX_CONSENTS] if only is None else live:
        if only is None or name in only:
            found += finder.areas_of(name, grant)
    return tuple(found)


class _Finder:
    def __init__(self, request: DecisionInput, grants: Sequence[Grant]) -> None:
        self._request = request
        rules = [rule for grant in grants for rule in grant.terms.rules]
        # A record or an author that is forbidden, or bound to a condition, may be any: without one, and with
        # each alone, is the worst.
        named = {name for rule in rules if not rule.permit or rule.obligations for name in rule.references}
        self._references = [frozenset[bytes](), *(frozenset({name}) for name in sorted(named))]
        times = {time for grant in grants for time in (grant.terms.data_from, grant.terms.data_to)}
        self._times = sorted(times | {time for rule in rules for time in (rule.data_from, rule.data_to)})

    def areas_of(self, name: ConsentId, grant: Grant) -> Iterator[Area]:
        """Yield the areas that this consent permits: one, where nothing cuts into it."""
        terms = grant.terms
        whole = Area(
            consent=name,
            ends_at=min(grant.not_after, terms.erase_by),
            categories=terms.categories,
            sensitivities=terms.sensitivities,
            normal=True,
            data_from=terms.data_from,
            data_to=terms.data_to,
        )
        if self._holds([whole])[0]:
            yield whole
            return
        inner = [time for time in self._times if whole.data_from < time < whole.data_to]
        bounds = [whole.data_from, *inner, whole.data_to]
        for start, end in pairwise(bounds):
            yield from self._within(replace(whole, data_from=start, data_to=end))

    def _within(self, whole: Area) -> Iterator[Area]:
        """Yield areas inside one, category by category, joined where together they hold as well."""
        joined: list[Area] = []
        for category in _bits(whole.categories):
            area = self._of_category(replace(whole, categories=category))
            if area is None:
                continue
            for place, other in enumerate(joined):
                both = replace(other, categories=other.categories | category)
                if replace(area, categories=both.categories) == both and self._holds([both])[0]:
                    joined[place] = both
                    break
            else:
                joined.append(area)
        yield from joined

    def _of_category(self, whole: Area) -> Area | None:
        if self._holds([whole])[0]:
            return whole
        labels = _bits(whole.sensitivities)
        alone = [replace(whole, sensitivities=0)]
        alone += [replace(whole, sensitivities=label, normal=False) for label in labels]
        normal, *held = self._holds(alone)
        area = replace(whole, sensitivities=0, normal=normal)
        good = [label for label, holds in zip(labels, held, strict=True) if holds]
        together = replace(area, sensitivities=sum(good))
        if good and self._holds([together])[0]:
            return together
        for label in good:
            more = replace(area, sensitivities=area.sensitivities | label)
            if self._holds([more])[0]:
                area = more
        return area if area.normal or area.sensitivities else None

    def _holds(self, areas: Sequence[Area]) -> list[bool]:
        """Return of each area whether its consent permits all of it, whatever record it is of."""
        asked = [list(self._segments(area)) for area in areas]
        decisions = iter(decide_many(self._request, [segment for of in asked for segment in of]))
        held = []
        for area, segments in zip(areas, asked, strict=True):
            answers = [next(decisions) for _ in segments]
            held.append(
                all(
                    answer.answer is Answer.PERMIT and area.consent in answer.consent_ids
                    for answer in answers
                )
            )
        return held

    def _segments(self, area: Area) -> Iterator[Segment]:
        masks = ([0] if area.normal else []) + ([area.sensitivities] if area.sensitivities else [])
        for sensitivities in masks:
            for references in self._references:
                yield Segment(area.categories, sensitivities, area.data_from, area.data_to, references)


def _bits(mask: int) -> list[int]:
    return [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
