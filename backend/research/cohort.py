"""Who takes part: decided by signed consents alone, never by what is in a record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from backend.research.canonical import canonical_json
from backend.research.duo import StudyUse, match
from backend.research.types import Candidate, ResearchTerms

CHUNK: Final = 64  # of patients whose records are in memory together


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """One candidate a subject (the first given), in order of subject."""
    found: dict[int, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.subject, candidate)
    return [found[subject] for subject in sorted(found)]


def eligible(candidates: Iterable[Candidate], variables: frozenset[str], use: StudyUse) -> list[Candidate]:
    """Those whose DUO terms fit the study and who permit at least one of its variables."""
    return [
        candidate for candidate in candidates if candidate.allowed & variables and _fits(candidate.terms, use)
    ]


def leaving(candidates: Iterable[Candidate], use: StudyUse) -> list[Candidate]:
    """Those of eligible candidates whose own records may leave: the terms that let them must fit, too, and of
    minimum cohorts the larger holds."""
    return [
        replace(candidate, terms=_stricter(candidate.terms, candidate.individual.terms))
        for candidate in candidates
        if candidate.individual is not None and _fits(candidate.individual.terms, use)
    ]


def _stricter(terms: ResearchTerms, other: ResearchTerms) -> ResearchTerms:
    return replace(terms, minimum_cohort=max(terms.minimum_cohort, other.minimum_cohort))


def _fits(terms: ResearchTerms, use: StudyUse) -> bool:
    """Whether the terms of every consent fit; no consent is no permission."""
    return bool(terms.duo) and all(match(each, use).permitted for each in terms.duo)


def respecting_minimum(candidates: Iterable[Candidate], minimum: int) -> list[Candidate]:
    """The largest group in which each patient's minimum cohort, and ``minimum``, is reached.

    Leaving a patient out makes the group smaller, which may leave out others: repeated until nothing changes.
    """
    group = list(candidates)
    while True:
        size = len(group)
        group = [candidate for candidate in group if max(candidate.terms.minimum_cohort, minimum) <= size]
        if len(group) == size:
            return group


def opened_ahead(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield the candidates in order, the records of each ``CHUNK`` of them opened together before.

    Whoever iterates reads a candidate's ``resources`` before asking for the next one.
    """
    for start in range(0, len(candidates), CHUNK):
        chunk = candidates[start : start + CHUNK]
        if chunk[0].ahead is not None:
            chunk[0].ahead(chunk)
        yield from chunk


def snapshot(candidates: Iterable[Candidate]) -> bytes:
    """Digest (32 bytes) of who may take part under which consents, variables and terms.

    An answer belongs to its snapshot: after any change of consent there is a new one.
    """
    digest = hashlib.sha256(b"[")  # of the canonical JSON of the list, which may be too long to be held
    for place, candidate in enumerate(sorted(candidates, key=lambda candidate: str(candidate.subject))):
        digest.update(b"," * bool(place))
        material = [
            str(candidate.subject),
            sorted(consent.hex() for consent in candidate.consents),
            sorted(candidate.allowed),
            *_terms_json(candidate.terms),
            candidate.aggregate_only,
        ]
        own = candidate.individual
        if own is not None:
            consents = sorted(consent.hex() for consent in own.consents)
            material.append([consents, sorted(own.categories), *_terms_json(own.terms)])
        digest.update(canonical_json(material))
    digest.update(b"]")
    return digest.digest()


def _terms_json(terms: ResearchTerms) -> list[Any]:
    return [
        sorted(sorted(each) for each in terms.duo),
        [terms.minimum_cohort, str(terms.epsilon_cap)],
    ]
