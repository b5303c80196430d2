"""What is said of a decision, in the words of the asker. ``answer`` is one of permit, deny, no_consent.

An answer that is none of these (the chain could not be asked) has no card, and no decision but Indeterminate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.interop.decision_requests.claims import OBLIGATION, REDACT, REDACT_LABELS
from backend.interop.fhir_consent.codes import ACT_CODE, CONFIDENTIALITY, CONSENT

Json = dict[str, Any]
_NORMAL: Final = {"system": CONFIDENTIALITY, "code": "N"}
_STATUS: Final = "urn:oasis:names:tc:xacml:1.0:status:"
_CARDS: Final = {
    "permit": ("CONSENT_PERMIT", "info", "There is a patient consent permitting this action."),
    "deny": ("CONSENT_DENY", "critical", "This action is not permitted."),
    "no_consent": ("NO_CONSENT", "warning", "No applicable consent was found."),
}
_DECISIONS: Final = {"permit": "Permit", "deny": "Deny", "no_consent": "NotApplicable"}


@dataclass(frozen=True, slots=True)
class Decided:
    """``consents`` are those that settled it, as far as the caller may know; empty for a requester."""

    answer: str
    obligations: Sequence[str]
    consents: Sequence[str]


def cards(decided: Decided, *, label: str, url: str) -> Json:
    """Return the answer of CDS Hooks: one card, with the decision in its extension."""
    summary, indicator, detail = _CARDS[decided.answer]
    extension: Json = {
        "decision": summary,
        "obligations": [_cds_obligation(code) for code in decided.obligations],
    }
    if decided.consents:
        extension["basedOn"] = [f"{CONSENT}:{consent}" for consent in decided.consents]
    card = {
        "summary": summary,
        "detail": detail,
        "indicator": indicator,
        "source": {"label": label, "url": url},
        "extension": extension,
    }
    return {"cards": [card]}


def xacml_response(decided: Decided) -> Json:
    """Return the Response object of the JSON profile."""
    result: Json = {
        "Decision": _DECISIONS[decided.answer],
        "Status": {"StatusCode": {"Value": f"{_STATUS}ok"}},
    }
    if decided.obligations:
        result["Obligations"] = [_xacml_obligation(code) for code in decided.obligations]
    if decided.consents:
        references = [{"Id": f"{CONSENT}:{consent}"} for consent in decided.consents]
        result["PolicyIdentifierList"] = {"PolicyIdReference": references}
    return {"Response": [result]}


def xacml_indeterminate(code: str) -> Json:
    """Return Indeterminate: nothing was decided. ``code`` is the error's."""
    status = {"StatusCode": {"Value": f"{_STATUS}processing-error"}, "StatusMessage": code}
    return {"Response": [{"Decision": "Indeterminate", "Status": status}]}


def _cds_obligation(code: str) -> Json:
    if code == REDACT_LABELS:
        return {
            "id": {"system": ACT_CODE, "code": REDACT},
            "parameters": {"exceptAnyOfCodes": [_NORMAL]},
        }
    return {"id": {"system": OBLIGATION, "code": code}}


def _xacml_obligation(code: str) -> Json:
    if code == REDACT_LABELS:
        excepted = {"AttributeId": "exceptAnyOfCodes", "Value": [_NORMAL]}
        return {"Id": f"{ACT_CODE}#{REDACT}", "AttributeAssignment": [excepted]}
    return {"Id": f"{OBLIGATION}:{code}"}
