"""De-identified FHIR R4: a copy of resources without what tells who the patient is.

After the Safe Harbor method (45 CFR 164.514(b)(2)), made stricter so that it needs no list of what
identifies: only what is named here stays, everything else goes, above all every text written by people. What
stays:

- codes: a Coding's system and code, with the display of the terminologies in ``_TERMINOLOGIES``; elements of
  FHIR type ``code`` whose names are in ``_CODES``; booleans and numbers, but for geographic coordinates
- quantities; ages over 89 become 90
- dates as their year; a birth date 90 years ago or more as the year 90 years ago
- ids and references inside the copy, under new names drawn for this copy

Narratives, names, addresses, telecom, identifiers, notes, attachments, extensions and metadata go. A
resource that would not be valid FHIR without them goes whole, and so does one with a modifier extension:
without it the rest might say the opposite. Free text hidden in a code is not looked for: a code of
more than 64 characters or with white space is not one.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from typing import Any, Final

from backend.records.fhir import conforms
from backend.records.fhir_bundle import names_of
from backend.records.fhir_json import JsonObject, Number, write_json
from backend.records.segments import collection

OLDEST_AGE: Final = 90
_MODIFIERS: Final = frozenset({"modifierExtension", "implicitRules"})
_GONE: Final = frozenset(
    {
        *("text", "extension", "meta", "identifier", "name", "telecom"),
        *("address", "contact", "photo", "note", "longitude", "latitude", "altitude"),
    }
)
_CODES: Final = frozenset(
    {
        *("category", "comparator", "criticality", "docStatus", "durationUnit", "gender", "intent", "kind"),
        *("mode", "periodUnit", "priority", "severity", "status", "type", "use", "when"),
    }
)
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/|+*\[\]{}%^\-]{1,64}")
_SYSTEM: Final = re.compile(r"(https?://|urn:oid:)[A-Za-z0-9_.:/\-]{1,128}")
_TERMINOLOGIES: Final = (
    *("http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    *("http://hl7.org/fhir/", "http://terminology.hl7.org/", "http://unitsofmeasure.org"),
)
_DATE: Final = re.compile(r"(\d{4})(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_DATE_NAME: Final = re.compile(r"(.*Date|.*DateTime|date|start|end|authoredOn|created|sent|received|event)")
_CODING: Final = frozenset({"id", "extension", "system", "version", "code", "display", "userSelected"})
_QUANTITY: Final = frozenset({"id", "extension", "value", "comparator", "unit", "system", "code"})


def de_identify(payloads: Sequence[bytes], *, now: int) -> tuple[bytes, ...]:
    """Return FHIR segments that go out together, each a collection, de-identified. ``now``: unix seconds."""
    entries = [_entries(payload) for payload in payloads]
    names = [
        (name, entry["resource"])
        for of_one in entries
        for entry in of_one
        for name in names_of(entry.get("fullUrl"), entry["resource"])
    ]
    copier = _Copier(names, year=_year(now))
    return tuple(collection((None, text) for text in copier.resources(of_one)) for of_one in entries)


def _entries(payload: bytes) -> list[JsonObject]:
    found: list[JsonObject] = json.loads(payload, parse_float=Number, parse_int=Number).get("entry", [])
    return found


def _year(now: int) -> int:
    return datetime.fromtimestamp(now, UTC).year


class _Copier:
    """Copies resources; ``names`` are the reference strings that lead to one of them, with it."""

    def __init__(self, names: Iterable[tuple[str, JsonObject]], *, year: int) -> None:
        key = secrets.token_bytes(32)
        self._renamed = {
            name: f"{resource['resourceType']}/{_renamed(key, resource)}" for name, resource in names
        }
        self._key = key
        self._oldest = year - OLDEST_AGE

    def resources(self, entries: Iterable[JsonObject]) -> Iterator[str]:
        for entry in entries:
            if _is_modified(entry["resource"]):
                continue
            copy = self._resource(entry["resource"])
            plain = json.loads(write_json(copy))
            if conforms(plain):
                yield write_json(copy)

    def _resource(self, resource: JsonObject) -> JsonObject:
        kind = resource["resourceType"]
        kept = {"resourceType": kind, "id": _renamed(self._key, resource)}
        return kept | (self._object({**resource, "resourceType": None, "id": None}) or {})

    def _object(self, node: JsonObject) -> JsonObject | None:
        kept: JsonObject = {}
        for name, value in node.items():
            if name in _GONE or name.startswith("_"):
                continue
            copy = self._value(name, value)
            if copy is not None and copy not in ([], {}):
                kept[name] = copy
        return kept or None

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            copies = [self._value(name, item) for item in value]
            return [copy for copy in copies if copy is not None]
        if isinstance(value, dict):
            return self._structure(name, value)
        if isinstance(value, Number | bool):
            return value
        if isinstance(value, str):
            return self._text(name, value)
        return None

    def _structure(self, name: str, value: JsonObject) -> JsonObject | None:
        members = value.keys()
        if "resourceType" in members:
            return None  # contained: what refers to it goes too
        if isinstance(value.get("reference"), str):
            target = self._renamed.get(value["reference"].partition("/_history/")[0])
            return None if target is None else {"reference": target}
        if isinstance(value.get("value"), Number) and members <= _QUANTITY:
            return _quantity(name, value)
        if "code" in members and members <= _CODING:
            return _coding(value)
        return self._object(value)

    def _text(self, name: str, value: str) -> str | None:
        if _DATE_NAME.fullmatch(name):
            found = _DATE.fullmatch(value)
            if found is None:
                return None
            year = int(found[1])
            return f"{max(year, self._oldest) if name == 'birthDate' else year:04d}"
        return value if name in _CODES and _CODE.fullmatch(value) else None


def _is_modified(node: Any) -> bool:
    """Whether something here turns the meaning round, such as a negation (R4, "isModifier"), and is in a form
    that is not copied: the rest must not go without it."""
    if isinstance(node, dict):
        return bool(_MODIFIERS & node.keys()) or any(map(_is_modified, node.values()))
    return isinstance(node, list) and any(map(_is_modified, node))


def _coding(value: JsonObject) -> JsonObject | None:
    system, code, display = (value.get(name) for name in ("system", "code", "display"))
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    kept = {"code": code}
    if isinstance(system, str) and _SYSTEM.fullmatch(system):
        kept = {"system": system, **kept}
        if isinstance(display, str) and system.startswith(_TERMINOLOGIES):
            kept["display"] = display
    return kept


def _quantity(name: str, value: JsonObject) -> JsonObject:
    kept = {"value": value["value"]}
    for member, allowed in (("comparator", _CODE), ("unit", _CODE), ("system", _SYSTEM), ("code", _CODE)):
        text = value.get(member)
        if isinstance(text, str) and allowed.fullmatch(text):
            kept[member] = text
    if name.endswith("Age") and float(value["value"]) >= OLDEST_AGE:
        kept["value"] = Number(OLDEST_AGE)
    return kept


def _renamed(key: bytes, resource: JsonObject) -> str:
    name = f"{resource['resourceType']}/{resource.get('id', json.dumps(resource, sort_keys=True))}"
    return digest(key, name.encode(), sha256).hex()[:32]
