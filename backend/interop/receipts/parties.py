"""Who is named in a record: the custodian, whom the consent names, and who signed for the patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.consent.evidence_store import SignedDocument
from backend.consent.terms import EVERYONE, Grant, Kind
from backend.consent.witnessed import is_witnessed
from backend.interop.fhir_consent.codes import ACCOUNT, MEMBER, SUBJECT
from backend.interop.receipts.vocabulary import Json
from backend.types import Address, MemberId, subject_text, to_hex

UNSTATED: Final = "ZZ"  # ISO 3166 leaves it to its users; Unicode CLDR: unknown region


@dataclass(frozen=True, slots=True)
class Custodian:
    """The PII controller. Places are ISO 3166 codes: a country, or a country and its part (``DE-BE``)."""

    member: MemberId
    name: str
    address: str
    contact: str
    url: str  # of the service, without a slash at the end
    jurisdiction: str = UNSTATED
    storage_location: str = UNSTATED


def custodian_party(custodian: Custodian) -> Json:
    return _party(
        member_iri(custodian.member),
        ["dpv:LegalEntity", "dpv:DataController"],
        to_hex(custodian.member),
        (custodian.name, custodian.address, custodian.contact),
    )


def recipient_party(grant: Grant, name: str | None, registry: str, custodian: Custodian) -> Json:
    """Return whom the consent names. Only its place in the registry is known of it, so that is its address,
    and it is reached through the custodian."""
    grantee = grant.terms.grantee
    if grantee == EVERYONE:
        details = ("whoever asks", "no single one", custodian.contact)
        return _party(member_iri(grantee), ["dpv:LegalEntity", "dpv:Recipient"], "any", details)
    details = (name or to_hex(grantee), registry, custodian.contact)
    return _party(member_iri(grantee), ["dpv:LegalEntity", "dpv:Recipient"], to_hex(grantee), details)


def representative_party(signed: SignedDocument, chain: str, custodian: Custodian) -> Json | None:
    """Return the delegate, the guardian or the two witnesses who signed, None where the patient did."""
    if not signed.via:
        return None
    # Witnesses sign under a guardianship and are nobody's guardians: the patient decided, on paper.
    guardian = signed.via[0].kind == Kind.GUARDIANSHIP and not is_witnessed(signed.via[0])
    types = ["dpv:NaturalPerson", "dpv:GuardianOfDataSubject" if guardian else "dpv:Representative"]
    details = (signed.via[0].terms.relationship, chain, custodian.contact)
    return _party(account_iri(signed.signer), types, signed.signer, details)


def member_iri(member: MemberId) -> str:
    return f"{MEMBER}:any" if member == EVERYONE else f"{MEMBER}:{to_hex(member)}"


def account_iri(account: Address) -> str:
    return f"{ACCOUNT}:{account}"


def subject_iri(grant: Grant) -> str:
    return f"{SUBJECT}:{subject_text(grant.subject)}"


def _party(name: str, types: list[str], identifier: str, details: tuple[str, str, str]) -> Json:
    return {
        "@id": name,
        "@type": types,
        "dct:identifier": identifier,
        "dpv:hasName": details[0],
        "dpv:hasAddress": details[1],
        "dpv:hasContact": details[2],
    }
