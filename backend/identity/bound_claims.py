"""The claims of a token that is bound to a patient's consents: the JWT extensions of IHE IUA and IHE PCF.

IUA (ITI-71, 3.71.4.2.2.1) has ``ihe_iua``, PCF adds ``ihe_pcf``. Our ids appear as URNs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from backend.identity.types import Bound, Grant
from backend.types import MAX_SUBJECT_ID, ConsentId, SubjectId

ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SUBJECT: Final = "urn:assent:subject:0x"
CONSENT: Final = "urn:assent:consent:0x"
MEMBER: Final = "urn:assent:member:0x"
_CONSENT_BYTES: Final = 32


def extensions(grant: Grant, bound: Bound, residual: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the claim ``extensions``. ``residual``: what the token leaves forbidden, and permitted in it."""
    iua: dict[str, Any] = {"purpose_of_use": [{"system": ACT_REASON, "code": bound.purpose}]}
    if grant.member_id is not None:
        iua["subject_organization_id"] = MEMBER + grant.member_id.hex()
    iua["person_id"] = f"{SUBJECT}{bound.subject:024x}"
    return {
        "ihe_iua": iua,
        "ihe_pcf": {
            "patient_id": f"{SUBJECT}{bound.subject:024x}",
            "doc_id": sorted(CONSENT + consent.hex() for consent in bound.consents),
            "residual": list(residual),
        },
    }


def bound_of(claim: Mapping[str, Any]) -> Bound:
    """Read back what the token is bound to. Raises KeyError, TypeError or ValueError for any flaw."""
    (purpose,) = claim["ihe_iua"]["purpose_of_use"]
    if purpose["system"] != ACT_REASON:
        raise ValueError
    consents = frozenset(ConsentId(_hex(name, CONSENT)) for name in claim["ihe_pcf"]["doc_id"])
    subject = int.from_bytes(_hex(claim["ihe_pcf"]["patient_id"], SUBJECT))
    if not consents or any(len(name) != _CONSENT_BYTES for name in consents):
        raise ValueError
    if not 0 < subject <= MAX_SUBJECT_ID:
        raise ValueError
    return Bound(SubjectId(subject), str(purpose["code"]), consents)


def _hex(name: str, prefix: str) -> bytes:
    if not name.startswith(prefix):
        raise ValueError
    return bytes.fromhex(name.removeprefix(prefix))
