"""Holds the list of exact figures of a study against those of all other studies of the custodian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from backend.research.errors import ThresholdListsOverlap
from backend.research.list_overlap import FigureList, overlap
from backend.research.ports import StudyStore, ThresholdStore
from backend.research.study import Study, thresholds
from backend.research.types import StudyId

_PAGE: Final = 100


class StandingLists:
    """Lists that count: of permits that stand, and those that were answered, whatever became of their permit:
    what was told stays told."""

    def __init__(self, *, studies: StudyStore, given: ThresholdStore, clock: Callable[[], int]) -> None:
        self._studies = studies
        self._given = given
        self._clock = clock

    def require_apart(self, study: Study) -> None:
        """Before a permit. Raises ThresholdListsOverlap, which names no other study."""
        self._require(study, self._counts)

    def require_untold(self, study: Study) -> None:
        """Before the list is answered: two permits may have been given at once. Raises the same."""
        self._require(study, self._was_answered)

    def _require(self, study: Study, counts: Callable[[Study], bool]) -> None:
        if not thresholds(study.proposal):
            return
        others = [other for other in self._with_lists() if other.study_id != study.study_id and counts(other)]
        if overlap(_list_of(study), [_list_of(other) for other in others]):
            raise ThresholdListsOverlap

    def _counts(self, study: Study) -> bool:
        stands = study.state.may_go_on and self._clock() < study.proposal.not_after
        return stands or self._was_answered(study)

    def _was_answered(self, study: Study) -> bool:
        return self._given.find(study.study_id) is not None

    def _with_lists(self) -> Iterator[Study]:
        after: StudyId | None = None
        while page := self._studies.page(state=None, researcher=None, after=after, limit=_PAGE):
            yield from (study for study in page if thresholds(study.proposal))
            after = page[-1].study_id


def _list_of(study: Study) -> FigureList:
    return FigureList(tuple(each.of for each in thresholds(study.proposal)), study.proposal.by_name)
