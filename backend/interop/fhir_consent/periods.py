"""Half-open windows of unix seconds, and FHIR Periods, whose end is inclusive.

An end in FHIR includes every moment that matches it (R4 "Period.end"): ``…T10:00:00Z`` the whole second,
``2022-12-31`` the whole day, ``2022`` the whole year. So the window [a, b) is written as start a and end
b - 1 to the second, and an end is read as the first moment after all that it includes. Both ways are exact.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from backend.consent.terms import BEGINNING, UNBOUNDED
from backend.consent.validation import LAST_DATE
from backend.interop.fhir_consent.codes import Json
from backend.interop.fhir_consent.errors import (
    FhirConsentMalformed,
    FhirConsentWindow,
    FhirConsentZoneMissing,
)
from backend.types import UnixSeconds

Window = tuple[UnixSeconds, UnixSeconds]  # from, to: half open
ALL_TIME: Final[Window] = (BEGINNING, UNBOUNDED)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d))?)?)?\Z", re.ASCII
)
_LOCAL_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?\Z", re.ASCII)


def to_period(window: Window) -> Json | None:
    """Return the Period of a window, None for all time."""
    start, end = window
    period = {}
    if start != BEGINNING:
        period["start"] = instant(start)
    if end != UNBOUNDED:
        period["end"] = instant(UnixSeconds(end - 1))
    return period or None


def instant(moment: UnixSeconds) -> str:
    return (_EPOCH + timedelta(seconds=moment)).isoformat().replace("+00:00", "Z")


def from_period(period: object, path: str, zone: tzinfo | None) -> Window:
    """Return the window of a Period. ``zone`` is that of dates without time; None refuses them."""
    if not isinstance(period, dict) or not period:
        raise FhirConsentMalformed("A Period with a start, an end or both.", field=path)
    for name in period:
        if name not in ("start", "end"):
            raise FhirConsentMalformed("A Period has a start and an end.", field=f"{path}.{name!s:.40}")
    start, end = BEGINNING, UNBOUNDED
    if "start" in period:
        start = _bound(period["start"], f"{path}.start", zone, end=False)
        if start <= 0:
            # Zero is "without start": it would take in all that is older.
            raise FhirConsentWindow("Times up to 1970 cannot be kept.", field=f"{path}.start")
    if "end" in period:
        end = _bound(period["end"], f"{path}.end", zone, end=True)
    if start > LAST_DATE or (end > LAST_DATE and end != UNBOUNDED):
        raise FhirConsentWindow("Times after the year 9999 cannot be kept.", field=path)
    if end <= start:
        raise FhirConsentWindow("The period ends before it begins.", field=f"{path}.end")
    return start, end


def _bound(text: object, path: str, zone: tzinfo | None, *, end: bool) -> UnixSeconds:
    """Return the first moment that ``text`` stands for or, as an end, the first one after."""
    matched = _TIME.match(text) if isinstance(text, str) else None
    if matched is None:
        if isinstance(text, str) and _LOCAL_TIME.match(text):
            raise FhirConsentZoneMissing(field=path)
        raise FhirConsentMalformed("A FHIR dateTime, such as 2026-01-31T12:00:00Z.", field=path)
    year, month, day = (int(part) if part else 0 for part in matched.group(1, 2, 3))
    try:
        if matched[4]:
            return _second(matched.string, matched[5], path, end=end)
        if zone is None:
            raise FhirConsentZoneMissing(field=path)
        if end and day:
            # The next midnight on the calendar of the zone: a day can have 23 or 25 hours.
            following = datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001 - zone is put on below
            return _seconds(following.replace(tzinfo=zone))
        if end:
            year, month = (year + 1, 1) if month in (0, 12) else (year, month + 1)
        return _seconds(datetime(year, month or 1, day or 1, tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise FhirConsentMalformed("There is no such date.", field=path) from error


def _second(text: str, fraction: str | None, path: str, *, end: bool) -> UnixSeconds:
    # Without its fraction, of which datetime takes at most six digits.
    whole = _seconds(datetime.fromisoformat(text.replace(f".{fraction}", "") if fraction else text))
    if fraction is None:
        return UnixSeconds(whole + end)
    # An end of .999 includes all of its last millisecond, so it is the whole second; .500 is not.
    if set(fraction) != {"9" if end else "0"}:
        raise FhirConsentWindow("Only whole seconds can be kept.", field=path)
    return UnixSeconds(whole + end)


def _seconds(moment: datetime) -> UnixSeconds:
    return UnixSeconds((moment - _EPOCH) // timedelta(seconds=1))
