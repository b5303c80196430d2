"""Which pattern each type of audit entry follows as a FHIR AuditEvent: IHE BALP 1.1.4, else DICOM's codes.

Sources: IHE Basic Audit Log Patterns 1.1.4; FHIR R4 ``restful-interaction``; DICOM PS3.16, CID 400 and 401.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from backend.audit import codes
from backend.audit.entry import AuditEvent

DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


class Coding(NamedTuple):
    system: str
    code: str


_REST: Final = Coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest")
_RESTFUL: Final = "http://hl7.org/fhir/restful-interaction"
_DISCLOSE: Final = Coding("http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "disclose")
AUTHZ_CONSENT: Final = Coding("https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType", "AuthZ-Consent")

_APPLICATION: Final = Coding(DCM, "110150")
_DESTINATION: Final = Coding(DCM, "110152")
_SOURCE: Final = Coding(DCM, "110153")
_CUSTODIAN: Final = Coding("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian")
_AUTHORISER: Final = Coding("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver")
_RECIPIENT: Final = Coding(PARTICIPATION, "IRCP")
_AUTHOR: Final = Coding(PARTICIPATION, "AUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Codes of the event, and the parts that the caller's program, this service and the user play in it."""

    type: Coding
    subtype: Coding | None
    action: str  # C, R, U, D or E
    profile: str | None = None  # BALP's name, without "Patient"; a resource claims it where it conforms
    thing: str = ""  # what was acted on: "record", "consent" or a name in the event's detail
    client: Coding = _SOURCE
    server: Coding = _DESTINATION
    user: Coding = _RECIPIENT


def _read(thing: str) -> Pattern:
    return Pattern(
        type=_REST,
        subtype=Coding(_RESTFUL, "read"),
        action="R",
        profile="Read",
        thing=thing,
        client=_DESTINATION,
        server=_SOURCE,
    )


def _write(interaction: str, thing: str) -> Pattern:
    return Pattern(
        type=_REST,
        subtype=Coding(_RESTFUL, interaction),
        action=interaction[0].upper(),
        profile=interaction.capitalize(),
        thing=thing,
        user=_AUTHOR,
    )


def _create(thing: str = "") -> Pattern:
    return _write("create", thing)


def _update(thing: str = "") -> Pattern:
    return _write("update", thing)


def _delete(thing: str) -> Pattern:
    return replace(_write("delete", thing), client=_APPLICATION, server=_CUSTODIAN)


def _run(thing: str) -> Pattern:
    return Pattern(type=_REST, subtype=Coding(_RESTFUL, "operation"), action="E", thing=thing)


def _dicom(event: str, subtype: str | None, action: str = "E") -> Pattern:
    return Pattern(
        type=Coding(DCM, event), subtype=None if subtype is None else Coding(DCM, subtype), action=action
    )


def _alert(subtype: str, action: str = "E") -> Pattern:
    return _dicom("110113", subtype, action)


_SEARCH: Final = Pattern(
    type=_REST, subtype=Coding(_RESTFUL, "search-type"), action="E", profile="Query", thing="record"
)
_DECISION: Final = Pattern(
    type=Coding(DCM, "110113"),
    subtype=AUTHZ_CONSENT,
    action="E",
    profile="AuthZconsent",
    client=_APPLICATION,
    server=_AUTHORISER,
)
_DISCLOSURE: Final = Pattern(
    type=Coding(DCM, "110106"),
    subtype=_DISCLOSE,
    action="R",
    profile="PrivacyDisclosure.Source",
    thing="record",
    client=_DESTINATION,
    server=_SOURCE,
)
_NEW_VERSION: Final = _update("record")

