"""The constraints of IHE BALP 1.1.4 on AuditEvent, and our extension of it, as StructureDefinitions.

Written here from the published profiles, under their own URLs, as differentials of R4 itself;
elements stand in the order of the resource. Left out: what is only short text or must-support.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.audit.fhir import ENTRY_EXTENSION
from backend.audit.fhir_patterns import BALP

Json = dict[str, Any]
_FHIR: Final = "http://hl7.org/fhir/StructureDefinition/"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY: Final = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE: Final = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_RESTFUL: Final = "http://hl7.org/fhir/restful-interaction"
_VALUE_SET: Final = "https://profiles.ihe.net/ITI/BALP/ValueSet/"
_AUTHZ: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"

_CLIENT_GIVES: Final = ((_DCM, "110153"), (_DCM, "110152"))  # codes of client and server
_CLIENT_GETS: Final = ((_DCM, "110152"), (_DCM, "110153"))
_CLIENT_ENDS: Final = (
    (_DCM, "110150"),
    ("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian"),
)
_RECIPIENT: Final[Json] = {"patternCodeableConcept": {"coding": [{"system": _PARTICIPATION, "code": "IRCP"}]}}
_AUTHORS: Final[Json] = {"binding": {"strength": "required", "valueSet": f"{_VALUE_SET}DataSources"}}

VALUE_SETS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    f"{_VALUE_SET}DataSources": {_PARTICIPATION: ("AUT", "INF", "CST")},
    f"{_VALUE_SET}RestObjectRoles": {_ROLE: ("4", "3", "20")},
    f"{_VALUE_SET}AllSearchVS": {_RESTFUL: ("search", "search-type", "search-system")},
    f"{_VALUE_SET}AuthZsubTypeVS": {_AUTHZ: ("AuthZ-Consent", "AuthZ-Role")},
}
CODE_SYSTEMS: Final = {
    _AUTHZ: ("AuthZ-Consent", "AuthZ-Role"),
    "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType": ("XrequestId",),
}
ENTRY_PARTS: Final = (
    *("log", "index", "leafHash", "type", "outcome", "action", "reason", "finalBlock", "headBlock"),
    *("queuePosition", "obligations", "group"),
)
_MANY: Final = frozenset({"reason", "group", "detail"})


def profiles() -> Iterator[tuple[str, list[Json]]]:
    """Yield the URL and the differential of each profile that we claim."""
    for name, action, subtypes, (client, server), user in (
        ("Read", "R", ("read", "vread"), _CLIENT_GETS, _RECIPIENT),
        ("Create", "C", ("create",), _CLIENT_GIVES, _AUTHORS),
        ("Update", "U", ("update", "patch"), _CLIENT_GIVES, _AUTHORS),
        ("Delete", "D", ("delete",), _CLIENT_ENDS, _AUTHORS),
        ("Query", "E", ("search",), _CLIENT_GIVES, _RECIPIENT),
    ):
        for patient in (False, True):
            elements = [
                *_restful(action, subtypes, least=int(name in ("Create", "Delete", "Query"))),
                *_agents(client, server, user),
                *_entities(_query() if name == "Query" else _data(), patient=patient),
            ]
            yield f"{BALP}{'Patient' if patient else ''}{name}", elements
    yield f"{BALP}AuthZconsent", list(_decision())
    yield f"{BALP}PrivacyDisclosure.Source", list(_disclosure())


def extension_elements() -> Iterator[Json]:
    """Yield the differential of our extension: each part once but for reasons and details, all text."""
    by_url = {"discriminator": [{"type": "value", "path": "url"}], "rules": "closed"}
    yield {"id": "Extension.extension", "path": "Extension.extension", "slicing": by_url, "min": 3}
    for name in ENTRY_PARTS:
        least = 1 if name in ("log", "index", "leafHash", "type", "outcome") else 0
        most = "*" if name in _MANY else "1"
        yield from _part("Extension.extension", "Extension.extension", name, least, most)
    inner = "Extension.extension:detail"
    yield {"id": inner, "path": "Extension.extension", "sliceName": "detail", "min": 0, "max": "*"}
    below = "Extension.extension.extension"
    yield {"id": f"{inner}.extension", "path": below, "slicing": by_url, "min": 2}
    for name in ("name", "value"):
        yield from _part(f"{inner}.extension", below, name, 1, "1")
    yield {"id": f"{inner}.url", "path": "Extension.extension.url", "fixedUri": "detail"}
    yield {"id": f"{inner}.value[x]", "path": "Extension.extension.value[x]", "max": "0"}
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": ENTRY_EXTENSION}
    yield {"id": "Extension.value[x]", "path": "Extension.value[x]", "max": "0"}


def _part(place: str, path: str, name: str, least: int, most: str) -> Iterator[Json]:
    sliced = f"{place}:{name}"
    yield {"id": sliced, "path": path, "sliceName": name, "min": least, "max": most}
    yield {"id": f"{sliced}.extension", "path": f"{path}.extension", "max": "0"}
    yield {"id": f"{sliced}.url", "path": f"{path}.url", "fixedUri": name}
    value = {"id": f"{sliced}.value[x]", "path": f"{path}.value[x]"}
    yield {**value, "min": 1, "type": [{"code": "string"}]}


# --- the profiles ------------------------------------------------------------------------------------------


def _restful(action: str, subtypes: tuple[str, ...], *, least: int) -> Iterator[Json]:
    rest = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
    yield _element("type", patternCoding=rest)
    by_value = {"discriminator": [{"type": "value", "path": "$this"}], "rules": "open"}
    yield _element("subtype", slicing=by_value, min=1)
    for code in subtypes:
        yield _slice("subtype", code, least, "1", **_subtype(code))
    yield _element("action", patternCode=action)
    yield _element("outcome", min=1, patternCode="0")


def _subtype(code: str) -> Json:
    if code == "search":  # any of the codes of searching
        return {"binding": {"strength": "required", "valueSet": f"{_VALUE_SET}AllSearchVS"}}
    return {"patternCoding": {"system": _RESTFUL, "code": code}}


def _agents(client: tuple[str, str], server: tuple[str, str], user: Json) -> Iterator[Json]:
    yield _element("agent", slicing=_by_type("open"), min=2)
    for name, code in (("client", client), ("server", server)):
        yield _slice("agent", name, 1, "1")
        yield _of("agent", name, "type", min=1, **_concept(code))
        yield _of("agent", name, "who", min=1)
        yield _of("agent", name, "media", max="0")
        yield _of("agent", name, "network", min=1)
    yield _slice("agent", "user", 0, "1")
    yield _of("agent", "user", "type", min=1, **user)
    yield _of("agent", "user", "who", min=1)
    yield _of("agent", "user", "requestor", patternBoolean=True)
    yield _of("agent", "user", "media", max="0")
    yield _of("agent", "user", "network", max="0")


def _entities(own: Iterator[Json], *, patient: bool) -> Iterator[Json]:
    yield _element("entity", slicing=_by_type("open"), min=2 if patient else 1)
    yield from own
    if patient:
        yield from _patient()


def _data() -> Iterator[Json]:
    yield _slice("entity", "data", 1, "1")
    yield _of("entity", "data", "what", min=1)
    yield _of("entity", "data", "type", min=1, patternCoding={"system": _ENTITY, "code": "2"})
    roles = {"strength": "required", "valueSet": f"{_VALUE_SET}RestObjectRoles"}
    yield _of("entity", "data", "role", min=1, binding=roles)


def _query() -> Iterator[Json]:
    yield _slice("entity", "query", 1, "1")
    yield _of("entity", "query", "what", max="0")
    yield _of("entity", "query", "type", min=1, patternCoding={"system": _ENTITY, "code": "2"})
    yield _of("entity", "query", "role", min=1, patternCoding={"system": _ROLE, "code": "24"})
    yield _of("entity", "query", "lifecycle", max="0")
    yield _of("entity", "query", "query", min=1)
    yield _of("entity", "query", "detail", max="0")


def _patient() -> Iterator[Json]:
    yield _slice("entity", "patient", 1, "1")
    reference = {"code": "Reference", "targetProfile": [f"{_FHIR}Patient"]}
    yield _of("entity", "patient", "what", min=1, type=[reference])
    yield _of("entity", "patient", "type", min=1, patternCoding={"system": _ENTITY, "code": "1"})
    yield _of("entity", "patient", "role", min=1, patternCoding={"system": _ROLE, "code": "1"})


def _decision() -> Iterator[Json]:
    yield _element("modifierExtension", max="0")
    yield _element("type", patternCoding={"system": _DCM, "code": "110113"})
    yield _element(
        "subtype", min=1, binding={"strength": "required", "valueSet": f"{_VALUE_SET}AuthZsubTypeVS"}
    )
    yield _element("action", patternCode="E")
    yield _element("outcome", min=1)
    yield _element("agent", slicing=_by_type("open"), min=4)
    role_class = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
    security_role = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
    everything = ("role", "altId", "name", "location", "policy", "media", "network", "purposeOfUse")
    for name, code, requestor, kept in (
        ("client", (_DCM, "110150"), None, ("policy", "network")),
        ("user", (_PARTICIPATION, "IRCP"), True, ("role", "name", "policy", "purposeOfUse")),
        ("userorg", (role_class, "PROV"), False, ("purposeOfUse",)),
        ("authorizer", (security_role, "authserver"), False, ()),
    ):
        constraint = {"constraint": [_same_as_source()]} if name == "authorizer" else {}
        yield _slice("agent", name, 1, "1", **constraint)
        order = ("type", "role", "who", "altId", "name", "requestor", "location", "policy", "media")
        for part in (*order, "network", "purposeOfUse"):
            if part == "type":
                yield _of("agent", name, part, min=1, **_concept(code))
            elif part == "who" or (part == "network" and name == "client"):
                yield _of("agent", name, part, min=1)
            elif part == "requestor" and requestor is not None:
                yield _of("agent", name, part, patternBoolean=requestor)
            elif part in everything and part not in kept:
                yield _of("agent", name, part, max="0")
    yield _element("entity", slicing=_by_type("closed"), min=2)
    yield from _patient()
    yield _slice("entity", "consent", 1, "*")
    yield _of("entity", "consent", "what", min=1)
    kind = {"system": "http://hl7.org/fhir/resource-types", "code": "Consent"}
    yield _of("entity", "consent", "type", min=1, patternCoding=kind)


def _disclosure() -> Iterator[Json]:
    yield _element("modifierExtension", max="0")
    yield _element("type", patternCoding={"system": _DCM, "code": "110106"})
    by_value = {"discriminator": [{"type": "value", "path": "$this"}], "rules": "open"}
    disclose = {"system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "disclose"}
    yield _element("subtype", slicing=by_value, min=1)
    yield _slice("subtype", "disclosure", 1, "1", patternCoding=disclose)
    yield _element("action", patternCode="R")
    yield _element("outcome", min=1)
    yield _element("agent", slicing=_by_type("open"), min=2)
    for name, code in (("source", "110153"), ("recipient", "110152")):
        constraint = {"constraint": [_same_as_source()]} if name == "source" else {}
        yield _slice("agent", name, 1, "1", **constraint)
        yield _of("agent", name, "type", min=1, **_concept((_DCM, code)))
        yield _of("agent", name, "who", min=1)
        yield _of("agent", name, "network", min=1)
    yield _element("entity", slicing=_by_type("open"), min=2)
    yield from _patient()


def _same_as_source() -> Json:
    return {
        "key": "val-audit-source",
        "severity": "error",
        "human": "The Audit Source is this agent too.",
        "expression": "$this.who = %resource.source.observer",
    }


def _by_type(rules: str) -> Json:
    return {"discriminator": [{"type": "value", "path": "type"}], "rules": rules}


def _concept(code: tuple[str, str]) -> Json:
    return {"patternCodeableConcept": {"coding": [{"system": code[0], "code": code[1]}]}}


def _element(path: str, **constraints: Any) -> Json:
    return {"id": f"AuditEvent.{path}", "path": f"AuditEvent.{path}", **constraints}


def _slice(path: str, name: str, least: int, most: str, **constraints: Any) -> Json:
    made = {"id": f"AuditEvent.{path}:{name}", "path": f"AuditEvent.{path}", "sliceName": name}
    return {**made, "min": least, "max": most, **constraints}


def _of(path: str, name: str, part: str, **constraints: Any) -> Json:
    return {"id": f"AuditEvent.{path}:{name}.{part}", "path": f"AuditEvent.{path}.{part}", **constraints}
