"""The outside of a Consent: which version it is, whose, whether in force, and which profile it claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.errors import (
    FhirConsentContradiction,
    FhirConsentIncomplete,
    FhirConsentMalformed,
    FhirConsentNotActive,
    FhirConsentProfile,
    FhirConsentUnsupported,
)
from backend.interop.fhir_consent.frame import Version
from backend.interop.fhir_consent.names import Names

MAX_DEPTH: Final = 32  # of JSON
_DOMAIN: Final = frozenset(
    ("resourceType", "id", "meta", "language", "text", "contained", "extension", "modifierExtension")
)
_BOTH: Final = _DOMAIN | {"identifier", "status", "category", "provision", "verification"}
_ELEMENTS: Final[dict[Version, frozenset[str]]] = {
    "r4": _BOTH
    | {"scope", "patient", "dateTime", "performer", "organization", "sourceAttachment", "sourceReference"}
    | {"policy", "policyRule"},
    "r5": _BOTH
    | {"subject", "date", "period", "grantor", "grantee", "manager", "controller", "sourceAttachment"}
    | {"sourceReference", "regulatoryBasis", "policyBasis", "policyText", "decision"},
}
_IN_FORCE: Final = ("active", "draft", "proposed")
_REFUSED: Final = ("rejected", "not-done")
# IHE PCF 1.1.0: what every profile forbids, and what the lower ones do.
_PCF_FORBIDS: Final = ("policyRule", "verification")
_PCF_NEEDS: Final = ("category", "patient", "dateTime", "performer", "organization", "policy", "provision")
_PROVISION_FORBIDS: Final = {
    "Basic": ("action", "class", "code", "securityLabel", "dataPeriod", "data", "provision"),
    "Intermediate": ("action", "class", "code", "securityLabel"),
    "Advanced": ("action", "class", "code"),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """A Consent whose outside was checked. ``conditions`` and ``record`` are extensions of ours, if any."""

    version: Version
    content: Json
    record: Json | None
    conditions: Json | None
    foreign_extensions: tuple[Json, ...]


def open_resource(resource: object, names: Names) -> Envelope:
    """Return the Consent if it can be read at all. Raises errors of this package."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Consent":
        raise FhirConsentMalformed("Not a Consent resource.", field="resourceType")
    _check_json(resource, "Consent", 0)
    version = _version(resource)
    for name in resource:
        if name not in _ELEMENTS[version]:
            raise FhirConsentUnsupported(field=f"Consent.{name!s:.40}")
    patient = "patient" if version == "r4" else "subject"
    names.check_patient(resource[patient], f"Consent.{patient}")
    extensions = _extensions(resource, "extension")
    modifiers = _extensions(resource, "modifierExtension")
    for place, modifier in enumerate(modifiers):
        if modifier.get("url") != codes.CONDITIONS_EXTENSION or place:
            raise FhirConsentUnsupported(field=f"Consent.modifierExtension[{place}]")
    records = [each for each in extensions if each.get("url") == codes.RECORD_EXTENSION]
    if len(records) > 1 or (modifiers and not records):
        raise FhirConsentMalformed("One extension of ours of each kind.", field="Consent.extension")
    _check_status(resource, ours=bool(records))
    if version == "r4":
        _check_scope(resource)
        _check_profile(resource)
    return Envelope(
        version=version,
        content=resource,
        record=records[0] if records else None,
        conditions=modifiers[0] if modifiers else None,
        foreign_extensions=tuple(each for each in extensions if each not in records),
    )


def _version(resource: Json) -> Version:
    r4, r5 = "patient" in resource, "subject" in resource
    if r4 and r5:
        raise FhirConsentContradiction("Elements of R4 and of R5.", field="Consent.subject")
    if not r4 and not r5:
        raise FhirConsentIncomplete("Whose consent it is.", field="Consent.patient")
    return "r4" if r4 else "r5"


def _check_status(resource: Json, *, ours: bool) -> None:
    status = resource.get("status")
    if status is None:
        raise FhirConsentIncomplete(field="Consent.status")
    # A foreign refusal says no to something that was asked; nothing can be drafted from it.
    if status not in _IN_FORCE and not (ours and status in (*_REFUSED, "inactive")):
        raise FhirConsentNotActive(field="Consent.status")


def _check_scope(resource: Json) -> None:
    scope = resource.get("scope")
    if scope is None:
        raise FhirConsentIncomplete(field="Consent.scope")
    codings = scope.get("coding") if isinstance(scope, dict) else None
    if not isinstance(codings, list) or not any(
        isinstance(each, dict)
        and each.get("system") == codes.CONSENT_SCOPE
        and each.get("code") == codes.PRIVACY_SCOPE
        for each in codings
    ):
        raise FhirConsentUnsupported("A consent about privacy.", field="Consent.scope")


def _check_profile(resource: Json) -> None:
    meta = resource.get("meta", {})
    profiles = meta.get("profile", []) if isinstance(meta, dict) else None
    if not isinstance(profiles, list):
        raise FhirConsentMalformed("A list of URLs.", field="Consent.meta.profile")
    for profile in profiles:
        level = str(profile).partition("|")[0].removeprefix(codes.PCF)
        if level in _PROVISION_FORBIDS:
            _check_level(resource, level)


def _check_level(resource: Json, level: str) -> None:
    for name in _PCF_FORBIDS:
        if name in resource:
            raise FhirConsentProfile(field=f"Consent.{name}")
    for name in _PCF_NEEDS:
        if name not in resource:
            raise FhirConsentIncomplete(field=f"Consent.{name}")
    if "sourceReference" not in resource and "sourceAttachment" not in resource:
        raise FhirConsentIncomplete(field="Consent.source[x]")
    _check_provision(resource["provision"], level, "Consent.provision")


def _check_provision(provision: object, level: str, path: str) -> None:
    if not isinstance(provision, dict):
        raise FhirConsentMalformed("An object.", field=path)
    if "type" not in provision and path == "Consent.provision":
        raise FhirConsentIncomplete(field=f"{path}.type")
    for name in _PROVISION_FORBIDS[level]:
        if name in provision:
            raise FhirConsentProfile(field=f"{path}.{name}")
    inner = provision.get("provision", [])
    if isinstance(inner, list):
        for place, each in enumerate(inner):
            _check_provision(each, level, f"{path}.provision[{place}]")


def _extensions(resource: Json, name: str) -> list[Json]:
    held = resource.get(name, [])
    if not isinstance(held, list) or not all(isinstance(each, dict) for each in held):
        raise FhirConsentMalformed("A list of extensions.", field=f"Consent.{name}")
    return held


def _check_json(value: Any, path: str, depth: int) -> None:
    """Refuse what FHIR JSON does not have: an empty list could else pass for an absent one."""
    if depth > MAX_DEPTH:
        raise FhirConsentMalformed("Too many levels.", field=path[:200])
    if value is None or value in ([], {}, ""):
        raise FhirConsentMalformed("Nothing is empty or null in FHIR.", field=path)
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise FhirConsentMalformed("A lone surrogate is no character.", field=path)
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_json(inner, f"{path}.{name!s:.40}", depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            _check_json(inner, f"{path}[{place}]", depth + 1)
