"""Giving out an export: while its consents stand, logged before a byte leaves, sealed to its researcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.audit import codes
from backend.audit.entry import Agent
from backend.research.datasets.errors import DatasetOutdated
from backend.research.exports.errors import ExportNotThere
from backend.research.exports.keeping import ExportKeeper
from backend.research.handover import Handover
from backend.research.jobs.types import Job
from backend.research.study import Study
from backend.types import MemberId, RecordId, SubjectId


@dataclass(frozen=True, slots=True)
class SealedExport:
    """``release`` is its id (32 bytes), the same for the same run and recipient."""

    release: bytes
    content: Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportService:
    """``erases`` tells whether a record is being erased: locked from the moment its patient asked."""

    handover: Handover
    keeper: ExportKeeper
    erases: Callable[[SubjectId, RecordId], bool]

    def give(self, study: Study, job: Job, *, agent: Agent, researcher: MemberId) -> SealedExport:
        """Return the export of a run, sealed to the key that the researcher had registered when it ran.

        Raises StudyNotPermitted, ExportNotThere (also where a record in it is being erased), DatasetOutdated
        (what was kept is deleted then), LedgerUnavailable and what the log raises; the entry in it is durable
        before this returns.
        """
        kept = self.handover.kept(study, job)
        if kept is None or kept.export is None:
            raise ExportNotThere
        try:
            self.handover.require_standing(study, kept, agent=agent, researcher=researcher)
        except DatasetOutdated:
            self.keeper.drop(kept.export)
            raise
        content = self.keeper.content(kept.export)
        if content is None or any(self.erases(*record) for record in kept.export.records):
            raise ExportNotThere
        release = kept.export.release
        self.handover.log(study, codes.STUDY_RECORDS_RELEASED, release, agent=agent, researcher=researcher)
        return SealedExport(release, content)
