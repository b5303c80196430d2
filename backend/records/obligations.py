"""What the record service does itself so that a condition of a consent is met before anything leaves.

A decision permits only what its caller says it can fulfil; for records that is ``fulfilled``. The rest of
this module says what each condition takes away. docs/decisions/0019 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Final

from backend.audit.entry import Action
from backend.consent.decision_types import Decision
from backend.records.segments import FHIR_MEDIA_TYPE

# Bits of the obligations table (checked against it in a test).
REDACT_LABELS: Final = 1 << 0
AGGREGATE_ONLY: Final = 1 << 1
NO_EXPORT: Final = 1 << 2
NOTIFY: Final = 1 << 3
DE_IDENTIFY: Final = 1 << 4

SHOWING: Final = frozenset({Action.ACCESS, Action.USE, Action.QUERY})
IN_FIGURES_ONLY: Final = AGGREGATE_ONLY | NO_EXPORT  # for a study: no row about one person
OF_A_STUDY: Final = REDACT_LABELS | AGGREGATE_ONLY | NO_EXPORT | NOTIFY | DE_IDENTIFY


def fulfilled(action: Action, *, by_person: bool) -> int:
    """Return the obligations that a release of records for this action meets.

    ``by_person``: somebody signed in looks at them. What a program takes has left the system. A record is
    never a figure about many people, so AGGREGATE_ONLY is for studies.
    """
    shown = by_person and action in SHOWING
    return REDACT_LABELS | NOTIFY | DE_IDENTIFY | (NO_EXPORT if shown else 0)


def united(decisions: Iterable[Decision]) -> int:
    return reduce(or_, (decision.obligations for decision in decisions), 0)


def withholds(obligations: int, *, sensitivities: int, media_type: str) -> bool:
    """Whether a condition takes a permitted segment away: what is specially protected, or not known not to
    be, and what cannot be de-identified because it is no FHIR."""
    redacted = bool(obligations & REDACT_LABELS and sensitivities)
    return redacted or bool(obligations & DE_IDENTIFY and media_type != FHIR_MEDIA_TYPE)
