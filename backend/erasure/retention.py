"""Retention: how long records of a kind are kept, and the erasures that begin when their time is over.

A record goes when every part of it may go, never before: of several rules that fit a part the longest counts,
and a part that none fits is kept for ever.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from backend.audit.entry import Agent
from backend.consent.tables import Tables
from backend.consent.terms import UNBOUNDED
from backend.erasure.errors import ErasureUnderWay
from backend.erasure.ports import RecordRows
from backend.erasure.service import Erasures
from backend.erasure.types import Cause, Scope, Wish
from backend.errors import AssentError, OperatorError, Unavailable
from backend.idempotency import Attempt
from backend.records.manifest import Manifest, SegmentManifest
from backend.records.ports import VersionRow
from backend.types import RecordId, SubjectId, UnixSeconds

_LOG = logging.getLogger("assent.retention")
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_MEMBERS: Final = {"code", "document_types", "categories", "years", "from"}
_SYSTEM: Final = Agent.service("retention")


class RetentionRulesInvalid(OperatorError):
    code = "retention_rules_invalid"
    remedy = "Correct the file of retention rules: docs/erasure.md shows its form. Nothing was erased by it."


class Begin(StrEnum):
    """From when the years count."""

    DATA_END = "data_end"  # of the data themselves; where they have no dates, of storing
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class Rule:
    """``document_types`` empty and ``categories`` zero: all of them."""

    code: str
    document_types: frozenset[str]
    categories: int  # mask
    years: int
    begin: Begin

    def fits(self, manifest: Manifest, part: SegmentManifest) -> bool:
        return (not self.document_types or manifest.document_type in self.document_types) and (
            not self.categories or bool(part.categories & self.categories)
        )

    def until(self, manifest: Manifest, part: SegmentManifest) -> UnixSeconds:
        """Return the first second in which a part need not be kept any more."""
        dated = self.begin is Begin.DATA_END and 0 < part.data_to < UNBOUNDED
        return years_after(part.data_to if dated else manifest.created_at, self.years)


@dataclass(frozen=True, slots=True)
class Due:
    """A record whose time is over. ``held``: it must be kept all the same."""

    subject: SubjectId
    record_id: RecordId
    until: UnixSeconds
    rule: str
    held: bool


class Retained(RecordRows, Protocol):
    def subjects(self) -> Sequence[SubjectId]:
        """Everybody who has a record."""


def read_rules(file: Path, tables: Tables) -> tuple[Rule, ...]:
    """Read the operator's file. Raises RetentionRulesInvalid."""
    try:
        value = json.loads(file.read_bytes())
        if not isinstance(value, dict) or value.keys() != {"rules"} or not isinstance(value["rules"], list):
            raise RetentionRulesInvalid(f"{file.name}: an object with the one member 'rules', a list.")
        rules = tuple(_rule(each, tables) for each in value["rules"])
    except (OSError, ValueError) as failure:
        raise RetentionRulesInvalid(f"{file.name} cannot be read as JSON.") from failure
    if len({rule.code for rule in rules}) != len(rules):
        raise RetentionRulesInvalid(f"{file.name}: two rules have one code.")
    return rules


def kept_until(manifest: Manifest, rules: Sequence[Rule]) -> tuple[UnixSeconds, str] | None:
    """Return until when a version is kept, and the rule that says so; None for ever."""
    found: list[tuple[UnixSeconds, str]] = []
    for part in manifest.segments:
        fitting = [(rule.until(manifest, part), rule.code) for rule in rules if rule.fits(manifest, part)]
        if not fitting:
            return None
        found.append(max(fitting))
    return max(found, default=None)


def years_after(at: int, years: int) -> UnixSeconds:
    """Return the same moment of the calendar (UTC) that many years later; 1 March for a 29 February."""
    moment = datetime.fromtimestamp(at, UTC)
    try:
        later = moment.replace(year=moment.year + years)
    except ValueError:  # a 29 February, or beyond the year 9999
        if moment.year + years > 9999:
            return UNBOUNDED
        later = moment.replace(year=moment.year + years, month=3, day=1)
    return UnixSeconds(int(later.timestamp()))


