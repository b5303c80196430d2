"""Errors as ``application/problem+json`` (RFC 9457), with a stable ``code`` and what to do next. Below
``/fhir`` they are OperationOutcomes with the same code.

This is the only place where an error's family becomes an HTTP status.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from backend.api.attempts import note_if_turned_away
from backend.errors import (
    AssentError,
    Conflict,
    IntegrityError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooLarge,
    Unavailable,
)
from backend.identity.errors import TooManyAttempts
from backend.interop.fhir_audit.answers import FHIR_JSON, operation_outcome

_LOG = logging.getLogger("assent.api")

# The first family that matches decides, so subfamilies stand before their families.
_STATUS: tuple[tuple[type[AssentError], HTTPStatus], ...] = (
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (NotAuthenticated, HTTPStatus.UNAUTHORIZED),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (IntegrityError, HTTPStatus.BAD_GATEWAY),
)
_FRAMEWORK_CODES = {
    400: ("malformed_request", "The request is not well-formed HTTP or JSON; correct it."),
    401: ("not_authenticated", NotAuthenticated.remedy),
    404: ("not_found", NotFound.remedy),
    405: ("method_not_allowed", "Use a method that /docs lists for this path."),
    413: ("too_large", TooLarge.remedy),
    415: ("unsupported_media_type", "Send the media type that /docs names."),
}
RETRY_AFTER_SECONDS = 5
MAX_FIELD_CHARACTERS = 200


class Problem(BaseModel):
    """The body of every error answer."""

    type: str = Field(description="address of the explanation of this code")
    title: str
    status: int
    code: str = Field(description="stable; programs branch on it")
    detail: str
    remedy: str = Field(description="what the caller can do")
    field: str | None = Field(default=None, description="dotted path of the member at fault")
    request_id: str


def install(app: FastAPI) -> None:
    """Register the handlers that turn every exception into a problem."""
    app.add_exception_handler(AssentError, _on_assent_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_unexpected)


def status_of(error: AssentError) -> int:
    """The HTTP status of an error, from its family."""
    return next((status for family, status in _STATUS if isinstance(error, family)), 500)


async def _on_assent_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, AssentError):
        raise error
    await note_if_turned_away(request, error)
    status = int(status_of(error))
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="assent"'
    if isinstance(error, TooManyAttempts):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return _answer(
        request, status, error.code, error.detail, error.remedy, field=error.field, headers=headers
    )


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    # The input itself is left out of the answer and of the logs: it may hold personal data.
    errors: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    first = errors[0] if errors else {"loc": (), "msg": "malformed"}
    if first.get("type") == "json_invalid":
        return _answer(request, 400, "malformed_json", "The body is not valid JSON.", "Send one JSON value.")
    # A member nobody asked for is named, and its name is the sender's.
    field = ".".join(str(part) for part in first["loc"])[:MAX_FIELD_CHARACTERS]
    return _answer(request, 422, "invalid_input", str(first["msg"]), InvalidInput.remedy, field=field)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, remedy = _FRAMEWORK_CODES.get(status, ("http_error", "See /docs."))
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _answer(request, status, code, remedy, remedy, headers=headers)


async def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("unexpected", exc_info=error, extra={"request_id": request.scope.get("request_id", "")})
    return _answer(request, 500, AssentError.code, "Something unexpected happened.", AssentError.remedy)


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    remedy: str,
    *,
    field: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    request_id = str(request.scope.get("request_id", ""))
    # It may name a member of the sender's, which JSON lets hold what UTF-8 cannot say.
    named = None if field is None else field.encode(errors="replace").decode()
    if request.url.path.startswith("/fhir/"):
        status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status  # R4 says so of a bad search
        return JSONResponse(
            operation_outcome(status, code, detail, remedy, field=named, request_id=request_id),
            status_code=status,
            media_type=FHIR_JSON,
            headers=headers,
        )
    problem = Problem(
        type=f"/docs/errors#{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        remedy=remedy,
        field=named,
        request_id=request_id,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=status,
        media_type="application/problem+json",
        headers=headers,
    )
