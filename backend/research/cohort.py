"""Who takes part: decided by signed consents alone, never by what is in a record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from backend.research.canonical import canonical_json
from backend.research.duo import StudyUse, match
from backend.research.types import Candidate

CHUNK: Final = 64  # of patients whose records are in memory together


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """One candidate a subject (the first given), in order of subject."""
    found: dict[int, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.subject, candidate)
    return [found[subject] for subject in sorted(found)]


def eligible(candidates: Iterable[Candidate], variables: frozenset[str], use: StudyUse) -> list[Candidate]:
    """Those whose DUO terms fit the study and who permit at least one of its variables."""
    return [candidate for candidate in candidates if candidate.allowed & variables and _fits(candidate, use)]


def _fits(candidate: Candidate, use: StudyUse) -> bool:
    """Whether the terms of every consent fit; no consent is no permission."""
    return bool(candidate.terms.duo) and all(match(terms, use).permitted for terms in candidate.terms.duo)


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
        digest.update(
            canonical_json(
                [
                    str(candidate.subject),
                    sorted(consent.hex() for consent in candidate.consents),
                    sorted(candidate.allowed),
                    sorted(sorted(terms) for terms in candidate.terms.duo),
                    [candidate.terms.minimum_cohort, str(candidate.terms.epsilon_cap)],
                    candidate.aggregate_only,
                ]
            )
        )
    digest.update(b"]")
    return digest.digest()
