"""For each kind of consent: would it allow this study, and why. For the board, beside the proposal.

Judged by the same matcher as each patient's consent (``duo.match``), one term at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.research.duo import StudyUse, match, parse_use
from backend.research.duo_terms import DEFINITIONS, Argument, DuoDefinition
from backend.research.study import Proposal

_ANY_RESEARCH: Final = "DUO:0000004"
ELSE: Final = "X"  # stands for any other disease, place, project or person than the study names
_EXAMPLES: Final = {Argument.TEXT: ELSE, Argument.MONTHS: "12", Argument.DATE: "20300101"}


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a consent with this ``term`` allows the study, so far as the term goes, and why."""

    term: str
    label: str
    is_permission: bool
    fits: bool
    reason: str


def fits(proposal: Proposal) -> tuple[Fit, ...]:
    """Return a verdict for every term that a consent may hold, permissions first.

    A term with an argument is judged with each one that the study names, and with another one. A consent
    allows the study when one of its permissions fits and all its modifiers do.
    """
    use = parse_use(proposal.duo)
    ordered = sorted(DEFINITIONS.values(), key=lambda definition: not definition.is_permission)
    return tuple(_fit(term, definition, use) for definition in ordered for term in _terms(definition, use))


def _terms(definition: DuoDefinition, use: StudyUse) -> tuple[str, ...]:
    if definition.argument is Argument.NONE:
        return (definition.id,)
    if definition.shorthand == use.kind.shorthand:
        named: tuple[str, ...] = (use.kind.argument,)
    else:
        named = use.stated(definition.shorthand) or ()
    arguments = dict.fromkeys((*named, _EXAMPLES[definition.argument]))
    return tuple(f"{definition.id}:{argument}" for argument in arguments)


def _fit(term: str, definition: DuoDefinition, use: StudyUse) -> Fit:
    # A modifier limits what a permission allows, so it is judged beside the widest one.
    consent = (term,) if definition.is_permission else (_ANY_RESEARCH, term)
    verdict = next(found for found in match(consent, use).verdicts if found.term == term)
    return Fit(term, definition.label, definition.is_permission, verdict.satisfied, verdict.reason)
