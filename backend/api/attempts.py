"""Which refused requests were attempts at access that no decision has logged."""

from __future__ import annotations

import logging
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from backend.api.cursors import CursorRefused
from backend.api.security import agent_of
from backend.api.services import Services
from backend.audit.entry import ANONYMOUS
from backend.errors import AssentError, NotAuthenticated, NotFound, NotPermitted
from backend.identity.errors import PatientReferenceInvalid, ScopeMissing
from backend.identity.principal import Principal

_LOG = logging.getLogger("assent.access")
_ROUTES: Final = ("/v1/records", "/v1/accesses", "/v1/decisions", "/v1/log/entries", "/fhir/AuditEvent")
_READ_ROUTES: Final = ("/v1/consents",)  # handing in a signed consent is no attempt to see something
# A decision raises subclasses of NotPermitted and logs them itself; these bare ones come before any decision.
_EXACT: Final = frozenset({NotPermitted, ScopeMissing, CursorRefused, PatientReferenceInvalid, NotFound})


async def note_if_turned_away(request: Request, error: AssentError) -> None:
    """Log the attempt. The refusal stands whether or not that succeeds: nothing is released by it."""
    route = getattr(request.scope.get("route"), "path", "")
    if not _concerns_access(request.method, route) or not _is_turned_away(error):
        return
    services: Services = request.app.state.services
    principal: Principal | None = getattr(request.state, "principal", None)

    def note() -> None:
        services.turned_away.note(
            route=f"{request.method}:{route.replace('{', '').replace('}', '')}",
            code=error.code,
            actor=ANONYMOUS if principal is None else agent_of(principal),
            organisation=None if principal is None else principal.member_id,
        )

    try:
        await run_in_threadpool(note)
    except AssentError as failure:
        _LOG.warning("an attempt was not logged", extra={"code": failure.code, "route": route})


def _concerns_access(method: str, route: str) -> bool:
    return route.startswith(_ROUTES) or (method == "GET" and route.startswith(_READ_ROUTES))


def _is_turned_away(error: AssentError) -> bool:
    return isinstance(error, NotAuthenticated) or type(error) in _EXACT
