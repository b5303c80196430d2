"""Definitions that the validator needs besides R4: our extensions, and the constraints of IHE PCF and BALP.

The PCF 1.1.0 profiles are written here from the published list of their constraints, under their own URLs, as
differentials; the validator makes the snapshots. Elements stand in the order of the resource.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.audit.fhir import ENTRY_EXTENSION
from backend.consent.schema import STRUCTS
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.extensions import CONDITION_PARTS, EVIDENCE, MEMBERS, POSITION, RECORD_PARTS
from scripts.hapi import balp

Json = dict[str, Any]
_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_PURPOSES = "urn:assent:test:pcf-basic-purposes"
_LABELS = "urn:assent:test:pcf-advanced-labels"
_RELATED = ("Encounter", "CarePlan", "EpisodeOfCare")
_AUTHORS = (
    *("Practitioner", "PractitionerRole", "Organization", "Device", "Group", "CareTeam", "Patient"),
    "RelatedPerson",
)


def write(folder: Path) -> None:
    """Write every definition into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, definition in enumerate((*_extensions(), *_value_sets(), *_profiles(), *_audit())):
        (folder / f"{number:02d}.json").write_text(json.dumps(definition))


def _extensions() -> Iterator[Json]:
    for url, modifier, parts in (
        (codes.RECORD_EXTENSION, False, (*RECORD_PARTS, *EVIDENCE)),
        (codes.CONDITIONS_EXTENSION, True, CONDITION_PARTS),
    ):
        root: Json = {"id": "Extension", "path": "Extension"}
        if modifier:
            root |= {"isModifier": True, "isModifierReason": "It limits what the consent permits or denies."}
        yield {
            **_definition(url, "Extension", root),
            "context": [
                {"type": "element", "expression": place}
                for place in ("Consent", "Consent.provision.provision")
            ],
            "differential": {
                "element": [
                    root,
                    *_parts("Extension", "Extension", {name: MEMBERS.get(name, "string") for name in parts}),
                    {"id": "Extension.url", "path": "Extension.url", "fixedUri": url},
                    {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"},
                ]
            },
        }


def _parts(place: str, path: str, kinds: dict[str, str]) -> Iterator[Json]:
    """Yield the elements of sub-extensions; the schema of the signed message says what each holds."""
    by_url = {"discriminator": [{"type": "value", "path": "url"}], "rules": "closed"}
    yield {"id": f"{place}.extension", "path": f"{path}.extension", "slicing": by_url, "min": 1}
    for name, kind in kinds.items():
        inner, below, single = f"{place}.extension:{name}", f"{path}.extension", kind.removesuffix("[]")
        most = "1" if single == kind else "*"
        yield {"id": inner, "path": below, "sliceName": name, "min": 0, "max": most}
        if single in STRUCTS:
            members = {member.name: member.type for member in STRUCTS[single]}
            yield from _parts(
                inner, below, {POSITION: "position", **members} if single == "Rule" else members
            )
        else:
            yield {"id": f"{inner}.extension", "path": f"{below}.extension", "max": "0"}
        yield {"id": f"{inner}.url", "path": f"{below}.url", "fixedUri": name}
        value = {"id": f"{inner}.value[x]", "path": f"{below}.value[x]"}
        held = {"bool": "boolean", "position": "unsignedInt"}.get(single, "string")
        yield {**value, "max": "0"} if single in STRUCTS else {**value, "min": 1, "type": [{"code": held}]}


def _audit() -> Iterator[Json]:
    root: Json = {"id": "Extension", "path": "Extension"}
    yield {
        **_definition(ENTRY_EXTENSION, "Extension", root),
        "context": [{"type": "element", "expression": "AuditEvent"}],
        "differential": {"element": [root, *balp.extension_elements()]},
    }
    for url, codes_of_it in balp.CODE_SYSTEMS.items():
        yield {
            "resourceType": "CodeSystem",
            "id": url.rpartition("/")[2],
            "url": url,
            "status": "active",
            "content": "complete",
            "caseSensitive": True,
            "concept": [{"code": code} for code in codes_of_it],
        }
    for url, systems in balp.VALUE_SETS.items():
        yield {**_value_set(url, systems), "id": url.rpartition("/")[2]}
    whole: Json = {"id": "AuditEvent", "path": "AuditEvent"}
    for url, elements in balp.profiles():
        definition = _definition(url, "AuditEvent", whole)
        yield {**definition, "differential": {"element": [whole, *elements]}}


def _value_sets() -> Iterator[Json]:
    yield _value_set(_PURPOSES, {codes.ACT_REASON: codes.BASIC_PURPOSES})
    yield _value_set(_LABELS, {codes.CONFIDENTIALITY: ("R", "N"), codes.ACT_CODE: codes.ADVANCED_LABELS})


def _value_set(url: str, systems: Mapping[str, tuple[str, ...]]) -> Json:
    include = [
        {"system": system, "concept": [{"code": code} for code in named]} for system, named in systems.items()
    ]
    return {
        "resourceType": "ValueSet",
        "id": url.rpartition(":")[2],
        "url": url,
        "status": "active",
        "compose": {"include": include},
    }


def _profiles() -> Iterator[Json]:
    forbidden = {
        "Basic": ("securityLabel", "dataPeriod", "data", "provision"),
        "Intermediate": ("securityLabel",),
        "Advanced": (),
    }
    for level, names in forbidden.items():
        definition = _definition(codes.PCF + level, "Consent", {"id": "Consent", "path": "Consent"})
        provision = _provision(level, frozenset(names))
        elements = [{"id": "Consent", "path": "Consent"}, *_outside(), *provision]
        yield {**definition, "differential": {"element": elements}}


def _outside() -> Iterator[Json]:
    scope = {"coding": [{"system": codes.CONSENT_SCOPE, "code": codes.PRIVACY_SCOPE}]}
    yield _element("scope", patternCodeableConcept=scope)
    for name in ("category", "patient", "dateTime", "performer", "organization", "source[x]"):
        yield _element(name, min=1)
    yield _element("policy.authority", max="0")
    yield _element("policy.uri", min=1)
    yield _element("policyRule", max="0")
    yield _element("verification", max="0")


def _provision(level: str, forbidden: frozenset[str]) -> Iterator[Json]:
    """Yield the elements of the base provision in their order in R4."""
    yield _element("provision.type", min=1)
    role = {"coding": [{"system": codes.PARTICIPATION, "code": codes.RECIPIENT}]}
    yield _element("provision.actor.role", patternCodeableConcept=role)
    yield _element("provision.action", max="0")
    labels: Json = {"binding": {"strength": "required", "valueSet": _LABELS}}
    if level == "Advanced":
        yield _element("provision.securityLabel", **labels)
    if "securityLabel" in forbidden:
        yield _element("provision.securityLabel", max="0")
    if level == "Basic":
        yield _element("provision.purpose", binding={"strength": "required", "valueSet": _PURPOSES})
    yield _element("provision.class", max="0")
    yield _element("provision.code", max="0")
    for name in ("dataPeriod", "data"):
        if name in forbidden:
            yield _element(f"provision.{name}", max="0")
    if level == "Intermediate":
        yield from _slices("provision.data", "*")
    if "provision" in forbidden:
        yield _element("provision.provision", max="0")
        return
    if level == "Advanced":
        yield _element("provision.provision.securityLabel", **labels)
    if level == "Intermediate":
        yield from _slices("provision.provision.data", "1")
    yield _element("provision.provision.provision", max="0")


def _slices(path: str, most: str) -> Iterator[Json]:
    by_meaning = {"discriminator": [{"type": "value", "path": "meaning"}], "rules": "closed"}
    yield _element(path, slicing=by_meaning)
    for name, meaning, types in (
        ("i", "instance", ()),
        ("r", "related", _RELATED),
        ("a", "authoredby", _AUTHORS),
    ):
        yield _element(path, sliced=name, sliceName=name, min=0, max=most)
        yield _element(f"{path}.meaning", sliced=name, of=path, patternCode=meaning)
        if types:
            reference = {"code": "Reference", "targetProfile": [_FHIR + each for each in types]}
            yield _element(f"{path}.reference", sliced=name, of=path, type=[reference])


def _element(path: str, *, sliced: str = "", of: str = "", **constraints: Any) -> Json:
    whole = f"Consent.{path}"
    place = f"Consent.{of or path}"
    name = whole if not sliced else whole.replace(place, f"{place}:{sliced}", 1)
    return {"id": name, "path": whole, **constraints}


def _definition(url: str, kind: str, root: Json) -> Json:
    return {
        "resourceType": "StructureDefinition",
        "id": url.rpartition("/")[2].rpartition(":")[2],
        "url": url,
        "name": url.rpartition("/")[2].rpartition(":")[2].replace(".", "").replace("-", ""),
        "status": "active",
        "fhirVersion": "4.0.1",
        "kind": "complex-type" if kind == "Extension" else "resource",
        "abstract": False,
        "type": kind,
        "baseDefinition": _FHIR + kind,
        "derivation": "constraint",
        "differential": {"element": [root]},
    }
