"""The papers of a study: brought by the researcher, kept sealed, read by the board and the researcher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

from backend.audit import codes
from backend.audit.entry import Agent, Outcome
from backend.research.board.case_book import CaseBook, entry_of
from backend.research.board.errors import DocumentDiffers, DocumentUnknown
from backend.research.board.ports import DocumentRow, DocumentStore
from backend.research.study import Study
from backend.research.study_terms import ProtocolDocument
from backend.research.types import StudyId
from backend.sealed import DocumentSealer
from backend.types import UnixSeconds

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024  # one document of the index, whose limit is 16 MiB


class StudyDocuments:
    def __init__(
        self,
        *,
        store: DocumentStore,
        sealer: DocumentSealer,
        book: CaseBook,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._book = book
        self._clock = clock

    def bring(self, study: Study, content: bytes, *, by: Agent) -> ProtocolDocument:
        """Keep one of the papers that the proposal names. The same again changes nothing.

        Raises DocumentDiffers for bytes that the proposal does not name or that are not of the form it says.
        """
        sha256 = hashlib.sha256(content).digest()
        document = next((item for item in study.proposal.documents if item.sha256 == sha256), None)
        if document is None or len(content) > MAX_DOCUMENT_BYTES or not _has_form(content, document):
            raise DocumentDiffers
        if sha256 in self._store.present(study.study_id):
            return document
        self._book.log(
            codes.STUDY_DOCUMENT_STORED,
            study,
            by,
            detail={"document": sha256},
            act=entry_of(study.study_id, "document", sha256.hex()),
        )
        sealed = self._sealer.seal(content, subject=None, place=place_of(study.study_id, sha256))
        self._store.put(DocumentRow(study.study_id, sha256, sealed, UnixSeconds(self._clock())))
        return document

    def read(self, study: Study, sha256: bytes, *, by: Agent) -> tuple[ProtocolDocument, bytes]:
        """Return a paper, after the entry that says who read it.

        Raises DocumentUnknown; DocumentDiffers when the stored bytes are not what the proposal names.
        """
        document = next((item for item in study.proposal.documents if item.sha256 == sha256), None)
        row = self._store.get(study.study_id, sha256) if document is not None else None
        if document is None or row is None:
            raise DocumentUnknown
        place = place_of(study.study_id, sha256)
        content = self._sealer.open(row.sealed, subject=None, place=place)
        if hashlib.sha256(content).digest() != sha256:
            raise DocumentDiffers
        self._book.log(
            codes.STUDY_DOCUMENT_READ,
            study,
            by,
            outcome=Outcome.PERMITTED,
            detail={"document": sha256},
        )
        return document, content

    def present(self, study: Study) -> Mapping[bytes, UnixSeconds]:
        """Digest and time of arrival of each paper that is there."""
        return self._store.present(study.study_id)

    def missing(self, study: Study) -> tuple[ProtocolDocument, ...]:
        """The papers that the proposal names and nobody brought."""
        if not study.proposal.documents:
            return ()
        present = self._store.present(study.study_id)
        return tuple(item for item in study.proposal.documents if item.sha256 not in present)


def place_of(study: StudyId, sha256: bytes) -> str:
    """Return where a paper is sealed for."""
    return f"study_documents/{study.hex()}/{sha256.hex()}"


def _has_form(content: bytes, document: ProtocolDocument) -> bool:
    if document.media_type == "application/pdf":
        return content.startswith(b"%PDF-")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text
