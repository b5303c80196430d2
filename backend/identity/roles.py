"""Roles and scopes. What is not listed is denied.

A scope says which calls a token may try. It never opens a record: every read is decided by consent as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from backend.identity.errors import ScopeInvalid


class Role(StrEnum):
    PATIENT = "patient"  # a wallet that controls a subject id, or holds a delegation
    PROVIDER = "provider"
    RESEARCHER = "researcher"
    ETHICS_BOARD = "ethics_board"
    BOARD_SECRETARY = "board_secretary"  # prepares what the ethics board decides, and signs nothing
    AUDITOR = "auditor"
    DEVICE_GATEWAY = "device_gateway"
    RESPONDER = "responder"
    OPERATOR = "operator"
    IDENTITY_DESK = "identity_desk"  # custodian's staff who check who somebody is
    WITNESS = "witness"  # custodian's staff who sign for a patient that consented on paper
    PRIVACY_OFFICER = "privacy_officer"  # custodian's officer who answers for its decisions
    TEAM_ADMINISTRATOR = "team_administrator"  # says who is in the care teams of its own organisation
    RESOURCE_SERVER = "resource_server"  # a server outside that is shown tokens of providers' systems


class Scope(StrEnum):
    ENROL = "enrolment:claim"
    ENROLMENT_ISSUE = "enrolment:issue"
    CONSENT_OWN = "consents:own"  # see, sign, narrow and refuse as the patient or for one
    CONSENT_REQUEST = "consents:request"
    ACCESS_LOG_OWN = "access-log:own"
    DECISION_EXPLAIN = "decisions:explain"
    DECISION_REVIEW = "decisions:review"  # whoever asked, with every reason
    PATIENT_SEARCH = "patients:search"
    RECORD_READ = "records:read"
    RECORD_WRITE = "records:write"
    READING_WRITE = "readings:write"
    EMERGENCY_OPEN = "emergency:open"
    STUDY_PROPOSE = "studies:propose"
    STUDY_RUN = "studies:run"
    STUDY_APPROVE = "studies:approve"
    STUDY_PREPARE = "studies:prepare"
    STUDY_READ = "studies:read"
    CATALOGUE_DRAW = "catalogue:draw"
    AUDIT_READ = "audit:read"
    PARTICIPANT_MANAGE = "participants:manage"
    ACCOUNT_MANAGE = "accounts:manage"
    SYSTEM_READ = "system:read"
    NOTICE_PUBLISH = "notices:publish"
    CARE_TEAM_MANAGE = "care-teams:manage"
    TOKEN_INTROSPECT = "tokens:introspect"  # noqa: S105 - a scope
    BACKUP_MAKE = "backups:make"
    ERASURE_HANDLE = "erasures:handle"  # take written requests to erase, and place legal holds
    PAYMENT_MANAGE = "payments:manage"  # pay for studies against invoices, propose and close payouts
    PAPER_HANDLE = "paper-consents:handle"  # bring, see, sign and stop consents on paper


SCOPES_OF_ROLE: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        Role.PATIENT: frozenset(
            {
                Scope.ENROL,
                Scope.CONSENT_OWN,
                Scope.ACCESS_LOG_OWN,
                Scope.RECORD_READ,
                Scope.DECISION_EXPLAIN,
                Scope.STUDY_READ,
            }
        ),
        Role.PROVIDER: frozenset(
            {
                Scope.PATIENT_SEARCH,
                Scope.CONSENT_REQUEST,
                Scope.RECORD_READ,
                Scope.RECORD_WRITE,
                Scope.DECISION_EXPLAIN,
            }
        ),
        Role.RESEARCHER: frozenset({Scope.STUDY_PROPOSE, Scope.STUDY_RUN, Scope.STUDY_READ}),
        Role.ETHICS_BOARD: frozenset({Scope.STUDY_APPROVE, Scope.STUDY_READ}),
        Role.BOARD_SECRETARY: frozenset({Scope.STUDY_PREPARE, Scope.STUDY_READ}),
        Role.AUDITOR: frozenset({Scope.AUDIT_READ, Scope.SYSTEM_READ, Scope.DECISION_REVIEW}),
        Role.DEVICE_GATEWAY: frozenset({Scope.READING_WRITE}),
        Role.RESPONDER: frozenset({Scope.PATIENT_SEARCH, Scope.EMERGENCY_OPEN, Scope.RECORD_READ}),
        Role.OPERATOR: frozenset(
            {
                Scope.PARTICIPANT_MANAGE,
                Scope.ACCOUNT_MANAGE,
                Scope.SYSTEM_READ,
                Scope.NOTICE_PUBLISH,
                Scope.BACKUP_MAKE,
                Scope.CATALOGUE_DRAW,
                Scope.PAYMENT_MANAGE,
            }
        ),
        Role.IDENTITY_DESK: frozenset({Scope.ENROLMENT_ISSUE, Scope.PAPER_HANDLE}),
        Role.WITNESS: frozenset({Scope.PAPER_HANDLE}),
        Role.PRIVACY_OFFICER: frozenset({Scope.DECISION_REVIEW, Scope.ERASURE_HANDLE}),
        Role.TEAM_ADMINISTRATOR: frozenset({Scope.CARE_TEAM_MANAGE}),
        Role.RESOURCE_SERVER: frozenset({Scope.TOKEN_INTROSPECT}),
    }
)

# Roles of the participant registry on the chain (uint16). Others (patients, the custodian's staff) are none.
CHAIN_BIT_OF_ROLE: Final[Mapping[Role, int]] = MappingProxyType(
    {
        Role.PROVIDER: 2,
        Role.RESEARCHER: 4,
        Role.ETHICS_BOARD: 8,
        Role.AUDITOR: 16,
        Role.RESPONDER: 32,
        Role.DEVICE_GATEWAY: 64,
        Role.OPERATOR: 256,
    }
)

STAFF_ROLES: Final = frozenset(Role) - {Role.PATIENT, Role.DEVICE_GATEWAY, Role.RESOURCE_SERVER}
CLIENT_ROLES: Final = frozenset(
    {
        *(Role.PROVIDER, Role.RESEARCHER, Role.RESPONDER, Role.DEVICE_GATEWAY),
        *(Role.TEAM_ADMINISTRATOR, Role.RESOURCE_SERVER),
    }
)


def scopes_of(roles: Iterable[Role]) -> frozenset[Scope]:
    """Return all scopes of the roles; no role, no scope."""
    return frozenset().union(*(SCOPES_OF_ROLE.get(role, frozenset()) for role in roles))


def known_roles(names: Iterable[str]) -> frozenset[Role]:
    """Return the roles among ``names``. A name nobody defined grants nothing."""
    wanted = set(names)
    return frozenset(role for role in Role if role.value in wanted)


def known_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Return the scopes among ``names``. A name nobody defined grants nothing."""
    wanted = set(names)
    return frozenset(scope for scope in Scope if scope.value in wanted)


def narrow(requested: str | None, *, allowed: frozenset[Scope]) -> frozenset[Scope]:
    """Return the scopes of a space-separated request (RFC 6749, 3.3), or all allowed ones without a request.

    Raises ScopeInvalid when one is not allowed: a client that believes it got more would fail later.
    """
    if requested is None:
        return allowed
    names = requested.split()
    scopes = known_scopes(names)
    if not names or len(scopes) != len(set(names)) or not scopes <= allowed:
        raise ScopeInvalid(field="scope")
    return scopes
