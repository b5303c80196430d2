"""Consents of an engine where the most recent one that applies decides alone.

Here every prohibition counts, so several consents permit at most what the most recent would. They permit the
same as long as no older prohibition meets a newer permission: where a newer consent covers all of an older
one, the older is left out; where they only overlap, nothing here says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.consent.drafting import Wish
from backend.consent.terms import EVERYONE, Kind
from backend.interop.fhir_consent.drafts import Note
from backend.interop.fhir_consent.errors import FhirConsentContradiction, FhirConsentNotExpressible

if TYPE_CHECKING:
    from backend.interop.fhir_consent.importing import Imported


@dataclass(frozen=True, slots=True)
class Dated:
    """What one Consent says, and when it was given: ``earliest <= t < latest``."""

    earliest: int
    latest: int
    imported: Imported


def weigh(consents: Sequence[Dated]) -> tuple[tuple[Dated, ...], tuple[Note, ...]]:
    """Return those that still count, newest first. Raise FhirConsentNotExpressible on an overlap."""
    newest_first = sorted(consents, key=lambda each: -each.latest)
    counting: list[Dated] = []
    notes: list[Note] = []
    for older in newest_first:
        if any(_covers(newer, older) for newer in counting):
            notes.append(Note("Bundle.entry", "a newer consent covers all of an older one: left out"))
            continue
        for newer in counting:
            _check(newer, older)
        counting.append(older)
    return tuple(counting), tuple(notes)


def _check(newer: Dated, older: Dated) -> None:
    for one in newer.imported.wishes:
        for other in older.imported.wishes:
            if not _meet(one, other) or not (
                {one.kind, other.kind} == {Kind.PERMIT, Kind.DENY} or _ruled(one, other)
            ):
                continue
            if newer.earliest < older.latest:
                raise FhirConsentContradiction("Two consents of one date.", field="Bundle.entry")
            if other.kind == Kind.DENY or other.rules:
                raise FhirConsentNotExpressible(
                    "A newer permission lifts only a part of an older prohibition.", field="Bundle.entry"
                )


def _ruled(one: Wish, other: Wish) -> bool:
    return one.kind == other.kind == Kind.PERMIT and bool(one.rules or other.rules)


def _covers(newer: Dated, older: Dated) -> bool:
    """Whether the newer consent applies wherever any part of the older one does."""
    return newer.earliest >= older.latest and all(
        any(_contains(outer, inner) for outer in newer.imported.wishes) for inner in older.imported.wishes
    )


def _contains(outer: Wish, inner: Wish) -> bool:
    masks = (
        (outer.purposes, inner.purposes),
        (outer.categories, inner.categories),
        (outer.actions, inner.actions),
    )
    return (
        outer.grantee in (EVERYONE, inner.grantee)
        and all(not of_outer or (of_inner and not of_inner & ~of_outer) for of_outer, of_inner in masks)
        and _sensitive(outer, inner)
        and all(start <= other for start, other in _starts(outer, inner))
        and all(end >= other for end, other in _ends(outer, inner))
    )


def _sensitive(outer: Wish, inner: Wish) -> bool:
    """Whether data that ``inner`` is about is data that ``outer`` is about, whatever its labels."""
    if outer.kind == Kind.DENY:
        return not outer.sensitivities or (
            inner.kind == Kind.DENY
            and bool(inner.sensitivities)
            and not inner.sensitivities & ~outer.sensitivities
        )
    return inner.kind == Kind.PERMIT and not inner.sensitivities & ~outer.sensitivities


def _meet(one: Wish, other: Wish) -> bool:
    masks = (
        (one.purposes, other.purposes),
        (one.categories, other.categories),
        (one.actions, other.actions),
    )
    return (
        (EVERYONE in (one.grantee, other.grantee) or one.grantee == other.grantee)
        and all(not a or not b or bool(a & b) for a, b in masks)
        and one.data_from < other.data_to
        and other.data_from < one.data_to
        and one.not_before < other.not_after
        and other.not_before < one.not_after
    )


def _starts(outer: Wish, inner: Wish) -> Iterable[tuple[int, int]]:
    return ((outer.data_from, inner.data_from), (outer.not_before, inner.not_before))


def _ends(outer: Wish, inner: Wish) -> Iterable[tuple[int, int]]:
    return ((outer.data_to, inner.data_to), (outer.not_after, inner.not_after))
