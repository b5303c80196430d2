"""What a draft proposal would get, told before it is proposed: fitting consents, patients, price, error.

How many patients remain is computed from the period's drawing alone. A count of its own for each draft would
cost privacy budget each time, or would let somebody who sends many drafts narrow down a cohort; the drawing
is public to all researchers, so this tells nothing new, costs nothing and needs no limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from backend.research.catalogue.discovery import fitting
from backend.research.catalogue.types import Counts, Drawing
from backend.research.dp import epsilon_of
from backend.research.duo import StudyUse, match, parse_use
from backend.research.duo_terms import DEFINITIONS, Argument, DuoDefinition
from backend.research.plan import Plan, plan
from backend.research.result import RANGE_STEP, ProtectedRange
from backend.research.study import Proposal, propose
from backend.research.study_terms import Basis
from backend.research.variables import MISSING, Variable

_GENERAL: Final = "DUO:0000042"
_EXAMPLES: Final = {Argument.TEXT: "EXAMPLE", Argument.MONTHS: "12", Argument.DATE: "20300101"}


@dataclass(frozen=True, slots=True)
class TermFit:
    """Whether a consent with this term fits: a permission alone, a modifier beside 'general research use'."""

    term: str
    shorthand: str
    label: str
    fits: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Remaining:
    """``patients`` whose consent fits the study's kind of research, of those who can be counted at all.

    The lower end leaves out consents with conditions, the upper end has them all. ``variables`` says how many
    of all discoverable patients have a value, for each variable that is offered just so.
    """

    patients: ProtectedRange
    of: ProtectedRange
    variables: tuple[tuple[str, ProtectedRange], ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What all runs together may cost, in the smallest unit of the price's token, both ends included.

    Of a price for each patient it follows from the protected range of who remains: right 19 times in 20.
    """

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Quote:
    """``epsilon`` is a decimal string, of one run; the proposal's own is for all runs. ``cost`` is None where
    there is no price, and of one for each patient until the catalogue was drawn."""

    terms: tuple[TermFit, ...]
    remaining: Remaining | None
    cost: Cost | None
    plan: Plan
    epsilon: str
    delta_exponent: int


def quote(proposal: Proposal, drawing: Drawing | None, *, delta_exponent: int) -> Quote:
    """Check a draft and say what it would get; nothing is stored. Raises StudyInvalid naming the field."""
    use = parse_use(propose(proposal).proposal.duo)
    made = plan(proposal, delta_exponent=delta_exponent)
    remaining = None if drawing is None else _remaining(proposal, use, drawing)
    return Quote(
        terms=tuple(_fit(definition, use) for definition in DEFINITIONS.values()),
        remaining=remaining,
        cost=_cost(proposal, remaining),
        plan=made,
        epsilon=f"{epsilon_of(made.rho, delta_exponent):.6f}",
        delta_exponent=delta_exponent,
    )


def _fit(definition: DuoDefinition, use: StudyUse) -> TermFit:
    term = f"{definition.id}:{_argument(definition, use)}" if _argument(definition, use) else definition.id
    consent = [term] if definition.is_permission else [_GENERAL, term]
    verdict = next(verdict for verdict in match(consent, use).verdicts if verdict.term == term)
    return TermFit(term, definition.shorthand, definition.label, verdict.satisfied, verdict.reason)


def _argument(definition: DuoDefinition, use: StudyUse) -> str:
    """What the study itself states, so that the answer is about a consent that names the same."""
    if definition.argument is Argument.NONE:
        return ""
    if definition.shorthand == use.kind.shorthand:
        return use.kind.argument
    stated = use.stated(definition.shorthand)
    return stated[0] if stated else _EXAMPLES[definition.argument]


def _remaining(proposal: Proposal, use: StudyUse, drawing: Drawing) -> Remaining:
    surely, perhaps = fitting(use)
    by_kind = dict(zip(drawing.consents.levels, drawing.consents.values, strict=True))
    error = drawing.consents.error_95
    sure = sum(by_kind[kind] for kind in surely)
    at_most = sure + sum(by_kind[kind] for kind in perhaps)
    everybody = sum(by_kind.values())
    counts = {found.name: found for found in drawing.counts}
    return Remaining(
        patients=_range(sure - _of_sum(error, len(surely)), at_most + _of_sum(error, len(surely | perhaps))),
        of=_range(everybody - _of_sum(error, len(by_kind)), everybody + _of_sum(error, len(by_kind))),
        variables=tuple(
            (variable.name, _with_value(counts[variable.name]))
            for variable in proposal.variables
            if variable.name in counts and _is_same(variable, counts[variable.name])
        ),
    )


def _is_same(variable: Variable, counts: Counts) -> bool:
    return variable.domain == counts.levels


def _with_value(counts: Counts) -> ProtectedRange:
    found = sum(value for level, value in zip(counts.levels, counts.values, strict=True) if level != MISSING)
    error = _of_sum(counts.error_95, len(counts.levels) - 1)
    return _range(found - error, found + error)


def _of_sum(error: int, terms: int) -> int:
    """The error bar of a sum: independent noise adds up by its variance."""
    return math.ceil(error * math.sqrt(terms))


def _range(low: int, high: int) -> ProtectedRange:
    """Widened to steps of 10, half-open."""
    bottom, top = max(0, low), max(0, high)
    return ProtectedRange(bottom // RANGE_STEP * RANGE_STEP, (top // RANGE_STEP + 1) * RANGE_STEP)


def _cost(proposal: Proposal, remaining: Remaining | None) -> Cost | None:
    price = proposal.price
    if price is None:
        return None
    if price.basis is Basis.STUDY:
        return Cost(price.amount, price.amount)
    if remaining is None:
        return None
    each = price.amount * proposal.runs
    return Cost(each * remaining.patients.low, each * (remaining.patients.high - 1))
