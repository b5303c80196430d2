"""Validation of a FHIR R4 bundle: well-formed, within bounds, conforming, and about exactly one patient.

The classes are those of ``fhir.resources`` for R4B (4.3.0). R4B keeps R4's (4.0.1) clinical and
administrative resources as they are and replaces medicinal-product and evidence resources; a bundle with one
of the few types that only R4 had is refused by name. What the classes do not check is checked here: a null
member, an entry without resource, duplicate identities, and whom each resource is about.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fhir.resources.R4B import get_fhir_model_class

from backend.errors import InvalidInput
from backend.records.fhir_bundle import Bundle, Resource, names_of
from backend.records.fhir_errors import (
    BundleWithoutPatient,
    DuplicateResource,
    EntryWithoutResource,
    FhirInvalid,
    NotABundle,
    UnknownResourceType,
)
from backend.records.fhir_json import JsonObject, Limits, decode_text, read_bundle, read_object
from backend.records.fhir_subject import find_references, require_one_patient

BUNDLE_TYPES = frozenset({"transaction", "batch", "collection", "document", "searchset"})
_LONGEST_ELEMENT_NAME = 64


def validate_bundle(raw: bytes, limits: Limits | None = None) -> Bundle:
    """Read and check a bundle that is to be stored.

    :raises backend.errors.InvalidInput: one of the classes of ``fhir_errors``, with the dotted path of the
        element at fault in ``field`` where there is one, and nothing of the document in the message.
    """
    bundle = conforming_bundle(raw, limits)
    if not any(resource.type == "Patient" for resource in bundle.resources):
        raise BundleWithoutPatient
    require_one_patient(bundle)
    return bundle


def conforming_document(raw: bytes, limits: Limits | None = None) -> Bundle:
    """Read and check a bundle, or one resource, whoever it is about: to be labelled, not to be stored.

    A resource is returned as a bundle of one. Raises as ``validate_bundle`` does.
    """
    content = read_object(raw, limits or Limits())
    kind = content.get("resourceType")
    if kind == "Bundle":
        return conforming_bundle(raw, limits)
    if not isinstance(kind, str):
        raise FhirInvalid(field="resourceType")
    _conform(kind, content, "")
    names = names_of(None, content)
    resource = Resource(0, kind, None, names, decode_text(raw), content, find_references(content, kind))
    return Bundle("collection", {}, (resource,))


def conforming_bundle(raw: bytes, limits: Limits | None = None) -> Bundle:
    """Read and check a bundle, whoever it is about. Raises as ``validate_bundle`` does."""
    source = read_bundle(raw, limits or Limits())
    head = source.head
    if head.get("resourceType") != "Bundle":
        raise NotABundle(field="resourceType")
    if not isinstance(head.get("type"), str) or head["type"] not in BUNDLE_TYPES:
        raise NotABundle(field="type")
    _conform("Bundle", head | {"entry": [_without_resource(e.members) for e in source.entries]}, "")
    resources: list[Resource] = []
    for index, entry in enumerate(source.entries):
        path = f"entry[{index}].resource"
        content = entry.members.get("resource")
        if content is None:
            raise EntryWithoutResource(field=f"entry[{index}]")
        if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
            raise FhirInvalid(field=f"{path}.resourceType")
        _conform(content["resourceType"], content, path)
        full_url = entry.members.get("fullUrl")
        resources.append(
            Resource(
                index,
                content["resourceType"],
                full_url,
                names_of(full_url, content),
                entry.resource_text,
                content,
                find_references(content, path),
            )
        )
    _require_distinct(tuple(resources))
    return Bundle(head["type"], head, tuple(resources))


def _without_resource(members: JsonObject) -> JsonObject:
    # The resources are validated one by one, for paths that say which; here only what surrounds them.
    return {key: value for key, value in members.items() if key != "resource"}


def _require_distinct(resources: tuple[Resource, ...]) -> None:
    seen: set[str] = set()
    for resource in resources:
        if not seen.isdisjoint(resource.names):
            raise DuplicateResource(field=f"entry[{resource.index}]")
        seen.update(resource.names)


def _conform(kind: str, content: JsonObject, path: str) -> None:
    """Validate one resource against its class and turn the library's findings into ours."""
    model = _model(kind)
    if model is None:
        raise UnknownResourceType(field=f"{path}.resourceType" if path else "resourceType")
    try:
        model.model_validate(content)
    except KeyError:  # a contained or nested resource of a type the library does not know
        raise UnknownResourceType(field=path or None) from None
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        raise FhirInvalid(field=_path_of(error, path)) from None


def conforms(content: JsonObject) -> bool:
    """Whether this is one valid resource."""
    try:
        _conform(content["resourceType"], content, "")
    except InvalidInput:
        return False
    return True


@cache
def _known_model(kind: str) -> Any | None:
    model = get_fhir_model_class(kind)
    bases = {base.__name__ for base in model.__mro__}
    return model if "Resource" in bases and kind not in {"Resource", "DomainResource"} else None


def _model(kind: str) -> Any | None:
    """Return the class of a resource type; data types and abstract types are not resources."""
    try:
        return _known_model(kind)
    except (KeyError, ValueError, AttributeError):  # not cached: what a stranger sends must not fill memory
        return None


def _path_of(error: Exception, prefix: str) -> str | None:
    """Return the first finding's place as ``entry[3].resource.code``; never an unknown member's name."""
    findings = getattr(error, "errors", None)
    if not callable(findings):
        return prefix or None
    finding: dict[str, Any] = findings(include_input=False, include_url=False, include_context=False)[0]
    location = finding["loc"][:-1] if finding["type"] == "extra_forbidden" else finding["loc"]
    path = prefix
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and len(part) <= _LONGEST_ELEMENT_NAME:
            path += f".{part}" if path else part
    return path or None
