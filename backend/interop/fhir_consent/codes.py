"""Code systems and URLs, and our masks as codings. Sources: HL7 THO, FHIR R4 and R5, IHE PCF 1.1.0."""

from __future__ import annotations

from typing import Any, Final

from backend.consent.tables import CodeTable

Json = dict[str, Any]

ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CONSENT_ACTION: Final = "http://terminology.hl7.org/CodeSystem/consentaction"
CONSENT_SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
LOINC: Final = "http://loinc.org"
RECIPIENT: Final = "IRCP"
PRIVACY_SCOPE: Final = "patient-privacy"
CONSENT_LOINC: Final = "59284-0"
# Some engines write the value set where the code system belongs; only their profiles read it.
PURPOSE_VALUE_SET: Final = "http://terminology.hl7.org/ValueSet/v3-PurposeOfUse"

OURS: Final = "urn:assent:"
CATEGORY: Final = f"{OURS}category"
ACTION: Final = f"{OURS}action"
SENSITIVITY: Final = f"{OURS}sensitivity"
SUBJECT: Final = f"{OURS}subject"
MEMBER: Final = f"{OURS}member"
RECORD: Final = f"{OURS}record"
CONSENT: Final = f"{OURS}consent"
ACCOUNT: Final = f"{OURS}account"
NOTICE: Final = f"{OURS}notice:"
EVIDENCE: Final = f"{OURS}evidence-method"
RECORD_EXTENSION: Final = f"{OURS}fhir:consent-record"
CONDITIONS_EXTENSION: Final = f"{OURS}fhir:consent-conditions"

PCF: Final = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consent"
BASIC_PURPOSES: Final = ("TREAT", "HPAYMT", "HOPERAT", "BTG")
ADVANCED_LABELS: Final = ("ETH", "ETHUD", "OPIOIDUD", "PSY", "SEX", "HIV")
HL7_ACTIONS: Final = ("collect", "access", "use", "disclose", "correct")
UNLABELLED: Final = "UNLABELLED"


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def purposes(table: CodeTable, mask: int) -> list[Json]:
    return [{"system": ACT_REASON, "code": code} for code in table.codes(mask)]


def categories(table: CodeTable, mask: int) -> list[Json]:
    return [{"system": CATEGORY, "code": code} for code in table.codes(mask)]


def labels(table: CodeTable, mask: int) -> list[Json]:
    return [
        {"system": SENSITIVITY if code == UNLABELLED else ACT_CODE, "code": code}
        for code in table.codes(mask)
    ]


def actions(table: CodeTable, mask: int) -> list[Json]:
    return [concept(CONSENT_ACTION if code in HL7_ACTIONS else ACTION, code) for code in table.codes(mask)]
