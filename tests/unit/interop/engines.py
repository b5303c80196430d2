"""Other engines' ways to decide, written from what is published, sharing nothing with the importer.

Each function takes FHIR JSON and one request and answers "permit", "deny" or None for no consent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """Who asks for one piece of data of one class, made at one moment, with at most one label."""

    actor: str
    purpose: str
    label: str | None
    when: str  # of the data, RFC 3339 in UTC to the second, so that text order is time order
    now: str


def typed(consent: Json, request: Request) -> str | None:
    """FHIR and PCF: exceptions have types; a prohibition wins over a permission beside it."""
    base = consent["provision"]
    if not _in_force(consent, request) or not _matches({**base, "securityLabel": None}, request):
        return None
    matched = {each["type"] for each in base.get("provision", []) if _matches(each, request)}
    if base["type"] == "permit" and not _covers(base, request) and "permit" not in matched:
        return None
    if base["type"] == "deny" and not _labelled(base, request):
        return None
    if "deny" in matched:
        return "deny"
    return "permit" if "permit" in matched else str(base["type"])


def optin_optout(consent: Json, request: Request) -> str | None:
    """The policy rule decides; OPTOUT first. Any exception that denies does; the base is not read."""
    if not _in_force(consent, request):
        return None
    rules = {each["code"] for each in consent["policyRule"]["coding"]}
    decision = "deny" if "OPTOUT" in rules else "permit" if "OPTIN" in rules else None
    for each in consent["provision"].get("provision", []):
        if each["type"] == "deny" and _matches(each, request):
            return "deny"
    return decision


def flip_base(consent: Json, request: Request) -> str | None:
    """An exception that matches by purpose and actor turns the base round; with labels it redacts those."""
    base = consent["provision"]
    if not _in_force(consent, request) or not _purpose(base, request):
        return None
    decision = str(base["type"])
    redacted: set[str] = set()
    flipped = False
    for each in base.get("provision", []):
        if _purpose(each, request) and _actor(each, request):
            labels = {label["code"] for label in each.get("securityLabel", [])}
            redacted |= labels
            flipped = flipped or not labels
    if flipped:
        decision = "deny" if decision == "permit" else "permit"
    return "deny" if decision == "permit" and request.label in redacted else decision


def most_recent(consents: list[Json], request: Request) -> str | None:
    """The newest consent whose purposes and period fit decides; more of its base is not read."""
    applicable = [
        each for each in consents if _in_force(each, request) and _purpose(each["provision"], request)
    ]
    if not applicable:
        return None
    newest = max(applicable, key=lambda each: str(each["dateTime"]))
    base = newest["provision"]
    wide = {name: base[name] for name in ("type", "purpose", "period", "provision") if name in base}
    return typed({**newest, "provision": wide}, request)


def _in_force(consent: Json, request: Request) -> bool:
    return consent["status"] == "active" and _inside(consent["provision"].get("period", {}), request.now)


def _matches(element: Json, request: Request) -> bool:
    return (
        _purpose(element, request)
        and _actor(element, request)
        and _labelled(element, request)
        and _inside(element.get("dataPeriod", {}), request.when)
    )


def _purpose(element: Json, request: Request) -> bool:
    return "purpose" not in element or request.purpose in {each["code"] for each in element["purpose"]}


def _actor(element: Json, request: Request) -> bool:
    return "actor" not in element or request.actor in {
        each["reference"]["reference"] for each in element["actor"]
    }


def _labelled(element: Json, request: Request) -> bool:
    """Whether a rule about labels is about this data."""
    labels = element.get("securityLabel")
    return not labels or request.label in {each["code"] for each in labels}


def _covers(element: Json, request: Request) -> bool:
    """Whether a permission up to a level, and of labels, covers this data; N is data without a label."""
    labels = element.get("securityLabel")
    if not labels:
        return True
    named = {each["code"] for each in labels}
    return "V" in named or (request.label in named if request.label else "N" in named)


def _inside(period: Json, moment: str) -> bool:
    return period.get("start", "") <= moment <= period.get("end", "9999")
