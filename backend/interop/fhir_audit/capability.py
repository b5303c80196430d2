"""The CapabilityStatement: what works on this interface, and nothing else."""

from __future__ import annotations

from typing import Any, Final

from backend.audit.fhir_patterns import BALP, PATTERNS
from backend.interop.fhir_audit.dates import PREFIXES
from backend.interop.fhir_audit.parameters import MAX_COUNT

Json = dict[str, Any]
_PREFIXES: Final = f"Prefixes {', '.join(PREFIXES)}. A date without time is a day, month or year in UTC."
_BY_IDENTIFIER: Final = "By identifier: the value as `Type/value` or `value`, or with `:identifier` as token."
PARAMETERS: Final = (
    ("_id", "token", "Ids of AuditEvents."),
    ("_lastUpdated", "date", "The same as date: an entry never changes."),
    ("date", "date", _PREFIXES),
    ("patient", "reference", "Subject ids. A patient searches only their own and those they act for."),
    ("agent", "reference", _BY_IDENTIFIER),
    ("entity", "reference", _BY_IDENTIFIER),
    ("source", "reference", _BY_IDENTIFIER),
    ("entity-type", "token", "Type of what was acted on."),
    ("entity-role", "token", "Role of what was acted on."),
    ("action", "token", "C, R, U, D or E."),
    ("outcome", "token", "0 done, 4 refused, 8 could not be answered."),
    ("type", "token", "Type of event."),
    ("subtype", "token", "AuthZ-Consent finds decisions; `urn:assent:audit-type|` our own types."),
    ("purpose", "token", "Purpose of use, as in R5."),
)


def capability_statement(*, base: str, name: str, version: str) -> Json:
    """Return the statement of the service at ``base``; ``name`` is the custodian's."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-26",
        "kind": "instance",
        "software": {"name": "Assent", "version": version},
        "implementation": {"description": f"Audit log of {name}", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {"description": "OAuth 2.0 bearer token of a patient's wallet or of an auditor."},
                "resource": [
                    {
                        "type": "AuditEvent",
                        "supportedProfile": _profiles(),
                        "documentation": (
                            f"Sorted by -date, or by date with _sort. _count up to {MAX_COUNT}. No totals. A "
                            "parameter that is not known is refused, unless Prefer says handling=lenient."
                        ),
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "versioning": "no-version",
                        "searchParam": [
                            {"name": each, "type": kind, "documentation": text}
                            for each, kind, text in PARAMETERS
                        ],
                    }
                ],
            }
        ],
    }


def _profiles() -> list[str]:
    names = {pattern.profile for pattern in PATTERNS.values()} - {None}
    alone = {"AuthZconsent", "PrivacyDisclosure.Source"}
    return sorted(
        f"{BALP}{prefix}{name}" for name in names for prefix in (("",) if name in alone else ("", "Patient"))
    )
