"""The Request object of the XACML 3.0 JSON profile 1.1 (OASIS), with the attributes of LEAP and of XSPA."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.consent.tables import Tables
from backend.interop.decision_requests.claims import Asked, asked
from backend.interop.decision_requests.errors import (
    DecisionClaimMalformed,
    DecisionClaimMissing,
    DecisionClaimUnknown,
)
from backend.records.label_tables import LabelTables

MEDIA_TYPE: Final = "application/xacml+json"
_XACML: Final = "urn:oasis:names:tc:xacml:1.0:"
_XSPA: Final = "urn:oasis:names:tc:xspa:1.0:"
_CATEGORIES: Final[dict[str, dict[str, str]]] = {
    "AccessSubject": {
        "actor": "actor",
        f"{_XACML}subject:subject-id": "actor",
        f"{_XSPA}subject:organization-id": "actor",
        "purposeOfUse": "purposeOfUse",
        f"{_XSPA}subject:purposeofuse": "purposeOfUse",
    },
    "Action": {
        "action": "action",
        f"{_XACML}action:action-id": "action",
        "purposeOfUse": "purposeOfUse",
        "category": "category",
        "scope": "scope",
        "fulfils": "fulfils",
    },
    "Resource": {
        "patientId": "patientId",
        f"{_XACML}resource:resource-id": "patientId",
        "class": "class",
        "securityLabel": "securityLabel",
    },
    "Environment": {},  # the decision is for now, by this service's clock
}
_PLACES: Final = {
    "patientId": "Request.Resource.patientId",
    "class": "Request.Resource.class",
    "securityLabel": "Request.Resource.securityLabel",
    "actor": "Request.AccessSubject.actor",
    "purposeOfUse": "Request.Action.purposeOfUse",
    "action": "Request.Action.action",
    "category": "Request.Action.category",
    "scope": "Request.Action.scope",
    "fulfils": "Request.Action.fulfils",
}
_ATTRIBUTE: Final = frozenset({"AttributeId", "Value", "DataType", "Issuer", "IncludeInResult"})
_CATEGORY: Final = frozenset({"CategoryId", "Id", "Attribute"})


def read_request(body: Mapping[str, object], tables: Tables, labels: LabelTables) -> Asked:
    """Return the question of a request. Raises DecisionClaimMissing, DecisionClaimUnknown and
    DecisionClaimMalformed; a request for several decisions is malformed."""
    request = body.get("Request")
    if request is None:
        raise DecisionClaimMissing(field="Request")
    if not isinstance(request, Mapping):
        raise DecisionClaimMalformed("An object.", field="Request")
    for name in [
        *(body.keys() - {"Request"}),
        *(f"Request.{name!s:.40}" for name in request.keys() - _CATEGORIES),
    ]:
        raise DecisionClaimUnknown(field=str(name)[:60])
    claims: dict[str, Any] = {}
    place = dict(_PLACES)
    for category in _CATEGORIES:
        for name, value, path in _attributes(category, request.get(category, [])):
            if name in claims:
                raise DecisionClaimMalformed("The claim is made twice.", field=path)
            claims[name], place[name] = value, path
    return asked(claims, place, tables, labels)


def _attributes(category: str, given: object) -> Iterator[tuple[str, Any, str]]:
    """Yield (claim, value, path) of one category, which is an object or a list of one."""
    path = f"Request.{category}"
    entries = given if isinstance(given, list) else [given]
    if len(entries) > 1:
        raise DecisionClaimMalformed("One object: ask one question at a time.", field=path)
    for entry in entries:
        if not isinstance(entry, Mapping) or entry.keys() - _CATEGORY:
            raise DecisionClaimMalformed("An object with Attribute.", field=path)
        attributes = entry.get("Attribute", [])
        for attribute in attributes if isinstance(attributes, list) else [attributes]:
            if not isinstance(attribute, Mapping) or attribute.keys() - _ATTRIBUTE:
                raise DecisionClaimMalformed("An AttributeId and a Value.", field=f"{path}.Attribute")
            name = attribute.get("AttributeId")
            if not isinstance(name, str) or name not in _CATEGORIES[category]:
                raise DecisionClaimUnknown(field=f"{path}.{name!s:.80}")
            if "Value" not in attribute:
                raise DecisionClaimMissing(field=f"{path}.{name}")
            yield _CATEGORIES[category][name], attribute["Value"], f"{path}.{name}"
