"""Values that cross the borders of the research package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NewType

from backend.types import BlockNumber, ConsentId, MemberId, RecordId, SubjectId, UnixSeconds

StudyId = NewType("StudyId", bytes)  # 32 bytes: digest of the proposal and its salt
NanoRho = NewType("NanoRho", int)  # zCDP loss in units of 1e-9
Pseudonym = NewType("Pseudonym", str)  # 32 hex digits, keyed per study

Resource = Mapping[str, Any]  # a FHIR R4 resource as parsed JSON

NO_DIGEST = bytes(32)  # of the entry before the first of a chain

NO_EPSILON_CAP = (
    2**64 - 1
)  # ``ResearchTerms.epsilonCap`` at its largest: not capped; 0 permits no answer at all


@dataclass(frozen=True, slots=True)
class Opened:
    """A resource and the category mask of the segment it was in, as the labeller gave it."""

    categories: int
    resource: Resource


@dataclass(frozen=True, slots=True)
class RecordEntries:
    """What was opened of one record of a patient: (fullUrl, resource) in the record's order."""

    record_id: RecordId
    entries: Sequence[tuple[str | None, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class ResearchTerms:
    """What a patient's signed consents say about research (EIP-712 ``ResearchTerms``), the strictest of each.

    ``duo`` holds the terms of each consent in force, a tuple a consent: every one must fit the study. They
    are not merged, because within one consent permissions are alternatives: merged, the widest would win.
    ``epsilon_cap`` is in millionths and over the patient's whole time with this custodian.
    """

    duo: tuple[tuple[str, ...], ...]
    minimum_cohort: int
    epsilon_cap: int


@dataclass(frozen=True, slots=True)
class Individual:
    """What a patient's consents let leave as records of their own: de-identified, one patient beside another.

    ``categories`` (codes) are those of the study's that may. ``records`` opens the permitted segments, oldest
    record first; it is called once at most, and only for a patient who takes part. ``ahead`` opens those of
    several patients of one source at once.
    """

    categories: frozenset[str]
    consents: tuple[ConsentId, ...]
    terms: ResearchTerms
    records: Callable[[], Sequence[RecordEntries]]
    ahead: Callable[[Sequence[SubjectId]], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patient with a live research consent at the block of the run, as the caller evaluated it.

    ``allowed`` names the study's variables that the decision permits for this patient. ``resources`` opens
    the permitted segments; it is called once at most, and only for a patient who takes part. ``ahead`` opens
    those of several candidates of one source at once, so that their ``resources`` have them at hand.
    ``aggregate_only`` counts the patient in answers and keeps them out of the table, which has a row for
    each. ``individual``: None where the study asks for no records of single patients, or the patient's
    consents let none leave.
    """

    subject: SubjectId
    consents: tuple[ConsentId, ...]
    allowed: frozenset[str]
    terms: ResearchTerms
    resources: Callable[[], Iterable[Resource | Opened]]
    aggregate_only: bool = False
    ahead: Callable[[Sequence[Candidate]], None] | None = None
    individual: Individual | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """The ethics board's permit as the chain has it at ``block``.

    ``rules`` is what the board signed (``Study.rules``); the window is half-open, unix seconds.
    """

    rules: bytes
    not_before: UnixSeconds
    not_after: UnixSeconds
    is_live: bool
    block: BlockNumber


@dataclass(frozen=True, slots=True)
class Charge:
    """One entry of a privacy ledger. Amounts are nano-rho; the sums include this charge.

    ``place`` counts from 0. ``spent`` is over the ledger's whole life, ``period_spent`` in the period,
    ``study_spent`` by the study in its whole life, ``researcher_spent`` by the researcher in the period.
    ``digest`` is over all other fields and ``previous``, the digest of the entry before (zeros for the
    first).
    """

    ledger: str
    place: int
    charge_id: bytes
    study: StudyId
    researcher: MemberId
    rho: NanoRho
    spent: NanoRho
    period: int
    period_spent: NanoRho
    study_spent: NanoRho
    researcher_spent: NanoRho
    at: UnixSeconds
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """Where a privacy ledger stands: how many charges, the digest of the last, all it spent (nano-rho)."""

    ledger: str
    count: int
    digest: bytes
    spent: NanoRho


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Where a chain of entries stands: how many, and the digest of the last (the start: ``NO_DIGEST``)."""

    ledger: str
    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class LedgerDocument:
    """The one document that every debit changes.

    ``recent`` are the charges of the debit that made it, oldest first: they are written to the history next,
    and a crash in between loses none.
    """

    head: LedgerHead
    recent: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What follows from noisy numbers, with a 95 % error bar; decimal strings, empty where noise hides it."""

    name: str
    value: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A protected answer to one question. All numbers are noisy; ``levels`` are public.

    ``answer_id`` stands for study, question and consent snapshot; ``sigma`` is the noise scale as a decimal
    string; ``error_95`` bounds the error of each value with 95 % probability. ``estimates`` follow from the
    values alone.
    """

    answer_id: bytes
    levels: tuple[str, ...]
    values: tuple[int, ...]
    error_95: int
    sigma: str
    rho: NanoRho
    estimates: tuple[Estimate, ...] = ()


@dataclass(frozen=True, slots=True)
class ThresholdAnswer:
    """An exact figure of large groups: rounded counts, None where they are withheld."""

    name: str
    levels: tuple[str, ...]
    values: tuple[int | None, ...]
