"""Reads the ``consent`` of an ABDM consent request (consent-requests/init), and says what it asks for here.

Nothing is widened. Times are cut to full seconds inward, categories are those certain, no sensitive label is
asked for because ABDM cannot name one, and the consent ends when the data is to be erased.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from backend.consent.subset import Asked
from backend.consent.tables import Tables
from backend.consent.terms import UNBOUNDED, UNLIMITED_USES
from backend.interop.abdm.codes import ACCESS_MODES, HI_TYPES, PURPOSES, frequency
from backend.interop.abdm.errors import AbdmMalformed, AbdmUnknownCode, AbdmUnsupported, AbdmWindow
from backend.types import MemberId, SubjectId, UnixSeconds

MAX_TEXT: Final = 300
_WITH_ZONE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_MEMBERS: Final = {"purpose", "patient", "hip", "careContexts", "hiu", "requester", "hiTypes", "permission"}


@dataclass(frozen=True, slots=True)
class AbdmConsent:
    """A request as it was read. ``source`` is the request itself, for what is said back in its words."""

    source: Mapping[str, Any]
    patient: str
    hip: str | None
    hiu: str
    purpose: str
    hi_types: tuple[str, ...]
    access_mode: str
    data_from: UnixSeconds
    data_to: UnixSeconds
    erase_at: UnixSeconds
    uses_per_period: int
    period_seconds: int

    @property
    def message(self) -> str:
        """The requester's own words to the patient."""
        texts = (self.source["requester"].get("name"), self.source["purpose"].get("text"))
        return ": ".join(text for text in texts if text)

    def asked(self, subject: SubjectId, grantee: MemberId, tables: Tables) -> Asked:
        """Return what it asks for, of a patient and for a member."""
        return Asked(
            subject=subject,
            grantee=grantee,
            purposes=tables.purposes.mask([self.purpose]),
            categories=tables.categories.mask(code for kind in self.hi_types for code in HI_TYPES[kind]),
            sensitivities=0,
            actions=tables.actions.mask(ACCESS_MODES[self.access_mode]),
            data_from=self.data_from,
            data_to=self.data_to,
            not_after=self.erase_at,
            erase_by=self.erase_at,
            uses_per_period=self.uses_per_period,
            period_seconds=self.period_seconds,
        )


def read_consent(source: Mapping[str, Any], *, now: int | None) -> AbdmConsent:
    """Return the request. Raises AbdmMalformed, AbdmUnknownCode, AbdmWindow, AbdmUnsupported.

    ``now``: unix seconds, which dataEraseAt has to be after; None for a request that was taken before.
    """
    path = "consent"
    for name in source:
        if name not in _MEMBERS:
            raise AbdmMalformed("ABDM has no such member here.", field=f"{path}.{name[:40]}")
    if source.get("careContexts"):
        raise AbdmUnsupported(field=f"{path}.careContexts")
    hip = _object(source, "hip", path) if source.get("hip") is not None else None
    purpose = _object(source, "purpose", path)
    requester = _object(source, "requester", path)
    for owner, name, where in ((purpose, "text", "purpose"), (requester, "name", "requester")):
        if owner.get(name) is not None:
            _text(owner, name, f"{path}.{where}")
    permission, at = _object(source, "permission", path), f"{path}.permission"
    window = _object(permission, "dateRange", at)
    data_from = UnixSeconds(math.ceil(_time(window, "from", f"{at}.dateRange")))
    data_to = UnixSeconds(math.floor(_time(window, "to", f"{at}.dateRange")))
    if not data_from < data_to:
        raise AbdmWindow("The window ends before it begins.", field=f"{at}.dateRange.to")
    erase_at = UnixSeconds(math.floor(_time(permission, "dataEraseAt", at)))
    if now is not None and erase_at <= now:
        raise AbdmWindow("This time has passed.", field=f"{at}.dataEraseAt")
    uses, period = UNLIMITED_USES, 0
    if permission.get("frequency") is not None:
        uses, period = _frequency(_object(permission, "frequency", at), f"{at}.frequency")
    return AbdmConsent(
        source=source,
        patient=_text(_object(source, "patient", path), "id", f"{path}.patient"),
        hip=None if hip is None else _text(hip, "id", f"{path}.hip"),
        hiu=_text(_object(source, "hiu", path), "id", f"{path}.hiu"),
        purpose=_code(purpose.get("code"), PURPOSES, f"{path}.purpose.code"),
        hi_types=_hi_types(source.get("hiTypes"), f"{path}.hiTypes"),
        access_mode=_code(permission.get("accessMode"), tuple(ACCESS_MODES), f"{at}.accessMode"),
        data_from=data_from,
        data_to=data_to,
        erase_at=erase_at,
        uses_per_period=uses,
        period_seconds=period,
    )


def _hi_types(value: object, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= len(HI_TYPES):
        raise AbdmMalformed("Name one type at least, each once.", field=field)
    found = tuple(_code(each, tuple(HI_TYPES), f"{field}[{at}]") for at, each in enumerate(value))
    if len(set(found)) < len(found):
        raise AbdmMalformed("Name each type once.", field=field)
    return found


def _frequency(value: Mapping[str, Any], field: str) -> tuple[int, int]:
    if set(value) != {"unit", "value", "repeats"}:
        raise AbdmMalformed("A frequency has unit, value and repeats.", field=field)
    for name in ("value", "repeats"):
        if type(value[name]) is not int:  # a bool is no number here
            raise AbdmMalformed("A whole number.", field=f"{field}.{name}")
    return frequency(_text(value, "unit", field), value["value"], value["repeats"], field=field)


def _object(owner: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = owner.get(name)
    if not isinstance(value, Mapping):
        raise AbdmMalformed("A JSON object is needed.", field=f"{path}.{name}")
    return value


def _text(owner: Mapping[str, Any], name: str, path: str) -> str:
    value = owner.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise AbdmMalformed(f"A text of 1 to {MAX_TEXT} characters is needed.", field=f"{path}.{name}")
    return value


def _code(value: object, known: tuple[str, ...], field: str) -> str:
    if not isinstance(value, str):
        raise AbdmMalformed("A code is needed.", field=field)
    if value not in known:
        raise AbdmUnknownCode(f"One of {', '.join(known)}.", field=field)
    return value


def _time(owner: Mapping[str, Any], name: str, path: str) -> float:
    text, field = _text(owner, name, path), f"{path}.{name}"
    if not _WITH_ZONE.fullmatch(text):
        raise AbdmMalformed("A time with its zone is needed, such as 2026-01-31T12:00:00Z.", field=field)
    try:
        found = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError) as failure:
        raise AbdmMalformed("There is no such time.", field=field) from failure
    if not 0 <= found < UNBOUNDED:
        raise AbdmMalformed("A time since 1970.", field=field)
    return found
