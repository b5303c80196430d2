"""What ABDM calls consent artefacts, made from the one document the patient signed: one for each provider.

An artefact says less where ABDM has no words, and the rest stands in its ``extension``; it names our consent
id, which is the hash of what was signed. The service signs that it made the artefact, never for the patient.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.consent.states import State
from backend.consent.tables import Tables
from backend.consent.terms import UNLIMITED_USES, Grant
from backend.consent.terms_json import to_json
from backend.interop.abdm.codes import access_mode_of, frequency_of, hi_types_of
from backend.interop.abdm.request import AbdmConsent
from backend.interop.receipts.signing import JWS, PROOF, DocumentSigner
from backend.types import ConsentId, MemberId, RecordId, subject_text, time_text, to_hex

Json = dict[str, Any]
SCHEMA_VERSION: Final = "v1.0"
EXTENSION: Final = "urn:assent:abdm-extension:1"
# What ABDM has no member for. Whoever reads an artefact without these reads more than was signed.
EXTENDED: Final = (
    "sensitivities",
    "rules",
    "maxUses",
    "breakGlass",
    "breakGlassCategories",
    "redelegationDepth",
    "research",
    "notice",
    "language",
    "summary",
)
_STATUS: Final = {
    State.REQUESTED: "REQUESTED",
    State.PENDING: "REQUESTED",  # only what is final permits
    State.REFUSED: "DENIED",
    State.NOT_YET_VALID: "GRANTED",
    State.LIVE: "GRANTED",
    State.SUSPENDED: "GRANTED",
    State.REVOKED: "REVOKED",
    State.SUPERSEDED: "REVOKED",
    State.EXPIRED: "EXPIRED",
    State.LAPSED: "EXPIRED",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A member that stored records (HIP), and those of them that are open to the grantee now."""

    member: MemberId
    records: Sequence[RecordId]


def status_of(state: State) -> str:
    """Return ABDM's word for the state of a request, or of the consent that answers it."""
    return _STATUS[state]


def artefact_id(consent: ConsentId, hip: MemberId) -> str:
    """Return the artefact's UUID (RFC 9562, version 8), the same each time."""
    digest = bytearray(hashlib.sha256(b"assent/abdm/artefact/1" + consent + hip).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def consent_detail(
    grant: Grant,
    consent: ConsentId,
    request: AbdmConsent,
    provider: Provider,
    *,
    created_at: int,
    tables: Tables,
) -> Json | None:
    """Return the ``consentDetail`` for one provider, None where ABDM has no access mode for what is left."""
    terms = grant.terms
    mode = access_mode_of(request.access_mode, terms.actions, tables)
    if mode is None:
        return None
    subject = subject_text(grant.subject)
    permission: Json = {
        "accessMode": mode,
        "dateRange": {"from": time_text(terms.data_from), "to": time_text(terms.data_to)},
        "dataEraseAt": time_text(min(terms.erase_by, grant.not_after)),
    }
    asked = request.source["permission"].get("frequency")
    limit = frequency_of(terms.uses_per_period, terms.period_seconds, asked)
    if limit is not None:
        permission["frequency"] = dict(limit)
    return {
        "schemaVersion": SCHEMA_VERSION,
        "consentId": artefact_id(consent, provider.member),
        "createdAt": time_text(created_at),
        "purpose": dict(request.source["purpose"]),
        "patient": {"id": subject},
        "careContexts": [
            {"patientReference": subject, "careContextReference": record.hex()} for record in provider.records
        ],
        "hip": {"id": to_hex(provider.member)},
        "hiu": dict(request.source["hiu"]),
        "requester": dict(request.source["requester"]),
        "hiTypes": hi_types_of(request.hi_types, terms.categories, tables),
        "permission": permission,
        "extension": _extension(grant, consent, tables),
    }


def signed(detail: Json, *, status: str, signer: DocumentSigner) -> Json:
    """Return the artefact. ``signature``: a detached JWS over the canonical JSON of ``consentDetail``."""
    return {"status": status, "consentDetail": detail, "signature": signer.sign(detail)[PROOF][JWS]}


def _extension(grant: Grant, consent: ConsentId, tables: Tables) -> Json:
    terms = grant.terms
    message = to_json(grant)["terms"]
    exact: Json = {
        "categories": list(tables.categories.codes(terms.categories)),
        "actions": list(tables.actions.codes(terms.actions)),
        "notBefore": time_text(grant.not_before),
        "notAfter": time_text(grant.not_after),
    }
    if terms.uses_per_period != UNLIMITED_USES:
        exact |= {"usesPerPeriod": terms.uses_per_period, "periodSeconds": terms.period_seconds}
    rest = {name: message[name] for name in EXTENDED}
    return {"url": EXTENSION, "consent": to_hex(consent), "exact": exact, "terms": rest}
