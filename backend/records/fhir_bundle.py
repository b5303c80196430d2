"""A validated FHIR bundle as the rest of the program sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from backend.records.fhir_json import JsonObject


@dataclass(frozen=True, slots=True)
class References:
    """What a resource points at and holds, at any depth.

    ``outward``: (element name, Reference) pairs, and every element that says whom the resource is about.
    ``inner``: (local reference, type) of the resources inside it.
    """

    outward: tuple[tuple[str, JsonObject], ...]
    inner: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of a bundle.

    ``text`` is the source's own JSON text. ``names`` are the reference strings that lead to the resource
    inside the bundle: its fullUrl, and ``Type/id``.
    """

    index: int
    type: str
    full_url: str | None
    names: tuple[str, ...]
    text: str
    content: JsonObject
    references: References


@dataclass(frozen=True)
class Bundle:
    """A validated bundle. Not slotted: the lookup tables below are computed once, when first asked for."""

    type: str
    head: JsonObject
    resources: tuple[Resource, ...]

    @cached_property
    def by_name(self) -> dict[str, Resource]:
        return {name: resource for resource in self.resources for name in resource.names}

    @cached_property
    def patient(self) -> Resource:
        return next(resource for resource in self.resources if resource.type == "Patient")

    @property
    def patient_identifiers(self) -> frozenset[tuple[str, str]]:
        """(system, value) of each identifier of the Patient; personal data, never to be logged."""
        return frozenset(
            (item.get("system", ""), item["value"])
            for item in self.patient.content.get("identifier", ())
            if "value" in item
        )

    def resolve(self, reference: str) -> Resource | None:
        """Return the resource of this bundle that a reference leads to, whichever version it names."""
        return self.by_name.get(reference.partition("/_history/")[0])


def names_of(full_url: str | None, content: JsonObject) -> tuple[str, ...]:
    """Return the reference strings that lead to a resource (FHIR R4, Bundle, "Resolving references")."""
    names = [full_url] if full_url else []
    if "id" in content and f"{content['resourceType']}/{content['id']}" not in names:
        names.append(f"{content['resourceType']}/{content['id']}")
    return tuple(names)


def target_type(reference: str, stated: str | None = None) -> str | None:
    """Return the resource type that a reference names (``Type/id``, a URL ending so, ``Type?query``)."""
    path = reference.partition("/_history/")[0].partition("?")
    parts = path[0].split("/")
    if path[1]:
        return parts[-1]
    return parts[-2] if len(parts) > 1 and parts[-2][:1].isupper() else stated
