"""What may stay of each resource type. Whatever is not named here goes: types, elements, extensions, texts.

Names follow FHIR R4. A rule says what a value must look like to stay; lists are taken item by item.
Required references (``Kind.PATIENT``) must lead to the patient of the export, or the resource goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias


class Kind(Enum):
    CODE = "code"  # FHIR type code: a word of a fixed list
    FLAG = "boolean"
    NUMBER = "number"
    DATE = "date"  # date, dateTime or instant: shifted
    CODING = "Coding"
    CONCEPT = "CodeableConcept"  # its codings; never its text
    QUANTITY = "Quantity"
    AGE = "Age"  # over 89: 90
    PATIENT = "patient"  # the reference that says whom the resource is about
    REFERENCE = "reference"  # to another resource of the export
    BIRTH = "birth"  # Patient.birthDate
    ADDRESS = "Address"  # state, country and three digits of the ZIP code


Rules: TypeAlias = Mapping[str, "Kind | Rules"]

_PERIOD: Final[Rules] = {"start": Kind.DATE, "end": Kind.DATE}
_RANGE: Final[Rules] = {"low": Kind.QUANTITY, "high": Kind.QUANTITY}
_RATIO: Final[Rules] = {"numerator": Kind.QUANTITY, "denominator": Kind.QUANTITY}
_AGES: Final[Rules] = {"low": Kind.AGE, "high": Kind.AGE}


def _onset(name: str) -> Rules:
    return {
        f"{name}DateTime": Kind.DATE,
        f"{name}Age": Kind.AGE,
        f"{name}Period": _PERIOD,
        f"{name}Range": _AGES,
    }


_VALUE: Final[Rules] = {
    "valueQuantity": Kind.QUANTITY,
    "valueCodeableConcept": Kind.CONCEPT,
    "valueBoolean": Kind.FLAG,
    "valueInteger": Kind.NUMBER,
    "valueRange": _RANGE,
    "valueRatio": _RATIO,
    "valueDateTime": Kind.DATE,
    "valuePeriod": _PERIOD,
    "dataAbsentReason": Kind.CONCEPT,
    "interpretation": Kind.CONCEPT,
}
_DOSE: Final[Rules] = {
    "sequence": Kind.NUMBER,
    "asNeededBoolean": Kind.FLAG,
    "asNeededCodeableConcept": Kind.CONCEPT,
    "route": Kind.CONCEPT,
    "method": Kind.CONCEPT,
    "timing": {
        "code": Kind.CONCEPT,
        "repeat": {
            "count": Kind.NUMBER,
            "frequency": Kind.NUMBER,
            "period": Kind.NUMBER,
            "periodUnit": Kind.CODE,
            "when": Kind.CODE,
        },
    },
    "doseAndRate": {
        "type": Kind.CONCEPT,
        "doseQuantity": Kind.QUANTITY,
        "doseRange": _RANGE,
        "rateQuantity": Kind.QUANTITY,
        "rateRatio": _RATIO,
        "rateRange": _RANGE,
    },
}
_REASONS: Final[Rules] = {"reasonCode": Kind.CONCEPT, "reasonReference": Kind.REFERENCE}
_MEDICATION: Final[Rules] = {
    "status": Kind.CODE,
    "category": Kind.CONCEPT,
    "medicationCodeableConcept": Kind.CONCEPT,
    "subject": Kind.PATIENT,
    **_REASONS,
}

RULES: Final[Mapping[str, Rules]] = {
    "Patient": {
        "active": Kind.FLAG,
        "gender": Kind.CODE,
        "birthDate": Kind.BIRTH,
        "deceasedBoolean": Kind.FLAG,
        "deceasedDateTime": Kind.DATE,
        "maritalStatus": Kind.CONCEPT,
        "multipleBirthBoolean": Kind.FLAG,
        "address": Kind.ADDRESS,
    },
    "Encounter": {
        "status": Kind.CODE,
        "class": Kind.CODING,
        "type": Kind.CONCEPT,
        "serviceType": Kind.CONCEPT,
        "priority": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "period": _PERIOD,
        "length": Kind.QUANTITY,
        "partOf": Kind.REFERENCE,
        "diagnosis": {"condition": Kind.REFERENCE, "use": Kind.CONCEPT, "rank": Kind.NUMBER},
        "hospitalization": {"admitSource": Kind.CONCEPT, "dischargeDisposition": Kind.CONCEPT},
        **_REASONS,
    },
    "Condition": {
        "clinicalStatus": Kind.CONCEPT,
        "verificationStatus": Kind.CONCEPT,
        "category": Kind.CONCEPT,
        "severity": Kind.CONCEPT,
        "code": Kind.CONCEPT,
        "bodySite": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "recordedDate": Kind.DATE,
        **_onset("onset"),
        **_onset("abatement"),
    },
    "Observation": {
        "status": Kind.CODE,
        "category": Kind.CONCEPT,
        "code": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "effectiveDateTime": Kind.DATE,
        "effectiveInstant": Kind.DATE,
        "effectivePeriod": _PERIOD,
        "issued": Kind.DATE,
        "bodySite": Kind.CONCEPT,
        "method": Kind.CONCEPT,
        "hasMember": Kind.REFERENCE,
        "derivedFrom": Kind.REFERENCE,
        "referenceRange": {**_RANGE, "type": Kind.CONCEPT},
        "component": {"code": Kind.CONCEPT, **_VALUE},
        **_VALUE,
    },
    "DiagnosticReport": {
        "status": Kind.CODE,
        "category": Kind.CONCEPT,
        "code": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "effectiveDateTime": Kind.DATE,
        "effectivePeriod": _PERIOD,
        "issued": Kind.DATE,
        "result": Kind.REFERENCE,
        "conclusionCode": Kind.CONCEPT,
    },
    "Procedure": {
        "status": Kind.CODE,
        "statusReason": Kind.CONCEPT,
        "category": Kind.CONCEPT,
        "code": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "performedDateTime": Kind.DATE,
        "performedPeriod": _PERIOD,
        "performedAge": Kind.AGE,
        "performedRange": _AGES,
        "bodySite": Kind.CONCEPT,
        "outcome": Kind.CONCEPT,
        "complication": Kind.CONCEPT,
        **_REASONS,
    },
    "MedicationRequest": {
        **_MEDICATION,
        "intent": Kind.CODE,
        "priority": Kind.CODE,
        "encounter": Kind.REFERENCE,
        "authoredOn": Kind.DATE,
        "dosageInstruction": _DOSE,
    },
    "MedicationStatement": {
        **_MEDICATION,
        "context": Kind.REFERENCE,
        "effectiveDateTime": Kind.DATE,
        "effectivePeriod": _PERIOD,
        "dateAsserted": Kind.DATE,
        "dosage": _DOSE,
    },
    "MedicationAdministration": {
        **_MEDICATION,
        "context": Kind.REFERENCE,
        "effectiveDateTime": Kind.DATE,
        "effectivePeriod": _PERIOD,
        "request": Kind.REFERENCE,
        "dosage": {"route": Kind.CONCEPT, "method": Kind.CONCEPT, "dose": Kind.QUANTITY},
    },
    "Immunization": {
        "status": Kind.CODE,
        "statusReason": Kind.CONCEPT,
        "vaccineCode": Kind.CONCEPT,
        "patient": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "occurrenceDateTime": Kind.DATE,
        "primarySource": Kind.FLAG,
        "site": Kind.CONCEPT,
        "route": Kind.CONCEPT,
        "doseQuantity": Kind.QUANTITY,
        **_REASONS,
    },
    "AllergyIntolerance": {
        "clinicalStatus": Kind.CONCEPT,
        "verificationStatus": Kind.CONCEPT,
        "type": Kind.CODE,
        "category": Kind.CODE,
        "criticality": Kind.CODE,
        "code": Kind.CONCEPT,
        "patient": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "recordedDate": Kind.DATE,
        "lastOccurrence": Kind.DATE,
        "onsetDateTime": Kind.DATE,
        "onsetAge": Kind.AGE,
        "onsetPeriod": _PERIOD,
        "reaction": {
            "substance": Kind.CONCEPT,
            "manifestation": Kind.CONCEPT,
            "onset": Kind.DATE,
            "severity": Kind.CODE,
            "exposureRoute": Kind.CONCEPT,
        },
    },
    "CarePlan": {
        "status": Kind.CODE,
        "intent": Kind.CODE,
        "category": Kind.CONCEPT,
        "subject": Kind.PATIENT,
        "encounter": Kind.REFERENCE,
        "period": _PERIOD,
        "created": Kind.DATE,
        "addresses": Kind.REFERENCE,
        "activity": {"detail": {"code": Kind.CONCEPT, "status": Kind.CODE, "statusReason": Kind.CONCEPT}},
    },
}
"""Resource types with what may stay of them. Practitioners, organizations and places are not among them."""

TERMINOLOGIES: Final[Mapping[str, re.Pattern[str]]] = {
    system: re.compile(form)
    for system, form in {
        "http://loinc.org": r"[0-9]{1,7}-[0-9]|L[AP][0-9]{1,7}-[0-9]",
        "http://snomed.info/sct": r"[0-9]{6,18}",
        "http://www.nlm.nih.gov/research/umls/rxnorm": r"[0-9]{1,8}",
        "http://hl7.org/fhir/sid/cvx": r"[0-9]{1,4}",
        "http://hl7.org/fhir/sid/ndc": r"[0-9]{4,6}-?[0-9]{3,4}-?[0-9]{1,2}",
        "http://hl7.org/fhir/sid/icd-9-cm": r"[EV]?[0-9]{2,3}(\.[0-9]{1,2})?",
        "http://hl7.org/fhir/sid/icd-10": r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?",
        "http://hl7.org/fhir/sid/icd-10-cm": r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?",
        "http://www.ama-assn.org/go/cpt": r"[0-9]{4}[0-9FTU]",
        "http://www.cms.gov/Medicare/Coding/ICD10": r"[0-9A-HJ-NP-Z]{7}",
        "http://www.whocc.no/atc": r"[A-Z]([0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?)?",
        "http://www.nubc.org/patient-discharge": r"[0-9]{2}",
    }.items()
}
"""Systems whose codes are published, with the form of their codes.

