"""A grant as a FHIR R4 Consent, after the lowest level of IHE PCF that can say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from backend.consent.tables import Tables
from backend.consent.terms import UNBOUNDED, ConsentTerms, Effect, Grant, Kind, Rule
from backend.consent.typed_data import consent_id
from backend.interop.fhir_consent import codes, scope
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.frame import Frame, category, giver, status
from backend.interop.fhir_consent.names import member_reference, subject_reference
from backend.interop.fhir_consent.periods import instant, to_period
from backend.types import to_hex

Level = Literal["Basic", "Intermediate", "Advanced"]
READ_ONLY: Final = ("access",)  # what a provision without action is about (R4 "Consent.provision.action")


def export_r4(grant: Grant, frame: Frame, tables: Tables, *, pcf: bool = True) -> Json:
    """Return the Consent. ``pcf=False``, or labels that PCF does not have, give plain R4 without its profile.

    PCF forbids class, action and verification. What it leaves unsaid is in a modifier extension; plain R4
    says it in its own elements.
    """
    level = pcf_level(grant, tables) if pcf else None
    name = consent_id(grant)
    native = scope.native_rules(grant)
    base = (
        scope.of_permit(grant.terms, tables)
        if grant.kind == Kind.PERMIT
        else scope.of_deny(grant.terms, tables)
    )
    unsaid = [] if level is None else _forbidden_by_pcf(grant, tables)
    resource: Json = {
        "resourceType": "Consent",
        "id": name.hex(),
        "meta": {"profile": [codes.PCF + level]} if level else None,
        "extension": [scope.record_of(grant, frame)],
        **scope.resource_conditions([*unsaid, *scope.limits(grant.terms, native)]),
        "identifier": [{"system": codes.CONSENT, "value": to_hex(name)}],
        "status": status(grant, frame, "r4"),
        "scope": codes.concept(codes.CONSENT_SCOPE, codes.PRIVACY_SCOPE),
        "category": category(),
        "patient": subject_reference(grant.subject),
        "dateTime": instant(frame.signed_at),
        "performer": [giver(grant, frame)],
        "organization": [member_reference(frame.custodian, "Organization")],
        "sourceReference": {
            "type": "DocumentReference",
            "identifier": {"system": codes.CONSENT, "value": to_hex(name)},
        },
        "policy": [{"uri": codes.NOTICE + to_hex(grant.terms.notice)}],
        "verification": None if level else _verification(grant, frame),
        "provision": {
            "type": "permit" if grant.terms.decision == Effect.PERMIT else "deny",
            "period": to_period((grant.not_before, grant.not_after)),
            **base,
            **({} if level else _plain(grant.terms, tables)),
            "provision": [_exception(rule, tables, level) for rule in native],
        },
    }
    resource["provision"] = _without_empty(resource["provision"])
    return _without_empty(resource)


def pcf_level(grant: Grant, tables: Tables) -> Level | None:
    """Return the lowest level of PCF 1.1.0 whose elements and value sets suffice, None where none does."""
    terms, rules = grant.terms, scope.native_rules(grant)
    permit = grant.kind == Kind.PERMIT
    absent = tables.sensitivities.all_bits if permit else 0
    allowed = tables.sensitivities.mask(codes.ADVANCED_LABELS)
    labelled = [rule.sensitivities for rule in rules] + (
        [terms.sensitivities] if terms.sensitivities != absent else []
    )
    if any(mask & ~allowed for mask in labelled):
        return None
    if terms.sensitivities != absent or any(rule.sensitivities or _repeats_data(rule) for rule in rules):
        return "Advanced"
    basic = terms.purposes & ~tables.purposes.mask(codes.BASIC_PURPOSES) == 0
    if rules or not basic or terms.data_from or terms.data_to != UNBOUNDED:
        return "Intermediate"
    return "Basic"


def _repeats_data(rule: Rule) -> bool:
    """Whether a rule names two records or two authors: Intermediate has one slice of each in an exception."""
    records = sum(reference[16:] == scope.RECORD_TAIL for reference in rule.references)
    return records > 1 or len(rule.references) - records > 1


def _forbidden_by_pcf(grant: Grant, tables: Tables) -> Sequence[Json]:
    terms, permit = grant.terms, grant.kind == Kind.PERMIT
    said = {
        "categories": tables.categories.all_bits if permit else 0,
        "actions": tables.actions.mask(READ_ONLY) if permit else 0,
    }
    return scope.masks(terms, *(name for name, value in said.items() if getattr(terms, name) != value))


def _plain(terms: ConsentTerms | Rule, tables: Tables) -> Json:
    """Return class and action: ours are kinds of information, which is what ``class`` is for."""
    return {
        "action": codes.actions(tables.actions, terms.actions),
        "class": codes.categories(tables.categories, terms.categories),
    }


def _exception(rule: Rule, tables: Tables, level: Level | None) -> Json:
    if level is None:
        narrowed = _plain(rule, tables)
    else:
        names = [name for name in ("categories", "actions") if getattr(rule, name)]
        narrowed = scope.resource_conditions(scope.masks(rule, *names))
    return _without_empty({"type": "deny", **scope.of_rule(rule, tables), **narrowed})


def _verification(grant: Grant, frame: Frame) -> list[Json]:
    if frame.evidence is None:
        return []
    return [
        {
            "verified": True,
            "verifiedWith": giver(grant, frame),
            "verificationDate": instant(frame.signed_at),
        }
    ]


def _without_empty(element: Json) -> Json:
    return {name: value for name, value in element.items() if value not in (None, [], {})}
