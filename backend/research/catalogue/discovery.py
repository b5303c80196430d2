"""Whose consent allows discovery, and which kind of research it allows: by signed terms alone.

A consent allows discovery when it permits the custodian itself the action ``query`` (asking questions of data
without seeing it) for the purpose HRESCH, and its DUO terms allow research in general over health data: one
of 'no restriction' (NRES), 'general research use' (GRU) and 'health or medical or biomedical research' (HMB).
Catalogue counts are shown to every researcher, so a consent that is limited to places, persons, institutions,
projects, a kind of research or one disease allows none. Conditions on how a study is conducted (not for
profit, publication, ethics approval, a time limit) bind studies; a protected count is none of them, and each
study is held against them when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from backend.research.duo import StudyUse, match
from backend.research.duo_terms import BY_SHORTHAND, parse_term
from backend.research.errors import DuoTermInvalid
from backend.research.types import ResearchTerms

PURPOSE: Final = "HRESCH"
_WIDE: Final = ("NRES", "GRU", "HMB")  # from wide to narrow
_LIMITED: Final = frozenset({"RS", "GSO", "GS", "US", "PS", "IS"})
PLAIN: Final = "without conditions"
CONDITIONS: Final = "with conditions"
CONSENT_KINDS: Final = tuple(f"{name} {how}" for name in _WIDE for how in (PLAIN, CONDITIONS))
_FREE: Final = frozenset({"IRB", "CC"})  # every study here meets them (``duo.py``)


def kind_of(terms: ResearchTerms) -> str | None:
    """One of ``CONSENT_KINDS``: the narrowest of a patient's consents; None when one allows no discovery."""
    kinds = [_kind(each) for each in terms.duo]
    if not kinds or any(kind is None for kind in kinds):
        return None
    widths = [width for kind in kinds if kind is not None for width in kind[:1]]
    conditional = any(kind is not None and kind[1] for kind in kinds)
    return f"{_WIDE[max(widths)]} {CONDITIONS if conditional else PLAIN}"


def _kind(terms: Iterable[str]) -> tuple[int, bool] | None:
    try:
        parsed = [parse_term(text) for text in terms]
    except DuoTermInvalid:
        return None
    named = {term.shorthand for term in parsed}
    widths = [place for place, name in enumerate(_WIDE) if name in named]
    modifiers = {term.shorthand for term in parsed if not term.definition.is_permission}
    if not widths or modifiers & _LIMITED:
        return None
    return widths[0], bool(modifiers - _FREE)


def fitting(use: StudyUse) -> tuple[frozenset[str], frozenset[str]]:
    """The kinds of consent that surely fit a study, and those that may: it depends on their conditions."""
    surely, perhaps = set(), set()
    for name in _WIDE:
        if match([BY_SHORTHAND[name].id], use).permitted:
            surely.add(f"{name} {PLAIN}")
            perhaps.add(f"{name} {CONDITIONS}")
    return frozenset(surely), frozenset(perhaps)