A code of another system may be the local number of a person or case; what lacks its system's form is no code.
"""
HL7_SYSTEMS: Final = re.compile(r"http://terminology\.hl7\.org/CodeSystem/[A-Za-z0-9\-]{1,60}")
HL7_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-]{0,31}")

CODES: Final = frozenset(
    {
        *("male", "female", "other", "unknown"),
        *("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled"),
        *("registered", "partial", "preliminary", "final", "amended", "corrected", "appended"),
        *("preparation", "not-done", "on-hold", "stopped", "completed", "active", "draft", "revoked"),
        *("intended", "not-taken", "not-started", "scheduled", "entered-in-error"),
        *("proposal", "plan", "order", "original-order", "reflex-order", "filler-order", "instance-order"),
        *("option", "routine", "urgent", "asap", "stat"),
        *("allergy", "intolerance", "food", "medication", "environment", "biologic"),
        *("low", "high", "unable-to-assess", "mild", "moderate", "severe"),
        *("s", "min", "h", "d", "wk", "mo", "a"),
        *("MORN", "NOON", "AFT", "EVE", "NIGHT", "PHS", "HS", "WAKE", "C", "CM", "CD", "CV"),
        *("AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV"),
    }
)
"""Every word that an element of kind CODE above can be (FHIR R4, required bindings)."""

AGE_CODES: Final = frozenset({"30525-0", "21612-7", "29553-5", "63900-5", "397669002", "424144002"})
"""LOINC and SNOMED CT codes of observations whose value is the patient's age in years."""
