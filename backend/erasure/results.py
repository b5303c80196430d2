"""How long results of studies are kept, and their removal when that time is over.

Stored answers and exact figures serve runs alone, so they go with the end of the study's period, when none
can come any more; not before, since the same consents may stand again, and whoever drew a second answer under
the charge of the first would give more away than was paid. Results, and the rows that datasets are made from,
go some time later. What was committed to and logged of them stays.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import Agent, AuditEvent, DetailValue, Outcome
from backend.audit.log import AuditLog
from backend.audit.types import ACT_BYTES
from backend.errors import AssentError, Unavailable
from backend.research.study import Study
from backend.research.types import StudyId
from backend.types import LogIndex, UnixSeconds, to_hex

_LOG = logging.getLogger("assent.retention")
_SYSTEM: Final = Agent.service("retention")
DAY_SECONDS: Final = 24 * 3600


class What(StrEnum):
    ANSWERS = "answers"  # that serve the next run over the same consents
    RESULTS = "results"  # that the researcher fetches, with the rows of tables


@dataclass(frozen=True, slots=True)
class Rule:
    """``days``: after the end of the study's period."""

    what: What
    code: str
    days: int


def rules(days: int) -> tuple[Rule, ...]:
    """What is removed when, in this order, where results are kept for so many days."""
    return Rule(What.ANSWERS, "study-answers", 0), Rule(What.RESULTS, f"study-results-{days}", days)


@dataclass(frozen=True, slots=True)
class Removal:
    """That results of a study were removed. ``due``: since when they might be. ``counts``: how many of which
    kind. ``entry`` of the log says the same."""

    study: StudyId
    what: What
    rule: str
    due: UnixSeconds
    at: UnixSeconds
    counts: Mapping[str, int]
    entry: LogIndex


class KeptResults(Protocol):
    """What is kept of studies' results. All raise IndexUnavailable."""

    def studies(self) -> Sequence[StudyId]:
        """Every study of which something is kept."""
        ...

    def count(self, study: StudyId, what: What) -> Mapping[str, int]:
        """How much there is of each kind, without kinds of which there is nothing."""
        ...

    def remove(self, study: StudyId, what: What, *, at: UnixSeconds) -> None: ...


class RemovalRows(Protocol):
    """Durable on return. All raise IndexUnavailable."""

    def insert(self, removal: Removal) -> None:
        """Keep a row; one of the same study and kind that is there stays as it is."""
        ...

    def of_study(self, study: StudyId) -> Sequence[Removal]: ...


class ResultRetention:
    """Several processes may run it: the same removal has one entry and one row."""

    def __init__(
        self,
        *,
        kept: KeptResults,
        rows: RemovalRows,
        study_of: Callable[[StudyId], Study],
        days: int,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self._kept = kept
        self._rows = rows
        self._study_of = study_of
        self._rules = rules(days)
        self._audit = audit
        self._clock = clock

    def run(self) -> int:
        """Remove all that is due; return of how many studies. Raises Unavailable errors."""
        return sum(self._remove_due(study) for study in self._kept.studies())

    def of_study(self, study: StudyId) -> Sequence[Removal]:
        return self._rows.of_study(study)

    def _remove_due(self, name: StudyId) -> bool:
        try:
            end = self._study_of(name).proposal.not_after
        except Unavailable:
            raise
        except AssentError as failure:
            _LOG.warning("a study cannot be read for retention", extra={"code": failure.code})
            return False
        removed = [self._remove(name, rule, end) for rule in self._rules]
        return any(removed)

    def _remove(self, study: StudyId, rule: Rule, end: UnixSeconds) -> bool:
        now, due, what = UnixSeconds(self._clock()), UnixSeconds(end + rule.days * DAY_SECONDS), rule.what
        counts = self._kept.count(study, what) if now >= due else {}
        if not counts:
            return False
        detail = logged_detail(study, what, rule.code, counts)
        event = AuditEvent(
            type=codes.STUDY_RESULTS_REMOVED,
            outcome=Outcome.CHANGED,
            occurred_at_ms=now * 1000,
            actor=_SYSTEM,
            detail=detail,
        )
        # Entry and row first: whatever ends the removal, the next one goes on under the same entry.
        name = hashlib.sha256(b"assent-removal-1" + study + what.encode()).digest()[:ACT_BYTES]
        entry = self._audit.append(event, act=name)
        self._rows.insert(Removal(study, what, rule.code, due, now, counts, entry.index))
        self._kept.remove(study, what, at=now)
        return True


def logged_detail(study: bytes, what: str, rule: str, counts: Mapping[str, int]) -> dict[str, DetailValue]:
    """What the log says of a removal."""
    return {
        "study": to_hex(study),
        "what": str(what),
        "rule": rule,
        **{f"count.{kind}": count for kind, count in counts.items()},
    }
