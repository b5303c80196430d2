"""An export of ours read back: the same grant, or an error. The hash in it covers everything."""

from __future__ import annotations

from collections.abc import Sequence

from backend.consent.schema import STRUCTS
from backend.consent.tables import Tables
from backend.consent.terms import (
    EVERYONE,
    UNBOUNDED,
    UNLIMITED_USES,
    BreakGlass,
    Effect,
    Grant,
    Kind,
    ResearchTerms,
    Rule,
)
from backend.consent.terms_json import from_json, to_json
from backend.consent.typed_data import consent_id
from backend.consent.validation import check_grant
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.errors import FhirConsentAltered, FhirConsentMalformed
from backend.interop.fhir_consent.export_r4 import READ_ONLY
from backend.interop.fhir_consent.extensions import CONSENT, EVIDENCE, read_conditions, read_record
from backend.interop.fhir_consent.names import Names
from backend.interop.fhir_consent.periods import ALL_TIME
from backend.interop.fhir_consent.provision import Provision
from backend.interop.fhir_consent.resource import Envelope
from backend.types import to_hex

_RECORD = "Consent.extension"
_CONDITIONS = "Consent.modifierExtension[0]"


def read_back(envelope: Envelope, base: Provision, names: Names, tables: Tables) -> Grant:
    """Return the grant that was exported. Raise FhirConsentAltered when its hash is another."""
    record = read_record(envelope.record or {}, _RECORD)
    conditions, placed = (
        ({}, {}) if envelope.conditions is None else read_conditions(envelope.conditions, _CONDITIONS)
    )
    for name in EVIDENCE:
        record.pop(name, None)
    claimed = record.pop(CONSENT, None)
    permit = record.get("kind") == str(int(Kind.PERMIT))
    # An R5 export decides deny and turns it round below; the hash does not bind what else was written here.
    if base.permit is not (permit and envelope.version == "r4"):
        raise FhirConsentAltered(field=base.path)
    spoken, validity = _spoken(envelope, base, permit=permit)
    terms = {
        **_terms(spoken, tables, permit=permit),
        **_unlimited(),
        "decision": int(Effect.PERMIT if permit else Effect.DENY),
        "notice": _notice(envelope),
        **conditions,
        "rules": _rules(spoken.children, placed),
    }
    outer = {
        "subject": str(names.subject),
        "notBefore": int(validity[0]),
        "notAfter": int(validity[1]),
    }
    inner_names = {member.name for member in STRUCTS["ConsentTerms"]}
    for name, value in record.items():
        (terms if name in inner_names else outer)[name] = value
    grant = from_json(Grant, {**outer, "terms": terms})
    check_grant(grant, tables)
    if to_hex(consent_id(grant)) != claimed:
        raise FhirConsentAltered(field=_RECORD)
    return grant


def _spoken(envelope: Envelope, base: Provision, *, permit: bool) -> tuple[Provision, tuple[int, int]]:
    """Return the provision that has the scope of the consent, and its validity."""
    validity = base.period or ALL_TIME
    if envelope.version == "r4" or not permit:
        return base, validity
    if len(base.children) != 1:
        raise FhirConsentMalformed("An export of a permit has one provision.", field="Consent.provision")
    return base.children[0], validity


def _terms(spoken: Provision, tables: Tables, *, permit: bool) -> Json:
    """Return the members that have elements; an absent element is what an export leaves out for it."""
    labels = spoken.labels
    unlabelled = tables.sensitivities.all_bits if permit else 0
    sensitivities = unlabelled if labels is None else labels.mask
    grantees = spoken.actors or (EVERYONE,)
    if len(grantees) != 1:
        raise FhirConsentMalformed("An export has one recipient.", field=f"{spoken.path}.actor")
    start, end = spoken.data or ALL_TIME
    return {
        "grantee": to_hex(grantees[0]),
        "purposes": str(spoken.purposes or 0),
        "categories": str(_or(spoken.categories, tables.categories.all_bits if permit else 0)),
        "sensitivities": sensitivities,
        "actions": _or(spoken.actions, tables.actions.mask(READ_ONLY) if permit else 0),
        "dataFrom": int(start),
        "dataTo": int(end),
    }


def _or(value: int | None, absent: int) -> int:
    return absent if value is None else value


def _unlimited() -> Json:
    return {
        "eraseBy": int(UNBOUNDED),
        "maxUses": UNLIMITED_USES,
        "usesPerPeriod": UNLIMITED_USES,
        "periodSeconds": 0,
        "breakGlass": int(BreakGlass.ALLOW),
        "breakGlassCategories": "0",
        "research": to_json(ResearchTerms()),
    }


def _rules(children: Sequence[Provision], placed: dict[int, Json]) -> list[Json]:
    """Return all rules: those of the extension at their places, the provisions in between."""
    written = iter([to_json(_rule(child)) for child in children])
    whole = len(children) + len(placed)
    if any(place >= whole for place in placed):
        raise FhirConsentMalformed("A rule has a place beyond the last one.", field=_CONDITIONS)
    return [placed[place] if place in placed else next(written) for place in range(whole)]


def _rule(child: Provision) -> Rule:
    start, end = child.data or ALL_TIME
    masks = {"categories": child.categories or 0, "actions": child.actions or 0}
    for modifier in child.modifiers:
        if modifier.get("url") != codes.CONDITIONS_EXTENSION:
            raise FhirConsentMalformed(field=f"{child.path}.modifierExtension")
        narrowed, _ = read_conditions(modifier, f"{child.path}.modifierExtension")
        for name in masks.keys() & narrowed.keys():
            if not str(narrowed[name]).isdecimal():
                raise FhirConsentMalformed(
                    "A mask in decimal digits.", field=f"{child.path}.modifierExtension"
                )
            masks[name] = int(narrowed[name])
    return Rule(
        permit=False,
        purposes=child.purposes or 0,
        categories=masks["categories"],
        sensitivities=child.labels.mask if child.labels else 0,
        actions=masks["actions"],
        grantees=child.actors or (),
        data_from=start,
        data_to=end,
        references=tuple(reference for reference in child.references or () if reference is not None),
    )


def _notice(envelope: Envelope) -> str:
    content = envelope.content
    if envelope.version == "r4":
        policies = content.get("policy")
        found = (
            policies[0].get("uri") if isinstance(policies, list) and isinstance(policies[0], dict) else None
        )
    else:
        basis = content.get("policyBasis")
        found = basis.get("url") if isinstance(basis, dict) else None
    if not isinstance(found, str) or not found.startswith(codes.NOTICE):
        raise FhirConsentAltered("The notice is missing.", field="Consent.policy")
    return found.removeprefix(codes.NOTICE)