PATTERNS: Final[Mapping[str, Pattern]] = MappingProxyType(
    {
        codes.DECISION: _DECISION,
        codes.RECORD_LISTED: _SEARCH,
        codes.RECORD_READ: _read("record"),
        codes.RECORD_STORED: _create("record"),
        codes.KEY_SHARED: _update("record"),
        codes.KEY_HANDED_OVER: _update("record"),
        codes.RECORD_ERASED: _delete("record"),
        codes.RECORD_EXPORTED: _DISCLOSURE,
        codes.ACCESS_TURNED_AWAY: _alert("110132"),  # use of a restricted function
        codes.CONSENT_REQUESTED: _create("request"),
        codes.CONSENT_GRANTED: _create("consent"),
        codes.CONSENT_REFUSED: _create("consent"),
        codes.CONSENT_REVOKED: _update("consent"),
        codes.CONSENT_REVOKED_ALL: _update(),
        codes.CONSENT_READ: _read("consent"),
        codes.REVOCATION_ACKNOWLEDGED: _update("consent"),
        codes.REQUESTER_BLOCKED: _create("requester"),
        codes.REQUESTER_UNBLOCKED: _delete("requester"),
        codes.DELEGATION_GRANTED: _create("consent"),
        codes.DELEGATION_REVOKED: _update("consent"),
        codes.RECOVERY_POLICY_SET: _update(),
        codes.RECOVERY_AGREED: _update(),
        codes.RECOVERY_ACCEPTED: _update(),
        codes.RECOVERY_CONFIRMED: _update(),
        codes.RECOVERY_PROPOSED: _update(),
        codes.RECOVERY_STOPPED: _update(),
        codes.RECOVERY_COMPLETED: _update(),
        codes.PAPER_BROUGHT: _create("scan"),
        codes.PAPER_WITNESSED: _create("scan"),
        codes.PAPER_STOPPED: _update("consent"),
        codes.NOTICE_PUBLISHED: _create("notice"),
        codes.ERASURE_REQUESTED: _alert("110135", "U"),  # object security attributes changed
        codes.ERASURE_CANCELLED: _alert("110135", "U"),
        codes.ERASURE_HELD: _alert("110135", "U"),
        codes.ERASURE_DONE: _delete("record"),
        codes.HOLD_PLACED: _alert("110135", "U"),
        codes.HOLD_LIFTED: _alert("110135", "U"),
        codes.ENCRYPTION_KEY_BOUND: _alert("110135", "U"),  # object security attributes changed
        codes.ENCRYPTION_KEY_WITHDRAWN: _alert("110135", "U"),
        codes.ENROLMENT_CODE_ISSUED: _create(),
        codes.ENROLMENT_CLAIMED: _create(),
        codes.TOKEN_ISSUED: _DECISION,  # what BALP made the pattern for
        codes.TOKEN_INTROSPECTED: _DECISION,
        codes.SIGNED_IN: _dicom("110114", "110122"),
        codes.SIGN_IN_FAILED: _dicom("110114", "110122"),
        codes.SIGNED_OUT: _dicom("110114", "110123"),
        codes.REFRESH_REUSED: _alert("110132"),
        codes.ACCOUNT_CHANGED: _alert("110137", "U"),  # user security attributes changed
        codes.PARTICIPANT_CHANGED: _alert("110136", "U"),  # security roles changed
        codes.CONTACT_CHANGED: _update(),
        codes.CARE_TEAM_CHANGED: _alert("110136", "U"),
        codes.STUDY_PROPOSED: _create("study"),
        codes.STUDY_APPROVED: _update("study"),
        **dict.fromkeys(
            (
                codes.STUDY_REVIEWED,
                codes.STUDY_SIGNED,
                codes.STUDY_REFUSED,
                codes.STUDY_SUSPENDED,
                codes.STUDY_RESUMED,
                codes.STUDY_REVOKED,
                codes.STUDY_CLOSED,
            ),
            _update("study"),
        ),
        codes.STUDY_DOCUMENT_STORED: _create("study"),
        codes.STUDY_DOCUMENT_READ: _read("study"),
        codes.STUDY_RUN: _run("study"),
        codes.STUDY_RESULT_WITHHELD: _update("study"),
        codes.STUDY_RESULTS_REMOVED: _delete("study"),
        codes.STUDY_DATASET_RELEASED: _run("study"),
        codes.STUDY_RECORDS_RELEASED: _run("study"),
        codes.CATALOGUE_DRAWN: _run("offers"),
        codes.STUDY_USED_DATA: _run("study"),
        codes.RESULT_COMMITTED: _create("result"),
        codes.ESCROW_FUNDED: _update("study"),
        codes.ESCROW_RELEASED: _update("study"),
        codes.ESCROW_REFUNDED: _update("study"),
        codes.PAYOUT_PROPOSED: _create("round"),
        codes.PAYOUT_OBJECTED: _update("round"),
        codes.PAYOUT_SETTLED: _update("round"),
        codes.PAYOUT_CLOSED: _update("round"),
        codes.PAYEE_NAMED: _update("study"),
        codes.PAYMENT_CLAIMED: _update("round"),
        codes.TEST_TOKENS_ISSUED: _create("account"),
        codes.DONATION_NAMED: _create("account"),
        codes.PRIVACY_CHARGED: _update(),
        codes.PRIVACY_JOINED: _update(),
        codes.ANSWERS_DRAWN: _update(),
        codes.RELEASE_ENTERED: _update(),
        codes.EMERGENCY_OPENED: _alert("110127"),  # emergency override started
        codes.AUDIT_READ: _dicom("110101", None, "R"),  # audit log used
        codes.AUDIT_KEY_ERASED: _alert("110135", "D"),  # object security attributes changed
        codes.SERVICE_STARTED: _dicom("110100", "110120"),
        codes.SERVICE_STOPPED: _dicom("110100", "110121"),
        codes.KEY_ROTATED: _alert("110129", "U"),  # security configuration
        codes.BACKUP_CHECKED: _dicom("110100", None),  # application activity
    }
)
# A type of a later release, found in a log that an older release reads.
_UNKNOWN: Final = _dicom("110100", None)


def pattern_of(event: AuditEvent) -> Pattern:
    """Return the pattern of an event; the second version of a record is an update of it."""
    if event.type == codes.RECORD_STORED and event.detail.get("version", 1) != 1:
        return _NEW_VERSION
    return PATTERNS.get(event.type, _UNKNOWN)
