"""Sealing an export to its researcher as soon as it is made: after that the custodian cannot read it either.

So what waits to be fetched is no copy of records that somebody could take from the index, a backup or the key
store of the custodian.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from backend.records.ports import RecipientKeys
from backend.records.sealing import RecipientKey
from backend.research.canonical import digest_of
from backend.research.datasets.errors import ResearcherKeyMissing
from backend.research.datasets.sealed import seal_release
from backend.research.errors import RunResultTooLarge
from backend.research.exports.making import MadeExport
from backend.research.exports.methods import ReleasedExport, methods_paragraph
from backend.research.exports.package import build
from backend.research.exports.types import ExportStore, KeptExport
from backend.research.result import RunResult
from backend.research.study import Study, records_of
from backend.research.types import StudyId
from backend.types import MemberId, to_hex

PART_BYTES: Final = 4 << 20  # the index holds documents of up to 16 MB
MAX_PACKAGE_BYTES: Final = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportKeeper:
    tenant: MemberId
    recipients: RecipientKeys
    store: ExportStore
    clock: Callable[[], int]

    def require_recipient(self, study: Study, researcher: MemberId) -> None:
        """Raise ResearcherKeyMissing where the study asks for records and nobody could receive them."""
        if records_of(study.proposal) is not None:
            self._key(researcher)

    def keep(self, study: Study, result: RunResult, *, researcher: MemberId) -> KeptExport | None:
        """Pack, seal and store what a run made, if it made any.

        Raises ResearcherKeyMissing, RunResultTooLarge (nothing is stored), IndexUnavailable.
        """
        if result.export is None:
            return None
        key = self._key(researcher)
        made = result.export
        name = ["assent-fhir-1", result.run_id.hex(), researcher.hex(), result.digest.hex()]
        release = digest_of(name)
        package = self._package(study, result, made, release)
        if len(package) > MAX_PACKAGE_BYTES:
            raise RunResultTooLarge
        sealed = seal_release(
            package,
            tenant=bytes(self.tenant),
            study=bytes(study.study_id),
            release=release,
            recipient=key,
        )
        export, number = secrets.token_bytes(16), 0
        for number, part in enumerate(_parts(sealed), start=1):
            self.store.put(study.study_id, export, number, part, subjects=made.subjects)
        return KeptExport(export, number, release, made.records)

    def settle(self, study: StudyId, kept: KeptExport | None) -> None:
        """The run is done: what earlier runs of the study made goes."""
        if kept is not None:
            self.store.keep_only(study, kept.export)

    def drop(self, kept: KeptExport | None) -> None:
        if kept is not None:
            self.store.drop(kept.export)

    def content(self, kept: KeptExport) -> Iterator[bytes] | None:
        """The sealed bytes; None where they are not all there."""
        return self.store.parts(kept.export) if self.store.count(kept.export) == kept.parts else None

    def _key(self, researcher: MemberId) -> RecipientKey:
        key = self.recipients.of_member(researcher)
        if key is None:
            raise ResearcherKeyMissing
        return key

    def _package(self, study: Study, result: RunResult, made: MadeExport, release: bytes) -> bytes:
        proposal = study.proposal
        records = records_of(proposal)
        named = ReleasedExport(
            study=to_hex(study.study_id),
            release=to_hex(release),
            custodian=to_hex(self.tenant),
            at=self.clock(),
            block=result.block,
            categories=() if records is None else records.categories,
            minimum=proposal.minimum_cohort,
            made=made.as_json(),
        )
        about = {
            "schema": 1,
            "release": named.release,
            "study": named.study,
            "custodian": named.custodian,
            "released_at": named.at,
            "run": result.run_id.hex(),
            "block": named.block,
            "result_digest": to_hex(result.digest),
            "title": proposal.title,
            "purpose": proposal.purpose,
            "duo": list(proposal.duo),
            "categories": list(named.categories),
            **named.made,
        }
        files = ((file.name, made.content(file)) for file in made.files)
        return build(about, methods_paragraph(named), files)


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of PART_BYTES."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART_BYTES:
            yield bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
    if waiting:
        yield bytes(waiting)
