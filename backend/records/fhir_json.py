"""Bounded reading of a JSON bundle that keeps the source's own text of each resource.

The released bytes of a resource are the bytes that came in: no number is rewritten, no member is reordered.
So the reader notes where in the text each ``entry.resource`` lies. Python's decoder does the decoding
(RFC 8259); what it would let pass is refused here: duplicate members, ``NaN`` and ``Infinity``, numbers whose
conversion is expensive, lone surrogates, nesting that exhausts the stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate
from typing import Any, NoReturn, TypeAlias

from backend.records.fhir_errors import (
    BundleTooDeep,
    BundleTooLarge,
    BundleTooManyEntries,
    DuplicateJsonKey,
    FhirInvalid,
    MalformedJson,
    NotABundle,
    NotUtf8,
    NumberOutOfRange,
)

JsonObject: TypeAlias = dict[str, Any]

_WHITESPACE = re.compile(r"[ \t\n\r]*")
_NUMBER_CHARACTERS = 64
_LONG_EXPONENT = re.compile(r"[eE][+-]?[0-9]{4,}")
_NOT_A_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_STEP = [0] * 256
for _open, _close in (b"[]", b"{}"):
    _STEP[_open], _STEP[_close] = 1, -1


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one document: bytes, levels of JSON nesting, entries of the bundle."""

    max_bytes: int = 16 * 1024 * 1024
    max_depth: int = 64
    max_entries: int = 20_000


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One ``Bundle.entry``: all members, and the exact text of its resource ("" where it has none)."""

    members: JsonObject
    resource_text: str


@dataclass(frozen=True, slots=True)
class SourceBundle:
    """The bundle as read: members besides ``entry``, then the entries in order."""

    head: JsonObject
    entries: tuple[SourceEntry, ...] = field(default=())


def nesting_depth(raw: bytes) -> int:
    """Return the deepest level of brackets outside strings, without parsing (linear time, C speed).

    Removing escaped backslashes first and escaped quotes second leaves only quotes that delimit strings.
    Bytes that are no JSON may be counted wrongly only after the first place where the decoder stops.
    """
    outside = b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(None, _NOT_A_BRACKET)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateJsonKey
    return members


def _decimal(text: str) -> Decimal:
    # An exponent of nine digits fits a Decimal, but turning it into an integer later would never end.
    if len(text) > _NUMBER_CHARACTERS or _LONG_EXPONENT.search(text):
        raise NumberOutOfRange
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > _NUMBER_CHARACTERS:
        raise NumberOutOfRange
    return int(text)


def _not_finite(_: str) -> NoReturn:
    raise NumberOutOfRange


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_decimal, parse_int=_integer, parse_constant=_not_finite
)


def decode_text(raw: bytes) -> str:
    """Return ``raw`` as text. :raises NotUtf8: for anything but UTF-8 without a byte-order mark."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise NotUtf8
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotUtf8 from None


def _require_whole_characters(text: str, value: object) -> None:
    """Refuse an escaped half of a surrogate pair: it is no character and cannot be written again."""
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
        except UnicodeEncodeError:
            raise MalformedJson from None


