"""A grant as a FHIR R5 Consent.

R5 has one ``decision`` about everything; each level of provisions is an exception to the one above, without a
type of its own. So a permit is "deny, except the scope, except its prohibitions", and a deny of a part has no
form: it is written as a deny of everything that a modifier extension narrows. Whoever reads provisions as
constraints instead, or leaves extensions out, reads less permission, never more.
"""

from __future__ import annotations

from backend.consent.tables import Tables
from backend.consent.terms import Grant, Kind, Rule
from backend.consent.typed_data import consent_id
from backend.interop.fhir_consent import codes, scope
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.frame import Frame, category, giver, status
from backend.interop.fhir_consent.names import member_reference, subject_reference
from backend.interop.fhir_consent.periods import instant, to_period
from backend.types import to_hex


def export_r5(grant: Grant, frame: Frame, tables: Tables) -> Json:
    """Return the Consent."""
    permit = grant.kind == Kind.PERMIT
    terms, name = grant.terms, consent_id(grant)
    # A prohibition of everything would be an empty provision, which FHIR has not.
    native = tuple(rule for rule in scope.native_rules(grant) if _prohibition(rule, tables))
    unsaid = scope.limits(terms, native)
    if not permit and not scope.unscoped(terms):
        unsaid = iter([*_narrowed(grant), *unsaid])
    resource: Json = {
        "resourceType": "Consent",
        "id": name.hex(),
        "extension": [scope.record_of(grant, frame)],
        **scope.resource_conditions(unsaid),
        "identifier": [{"system": codes.CONSENT, "value": to_hex(name)}],
        "status": status(grant, frame, "r5"),
        "category": [*category(), codes.concept(codes.CONSENT_SCOPE, codes.PRIVACY_SCOPE)],
        "subject": subject_reference(grant.subject),
        "date": instant(frame.signed_at)[:10],
        "period": to_period((grant.not_before, grant.not_after)),
        "grantor": [giver(grant, frame)],
        "grantee": [member_reference(terms.grantee)] if permit else None,
        "controller": [member_reference(frame.custodian, "Organization")],
        "sourceReference": [
            {
                "type": "DocumentReference",
                "identifier": {"system": codes.CONSENT, "value": to_hex(name)},
            }
        ],
        "policyBasis": {"url": codes.NOTICE + to_hex(terms.notice)},
        "verification": _verification(grant, frame),
        "decision": "deny",
        "provision": [_permission(grant, native, tables)] if permit else None,
    }
    return {key: value for key, value in resource.items() if value}


def _narrowed(grant: Grant) -> list[Json]:
    names = ("grantee", "purposes", "categories", "sensitivities", "actions", "dataFrom", "dataTo")
    return scope.masks(grant.terms, *names)


def _permission(grant: Grant, native: tuple[Rule, ...], tables: Tables) -> Json:
    found: Json = {
        **scope.of_permit(grant.terms, tables),
        "action": codes.actions(tables.actions, grant.terms.actions),
        "documentType": codes.categories(tables.categories, grant.terms.categories),
        "provision": [_prohibition(rule, tables) for rule in native],
    }
    return {name: value for name, value in found.items() if value}


def _prohibition(rule: Rule, tables: Tables) -> Json:
    found: Json = {
        **scope.of_rule(rule, tables),
        "action": codes.actions(tables.actions, rule.actions),
        "documentType": codes.categories(tables.categories, rule.categories),
    }
    return {name: value for name, value in found.items() if value}


def _verification(grant: Grant, frame: Frame) -> list[Json]:
    if frame.evidence is None:
        return []
    return [
        {
            "verified": True,
            "verificationType": codes.concept(codes.EVIDENCE, frame.evidence.method),
            "verifiedWith": giver(grant, frame),
            "verificationDate": [instant(frame.signed_at)],
        }
    ]
