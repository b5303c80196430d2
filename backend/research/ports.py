"""What the research package needs from the outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from backend.research.study import State, Study
from backend.research.types import (
    Answer,
    Charge,
    LedgerDocument,
    LedgerHead,
    NanoRho,
    Permit,
    StudyId,
    ThresholdAnswer,
)
from backend.types import MemberId, SubjectId, UnixSeconds


class BudgetStore(Protocol):
    """One document a ledger, changed by compare-and-swap, and an append-only history of its charges.

    Every method raises Unavailable when the store does not answer, and BudgetLedgerDamaged for what it
    cannot read.
    """

    def document(self, ledger: str) -> LedgerDocument | None:
        """The ledger's document; None before the first charge."""
        ...

    def swap(self, before: LedgerHead | None, after: LedgerDocument) -> bool:
        """Put ``after`` in the place of the document that has the head ``before`` (None: there is none).

        One conditional update; tell whether it was made. True means durable: it survives a loss of power.
        """
        ...

    def archive(self, charges: Sequence[Charge]) -> None:
        """Write the charges of one debit to the history, durable on return; what is there already stays."""
        ...

    def charges(self, ledger: str, *, start: int = 0) -> Iterable[Charge]:
        """The history in order of place, from ``start`` on, where a debit's charges begin."""
        ...


class Joins(Protocol):
    """From when on patients take part: ``joining.Joining``."""

    def join(self, subjects: Sequence[SubjectId], spent: NanoRho) -> dict[SubjectId, NanoRho]:
        """Mark with ``spent`` each subject that has no mark yet; return every subject's mark, durable."""
        ...


class HeadLog(Protocol):
    """The audit log as the witness of a privacy ledger: what it holds cannot be put back with the index."""

    def note(self, head: LedgerHead) -> None:
        """Durable on return. The same head again changes nothing."""
        ...


class AnswerStore(Protocol):
    """Released answers. What is stored first stays."""

    def find(self, study: StudyId, snapshot: bytes) -> dict[bytes, Answer]:
        """All stored answers of a study over one consent snapshot, by answer id."""
        ...

    def keep(
        self, charge_id: bytes, study: StudyId, snapshot: bytes, answers: Sequence[Answer]
    ) -> tuple[Answer, ...]:
        """Store all answers of one charge in one atomic write, or return those that were stored before."""
        ...

    def charges(self, study: StudyId, snapshot: bytes) -> list[bytes]:
        """The ids of the charges under which the answers of a study over one snapshot were drawn."""
        ...


class ReleasedResults(Protocol):
    """Which results were committed to, and so pay the patients behind them."""

    def pays_for(self, study: StudyId, snapshot: bytes) -> bool:
        """Whether a result of this study over one consent snapshot was.

        Raises LedgerUnavailable, IndexUnavailable and what else keeps one that was begun from its end.
        """
        ...


class ThresholdStore(Protocol):
    """Exact figures of large groups: given once a study, over one consent snapshot."""

    def find(self, study: StudyId) -> tuple[bytes, tuple[ThresholdAnswer, ...]] | None:
        """The snapshot and the figures that the study was given."""
        ...

    def keep(
        self, study: StudyId, snapshot: bytes, answers: Sequence[ThresholdAnswer]
    ) -> tuple[bytes, tuple[ThresholdAnswer, ...]]:
        """Store them, durable, unless the study was given some before; return what is stored."""
        ...


class StudyStore(Protocol):
    def insert(self, study: Study, *, at: UnixSeconds) -> bool:
        """Store a new study; False when its id is there already."""
        ...

    def get(self, study_id: StudyId) -> Study | None:
        """The study as last stored; raises IntegrityError when its id is not the digest of its proposal."""
        ...

    def replace(self, study: Study, *, at: UnixSeconds) -> bool:
        """Store a study whose version is one above the stored one; False when it is not."""
        ...

    def page(
        self, *, state: State | None, researcher: MemberId | None, after: StudyId | None, limit: int
    ) -> list[Study]:
        """Studies in order of id, beginning behind ``after``."""
        ...


class UseStore(Protocol):
    """Which study used whose data: for the patient's own view."""

    def record(
        self, study: StudyId, run_id: bytes, subjects: Sequence[SubjectId], *, at: UnixSeconds
    ) -> None:
        """Durable before anything of the run is released; the same run again changes nothing."""
        ...

    def of_subject(self, subject: SubjectId) -> list[tuple[StudyId, UnixSeconds]]:
        """Studies that used the patient's data, newest first, once for each run."""
        ...


class PermitReader(Protocol):
    def permit(self, study: StudyId) -> Permit | None:
        """The study's permit at the final block.

        Raises LedgerUnavailable when the chain cannot be read, which is neither a permit nor a refusal.
        """
        ...


class StudyKeys(Protocol):
    def study_key(self, study: StudyId) -> bytes:
        """The study's own secret (32 bytes), made at first use and never shared between studies."""
        ...