class _Walker:
    """Steps through containers of which the positions matter and leaves the rest to the decoder."""

    def __init__(self, text: str) -> None:
        self._text = text

    def space(self, position: int) -> int:
        matched = _WHITESPACE.match(self._text, position)
        return matched.end() if matched else position

    def at(self, position: int, character: str) -> bool:
        return self._text[position : position + 1] == character

    def expect(self, position: int, character: str) -> int:
        if not self.at(position, character):
            raise MalformedJson
        return self.space(position + 1)

    def value(self, position: int) -> tuple[Any, int]:
        try:
            value, end = _DECODER.raw_decode(self._text, position)
        except (ValueError, RecursionError):
            raise MalformedJson from None
        return value, end

    def members(self, position: int, read: Callable[[str, int], int]) -> int:
        """Walk an object; ``read(key, position of value)`` returns the end of the value."""
        position = self.expect(position, "{")
        seen: set[str] = set()
        while not self.at(position, "}"):
            if seen:
                position = self.expect(position, ",")
            if not self.at(position, '"'):
                raise MalformedJson
            key, end = self.value(position)
            if key in seen:
                raise DuplicateJsonKey
            seen.add(key)
            position = self.space(read(key, self.expect(self.space(end), ":")))
        return position + 1

    def items(self, position: int, read: Callable[[int], int]) -> int:
        """Walk an array; ``read(position of item)`` returns the end of the item."""
        position = self.expect(position, "[")
        first = True
        while not self.at(position, "]"):
            if not first:
                position = self.expect(position, ",")
            first = False
            position = self.space(read(position))
        return position + 1


def _located(error: Exception, index: int) -> None:
    if isinstance(error, DuplicateJsonKey | NumberOutOfRange | MalformedJson) and error.field is None:
        error.field = f"entry[{index}]"


def _bounded_text(raw: bytes, limits: Limits) -> str:
    if len(raw) > limits.max_bytes:
        raise BundleTooLarge
    if nesting_depth(raw) > limits.max_depth:
        raise BundleTooDeep
    return decode_text(raw)


def read_object(raw: bytes, limits: Limits) -> JsonObject:
    """Read one JSON object within ``limits``. Raises as ``read_bundle`` does; FhirInvalid for no object."""
    text = _bounded_text(raw, limits)
    walker = _Walker(text)
    value, end = walker.value(walker.space(0))
    if walker.space(end) != len(text):
        raise MalformedJson
    if not isinstance(value, dict):
        raise FhirInvalid
    _require_whole_characters(text, value)
    return value


def read_bundle(raw: bytes, limits: Limits) -> SourceBundle:
    """Read a bundle within ``limits``; nothing is said yet about whether it is FHIR.

    :raises BundleTooLarge, BundleTooDeep, BundleTooManyEntries: beyond a bound; nothing was parsed.
    :raises NotUtf8, MalformedJson, DuplicateJsonKey, NumberOutOfRange: not the JSON we accept.
    :raises NotABundle: well-formed, but not an object, or ``entry`` is not a list of objects.
    """
    text = _bounded_text(raw, limits)
    walker = _Walker(text)
    head: JsonObject = {}
    entries: list[SourceEntry] = []

    def read_entry(position: int) -> int:
        if len(entries) >= limits.max_entries:
            raise BundleTooManyEntries
        members: JsonObject = {}
        resource_text = ""

        def read_member(key: str, start: int) -> int:
            nonlocal resource_text
            members[key], end = walker.value(start)
            if key == "resource":
                resource_text = text[start:end]
            return end

        try:
            if not walker.at(position, "{"):
                raise NotABundle(field=f"entry[{len(entries)}]")
            end = walker.members(position, read_member)
            _require_whole_characters(text[position:end], members)
        except Exception as error:
            _located(error, len(entries))
            raise
        entries.append(SourceEntry(members, resource_text))
        return end

    def read_head(key: str, start: int) -> int:
        if key == "entry":
            if not walker.at(start, "["):
                raise NotABundle(field="entry")
            return walker.items(start, read_entry)
        head[key], end = walker.value(start)
        return end

    start = walker.space(0)
    if not walker.at(start, "{"):
        walker.value(start)
        raise NotABundle
    end = walker.space(walker.members(start, read_head))
    if end != len(text):
        raise MalformedJson
    _require_whole_characters(text, head)
    return SourceBundle(head, tuple(entries))


class Number(str):
    """The digits of a number as they stood in the source."""

    __slots__ = ()


def write_json(value: Any) -> str:
    """Return JSON without white space, members in their order, a ``Number`` with its own digits."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(key, ensure_ascii=False)}:{write_json(item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