class Overdue:
    """Finds the records whose time is over. ``held``: whether a legal hold stands against an erasure."""

    def __init__(
        self,
        *,
        rules: Sequence[Rule],
        records: Retained,
        open_manifest: Callable[[VersionRow], Manifest],
        erases: Callable[[SubjectId, RecordId | None], bool],
        held: Callable[[Scope], bool],
        clock: Callable[[], int],
    ) -> None:
        self.rules = tuple(rules)
        self._records = records
        self._open_manifest = open_manifest
        self._erases = erases
        self._held = held
        self._clock = clock

    def find(self) -> Iterator[Due]:
        """Yield every record whose time is over and that is not being erased. Raises Unavailable errors."""
        now = self._clock()
        for subject in self._records.subjects() if self.rules else ():
            if self._erases(subject, None):
                continue
            versions: dict[RecordId, list[VersionRow]] = defaultdict(list)
            for row in self._records.versions(Scope(subject)):
                versions[row.record_id].append(row)
            for record_id, rows in versions.items():
                until = self._until(rows)
                if until is not None and until[0] <= now and not self._erases(subject, record_id):
                    yield Due(subject, record_id, *until, self._held(Scope(subject, (record_id,))))

    def _until(self, rows: Sequence[VersionRow]) -> tuple[UnixSeconds, str] | None:
        """Return until when the record is kept for the sake of any of its versions."""
        found: list[tuple[UnixSeconds, str]] = []
        for row in rows:
            try:
                until = kept_until(self._open_manifest(row), self.rules)
            except Unavailable:
                raise
            except AssentError as failure:
                _LOG.warning("a manifest cannot be read for retention", extra={"code": failure.code})
                return None
            if until is None:
                return None
            found.append(until)
        return max(found, default=None)


class Retention:
    """Several processes may run it: the same record gives the same erasure."""

    def __init__(
        self,
        *,
        overdue: Overdue,
        erasures: Erasures,
        key: bytes,
        grace_seconds: int,
        clock: Callable[[], int],
    ) -> None:
        self._overdue = overdue
        self._erasures = erasures
        self._key = key
        self._grace_seconds = grace_seconds
        self._clock = clock

    def run(self) -> int:
        """Begin the erasure of all that is due and not held; return of how many records."""
        return sum(self._begin(due) for due in self._overdue.find() if not due.held)

    def _begin(self, due: Due) -> bool:
        wish = Wish(
            scope=Scope(due.subject, (due.record_id,)),
            cause=Cause.RETENTION,
            by=_SYSTEM,
            grace_seconds=self._grace_seconds,
            rule=due.rule,
        )
        # The same each time, so that one that the patient cancelled is not begun anew.
        name = f"retention/{due.record_id.hex()}/{due.rule}"
        seed = hmac.digest(self._key, name.encode(), "sha256")
        try:
            requested = self._erasures.request(wish, Attempt(UnixSeconds(self._clock()), seed))
        except ErasureUnderWay:
            return False
        return requested.begun


def _rule(value: Any, tables: Tables) -> Rule:
    if not isinstance(value, Mapping) or not value.keys() <= _MEMBERS or {"code", "years"} - value.keys():
        raise RetentionRulesInvalid("A rule has a code and years, and of the others what it needs.")
    code, years = value["code"], value["years"]
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise RetentionRulesInvalid("The code of a rule is a short word of a-z 0-9 . _ -")
    if type(years) is not int or not 1 <= years <= 200:
        raise RetentionRulesInvalid(f"{code}: years is a number from 1 to 200.")
    try:
        return Rule(
            code=code,
            document_types=frozenset(map(str, value.get("document_types", ()))),
            categories=tables.categories.mask(value.get("categories", ())),
            years=years,
            begin=Begin(value.get("from", Begin.DATA_END)),
        )
    except (AssentError, ValueError, TypeError) as failure:
        raise RetentionRulesInvalid(f"{code}: {failure}") from failure
