"""Reading the parameters of a search. A parameter that would narrow it is understood or refused, unless the
caller says ``Prefer: handling=lenient``: silently left out, it would show more than was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from backend.interop.fhir_audit.dates import Interval, read_date
from backend.interop.fhir_audit.errors import SearchParameterMalformed, SearchParameterUnknown
from backend.interop.fhir_audit.filters import READERS, REFERENCES, Filter, read_reference, read_token, split
from backend.types import MAX_SUBJECT_ID, SubjectId

Pair = tuple[str, str]
DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 200
MAX_ALTERNATIVES: Final = 50
MAX_PAIRS: Final = 50
CURSOR: Final = "_cursor"
_SUBJECT_SYSTEM: Final = "urn:assent:subject"
_JSON: Final = frozenset({"json", "application/json", "application/fhir+json"})
_DATES: Final = frozenset({"date", "_lastUpdated"})
_PATIENTS: Final = frozenset({"patient", "patient:identifier"})
# They shape the answer and select nothing, so leaving them out shows nothing more.
_SHAPING: Final = frozenset(
    {
        *("_total", "_summary", "_elements", "_include", "_revinclude", "_contained", "_containedType"),
        *("_pretty", "_include:iterate", "_revinclude:iterate"),
    }
)
_SUBJECT: Final = re.compile(r"0x[0-9a-f]{24}", re.ASCII)
_ENTRY: Final = re.compile(r"entry-(0|[1-9]\d{0,14})", re.ASCII)


@dataclass(slots=True)
class Search:
    """What is looked for; ``used`` is how the answer says it was understood."""

    patients: frozenset[SubjectId] | None = None  # None: nobody in particular
    dates: list[tuple[Interval, ...]] = field(default_factory=list)  # all of them, one of each
    filters: list[Filter] = field(default_factory=list)
    ids: frozenset[int] | None = None
    count: int = DEFAULT_COUNT
    newest_first: bool = True
    cursor: str | None = None
    used: list[Pair] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def query(self) -> str:
        """The parameters used, without the cursor."""
        return urlencode(self.used)

    def hull(self) -> Interval:
        """Return the shortest interval with every instant that is searched."""
        starts = [_least(interval.start for interval in choice) for choice in self.dates]
        ends = [_greatest(interval.end for interval in choice) for choice in self.dates]
        return Interval(
            max((start for start in starts if start is not None), default=None),
            min((end for end in ends if end is not None), default=None),
        )

    def keeps_time(self, milliseconds: int) -> bool:
        return all(any(milliseconds in interval for interval in choice) for choice in self.dates)


def read_search(pairs: Sequence[Pair], *, prefer: str = "") -> Search:
    """Read a search. Raises SearchParameterUnknown and SearchParameterMalformed."""
    if len(pairs) > MAX_PAIRS:
        raise SearchParameterMalformed(f"At most {MAX_PAIRS} parameters.", field="search")
    handling = re.search(r"handling=(strict|lenient)", prefer)
    search = Search()
    seen: set[str] = set()
    for given, value in pairs:
        name = given.replace(".identifier", ":identifier")  # ITI-81 chains it
        if not value.strip():
            raise SearchParameterMalformed("A parameter needs a value.", field=given)
        reader = _SINGLE.get(name)
        if reader is not None and name in seen:
            raise SearchParameterMalformed("Give it once.", field=given)
        seen.add(name)
        if reader is not None:
            reader(search, value)
        elif name in _DATES:
            search.dates.append(tuple(read_date(text, field=given) for text in _alternatives(value, given)))
        elif name in _PATIENTS:
            _narrow(search, frozenset(_patient(text, given) for text in _alternatives(value, given)))
        elif name in READERS:
            read = read_reference if name in REFERENCES else read_token
            tokens = tuple(read(text, field=given) for text in _alternatives(value, given))
            search.filters.append(Filter(name, tokens))
        else:
            _leave_out(search, given, handling[1] if handling else "")
            continue
        if name != CURSOR:
            search.used.append((given, value))
    return search


def _leave_out(search: Search, name: str, handling: str) -> None:
    base = name.partition(":")[0]
    known = base in READERS or base in _DATES or base in _PATIENTS or base in _SINGLE
    shaping = name in _SHAPING
    # R4 wants a modifier that is not supported refused in any case.
    if (known and not shaping) or handling == "strict" or (not shaping and handling != "lenient"):
        raise SearchParameterUnknown(field=name)
    search.ignored.append(name)


def _alternatives(value: str, name: str) -> list[str]:
    found = split(value)
    if len(found) > MAX_ALTERNATIVES or not all(found):
        raise SearchParameterMalformed(f"1 to {MAX_ALTERNATIVES} values, none empty.", field=name)
    return found


def _patient(text: str, name: str) -> SubjectId:
    """Read a subject id: ``0x…``, ``Patient/0x…`` or with our system."""
    if name == "patient":
        token = read_reference(text, field=name)
        ours = token.system in (None, "Patient")
    else:
        token = read_token(text, field=name)
        ours = token.system in (None, _SUBJECT_SYSTEM)
    if not ours or not _SUBJECT.fullmatch(token.code) or not 0 < int(token.code, 16) <= MAX_SUBJECT_ID:
        raise SearchParameterMalformed(
            "A patient is 0x and 24 hex digits, as in the access list.", field=name
        )
    return SubjectId(int(token.code, 16))


def _narrow(search: Search, patients: frozenset[SubjectId]) -> None:
    search.patients = patients if search.patients is None else search.patients & patients


def _read_ids(search: Search, value: str) -> None:
    found = [_ENTRY.fullmatch(text) for text in _alternatives(value, "_id")]
    search.ids = frozenset(int(each[1]) for each in found if each)  # any other id is nobody's


def _read_count(search: Search, value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and int(value) >= 1):
        raise SearchParameterMalformed("A number from 1 on; totals are not given.", field="_count")
    search.count = min(int(value), MAX_COUNT)


def _read_sort(search: Search, value: str) -> None:
    if value.removeprefix("-") not in _DATES:
        raise SearchParameterMalformed("Sorted is by -date (newest first) or date.", field="_sort")
    search.newest_first = value.startswith("-")


def _read_format(_: Search, value: str) -> None:
    if value.partition(";")[0].replace(" ", "+") not in _JSON:
        raise SearchParameterMalformed("Only JSON is given.", field="_format")


def _read_cursor(search: Search, value: str) -> None:
    search.cursor = value


_SINGLE: Final[dict[str, Callable[[Search, str], None]]] = {
    "_id": _read_ids,
    "_count": _read_count,
    "_sort": _read_sort,
    "_format": _read_format,
    CURSOR: _read_cursor,
}


def _least(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else min(value for value in known if value is not None)


def _greatest(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else max(value for value in known if value is not None)
