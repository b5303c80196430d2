"""A tree of provisions as wishes of a patient, where they say exactly the same; otherwise an error.

The reading is that of FHIR and IHE PCF: the base provision says permit or deny of its scope, each provision
inside is an exception to it with its own type.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from backend.consent.drafting import Wish
from backend.consent.tables import Tables
from backend.consent.terms import EVERYONE, Kind, Rule
from backend.interop.fhir_consent.errors import (
    FhirConsentContradiction,
    FhirConsentIncomplete,
    FhirConsentNotExpressible,
    FhirConsentTooDeep,
    FhirConsentUnsupported,
)
from backend.interop.fhir_consent.export_r4 import READ_ONLY
from backend.interop.fhir_consent.periods import ALL_TIME, Window
from backend.interop.fhir_consent.provision import Labels, Provision
from backend.types import Bytes32, MemberId

NORMAL = ("N", "M", "L", "U")


@dataclass(frozen=True, slots=True)
class Note:
    """Something the patient should look at before signing: an element, and how it was read."""

    field: str
    text: str


@dataclass(slots=True)
class Drafting:
    """Turns one tree into wishes and notes what a reader of the source might not expect."""

    tables: Tables
    notes: list[Note] = field(default_factory=list)

    def wishes(self, base: Provision) -> tuple[Wish, ...]:
        """Return the wishes that together say what the tree says; a prohibition comes first."""
        for each in (base, *_all(base.children)):
            if each.modifiers:
                raise FhirConsentUnsupported(field=f"{each.path}.modifierExtension")
            if each is not base and each.period is not None:
                raise FhirConsentNotExpressible(
                    "A rule has no period of its own.", field=f"{each.path}.period"
                )
        self.note("Consent", "break-glass is not in the standard: emergencies are forbidden unless changed")
        if base.permit:
            return tuple(self._permits(base, base.period or ALL_TIME))
        return tuple(self._denies(base))

    def note(self, path: str, text: str) -> None:
        self.notes.append(Note(path, text))

    def _permits(self, base: Provision, validity: Window) -> Iterator[Wish]:
        """Yield a permit for each recipient, and one more for each exception that adds labels."""
        _no_contradiction(base)
        whole = self._permit(base, validity)
        added: list[Provision] = []
        for child in base.children:
            if not child.permit:
                continue
            _without_children(child)
            extra = self._extra(child, base, whole)
            if extra is not None and replace(child, path=base.path, labels=None).scope == _NOTHING:
                whole = replace(whole, sensitivities=whole.sensitivities | extra)
            elif extra is not None:
                inherited = replace(_inherited(child, base), labels=None)
                added.append(replace(inherited, labels=Labels("N", whole.sensitivities | extra)))
        denied = [child for child in base.children if not child.permit]
        for wish, source in ((whole, base), *((self._permit(each, validity), each) for each in added)):
            rules = tuple(self._rules(denied, wish))
            for actor in _actors(source):
                yield replace(wish, grantee=actor, rules=rules)

    def _permit(self, scope: Provision, validity: Window) -> Wish:
        if scope.actors is None:
            raise FhirConsentIncomplete("A permit names its recipient.", field=f"{scope.path}.actor")
        if scope.purposes is None:
            raise FhirConsentIncomplete("A permit names its purposes.", field=f"{scope.path}.purpose")
        if scope.references is not None:
            raise FhirConsentNotExpressible("A permit is not of single data.", field=f"{scope.path}.data")
        if scope.categories is None:
            self.note(scope.path, "no class of data is named: all kinds of data are included")
        start, end = scope.data or ALL_TIME
        return Wish(
            kind=Kind.PERMIT,
            purposes=scope.purposes,
            categories=self.tables.categories.all_bits if scope.categories is None else scope.categories,
            sensitivities=self._covered(scope),
            actions=self._read_only(scope),
            data_from=start,
            data_to=end,
            not_before=validity[0],
            not_after=validity[1],
        )

    def _read_only(self, scope: Provision) -> int:
        if scope.actions is not None:
            return scope.actions
        self.note(scope.path, "no action is named: access only, the one that FHIR has understood")
        return self.tables.actions.mask(READ_ONLY)

    def _covered(self, scope: Provision) -> int:
        """Return the sensitivities of a permit. A level is a high-water mark: R is "R or less"."""
        labels = scope.labels
        if labels is None:
            self.note(scope.path, "no security label is named: all protected data is included")
            return self.tables.sensitivities.all_bits
        if labels.level == "V":
            return self.tables.sensitivities.all_bits
        if labels.level != "N":
            # R would leave out V, and labels alone would leave out normal data: no permit does either.
            raise FhirConsentNotExpressible(
                "A permit covers normal data (N), with sensitivities named one by one, or all (V).",
                field=f"{scope.path}.securityLabel",
            )
        return labels.mask

    def _extra(self, child: Provision, base: Provision, whole: Wish) -> int | None:
        """Return the sensitivities that a permission inside a permit adds, None where it adds nothing."""
        _inside(child, base)
        labels = child.labels
        if labels is None and base.labels is not None:
            raise FhirConsentNotExpressible(
                "Name the sensitivities that it adds.", field=f"{child.path}.securityLabel"
            )
        if labels is None or (labels.level in NORMAL and not labels.mask):
            self.note(child.path, "permits nothing more than the base provision")
            return None
        if labels.level == "R":
            raise FhirConsentNotExpressible("Name the sensitivities.", field=f"{child.path}.securityLabel")
        extra = self.tables.sensitivities.all_bits if labels.level == "V" else labels.mask
        return extra & ~whole.sensitivities or None

    def _rules(self, denied: Sequence[Provision], wish: Wish) -> Iterator[Rule]:
        """Yield the prohibitions of a permit. What the permit does not cover needs none."""
        for child in denied:
            _without_children(child)
            masks = {
                "purposes": (child.purposes, wish.purposes),
                "categories": (child.categories, wish.categories),
                "actions": (child.actions, wish.actions),
            }
            if any(mask is not None and not mask & outer for mask, outer in masks.values()):
                self.note(child.path, "forbids what the consent does not permit: left out")
                continue
            if child.labels is not None and child.labels.level is not None:
                if child.labels.level in NORMAL or wish.sensitivities:
                    raise FhirConsentNotExpressible(
                        "Name the sensitivities that are forbidden.", field=f"{child.path}.securityLabel"
                    )
                self.note(child.path, "forbids protected data, which the consent does not permit: left out")
                continue
            start, end = child.data or ALL_TIME
            yield Rule(
                permit=False,
                **{name: 0 if mask is None else mask & outer for name, (mask, outer) in masks.items()},
                sensitivities=0 if child.labels is None else child.labels.mask,
                grantees=child.actors or (),
                data_from=start,
                data_to=end,
                references=_references(child),
            )

    def _denies(self, base: Provision) -> Iterator[Wish]:
        """Yield a deny that exempts the exceptions, for each recipient, and a permit for each exception."""
        _no_contradiction(base)
        if base.references is not None:
            raise FhirConsentNotExpressible("A deny is not of single data.", field=f"{base.path}.data")
        if base.labels is not None and base.labels.level is not None:
            raise FhirConsentNotExpressible("Name the sensitivities.", field=f"{base.path}.securityLabel")
        validity = base.period or ALL_TIME
        permitted: list[Wish] = []
        exempt: list[Rule] = []
        # A prohibition beside a permission takes from it; of the base provision it says nothing new.
        denied = tuple(child for child in base.children if not child.permit)
        for child in base.children:
            if not child.permit:
                self.note(child.path, "forbids what the base provision forbids: it limits exceptions only")
            elif child.purposes == self.tables.purposes.mask(["BTG"]):
                self.note(
                    child.path, "break-glass is decided by the emergency policy, not by a rule: left out"
                )
            else:
                scope = self._exception(child, base)
                exempt.append(_exemption(scope))
                permitted += self._permits(replace(scope, children=(*scope.children, *denied)), validity)
        start, end = base.data or ALL_TIME
        wish = Wish(
            kind=Kind.DENY,
            purposes=base.purposes or 0,
            categories=base.categories or 0,
            sensitivities=base.labels.mask if base.labels else 0,
            actions=base.actions or 0,
            data_from=start,
            data_to=end,
            not_before=validity[0],
            not_after=validity[1],
            rules=tuple(exempt),
        )
        yield from (replace(wish, grantee=actor) for actor in base.actors or (EVERYONE,))
        yield from permitted

    def _exception(self, child: Provision, base: Provision) -> Provision:
        """Return the whole scope of a permission inside a deny."""
        _inside(child, base)
        if base.labels is not None or child.labels is not None:
            where = child if child.labels is not None else base
            raise FhirConsentNotExpressible(
                "An exception to a prohibition is not by label.", field=f"{where.path}.securityLabel"
            )
        if child.references is not None:
            raise FhirConsentNotExpressible("A permit is not of single data.", field=f"{child.path}.data")
        scope = _inherited(child, base)
        return replace(scope, actions=self._read_only(scope))


_NOTHING = Provision("", None).scope


def _all(children: Sequence[Provision]) -> Iterator[Provision]:
    for child in children:
        yield child
        yield from _all(child.children)


def _exemption(scope: Provision) -> Rule:
    start, end = scope.data or ALL_TIME
    return Rule(
        permit=True,
        purposes=scope.purposes or 0,
        categories=scope.categories or 0,
        actions=scope.actions or 0,
        grantees=scope.actors or (),
        data_from=start,
        data_to=end,
    )


def _inherited(child: Provision, base: Provision) -> Provision:
    def own(name: str) -> object:
        value = getattr(child, name)
        return getattr(base, name) if value is None else value

    names = ("actors", "purposes", "categories", "actions", "data")
    return replace(child, **{name: own(name) for name in names})  # type: ignore[arg-type]


def _inside(child: Provision, base: Provision) -> None:
    """Refuse an exception that goes beyond its base: "restrictions at the root apply to the whole" (PCF)."""
    for name in ("purposes", "categories", "actions"):
        inner, outer = getattr(child, name), getattr(base, name)
        if inner is not None and outer is not None and inner & ~outer:
            raise FhirConsentNotExpressible(
                "It goes beyond the base provision.", field=f"{child.path}.{name}"
            )
    if child.actors and base.actors and not set(child.actors) <= set(base.actors):
        raise FhirConsentNotExpressible("It goes beyond the base provision.", field=f"{child.path}.actor")
    if child.references is not None:
        raise FhirConsentNotExpressible("A permit is not of single data.", field=f"{child.path}.data")
    if child.data and base.data and not (base.data[0] <= child.data[0] and child.data[1] <= base.data[1]):
        raise FhirConsentNotExpressible(
            "It goes beyond the base provision.", field=f"{child.path}.dataPeriod"
        )


def _without_children(child: Provision) -> None:
    if child.children:
        raise FhirConsentTooDeep(field=f"{child.path}.provision")


def _no_contradiction(base: Provision) -> None:
    for place, child in enumerate(base.children):
        opposite = child.permit != base.permit or any(other.permit != child.permit for other in base.children)
        if child.scope == _NOTHING and not child.children and opposite:
            raise FhirConsentContradiction("It takes back all of another provision.", field=child.path)
        for earlier in base.children[:place]:
            if earlier.permit != child.permit and earlier.scope == child.scope:
                raise FhirConsentContradiction(
                    f"The opposite of {earlier.path}, of the same data.", field=child.path
                )


def _actors(scope: Provision) -> tuple[MemberId, ...]:
    return tuple(dict.fromkeys(scope.actors or ()))


def _references(child: Provision) -> tuple[Bytes32, ...]:
    found = []
    for reference in child.references or ():
        if reference is None:
            raise FhirConsentNotExpressible(
                "Data is named by instance, with its dependents, or by author.", field=f"{child.path}.data"
            )
        found.append(reference)
    return tuple(dict.fromkeys(found))
