"""Giving out a dataset: while its consents stand, logged before a byte leaves, sealed to its researcher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backend.audit import codes
from backend.audit.entry import Agent
from backend.records.ports import RecipientKeys
from backend.research.canonical import digest_of
from backend.research.datasets.errors import DatasetNotThere, ResearcherKeyMissing
from backend.research.datasets.methods import Released, methods_paragraph
from backend.research.datasets.sealed import seal_release
from backend.research.errors import TableRemoved
from backend.research.handover import Handover, SealedRelease
from backend.research.jobs.types import Job
from backend.research.study import Study
from backend.research.study import table_of as asked_table
from backend.types import MemberId, to_hex


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetService:
    tenant: MemberId
    handover: Handover
    recipients: RecipientKeys
    clock: Callable[[], int]

    def give(self, study: Study, job: Job, *, agent: Agent, researcher: MemberId) -> SealedRelease:
        """Return the dataset of a run, sealed to the researcher's registered key.

        Raises StudyNotPermitted, RunResultRemoved, TableRemoved, DatasetNotThere, ResearcherKeyMissing,
        DatasetOutdated, LedgerUnavailable and what the log raises; the entry in it is durable before this
        returns.
        """
        kept = self.handover.kept(study, job)
        if kept is not None and kept.result["table_refusal"] == TableRemoved.code:
            raise TableRemoved
        if kept is None or study.proposal.dataset is None or kept.result["table"] is None:
            raise DatasetNotThere
        key = self.recipients.of_member(researcher)
        if key is None:
            raise ResearcherKeyMissing
        self.handover.require_standing(study, kept, agent=agent, researcher=researcher)
        name = ["assent-dataset-1", bytes(job.job_id).hex(), researcher.hex(), kept.result["digest"]]
        release = digest_of(name)
        package = self._package(study, kept.result, kept.pseudonyms, release)
        self.handover.log(study, codes.STUDY_DATASET_RELEASED, release, agent=agent, researcher=researcher)
        content = seal_release(
            package, tenant=bytes(self.tenant), study=bytes(study.study_id), release=release, recipient=key
        )
        return SealedRelease(release, content)

    def _package(
        self, study: Study, result: dict[str, Any], pseudonyms: tuple[str, ...], release: bytes
    ) -> bytes:
        table, dataset = result["table"], study.proposal.dataset
        asked = asked_table(study.proposal)
        if dataset is None or asked is None:
            raise DatasetNotThere
        named = Released(
            study=to_hex(study.study_id),
            release=to_hex(release),
            custodian=to_hex(self.tenant),
            at=self.clock(),
            included=(result["included"][0], result["included"][1]),
        )
        about = {
            "schema": 1,
            "release": named.release,
            "study": named.study,
            "custodian": named.custodian,
            "released_at": named.at,
            "run": result["run"],
            "block": result["block"],
            "result_digest": result["digest"],
            "title": study.proposal.title,
            "purpose": study.proposal.purpose,
            "duo": list(study.proposal.duo),
            "quasi_identifiers": table["quasi_identifiers"],
            "privacy": study.proposal.as_json()["dataset"] | {"k": asked.k},
            "report": table["report"],
        }
        from backend.research.datasets.package import (  # noqa: PLC0415 - it brings polars
            Package,
            build,
            table_of,
        )

        methods = methods_paragraph(named, table["report"], dataset, table["quasi_identifiers"])
        return build(Package(table_of(table["columns"], table["rows"], pseudonyms), about, methods))
