"""What stands around the terms in a Consent: where, when and how it was given, and whether it is in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from backend.consent.terms import Grant, Kind
from backend.interop.fhir_consent.codes import CONSENT_LOINC, LOINC, Json, concept
from backend.interop.fhir_consent.extensions import EVIDENCE
from backend.interop.fhir_consent.names import account_reference, subject_reference
from backend.types import Address, Bytes32, MemberId, UnixSeconds, to_hex

Version = Literal["r4", "r5"]
State = Literal["draft", "active", "ended", "entered-in-error"]
_STATUS: Final[dict[Version, dict[State, str]]] = {
    "r4": {"draft": "proposed", "active": "active", "ended": "inactive"},
    "r5": {"draft": "draft", "active": "active", "ended": "inactive"},
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the consent was given: from the patient's ``wallet``, a ``guardian``'s, or ``witnessed`` on paper.

    ``signer`` is the account that signed and ``digest`` the EIP-712 hash that it signed. ``scan`` is the
    SHA-256 of the scanned paper.
    """

    method: Literal["wallet", "guardian", "witnessed"]
    signer: Address
    digest: Bytes32
    scan: Bytes32 | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """``custodian`` keeps the data and enforces the consent; ``signed_at`` is when it was given."""

    custodian: MemberId
    signed_at: UnixSeconds
    state: State = "active"
    evidence: Evidence | None = None


def status(grant: Grant, frame: Frame, version: Version) -> str:
    """Return Consent.status; a refusal was asked for and never came to be."""
    if frame.state == "entered-in-error":
        return frame.state
    if grant.kind == Kind.REFUSAL:
        return "rejected" if version == "r4" else "not-done"
    return _STATUS[version][frame.state]


def giver(grant: Grant, frame: Frame) -> Json:
    """Return who gave it: the patient, or the account of the guardian or of the witnesses."""
    if frame.evidence is None or frame.evidence.method == "wallet":
        return subject_reference(grant.subject)
    return account_reference(frame.evidence.signer)


def category() -> list[Json]:
    return [concept(LOINC, CONSENT_LOINC)]


def evidence_parts(frame: Frame) -> Iterable[Json]:
    if frame.evidence is not None:
        found = frame.evidence
        scan = "" if found.scan is None else to_hex(found.scan)
        values = (found.method, found.signer, to_hex(found.digest), scan)
        for name, value in zip(EVIDENCE, values, strict=True):
            if value:
                yield {"url": name, "valueString": value}
