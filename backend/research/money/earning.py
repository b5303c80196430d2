"""Notes a share for each patient whose data a run opens, in the same breath as the use of it."""

from __future__ import annotations

from collections.abc import Sequence

from backend.research.money.ports import ShareStore
from backend.research.money.types import RunId
from backend.research.ports import UseStore
from backend.research.types import StudyId
from backend.types import Bytes32, SubjectId, UnixSeconds


class EarningUses:
    """Implements ``research.ports.UseStore``. Shares count once the run's result is committed to."""

    def __init__(self, *, uses: UseStore, shares: ShareStore) -> None:
        self._uses = uses
        self._shares = shares

    def record(
        self, study: StudyId, run_id: bytes, subjects: Sequence[SubjectId], *, at: UnixSeconds
    ) -> None:
        self._shares.put(Bytes32(study), RunId(run_id), subjects)
        self._uses.record(study, run_id, subjects, at=at)

    def of_subject(self, subject: SubjectId) -> list[tuple[StudyId, UnixSeconds]]:
        return self._uses.of_subject(subject)
