"""Consents of an engine where the most recent one that applies decides alone.

Whether a consent applies, such an engine tells by its purposes and its period alone. So an older consent is
left out where a newer one has all of its purposes and its period. Of the others every prohibition counts
here, so that they permit at most what the most recent would; where an older prohibition meets a newer
permission, nothing here says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.consent.drafting import Wish
from backend.consent.terms import EVERYONE, Kind, Rule
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
            if any(_reaches(rule, one, other) for rule in one.rules):
                raise FhirConsentNotExpressible(
                    "An exception of a newer consent reaches what an older one permits.", field="Bundle.entry"
                )
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
    """Whether the newer consent decides wherever the older one would: purposes and period tell."""
    return newer.earliest >= older.latest and all(
        any(_contains(outer, inner) for outer in newer.imported.wishes) for inner in older.imported.wishes
    )


def _contains(outer: Wish, inner: Wish) -> bool:
    return (
        (not outer.purposes or (inner.purposes != 0 and not inner.purposes & ~outer.purposes))
        and outer.not_before <= inner.not_before
        and outer.not_after >= inner.not_after
    )


def _reaches(rule: Rule, newer: Wish, older: Wish) -> bool:
    """Whether a prohibition inside a newer permit is about what an older one permits beyond the newer one.

    Such an engine reads the exceptions of the newest consent and neither recipient, data nor actions of its
    base; here a rule ends where its consent does.
    """
    if rule.permit or not newer.kind == older.kind == Kind.PERMIT or not _at_once(newer, older):
        return False
    within = (
        newer.grantee == older.grantee
        and not older.categories & ~newer.categories
        and not older.sensitivities & ~newer.sensitivities
        and not older.actions & ~newer.actions
        and newer.data_from <= older.data_from
        and older.data_to <= newer.data_to
    )
    return not within and (
        (not rule.grantees or older.grantee in rule.grantees)
        and rule.data_from < older.data_to
        and older.data_from < rule.data_to
    )


def _at_once(one: Wish, other: Wish) -> bool:
    return (
        bool(one.purposes & other.purposes)
        and one.not_before < other.not_after
        and other.not_before < one.not_after
    )


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
