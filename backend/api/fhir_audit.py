"""The audit log as FHIR R4: a patient finds their own entries, an auditor everybody's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse

from backend.api.audit import log_reading
from backend.api.security import Caller, Open, needs, require_party
from backend.audit.access import AccessEntry
from backend.audit.errors import EntryDamaged, UnknownEntry
from backend.audit.fhir import Place, Position, audit_event
from backend.audit.search import Found, LogSearch, Span
from backend.identity.roles import Scope
from backend.interop.fhir_audit.answers import FHIR_JSON, searchset
from backend.interop.fhir_audit.capability import PARAMETERS, capability_statement
from backend.interop.fhir_audit.errors import SearchParameterMalformed
from backend.interop.fhir_audit.parameters import CURSOR, Pair, Search, read_search
from backend.types import LogIndex, SubjectId

SCANNED_AT_ONCE: Final = 2_000  # entries opened for one page; a page with fewer matches has a next link
_FORM: Final = "application/x-www-form-urlencoded"
_ENTRY_ID: Final = re.compile(r"entry-(0|[1-9]\d{0,14})", re.ASCII)
_CURSOR: Final = re.compile(r"(\d{1,15})\.(\d{1,15})", re.ASCII)


class FhirJson(JSONResponse):
    media_type = FHIR_JSON


router = APIRouter(prefix="/fhir", tags=["audit"], default_response_class=FhirJson)
Looking = Annotated[Caller, Depends(needs(Scope.ACCESS_LOG_OWN, Scope.AUDIT_READ))]
Prefer = Annotated[str, Header(max_length=200, description="handling=strict or handling=lenient")]
_DESCRIBED: Final = [
    *PARAMETERS,
    ("_count", "number", "Entries a page, 50 unless said."),
    ("_sort", "token", "-date or date."),
    (CURSOR, "token", "From a next link; it works for the caller who got it."),
]
_SCHEMA: Final[dict[str, Any]] = {"type": "string", "maxLength": 2000}


async def _form(request: Request) -> list[Pair]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise SearchParameterMalformed(f"Send {_FORM}.", field="content-type")
    return [*request.query_params.multi_items(), *_pairs(await request.body())]


@router.get("/metadata")
def capabilities(request: Request, services: Open) -> FhirJson:
    """What works here, as a CapabilityStatement."""
    custodian = services.custodian
    return FhirJson(
        capability_statement(base=_base(custodian.url), name=custodian.name, version=request.app.version)
    )


@router.get(
    "/AuditEvent",
    openapi_extra={
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": _SCHEMA, "description": text}
            for name, _, text in _DESCRIBED
        ]
    },
)
def search_audit_events(request: Request, caller: Looking, prefer: Prefer = "") -> FhirJson:
    """Find audit entries as AuditEvents, newest first. Each page is authorised again, and logged."""
    return _search(caller, read_search(request.query_params.multi_items(), prefer=prefer))


@router.post(
    "/AuditEvent/_search",
    openapi_extra={
        "requestBody": {
            "content": {
                _FORM: {
                    "schema": {"type": "object", "properties": {name: _SCHEMA for name, _, _ in _DESCRIBED}}
                }
            }
        }
    },
)
def search_audit_events_by_form(
    caller: Looking, form: Annotated[list[Pair], Depends(_form)], prefer: Prefer = ""
) -> FhirJson:
    """The same search with its parameters in a form, which logs of requests do not hold."""
    return _search(caller, read_search(form, prefer=prefer))


@router.get("/AuditEvent/{entry}")
def read_audit_event(entry: str, caller: Looking) -> FhirJson:
    """One audit entry. That of somebody else looks like one that does not exist. Reading it is logged."""
    named = _ENTRY_ID.fullmatch(entry)
    if named is None:
        raise UnknownEntry
    subjects = _visible(caller, None)
    found = caller.services.log_search.find(subjects, int(named[1]))
    resource = _resource(caller, found)
    _log(caller, subjects, [found])
    return FhirJson(resource)


def _search(caller: Caller, search: Search) -> FhirJson:
    services, principal = caller
    subjects = _visible(caller, search.patients)
    look, listing = services.log_search, f"fhir/AuditEvent?{search.query}"
    resources: list[dict[str, Any]] = []

    def keep(entry: AccessEntry) -> bool:
        if not search.keeps_time(entry.recorded_at_ms):
            return False
        resource = _resource(caller, entry)
        if not all(each.keeps(resource) for each in search.filters):
            return False
        resources.append(resource)
        return True

    if search.ids is not None:
        found = _named(look, subjects, search, keep)
    else:
        hull = search.hull()
        span = look.span(hull.start, hull.end)
        if search.cursor is not None:
            span &= _position(services.cursors.read(search.cursor, caller=principal.name, listing=listing))
        found = look.scan(
            subjects,
            span,
            newest_first=search.newest_first,
            keep=keep,
            limit=search.count,
            most=SCANNED_AT_ONCE,
        )
    _log(caller, subjects, found.entries)
    following = None
    if found.rest is not None:
        position = f"{found.rest.low}.{found.rest.high}"
        cursor = services.cursors.make(position, caller=principal.name, listing=listing)
        following = urlencode([*search.used, (CURSOR, cursor)])
    here = [(CURSOR, search.cursor)] if search.cursor is not None else []
    return FhirJson(
        searchset(
            resources,
            base=_base(services.custodian.url),
            query=urlencode([*search.used, *here]),
            next_query=following,
            ignored=search.ignored,
            damaged=found.damaged,
        )
    )


def _named(
    look: LogSearch,
    subjects: Collection[SubjectId] | None,
    search: Search,
    keep: Callable[[AccessEntry], bool],
) -> Found:
    """Return the entries with the ids asked for, of those that the caller sees."""
    entries: list[AccessEntry] = []
    damaged: list[LogIndex] = []
    for index in sorted(search.ids or (), reverse=search.newest_first):
        try:
            entry = look.find(subjects, index)
        except UnknownEntry:
            continue
        except EntryDamaged:
            damaged.append(LogIndex(index))
            continue
        if len(entries) < search.count and keep(entry):
            entries.append(entry)
    return Found(tuple(entries), tuple(damaged), None)


def _visible(caller: Caller, patients: frozenset[SubjectId] | None) -> frozenset[SubjectId] | None:
    """Return whose entries the caller sees, None for the whole log. Raises NotFound for somebody else's."""
    principal = caller.principal
    if Scope.AUDIT_READ in principal.scopes:
        return patients
    for patient in patients or ():
        require_party(principal, subject=patient, member=None)
    return principal.subject_ids if patients is None else patients


