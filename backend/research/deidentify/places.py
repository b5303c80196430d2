"""What may stay of an address: 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Any, Final

from backend.research.us_states import STATE_CODES

SPARSE_PREFIXES: Final = frozenset(
    {
        # Three-digit areas of 20,000 people or fewer by the 2000 census (HHS guidance of 2012) ...
        *("036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879"),
        *("884", "890", "893"),
        # ... and by the 2010 census.
        *("205", "369", "753", "772"),
    }
)
_ZIP: Final = re.compile(r"[0-9]{5}(-?[0-9]{4})?")
_COUNTRIES: Final = frozenset({"US", "USA"})


def coarse_address(address: dict[str, Any]) -> dict[str, str] | None:
    """State, country and the first three digits of the ZIP code, of an address in the United States.

    Of another country the country alone: how many live in its areas is not known here.
    """
    country = address.get("country", "US")
    if country not in _COUNTRIES:
        known = isinstance(country, str) and re.fullmatch(r"[A-Z]{2,3}", country)
        return {"country": country} if known else None
    kept = {"country": "US"} if "country" in address else {}
    if address.get("state") in STATE_CODES:
        kept["state"] = address["state"]
    postal = address.get("postalCode")
    if isinstance(postal, str) and _ZIP.fullmatch(postal):
        kept["postalCode"] = "000" if postal[:3] in SPARSE_PREFIXES else postal[:3]
    return kept or None
