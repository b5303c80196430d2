"""The elements that R4 and R5 provisions share, written from our masks and windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from backend.consent.decision_types import DEPENDENTS_TAIL
from backend.consent.tables import Tables
from backend.consent.terms import (
    BEGINNING,
    EVERYONE,
    UNBOUNDED,
    UNLIMITED_USES,
    ZERO32,
    BreakGlass,
    ConsentTerms,
    Grant,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.consent.terms_json import to_json
from backend.consent.typed_data import consent_id
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.extensions import CONSENT, MEMBERS, conditions, part, record, rule_part
from backend.interop.fhir_consent.frame import Frame, evidence_parts
from backend.interop.fhir_consent.names import member_reference, record_reference
from backend.interop.fhir_consent.periods import to_period
from backend.types import to_hex

RECORD_TAIL: Final = bytes(16)  # see reference_of_record: an author's id does not end so


def scope(terms: ConsentTerms | Rule, tables: Tables, *, grantees: Iterable[bytes]) -> Json:
    """Return actor, securityLabel, purpose, dataPeriod and data, each only where it narrows."""
    found: Json = {
        "actor": [
            {
                "role": codes.concept(codes.PARTICIPATION, codes.RECIPIENT),
                "reference": member_reference(grantee),
            }
            for grantee in grantees
        ],
        "securityLabel": codes.labels(tables.sensitivities, terms.sensitivities),
        "purpose": codes.purposes(tables.purposes, terms.purposes),
        "dataPeriod": to_period((terms.data_from, terms.data_to)),
    }
    return {name: value for name, value in found.items() if value}


def of_permit(terms: ConsentTerms, tables: Tables) -> Json:
    """Return the scope of a permit. N, "normal or less", is what it covers without sensitivities."""
    found = scope(terms, tables, grantees=[terms.grantee])
    if terms.sensitivities == tables.sensitivities.all_bits:
        del found["securityLabel"]
    else:
        normal = {"system": codes.CONFIDENTIALITY, "code": "N"}
        found["securityLabel"] = [normal, *found.get("securityLabel", [])]
    return found


def of_deny(terms: ConsentTerms, tables: Tables) -> Json:
    return scope(terms, tables, grantees=[] if terms.grantee == EVERYONE else [terms.grantee])


def of_rule(rule: Rule, tables: Tables) -> Json:
    found = scope(rule, tables, grantees=rule.grantees)
    if rule.references:
        found["data"] = [_data(reference) for reference in rule.references]
    return found


def _data(reference: bytes) -> Json:
    for meaning, tail in (("instance", RECORD_TAIL), ("dependents", DEPENDENTS_TAIL)):
        if reference[16:] == tail:
            return {"meaning": meaning, "reference": record_reference(reference[:16])}
    return {"meaning": "authoredby", "reference": member_reference(reference)}


def masks(terms: ConsentTerms | Rule, *names: str) -> list[Json]:
    """Return these members as parts of an extension."""
    values = to_json(terms)
    return [each for name in names for each in part(name, MEMBERS[name], values[name])]


def limits(terms: ConsentTerms, native: Sequence[Rule]) -> Iterator[Json]:
    """Return as parts what limits a consent and has no element, and all rules but the ``native`` ones."""
    values = to_json(terms)
    plain = {
        "eraseBy": terms.erase_by == UNBOUNDED,
        "maxUses": terms.max_uses == UNLIMITED_USES,
        "usesPerPeriod": terms.uses_per_period == UNLIMITED_USES,
        "periodSeconds": terms.period_seconds == 0,
        "breakGlass": terms.break_glass == BreakGlass.ALLOW,
        "breakGlassCategories": not terms.break_glass_categories,
        "research": terms.research == ResearchTerms(),
    }
    for name, unlimited in plain.items():
        if not unlimited:
            yield from part(name, MEMBERS[name], values[name])
    yield from (
        rule_part(place, rule)
        for place, rule in enumerate(terms.rules)
        if not any(rule is written for written in native)
    )


def native_rules(grant: Grant) -> tuple[Rule, ...]:
    """Return the rules that are provisions: prohibitions inside a permit.

    A permitting rule inside a permit lifts a prohibition of lower rank or adds obligations, and one inside a
    deny only exempts: FHIR's readers would take either for a permission.
    """
    return tuple(rule for rule in grant.terms.rules if not rule.permit) if grant.kind == Kind.PERMIT else ()


def record_of(grant: Grant, frame: Frame) -> Json:
    """Return the extension with what limits nothing, and the hash by which an import checks everything."""
    outer, inner = to_json(grant), to_json(grant.terms)
    parts: list[Json] = [{"url": CONSENT, "valueString": to_hex(consent_id(grant))}]
    for name in ("kind", "epoch", "request", "supersedes", "submitBy"):
        if outer[name] != to_hex(ZERO32):
            parts += part(name, MEMBERS[name], outer[name])
    for name in ("redelegationDepth", "language", "summary", "salt"):
        parts += part(name, MEMBERS[name], inner[name])
    return record([*parts, *evidence_parts(frame)])


def unscoped(terms: ConsentTerms) -> bool:
    """Whether a deny is about everything."""
    whole = (EVERYONE, 0, 0, 0, 0, BEGINNING, UNBOUNDED)
    return whole == (
        *(terms.grantee, terms.purposes, terms.categories, terms.sensitivities, terms.actions),
        *(terms.data_from, terms.data_to),
    )


def resource_conditions(parts: Iterable[Json]) -> Json:
    held = conditions(parts)
    return {"modifierExtension": held} if held else {}
