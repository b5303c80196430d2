"""What FHIR cannot say, by the names of the EIP-712 members, in two extensions.

``consent-record`` is a plain extension: a reader that skips it misses nothing that limits the consent.
``consent-conditions`` is a modifier extension: it limits, so a reader that does not know it must not act on
the resource (R4 "modifierExtension"). Both hold one part a member; integers and ids are strings, as those of
FHIR end at 31 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from backend.consent.schema import STRUCTS
from backend.consent.terms import Rule
from backend.consent.terms_json import to_json
from backend.interop.fhir_consent.codes import CONDITIONS_EXTENSION, RECORD_EXTENSION, Json
from backend.interop.fhir_consent.errors import FhirConsentMalformed, FhirConsentUnsupported

POSITION: Final = "position"
RULES: Final = "rules"
CONSENT: Final = "consentId"
MEMBERS: Final = {member.name: member.type for name in ("ConsentTerms", "Grant") for member in STRUCTS[name]}
EVIDENCE: Final = ("evidenceMethod", "evidenceSigner", "evidenceDigest", "evidenceScan")
RECORD_PARTS: Final = (
    *(CONSENT, "kind", "epoch", "request", "supersedes", "submitBy", "redelegationDepth"),
    *("language", "summary", "salt"),
)
CONDITION_PARTS: Final = (
    *("grantee", "purposes", "categories", "sensitivities", "actions", "dataFrom", "dataTo", "eraseBy"),
    *("maxUses", "usesPerPeriod", "periodSeconds", "breakGlass", "breakGlassCategories", "research", RULES),
)


def part(name: str, kind: str, value: Any) -> list[Json]:
    """Return a member as sub-extensions: none for an empty list or text, one an item of a list."""
    if kind.endswith("[]"):
        return [each for item in value for each in part(name, kind.removesuffix("[]"), item)]
    if kind in STRUCTS:
        return [{"url": name, "extension": _struct(kind, value)}]
    if kind == "bool":
        return [{"url": name, "valueBoolean": value}]
    return [{"url": name, "valueString": str(value)}] if value != "" else []


def rule_part(position: int, rule: Rule) -> Json:
    """Return a rule and its place among all rules of the consent."""
    place = {"url": POSITION, "valueUnsignedInt": position}
    return {"url": RULES, "extension": [place, *_struct("Rule", to_json(rule))]}


def record(parts: Iterable[Json]) -> Json:
    return {"url": RECORD_EXTENSION, "extension": list(parts)}


def conditions(parts: Iterable[Json]) -> list[Json]:
    """Return the modifier extension of ``parts`` in a list, or no extension when there are none."""
    held = list(parts)
    return [{"url": CONDITIONS_EXTENSION, "extension": held}] if held else []


def names_in(resource: Json) -> tuple[str, ...]:
    """Return what is only said in our extensions of an export, sorted: the parts, at any depth once."""
    found: set[str] = set()
    pending: list[Any] = [resource]
    while pending:
        match pending.pop():
            case {"url": str() as url, "extension": [*parts]} if url in (
                CONDITIONS_EXTENSION,
                RECORD_EXTENSION,
            ):
                found |= {str(each["url"]) for each in parts}
            case dict() as members:
                pending += members.values()
            case list() as items:
                pending += items
    return tuple(sorted(found))


def read_record(extension: Json, path: str) -> Json:
    """Return the members in a ``consent-record`` as the JSON of terms, with the id and the evidence."""
    parts = _parts(extension, path, (*RECORD_PARTS, *EVIDENCE))
    found = {name: _read(MEMBERS.get(name, "string"), name, parts[name], path) for name in parts}
    return {"request": "0x" + "00" * 32, "supersedes": "0x" + "00" * 32, "summary": "", **found}


def read_conditions(extension: Json, path: str) -> tuple[Json, dict[int, Json]]:
    """Return the members in a ``consent-conditions``, and its rules by their place."""
    parts = _parts(extension, path, CONDITION_PARTS)
    rules: dict[int, Json] = {}
    for item in parts.pop(RULES, []):
        inner = _parts(item, path, (POSITION, *(member.name for member in STRUCTS["Rule"])))
        place = inner.pop(POSITION, [{}])[0].get("valueUnsignedInt")
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < 64 or place in rules:
            raise FhirConsentMalformed("Rules have different places.", field=path)
        rules[place] = _read_struct("Rule", inner, path)
    return {name: _read(MEMBERS[name], name, held, path) for name, held in parts.items()}, rules


def _struct(kind: str, value: Json) -> list[Json]:
    return [each for member in STRUCTS[kind] for each in part(member.name, member.type, value[member.name])]


def _parts(extension: Json, path: str, allowed: Iterable[str]) -> dict[str, list[Json]]:
    """Return the sub-extensions of an extension by name."""
    held = extension.get("extension")
    if not isinstance(held, list) or extension.keys() - {"url", "extension"}:
        raise FhirConsentMalformed("An extension of parts.", field=path)
    known = frozenset(allowed)
    parts: dict[str, list[Json]] = {}
    for each in held:
        name = each.get("url") if isinstance(each, dict) else None
        if not isinstance(name, str) or name not in known:
            raise FhirConsentUnsupported("The extension has a part that is not known.", field=path)
        parts.setdefault(name, []).append(each)
    return parts


def _read_struct(kind: str, parts: dict[str, list[Json]], path: str) -> Json:
    return {
        member.name: _read(member.type, member.name, parts.get(member.name, []), path)
        for member in STRUCTS[kind]
    }


def _read(kind: str, name: str, held: list[Json], path: str) -> Any:
    """Return a member in the JSON of terms; whether its value is one, ``from_json`` judges."""
    if kind.endswith("[]"):
        return [_read(kind.removesuffix("[]"), name, [each], path) for each in held]
    if kind == "string" and not held:
        return ""
    if len(held) != 1:
        raise FhirConsentMalformed(f"The part {name} occurs once.", field=path)
    if kind in STRUCTS:
        parts = _parts(held[0], path, [member.name for member in STRUCTS[kind]])
        return _read_struct(kind, parts, path)
    value = held[0].get("valueBoolean" if kind == "bool" else "valueString")
    if value is None:
        raise FhirConsentMalformed(f"The part {name} has another type.", field=path)
    return value