def _log(caller: Caller, subjects: frozenset[SubjectId] | None, entries: Sequence[AccessEntry]) -> None:
    """Log the reading for each patient whom it concerns: those asked for, or those whose entries are shown.

    What concerns no patient, or one that nobody knows here, is an entry of the system.
    """
    concerned = subjects
    if concerned is None:
        events = (entry.event for entry in entries)
        concerned = frozenset(event.subject for event in events if event and event.subject is not None)
    look = caller.services.log_search
    known = {subject for subject in concerned if look.is_known(subject)}
    for subject in sorted(known):
        log_reading(caller, subject)
    if subjects is None or known != set(subjects):
        log_reading(caller, None)


def _resource(caller: Caller, entry: AccessEntry) -> dict[str, Any]:
    if entry.event is None:
        raise EntryDamaged(f"entry {entry.index} cannot be read")
    services = caller.services
    position = Position(entry.index, entry.leaf_hash, entry.recorded_at_ms)
    return audit_event(entry.event, position, Place(services.audit.origin, services.custodian.url))


def _position(text: str) -> Span:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise SearchParameterMalformed("It is of another listing.", field=CURSOR)
    return Span(int(found[1]), int(found[2]))


def _pairs(body: bytes) -> list[Pair]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as failure:
        raise SearchParameterMalformed("The form cannot be read.", field="body") from failure


def _base(url: str) -> str:
    return f"{url}/fhir"
