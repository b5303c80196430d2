"""The hook ``patient-consent-consult`` (LEAP consent decision service) of CDS Hooks 2.0: its request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backend.consent.tables import Tables
from backend.interop.decision_requests.claims import NAMES, Asked, asked
from backend.interop.decision_requests.errors import (
    DecisionClaimMalformed,
    DecisionClaimMissing,
    DecisionClaimUnknown,
)
from backend.records.label_tables import LabelTables

HOOK: Final = "patient-consent-consult"
DISCOVERY: Final = {
    "services": [
        {
            "hook": HOOK,
            "id": HOOK,
            "title": "Patient consent consult",
            "description": (
                "Whether the patient's signed consents permit the caller an action for a purpose. "
                "Sign in first; see docs/decision_interfaces.md."
            ),
        }
    ]
}
_HOOK_CALL: Final = frozenset(
    {"hook", "hookInstance", "context", "fhirServer", "fhirAuthorization", "prefetch", "extension"}
)


def read_hook(body: Mapping[str, object], tables: Tables, labels: LabelTables) -> Asked:
    """Return the question of a hook call. What the caller prefetched is not looked at: evidence comes from
    the chain. Raises DecisionClaimMissing, DecisionClaimUnknown, DecisionClaimMalformed."""
    for name in body.keys() - _HOOK_CALL:
        raise DecisionClaimUnknown(field=name[:40])
    for name in ("hook", "hookInstance", "context"):
        if not body.get(name):
            raise DecisionClaimMissing(field=name)
    if body["hook"] != HOOK:
        raise DecisionClaimUnknown(f"The hook is {HOOK}.", field="hook")
    if not isinstance(body["hookInstance"], str):
        raise DecisionClaimMalformed("A string.", field="hookInstance")
    context = body["context"]
    if not isinstance(context, Mapping):
        raise DecisionClaimMalformed("An object.", field="context")
    for name in context.keys() - NAMES:
        raise DecisionClaimUnknown(field=f"context.{name!s:.40}")
    return asked(context, {name: f"context.{name}" for name in NAMES}, tables, labels)
