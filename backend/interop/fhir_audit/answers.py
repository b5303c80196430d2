"""What a search answers: a searchset Bundle, or an OperationOutcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

Json = dict[str, Any]
FHIR_JSON: Final = "application/fhir+json"
ERROR_SYSTEM: Final = "urn:assent:error"
_ISSUE_OF_STATUS: Final = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    409: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    503: "transient",
}


def searchset(
    resources: Iterable[Json],
    *,
    base: str,
    query: str,
    next_query: str | None,
    ignored: Sequence[str] = (),
    damaged: Sequence[int] = (),
) -> Json:
    """Return the Bundle of one page, without a total. ``query`` is the search as it was understood."""
    links = [{"relation": "self", "url": _url(base, query)}]
    if next_query is not None:
        links.append({"relation": "next", "url": _url(base, next_query)})
    entries: list[Json] = [
        {
            "fullUrl": f"{base}/AuditEvent/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resources
    ]
    issues = [_issue("warning", "not-supported", f"{name} was left out") for name in ignored]
    issues += [
        _issue("error", "exception", f"entry-{index} is damaged; tell the operator") for index in damaged
    ]
    if issues:
        told = {"resourceType": "OperationOutcome", "issue": issues}
        name = uuid5(NAMESPACE_URL, json.dumps(told)).urn
        entries.append({"fullUrl": name, "resource": told, "search": {"mode": "outcome"}})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    return {**bundle, "entry": entries} if entries else bundle


def operation_outcome(
    status: int, code: str, detail: str, remedy: str, *, field: str | None, request_id: str
) -> Json:
    """Return an error with our stable code; ``field`` is the parameter or element at fault."""
    issue: Json = {
        **_issue("error", _ISSUE_OF_STATUS.get(status, "exception"), detail),
        "diagnostics": f"{remedy} (request {request_id})",
    }
    issue["details"]["coding"] = [{"system": ERROR_SYSTEM, "code": code}]
    if field:
        issue["expression"] = [f"http.{field}"]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _issue(severity: str, code: str, text: str) -> Json:
    return {"severity": severity, "code": code, "details": {"text": text}}


def _url(base: str, query: str) -> str:
    return f"{base}/AuditEvent" + (f"?{query}" if query else "")
