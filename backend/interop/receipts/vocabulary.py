"""The JSON-LD context and the DPV 2 terms of our codes.

The context is written into every document, so nobody has to fetch one, and none can be put in its place.
"""

from __future__ import annotations

from typing import Any, Final

from backend.consent.states import State
from backend.consent.tables import CodeTable
from backend.consent.terms import Kind
from backend.interop.fhir_consent.codes import ACT_CODE, ACT_REASON, ACTION, CATEGORY, SENSITIVITY, UNLABELLED

Json = dict[str, Any]
Word = tuple[str, str, str]  # a code, what it means, and in which language

SCHEMA_RECORD: Final = "https://w3id.org/dpv/schema/dpv-27560#record"
SCHEMA_RECEIPT: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt"
STANDARD: Final = "ISO/IEC TS 27560:2023"
CONTEXT: Final[Json] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "loc": "https://w3id.org/dpv/loc#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "sec": "https://w3id.org/security#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "assent": "urn:assent:",
    "assent:message": {"@type": "@json"},
    "assent:via": {"@type": "@json"},
    "assent:witnesses": {"@type": "@json"},
}

# The closest purpose of DPV that is broader than each of the 62 codes of HL7 v3 PurposeOfUse.
_BROADER_PURPOSES: Final = {
    "Marketing": "HMARKT",
    "OrganisationGovernance": (
        "HOPERAT HACCRED HDECD HDIRECT HDM HPRGRP HSYSADMIN LABELING METAMGT MEMADMIN MILCDM PERFMSR"
    ),
    "RequestedServiceProvision": (
        "CAREMGT PATADMIN PATRQT FAMRQT PWATRNY SUPNWK TREAT CLINTRL COC ETREAT BTG ERTREAT TREATDS"
    ),
    "PublicBenefit": "DONAT PUBHLTH DISASTER THREAT POPHLTH",
    "FraudPreventionAndDetection": "FRAUD",
    "FulfilmentOfObligation": "GOV",
    "LegalCompliance": "HCOMPL",
    "DisputeManagement": "HLEGAL",
    "ImproveHealthcare": "HOUTCOMS HQUALIMP PATSFTY",
    "ResearchAndDevelopment": "MLTRAINING SYSDEV HTEST",
    "RecordManagement": "RECORDMGT",
    "HumanResourceManagement": "TRAIN",
    "PaymentManagement": "HPAYMT COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG PMTDS REMITADV",
    "CustomerClaimsManagement": "CLMATTCH",
    "ScientificResearch": ("HRESCH BIORCH CLINTRCH CLINTRCHNPC CLINTRCHPC PRECLINTRCH DSRCH POARCH TRANSRCH"),
}
_PURPOSES: Final = {code: term for term, codes in _BROADER_PURPOSES.items() for code in codes.split()}
_PERSONAL_DATA: Final = {  # the others are pd:MedicalHealth
    "demographics": "Demographic",
    "contact": "Contact",
    "identifiers": "Identifying",
    "coverage": "Financial",
    "payments": "Financial",
    "genomics": "Genetic",
    "family_history": "FamilyHealthHistory",
    "social_history": "Social",
}
_NOT_OF_HEALTH: Final = frozenset({"demographics", "contact", "identifiers", "coverage", "payments"})
_PROCESSING: Final = {
    "collect": "Collect",
    "access": "Access",
    "use": "Use",
    "disclose": "Disclose",
    "correct": "Modify",
    "write": "Record",
    "export": "Export",
    "compute": "Analyse",
    "redelegate": "Share",
}
ENDED: Final = {
    State.REVOKED: "dpv:ConsentWithdrawn",
    State.SUPERSEDED: "dpv:ConsentWithdrawn",
    State.EXPIRED: "dpv:ConsentExpired",
    State.LAPSED: "dpv:ConsentExpired",  # it came too late to be recorded
}
SUSPENDED: Final = "dpv:ConsentStatusInvalidForProcessing"  # for now: its member is not in standing
ANY_PURPOSE: Final[Json] = {"@id": "urn:assent:purpose:any", "@type": "dpv:Purpose", "skos:notation": "any"}
ANY_DATA: Final[Json] = {
    "@id": f"{CATEGORY}:any",
    "@type": ["dpv:PersonalData", "dpv:SpecialCategoryPersonalData"],
    "skos:notation": "any",
    "skos:broadMatch": {"@id": "dpv:PersonalData"},
}
ANY_PROCESSING: Final[Json] = {"@id": f"{ACTION}:any", "@type": "dpv:Processing", "skos:notation": "any"}


def iri(name: str) -> Json:
    return {"@id": name}


def purposes(table: CodeTable, mask: int, language: str) -> list[Json]:
    """Return the purposes of a mask; an empty one, in what does not permit, is any purpose."""
    return [
        _concept(f"{ACT_REASON}/{word[0]}", "dpv:Purpose", word, f"dpv:{_PURPOSES[word[0]]}")
        for word in _words(table, mask, language)
    ] or [ANY_PURPOSE]


def personal_data(table: CodeTable, mask: int, language: str) -> list[Json]:
    """Return the categories of data. All but administrative ones are data concerning health."""
    found = []
    for word in _words(table, mask, language):
        types = ["dpv:PersonalData"]
        if word[0] not in _NOT_OF_HEALTH:
            types.append("dpv:SpecialCategoryPersonalData")
        broader = "pd:" + _PERSONAL_DATA.get(word[0], "MedicalHealth")
        found.append(_concept(f"{CATEGORY}:{word[0]}", types, word, broader))
    return found or [ANY_DATA]


def sensitive_data(table: CodeTable, mask: int, language: str) -> list[Json]:
    types = ["dpv:PersonalData", "dpv:SensitivePersonalData"]
    found = []
    for word in _words(table, mask, language):
        name = f"{SENSITIVITY}:{word[0]}" if word[0] == UNLABELLED else f"{ACT_CODE}/{word[0]}"
        found.append(_concept(name, types, word, "dpv:SensitivePersonalData"))
    return found


def processing(table: CodeTable, mask: int, language: str) -> list[Json]:
    return [
        _concept(f"{ACTION}:{word[0]}", "dpv:Processing", word, f"dpv:{_PROCESSING[word[0]]}")
        for word in _words(table, mask, language)
    ] or [ANY_PROCESSING]


def given_as(kind: int) -> str:
    """Return the ConsentStatus of what was signed: a permit gives consent, a deny or a refusal refuses it."""
    return "dpv:ConsentGiven" if kind == Kind.PERMIT else "dpv:ConsentRefused"


def ended_as(kind: int, state: State) -> str:
    """Return the ConsentStatus of one of ENDED. A prohibition that ended leaves no decision."""
    return ENDED[state] if kind == Kind.PERMIT else "dpv:ConsentUnknown"


def _words(table: CodeTable, mask: int, language: str) -> list[Word]:
    texts = table.words(mask, language)
    return [(code, text, language) for code, text in zip(table.codes(mask), texts, strict=True)]


def _concept(name: str, kind: str | list[str], word: Word, broader: str) -> Json:
    code, text, language = word
    return {
        "@id": name,
        "@type": kind,
        "skos:notation": code,
        "skos:prefLabel": {"@value": text, "@language": language},
        "skos:broadMatch": iri(broader),
    }
