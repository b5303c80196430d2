"""A Consent of either version as one tree of provisions, in our masks. Nothing is decided here.

Every element is known and read, known and without effect, or refused: an element that is passed over could
have narrowed what is permitted. None stands for an absent element, which does not narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, NamedTuple, TypeVar

from backend.consent.tables import CodeTable, Tables
from backend.consent.terms import MAX_RULES
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.errors import (
    FhirConsentIncomplete,
    FhirConsentMalformed,
    FhirConsentTooDeep,
    FhirConsentTooManyRules,
    FhirConsentUnknownCode,
    FhirConsentUnsupported,
)
from backend.interop.fhir_consent.frame import Version
from backend.interop.fhir_consent.names import Names
from backend.interop.fhir_consent.periods import Window, from_period
from backend.types import Bytes32, MemberId

T = TypeVar("T")
_LEVELS: Final = ("U", "L", "M", "N", "R", "V")  # of confidentiality, each "or less"
_SHARED: Final = frozenset(
    ("id", "period", "actor", "action", "securityLabel", "purpose", "dataPeriod", "data", "provision")
)
_ELEMENTS: Final[dict[Version, frozenset[str]]] = {
    "r4": _SHARED | {"type", "class", "modifierExtension"},
    "r5": _SHARED | {"documentType"},
}
_MEANINGS: Final = ("instance", "authoredby", "related", "dependents")


class Labels(NamedTuple):
    """``level`` is the highest confidentiality named, ``mask`` the sensitivities named."""

    level: str | None
    mask: int


@dataclass(frozen=True, slots=True)
class Provision:
    """``permit`` is None where nothing says it. ``path`` is where it stands in the resource.

    ``references`` holds None for "related", what a record refers to: nothing here names data so.
    """

    path: str
    permit: bool | None
    actors: tuple[MemberId, ...] | None = None
    purposes: int | None = None
    categories: int | None = None
    labels: Labels | None = None
    actions: int | None = None
    data: Window | None = None
    period: Window | None = None
    references: tuple[Bytes32 | None, ...] | None = None
    children: tuple[Provision, ...] = ()
    modifiers: tuple[Json, ...] = ()

    @property
    def scope(self) -> tuple[object, ...]:
        """What it is about, regardless of what it says of it."""
        return (
            *(self.actors and frozenset(self.actors), self.purposes, self.categories, self.labels),
            *(self.actions, self.data, self.references and frozenset(self.references)),
        )


@dataclass(frozen=True, slots=True)
class ProvisionReader:
    """Reads provisions of one version. ``aliases`` are code systems read as another one."""

    version: Version
    tables: Tables
    names: Names
    zone: tzinfo | None
    aliases: dict[str, str]

    def read(self, element: object, path: str, depth: int) -> Provision:
        """Return a provision and those inside, ``depth`` levels of them. Raises errors of this package."""
        if not isinstance(element, dict):
            raise FhirConsentMalformed("An object.", field=path)
        class_element = "class" if self.version == "r4" else "documentType"
        for name in element:
            if name == "modifierExtension" or name not in _ELEMENTS[self.version] | {"extension"}:
                self._refuse(name, f"{path}.{name!s:.40}")
        return Provision(
            path=path,
            permit=self._type(element, path),
            actors=self._each(element, "actor", path, self._actor),
            purposes=self._mask(element, "purpose", path, self.tables.purposes, {codes.ACT_REASON}),
            categories=self._mask(element, class_element, path, self.tables.categories, {codes.CATEGORY}),
            labels=self._labels(element, path),
            actions=self._actions(element, path),
            data=self._period(element, "dataPeriod", path),
            period=self._period(element, "period", path),
            references=self._each(element, "data", path, self._data),
            children=self._children(element, path, depth),
            modifiers=self._modifiers(element, path),
        )

    def children(self, elements: object, path: str, depth: int) -> tuple[Provision, ...]:
        if not isinstance(elements, list):
            raise FhirConsentMalformed("A list.", field=path)
        if depth == 0:
            raise FhirConsentTooDeep(field=path)
        if len(elements) > MAX_RULES:
            raise FhirConsentTooManyRules(field=path)
        return tuple(self.read(each, f"{path}[{place}]", depth - 1) for place, each in enumerate(elements))

    def _refuse(self, name: str, path: str) -> None:
        """Raise unless the element is the one modifier extension of ours, which exports of R4 have."""
        if name != "modifierExtension" or self.version != "r4":
            raise FhirConsentUnsupported(field=path)

    def _children(self, element: Json, path: str, depth: int) -> tuple[Provision, ...]:
        if "provision" not in element:
            return ()
        return self.children(element["provision"], f"{path}.provision", depth)

    def _modifiers(self, element: Json, path: str) -> tuple[Json, ...]:
        found = element.get("modifierExtension", [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise FhirConsentMalformed("A list of objects.", field=f"{path}.modifierExtension")
        return tuple(found)

    def _type(self, element: Json, path: str) -> bool | None:
        kind = element.get("type")
        if kind is None:
            return None
        if kind not in ("permit", "deny"):
            raise FhirConsentUnknownCode("permit or deny.", field=f"{path}.type")
        return bool(kind == "permit")

    def _period(self, element: Json, name: str, path: str) -> Window | None:
        return from_period(element[name], f"{path}.{name}", self.zone) if name in element else None

    def _each(
        self, element: Json, name: str, path: str, read: Callable[[Json, str], T]
    ) -> tuple[T, ...] | None:
        if name not in element:
            return None
        held = element[name]
        if not isinstance(held, list) or not held:
            raise FhirConsentMalformed("A list with something in it.", field=f"{path}.{name}")
        found = []
        for place, each in enumerate(held):
            where = f"{path}.{name}[{place}]"
            if not isinstance(each, dict):
                raise FhirConsentMalformed("An object.", field=where)
            if "modifierExtension" in each:
                raise FhirConsentUnsupported(field=f"{where}.modifierExtension")
            found.append(read(each, where))
        return tuple(found)

    def _actor(self, actor: Json, path: str) -> MemberId:
        role = actor.get("role")
        if role is not None or self.version == "r4":
            codings = role.get("coding") if isinstance(role, dict) else None
            if not isinstance(codings, list) or not any(
                isinstance(each, dict)
                and each.get("system") == codes.PARTICIPATION
                and each.get("code") == codes.RECIPIENT
                for each in codings
            ):
                raise FhirConsentUnknownCode("An actor is an information recipient.", field=f"{path}.role")
        if "reference" not in actor:
            raise FhirConsentIncomplete("Who it is.", field=f"{path}.reference")
        return self.names.member(actor["reference"], f"{path}.reference")

    def _data(self, data: Json, path: str) -> Bytes32 | None:
        meaning, where = data.get("meaning"), f"{path}.reference"
        if meaning not in _MEANINGS:
            raise FhirConsentUnknownCode(f"One of {', '.join(_MEANINGS)}.", field=f"{path}.meaning")
        if meaning == "dependents":
            return self.names.dependents(data.get("reference"), where)
        if meaning == "instance":
            return self.names.record(data.get("reference"), where)
        return Bytes32(self.names.member(data.get("reference"), where)) if meaning == "authoredby" else None

    def _mask(self, element: Json, name: str, path: str, table: CodeTable, systems: set[str]) -> int | None:
        found = self._each(element, name, path, lambda each, where: self._bit(each, where, table, systems))
        return None if found is None else _union(found)

    def _actions(self, element: Json, path: str) -> int | None:
        systems = {codes.CONSENT_ACTION, codes.ACTION}

        def read(each: Json, where: str) -> int:
            codings = each.get("coding")
            if not isinstance(codings, list) or len(codings) != 1 or not isinstance(codings[0], dict):
                raise FhirConsentUnknownCode("One coding an action.", field=f"{where}.coding")
            return self._bit(codings[0], f"{where}.coding[0]", self.tables.actions, systems)

        found = self._each(element, "action", path, read)
        return None if found is None else _union(found)

    def _labels(self, element: Json, path: str) -> Labels | None:
        def read(each: Json, where: str) -> Labels:
            code = each.get("code")
            if each.get("system") == codes.CONFIDENTIALITY:
                if code not in _LEVELS:
                    raise FhirConsentUnknownCode("A confidentiality from U to V.", field=where)
                return Labels(code, 0)
            systems = {codes.SENSITIVITY if code == codes.UNLABELLED else codes.ACT_CODE}
            return Labels(None, self._bit(each, where, self.tables.sensitivities, systems))

        found = self._each(element, "securityLabel", path, read)
        if found is None:
            return None
        levels = [label.level for label in found if label.level is not None]
        return Labels(max(levels, key=_LEVELS.index, default=None), _union([label.mask for label in found]))

    def _bit(self, coding: Json, path: str, table: CodeTable, systems: set[str]) -> int:
        system, code = coding.get("system"), coding.get("code")
        if not isinstance(system, str) or self.aliases.get(system, system) not in systems:
            raise FhirConsentUnknownCode("Another code system is meant here.", field=f"{path}.system")
        if not isinstance(code, str) or code not in table.bits:
            raise FhirConsentUnknownCode(
                f"Table {table.name} version {table.version} has no such code.", field=f"{path}.code"
            )
        return 1 << table.bits[code]


def _union(masks: Any) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole
