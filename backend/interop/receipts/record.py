"""The consent record and the consent receipt: header, processing, parties and events."""

from __future__ import annotations

from dataclasses import dataclass

from backend.consent.evidence_store import SignedDocument
from backend.consent.tables import Tables
from backend.consent.terms import UNBOUNDED, Document, Grant, Kind
from backend.consent.terms_json import to_json
from backend.interop.fhir_consent.codes import CONSENT, NOTICE
from backend.interop.receipts import vocabulary as words
from backend.interop.receipts.errors import ReceiptOfDelegation
from backend.interop.receipts.events import CONSENT_TYPE, History, created_at, events, instant, status
from backend.interop.receipts.parties import (
    UNSTATED,
    Custodian,
    account_iri,
    custodian_party,
    member_iri,
    recipient_party,
    representative_party,
    subject_iri,
)
from backend.interop.receipts.vocabulary import CONTEXT, STANDARD, Json, iri
from backend.interop.receipts.witnesses import Witnessing, method_part, witnesses_part
from backend.types import ConsentId, subject_text, to_hex


@dataclass(frozen=True, slots=True)
class Case:
    """All that a record is made from. ``signed`` is None where only the chain knows of the consent.

    ``grantee_name`` is what the custodian calls the grantee, None where it does not know it.
    """

    history: History
    signed: SignedDocument | None
    custodian: Custodian
    grantee_name: str | None
    witnessing: Witnessing | None = None  # of a consent on paper


def require_grant(document: Document) -> Grant:
    """Raise ReceiptOfDelegation for anything but a permit, a deny or a refusal."""
    if not isinstance(document, Grant):
        raise ReceiptOfDelegation
    return document


def consent_record(case: Case, tables: Tables) -> Json:
    """Return the whole record, with the signed message and its signatures, unsigned by the service."""
    record = {"@context": CONTEXT, **_record(case, tables), "assent:message": to_json(case.history.grant)}
    if case.signed is not None:
        record["assent:signature"] = "0x" + case.signed.signature.hex()
        record["assent:signer"] = case.signed.signer
        record["assent:via"] = [to_json(delegation) for delegation in case.signed.via]
        record |= witnesses_part(case.witnessing, case.history.domain)
    return record


def consent_receipt(case: Case, tables: Tables, *, receipt_id: str) -> Json:
    """Return a receipt of the record as it is now: its fields, without the signed message.

    ``receipt_id`` is a URI that no other receipt has.
    """
    return {
        "@context": CONTEXT,
        "@id": receipt_id,
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": [iri(words.SCHEMA_RECEIPT), STANDARD],
        "dct:identifier": receipt_id,
        "dct:created": instant(case.history.seen_at),
        "dct:publisher": iri(member_iri(case.custodian.member)),
        "dct:subject": _record(case, tables),
    }


def record_iri(consent: ConsentId) -> str:
    return f"{CONSENT}:{to_hex(consent)}"


def _record(case: Case, tables: Tables) -> Json:
    history, grant = case.history, case.history.grant
    terms, consent_id = grant.terms, case.history.consent_id
    domain = history.domain
    chain = f"account on chain {domain.chain_id}"
    registry = f"participant registry of chain {domain.chain_id}, member {to_hex(terms.grantee)}"
    representative = None if case.signed is None else representative_party(case.signed, chain, case.custodian)
    parties = [
        custodian_party(case.custodian),
        recipient_party(grant, case.grantee_name, registry, case.custodian),
    ]
    by = subject_iri(grant)
    if representative is not None and case.signed is not None:
        parties.append(representative)
        by = account_iri(case.signed.signer)
    return {
        "@id": record_iri(consent_id),
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": [iri(words.SCHEMA_RECORD), STANDARD],
        "dct:identifier": to_hex(consent_id),
        "dct:created": instant(created_at(history)),
        "dct:language": terms.language,
        "dpv:hasDataSubject": {
            "@id": subject_iri(grant),
            "@type": "dpv:DataSubject",
            "dct:identifier": subject_text(grant.subject),
        },
        "dpv:hasConsentStatus": iri(status(history)),
        "dpv:hasNotice": {
            "@id": NOTICE + to_hex(terms.notice),
            "@type": "dpv:ConsentNotice",
            "dct:identifier": to_hex(terms.notice),
            "foaf:page": iri(f"{case.custodian.url}/v1/notices/{to_hex(terms.notice)}"),
            "dct:language": terms.language,
            "dct:abstract": {"@value": terms.summary, "@language": terms.language},
        },
        "dpv:hasProcess": [_process(grant, case.custodian, tables)],
        "dpv:hasEntity": parties,
        "dct:hasPart": events(history, by),
        **method_part(case.signed),
    }


def _process(grant: Grant, custodian: Custodian, tables: Tables) -> Json:
    terms, language = grant.terms, grant.terms.language
    return {
        "@type": "dpv:Process",
        "dpv:hasRule": {"@type": "dpv:Permission" if grant.kind == Kind.PERMIT else "dpv:Prohibition"},
        "dpv:hasLegalBasis": {"@type": CONSENT_TYPE},
        "dpv:hasPurpose": words.purposes(tables.purposes, terms.purposes, language),
        "dpv:hasPersonalData": [
            *words.personal_data(tables.categories, terms.categories, language),
            *words.sensitive_data(tables.sensitivities, terms.sensitivities, language),
        ],
        "dpv:hasProcessing": words.processing(tables.actions, terms.actions, language),
        "dpv:hasDataController": [iri(member_iri(custodian.member))],
        "dpv:hasRecipient": [iri(member_iri(terms.grantee))],
        "dpv:hasStorageCondition": {
            "@type": "dpv:StorageCondition",
            "dpv:hasLocation": _place(custodian.storage_location),
            "dpv:hasDuration": _retention(grant),
        },
        "dpv:hasJurisdiction": _place(custodian.jurisdiction),
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "foaf:page": iri(f"{custodian.url}/v1/revocations"),
            "dct:description": "A signed revocation; no token, fee, deadline or counterparty is needed.",
        },
    }


def _retention(grant: Grant) -> Json:
    """Return until when the recipient may keep copies; the custodian's own are not under the consent."""
    if grant.terms.erase_by >= UNBOUNDED:
        return {"@type": "dpv:IndeterminateDuration", "dct:description": "No date was agreed."}
    return {"@type": "dpv:UntilTimeDuration", "dct:date": instant(grant.terms.erase_by)}


def _place(code: str) -> Json:
    if code == UNSTATED:
        return {"@type": "dpv:Location", "dct:identifier": code, "dct:description": "not stated"}
    return {"@id": f"loc:{code}", "@type": "dpv:Location", "dct:identifier": code}
