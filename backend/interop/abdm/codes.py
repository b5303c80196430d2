"""ABDM's codes in the words of the tables here. Each stands for what is certain, never for more.

docs/abdm.md shows these tables and a test holds it to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.consent.tables import Tables
from backend.consent.terms import MAX_USES_PER_PERIOD, UNLIMITED_USES
from backend.interop.abdm.errors import AbdmMalformed, AbdmUnknownCode

# The same codes as in HL7 v3 PurposeOfUse, each one bit: nothing below it in that hierarchy.
PURPOSES: Final = ("CAREMGT", "BTG", "PUBHLTH", "GOV", "HPAYMT", "DSRCH", "PATRQT")
# A document type is read as what such documents are about; what also stands in some of them is not asked for.
HI_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "Prescription": ("medications",),
    "DiagnosticReport": ("laboratory", "imaging_metadata", "reports"),
    "OPConsultation": ("encounters", "conditions", "allergies", "procedures", "notes"),
    "DischargeSummary": ("encounters", "conditions", "procedures", "notes", "care_plans"),
    "ImmunizationRecord": ("immunizations",),
    "HealthDocumentRecord": ("documents",),
    "WellnessRecord": ("vital_signs", "vital_signs_device"),
}
ACCESS_MODES: Final[Mapping[str, tuple[str, ...]]] = {
    "VIEW": ("access",),
    "STORE": ("access", "store"),
    "STREAM": ("access", "stream"),
    "QUERY": ("query",),
}
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
# A month and a year at their longest: as many uses in a longer period is less.
UNITS: Final[Mapping[str, int]] = {
    "HOUR": _HOUR,
    "DAY": _DAY,
    "WEEK": 7 * _DAY,
    "MONTH": 31 * _DAY,
    "YEAR": 366 * _DAY,
}
_MAX_PERIOD: Final = 2**32 - 1


def frequency(unit: str, value: int, repeats: int, *, field: str) -> tuple[int, int]:
    """Return (uses per period, period in seconds): ``repeats`` uses in any window of ``value`` units.

    Many senders write 0 for ``repeats``. It is read as one use, not as any number.
    """
    if unit not in UNITS:
        raise AbdmUnknownCode(f"One of {', '.join(UNITS)}.", field=f"{field}.unit")
    if not 1 <= value <= _MAX_PERIOD // UNITS[unit]:
        raise AbdmMalformed("A number of units from 1, of 136 years at most.", field=f"{field}.value")
    if not 0 <= repeats <= MAX_USES_PER_PERIOD:
        raise AbdmMalformed(f"A number from 0 to {MAX_USES_PER_PERIOD}.", field=f"{field}.repeats")
    return max(repeats, 1), value * UNITS[unit]


def frequency_of(uses: int, period_seconds: int, asked: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return ABDM's words for a limit: those it was asked in where they say it, else full hours, rounded up.

    None without a limit.
    """
    if uses == UNLIMITED_USES:
        return None
    if asked is not None and frequency(**asked, field="frequency") == (uses, period_seconds):
        return asked
    return {"unit": "HOUR", "value": -(-period_seconds // _HOUR), "repeats": uses}


def hi_types_of(asked: tuple[str, ...], categories: int, tables: Tables) -> list[str]:
    """Return those of ``asked`` that ``categories`` cover in whole: one in part would say too much."""
    return [kind for kind in asked if not tables.categories.mask(HI_TYPES[kind]) & ~categories]


def access_mode_of(asked: str, actions: int, tables: Tables) -> str | None:
    """Return the mode asked for if ``actions`` cover it, else VIEW, else None."""
    for mode in (asked, "VIEW"):
        if not tables.actions.mask(ACCESS_MODES[mode]) & ~actions:
            return mode
    return None
