"""Residual rules as IHE PCF 1.1 has them (ITI-71, 3.71.4.2.2.1.4): all is forbidden, then areas permitted.

In PCF a ``permit`` overrides a ``forbid``, so that no forbid could cut into a permit; what is permitted is
therefore said in full. ``class`` is our member: PCF has no kinds of data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from backend.consent.areas import Area
from backend.consent.tables import Tables
from backend.interop.fhir_consent import codes
from backend.interop.fhir_consent.codes import CONFIDENTIALITY, Json
from backend.interop.fhir_consent.periods import to_period

FORBID_ALL: Final[Json] = {"type": "forbid"}
NORMAL: Final[Json] = {"system": CONFIDENTIALITY, "code": "N"}
MAX_CHARACTERS_IN_A_TOKEN: Final = 3_500  # so that a token passes in a header; introspection tells all


def rules_of(areas: Iterable[Area], tables: Tables, *, max_characters: int | None = None) -> list[Json]:
    """Return the rules. With ``max_characters`` permits are left out that do not fit: never a wider set."""
    rules = [FORBID_ALL]
    left = max_characters
    for area in areas:
        rule = _permit(area, tables)
        if rule in rules:
            continue
        if left is not None:
            left -= len(json.dumps(rule, separators=(",", ":")))
            if left < 0:
                break
        rules.append(rule)
    return rules


def _permit(area: Area, tables: Tables) -> Json:
    labels = codes.labels(tables.sensitivities, area.sensitivities)
    rule: Json = {
        "type": "permit",
        "class": codes.categories(tables.categories, area.categories),
        "securityLabel": ([NORMAL] if area.normal else []) + labels,
    }
    period = to_period((area.data_from, area.data_to))
    return rule if period is None else rule | {"dataPeriod": period}
