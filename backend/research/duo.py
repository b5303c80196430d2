"""Does a patient's consent, in DUO terms, cover a study, in DUO terms? With a reason for each term.

Reading. In a consent a *permission* says which kind of research is allowed (several are alternatives) and a
*modifier* is a condition (all must hold; several arguments of one modifier are alternatives). In a proposal
the one permission says which kind of research it is, and each modifier is a statement or an undertaking by
the researcher. A disease matches only itself: like purposes, terms are never widened through a hierarchy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.research.duo_terms import DuoTerm, parse_term
from backend.research.errors import DuoTermInvalid, StudyInvalid

# consent's permission -> kinds of study it covers (DS is compared by its disease below)
_COVERS = {
    "NRES": frozenset({"GRU", "HMB", "DS", "POA"}),
    "GRU": frozenset({"GRU", "HMB", "DS", "POA"}),
    "HMB": frozenset({"HMB", "DS"}),
    "POA": frozenset({"POA"}),
}
_NO_ANCESTRY = frozenset({"HMB", "DS"})  # by their definition without population origins
_ALWAYS_MET = {
    "IRB": "every study here runs under an ethics board's permit",
    "CC": "it allows clinical care as well and limits no research",
}


@dataclass(frozen=True, slots=True)
class TermVerdict:
    """``satisfied`` and why, for one term of the consent."""

    term: str
    label: str
    satisfied: bool
    reason: str


@dataclass(frozen=True, slots=True)
class DuoMatch:
    permitted: bool
    verdicts: tuple[TermVerdict, ...]


@dataclass(frozen=True, slots=True)
class StudyUse:
    """A proposal's DUO terms, parsed: one kind of research, and its statements by shorthand."""

    kind: DuoTerm
    statements: tuple[DuoTerm, ...]

    def stated(self, shorthand: str) -> tuple[str, ...] | None:
        """The arguments stated for a modifier, or None when it is not stated at all."""
        found = tuple(term.argument for term in self.statements if term.shorthand == shorthand)
        return found or None


def parse_use(terms: Sequence[str]) -> StudyUse:
    """Read a proposal's terms; raises StudyInvalid (field ``duo``) unless they name one kind of research."""
    try:
        parsed = [parse_term(text) for text in terms]
    except DuoTermInvalid as wrong:
        raise StudyInvalid(wrong.detail, field="duo") from wrong
    if len({str(term) for term in parsed}) != len(parsed):
        raise StudyInvalid("a DUO term is given twice", field="duo")
    kinds = [term for term in parsed if term.definition.is_permission]
    if len(kinds) != 1 or kinds[0].shorthand == "NRES":
        raise StudyInvalid(
            "name exactly one kind of research: GRU, HMB, DS with a disease, or POA", field="duo"
        )
    return StudyUse(kinds[0], tuple(term for term in parsed if not term.definition.is_permission))


def match(consent_terms: Iterable[str], use: StudyUse) -> DuoMatch:
    """Compare a consent's terms with a study. Anything unknown or malformed in the consent permits nothing.

    Never raises: what a patient signed is judged, not refused.
    """
    texts = tuple(consent_terms)
    terms = [_parsed(text) for text in texts]
    named: dict[str, set[str]] = {}
    for term in terms:
        if term is not None:
            named.setdefault(term.shorthand, set()).add(term.argument)
    verdicts: list[TermVerdict] = []
    permissions: list[bool] = []
    conditions: list[bool] = []
    for text, term in zip(texts, terms, strict=True):
        if term is None:
            conditions.append(False)
            verdicts.append(TermVerdict(text, "", False, "not a known term, so nothing is permitted by it"))
        elif term.definition.is_permission:
            satisfied, reason = _permission(term, use)
            permissions.append(satisfied)
            verdicts.append(TermVerdict(text, term.definition.label, satisfied, reason))
        else:
            satisfied, reason = _modifier(term, use, named[term.shorthand])
            conditions.append(satisfied)
            verdicts.append(TermVerdict(text, term.definition.label, satisfied, reason))
    if not permissions:
        verdicts.append(TermVerdict("", "", False, "the consent names no kind of research that it permits"))
    return DuoMatch(any(permissions) and all(conditions), tuple(verdicts))


def _parsed(text: str) -> DuoTerm | None:
    try:
        return parse_term(text)
    except DuoTermInvalid:
        return None


def _permission(term: DuoTerm, use: StudyUse) -> tuple[bool, str]:
    kind = use.kind
    if term.shorthand == "DS":
        if kind.shorthand != "DS":
            return False, f"allows research on {term.argument} only; the study is not limited to one disease"
        same = kind.argument == term.argument
        return same, f"allows research on {term.argument}; the study is about {kind.argument}"
    covered = kind.shorthand in _COVERS[term.shorthand]
    word = "covers" if covered else "does not cover"
    return covered, f"'{term.definition.label}' {word} '{kind.definition.label}'"


def _modifier(term: DuoTerm, use: StudyUse, allowed: set[str]) -> tuple[bool, str]:
    name = term.shorthand
    if name in _ALWAYS_MET:
        return True, _ALWAYS_MET[name]
    if name == "NPOA" and use.kind.shorthand in _NO_ANCESTRY:
        return True, f"'{use.kind.definition.label}' excludes population origins"
    if name == "NPOA" and use.kind.shorthand == "POA":
        return False, "the study is about population origins"
    stated = use.stated(name)
    # "Not for profit, non commercial" is the two narrower terms together, and the other way round.
    if (
        stated is None
        and name == "NPUNCU"
        and use.stated("NPU") is not None
        and use.stated("NCU") is not None
    ):
        stated = ("",)
    if stated is None and name in ("NPU", "NCU") and use.stated("NPUNCU") is not None:
        stated = ("",)
    if stated is None:
        return False, f"the study does not state '{term.definition.label}'"
    return _argument(term, stated, allowed)


def _argument(term: DuoTerm, stated: tuple[str, ...], allowed: set[str]) -> tuple[bool, str]:
    if term.shorthand == "TS":
        within = all(int(months) <= int(term.argument) for months in stated)
        return within, f"use for at most {term.argument} months; the study states {', '.join(stated)}"
    if term.shorthand == "MOR":
        within = all(date >= term.argument for date in stated)  # such dates order as text
        return within, f"nothing published before {term.argument}; the study states {', '.join(stated)}"
    if term.argument:
        # Every place, person or project that the study names must be one that the patient allowed.
        inside = all(value in allowed for value in stated)
        return inside, f"limited to {', '.join(sorted(allowed))}; the study states {', '.join(stated)}"
    return True, f"the study states '{term.definition.label}'"
