"""Keeps the files of the board: sealed under the custodian's key, changed by compare-and-swap, each change
with an entry in the log before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.research.board.case_json import decode_case, encode_case
from backend.research.board.errors import CaseBusy
from backend.research.board.ports import CaseRow, CaseStore
from backend.research.board.types import Case
from backend.research.study import Study
from backend.research.types import StudyId
from backend.sealed import DocumentSealer

_ATTEMPTS: Final = 8


class CaseBook:
    def __init__(
        self, *, store: CaseStore, sealer: DocumentSealer, audit: AuditLog, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._audit = audit
        self._clock = clock

    def get(self, study: StudyId) -> Case:
        """Return the file of a study, an empty one where nothing is in it yet.

        Raises StudyDamaged, SealedDocumentRefused.
        """
        row = self._store.get(study)
        if row is None:
            return Case(study)
        content = self._sealer.open(row.sealed, subject=None, place=place_of(study))
        return decode_case(content, study=study, version=row.version)

    def change(
        self,
        study: StudyId,
        change: Callable[[Case], Case],
        *,
        before: Callable[[Case], None] = lambda _: None,
    ) -> Case:
        """Put what ``change`` returns; one that returns its argument changes nothing.

        ``change`` may be called several times, whenever somebody else was quicker. ``before`` is called with
        the file as it will be, before it is stored: for the entry in the log. Raises CaseBusy.
        """
        for _ in range(_ATTEMPTS):
            found = self.get(study)
            wanted = change(found)
            if wanted == found:
                return found
            wanted = replace(wanted, version=found.version + 1)
            before(wanted)
            sealed = self._sealer.seal(encode_case(wanted), subject=None, place=place_of(study))
            if self._store.put(CaseRow(study, wanted.version, sealed)):
                return wanted
        raise CaseBusy

    def log(
        self,
        code: str,
        study: Study,
        by: Agent,
        *,
        outcome: Outcome = Outcome.CHANGED,
        reasons: tuple[str, ...] = (),
        detail: Mapping[str, DetailValue] | None = None,
        act: bytes | None = None,
        at_ms: int | None = None,
    ) -> None:
        """Append an entry about a study, durable; ``act`` (16 bytes): once, however often it is tried."""
        self._audit.append(
            AuditEvent(
                type=code,
                outcome=outcome,
                occurred_at_ms=self._clock() * 1000 if at_ms is None else at_ms,
                actor=by,
                purpose=study.proposal.purpose,
                reasons=reasons,
                detail={"study": bytes(study.study_id), **(detail or {})},
            ),
            act=act,
        )


def place_of(study: StudyId) -> str:
    """Return where the file of a study is sealed for."""
    return f"board_cases/{study.hex()}"


def entry_of(study: StudyId, *parts: str | int) -> bytes:
    """16 bytes by which the log knows the entry of a change that is tried again."""
    name = "\0".join(("board", study.hex(), *map(str, parts)))
    return hashlib.sha256(name.encode()).digest()[:16]
