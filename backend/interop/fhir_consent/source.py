"""Bounded reading of the JSON of a Consent: no member twice, no NaN, few levels."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from backend.interop.fhir_consent.errors import FhirConsentMalformed
from backend.records.fhir_json import nesting_depth

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64


def load_json(raw: bytes) -> Any:
    """Return the value. Raise FhirConsentMalformed for anything that two readers could take differently."""
    if len(raw) > MAX_BYTES or nesting_depth(raw) > MAX_DEPTH:
        raise FhirConsentMalformed(f"At most {MAX_BYTES} bytes and {MAX_DEPTH} levels.")
    try:
        return json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except ValueError as error:  # of JSON or UTF-8
        raise FhirConsentMalformed("Not JSON in UTF-8.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise FhirConsentMalformed("A member occurs twice in one object.")
    return members


def _no_number(_: str) -> NoReturn:
    raise FhirConsentMalformed("NaN and Infinity are not JSON.")
