"""Whom a bundle is about: exactly one patient, and every resource in it about that one."""

from __future__ import annotations

from collections.abc import Collection

from backend.records.fhir_bundle import Bundle, References, Resource, target_type
from backend.records.fhir_errors import BundleOfAnotherPatient, FhirInvalid
from backend.records.fhir_json import JsonObject

# The elements by which FHIR R4 resources say whom they are about (the patient compartment's main parameters).
SUBJECT_ELEMENTS = frozenset({"subject", "patient", "beneficiary"})
_NEVER_ONE_PERSON = frozenset({"Patient", "Group", "Person"})


def find_references(content: JsonObject, path: str) -> References:
    """Return the references of a resource and the resources inside it, at any depth.

    :raises FhirInvalid: a member is null; FHIR JSON knows null only inside lists (R4, JSON, "Primitives").
    """
    found: list[tuple[str, JsonObject]] = []
    inner: list[tuple[str, str]] = []
    _collect(content, path, found, inner)
    return References(tuple(found), tuple(inner))


def _collect(
    node: JsonObject, path: str, found: list[tuple[str, JsonObject]], inner: list[tuple[str, str]]
) -> None:
    for key, value in node.items():
        kind = type(value)
        if kind is dict or kind is list:
            for item in value if kind is list else (value,):
                if type(item) is dict:
                    if type(item.get("reference")) is str or (
                        key in SUBJECT_ELEMENTS and "reference" not in item
                    ):
                        found.append((key, item))
                    if type(item.get("resourceType")) is str:
                        inner.append((f"#{item.get('id', '')}", item["resourceType"]))
                    _collect(item, path, found, inner)
        elif value is None:
            raise FhirInvalid(field=f"{path}.{key}" if key.isidentifier() else path)


def require_one_patient(bundle: Bundle) -> None:
    """Refuse a bundle unless it holds one Patient and all of it is about that Patient.

    A subject that is a device, a place or an organisation of the same bundle is allowed; a group, another
    person, a contained Patient, or a reference that leads nowhere is not: nobody could say whose data it is.

    :raises BundleOfAnotherPatient: with the resource and the element in ``field``.
    """
    for resource in bundle.resources:
        if resource is not bundle.patient and resource.type in {"Patient", "Person"}:
            raise BundleOfAnotherPatient(field=f"entry[{resource.index}].resource")
        inner = dict(resource.references.inner)
        if _NEVER_ONE_PERSON & set(inner.values()):
            raise BundleOfAnotherPatient(field=f"entry[{resource.index}].resource.contained")
        for element, reference in resource.references.outward:
            if not _may_point_there(bundle, resource, element, reference, inner):
                raise BundleOfAnotherPatient(field=f"entry[{resource.index}].resource.{element}")


def _may_point_there(
    bundle: Bundle, resource: Resource, element: str, reference: JsonObject, inner: dict[str, str]
) -> bool:
    says_about_whom = element in SUBJECT_ELEMENTS
    text = reference.get("reference")
    if type(text) is not str:
        return not says_about_whom or _identifies(bundle, reference)
    if text.startswith("#"):
        return not says_about_whom or text in inner or (text == "#" and resource is bundle.patient)
    target = bundle.resolve(text)
    if target is not None:
        return target is bundle.patient or not says_about_whom or target.type not in _NEVER_ONE_PERSON
    return not says_about_whom and target_type(text, reference.get("type")) not in {"Patient", "Person"}


def _identifies(bundle: Bundle, reference: JsonObject) -> bool:
    """Tell whether a Reference without address names the Patient by one of the Patient's own identifiers."""
    identifier = reference.get("identifier") or {}
    return (identifier.get("system", ""), identifier.get("value")) in bundle.patient_identifiers


def require_patient_identifier(bundle: Bundle, known: Collection[tuple[str, str]]) -> None:
    """Refuse a bundle whose Patient shares no (system, value) identifier with the person it is stored for.

    :raises BundleOfAnotherPatient: no identifier in common.
    """
    if bundle.patient_identifiers.isdisjoint(known):
        raise BundleOfAnotherPatient(field=f"entry[{bundle.patient.index}].resource.identifier")
