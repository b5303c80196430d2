"""Giving out an export: while its consents stand, logged before a byte leaves, sealed to its researcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent
from backend.errors import AssentError
from backend.records.streaming import Watch, watched
from backend.research.datasets.errors import DatasetOutdated
from backend.research.exports.errors import ExportNotThere
from backend.research.exports.keeping import ExportKeeper
from backend.research.exports.types import KeptExport
from backend.research.handover import Handover, SealedRelease
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import Job
from backend.research.study import Study
from backend.types import MemberId, RecordId, SubjectId

_RELEASED: Final = codes.STUDY_RECORDS_RELEASED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportService:
    """``erases`` tells whether a record is being erased: locked from the moment its patient asked."""

    handover: Handover
    keeper: ExportKeeper
    erases: Callable[[SubjectId, RecordId], bool]

    def give(self, study: Study, job: Job, *, agent: Agent, researcher: MemberId) -> SealedRelease:
        """Return the export of a run, sealed to the key that the researcher had registered when it ran.

        Raises StudyNotPermitted, ExportNotThere (also where a record in it is being erased), DatasetOutdated
        (what was kept is deleted then), LedgerUnavailable and what the log raises; the entry in it is durable
        before this returns. The last of the content comes only when all was checked once more.
        """
        kept = self.handover.kept(study, job)
        if kept is None or kept.export is None:
            raise ExportNotThere
        export = kept.export
        try:
            self._require_standing(study, kept, export, agent, researcher)
        except DatasetOutdated:
            self.keeper.drop(export)
            raise
        content = self.keeper.content(export)
        if content is None:
            raise ExportNotThere
        self.handover.log(study, _RELEASED, export.release, agent=agent, researcher=researcher)

        def still() -> None:
            self.handover.require_permit(study)
            self._require_standing(study, kept, export, agent, researcher)

        def cut(failure: AssentError, released_bytes: int) -> None:
            self.handover.log_cut(
                study,
                _RELEASED,
                export.release,
                agent=agent,
                researcher=researcher,
                failure=failure,
                released_bytes=released_bytes,
            )

        return SealedRelease(export.release, watched(content, Watch(still, cut)))

    def _require_standing(
        self, study: Study, kept: KeptResult, export: KeptExport, agent: Agent, researcher: MemberId
    ) -> None:
        self.handover.require_standing(study, kept, agent=agent, researcher=researcher)
        if any(self.erases(*record) for record in export.records):
            raise ExportNotThere
