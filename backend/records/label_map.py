"""A deployment's label map: what its local codes mean, reviewed by somebody and kept under version control.

A map only adds. A code that no published table knows becomes known by it; to a code that one knows it can add
sensitivities, and a category where the published table states none. ``docs/labelling.md`` describes the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from backend.errors import OperatorError

FORMAT: Final = "assent-label-map/1"
MAX_BYTES: Final = 16 * 1024 * 1024
_MAX_TEXT: Final = 1000
_MEMBERS: Final = ("format", "version", "reviewer", "reviewed_on", "mappings")
_NEEDED: Final = ("system", "code", "sensitivities", "reason")
_OPTIONAL: Final = ("category", "display")


class LabelMapInvalid(OperatorError):
    """The deployment's label map cannot be relied on, and nothing of it is used."""

    code = "label_map_invalid"
    remedy = "Correct the label map at the place named; 'assent labels check FILE' tries it."


@dataclass(frozen=True, slots=True)
class CodeMapping:
    """What one code of one system means here. ``sensitivities`` empty: reviewed, and not sensitive."""

    system: str
    code: str
    category: str | None
    sensitivities: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A map as read. ``digest`` is SHA-256 of the file, in hex."""

    version: str
    reviewer: str
    reviewed_on: date
    digest: str
    mappings: tuple[CodeMapping, ...]


def read_label_map(path: Path, *, categories: Collection[str], sensitivities: Collection[str]) -> LabelMap:
    """Read a file. Raises LabelMapInvalid with the file, the place and what is wrong there."""
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise LabelMapInvalid(f"{path}: {failure.strerror}") from None
    try:
        return parse_label_map(content, categories=categories, sensitivities=sensitivities)
    except LabelMapInvalid as fault:
        raise LabelMapInvalid(f"{path}: {fault.detail}", field=fault.field) from None


def parse_label_map(
    content: bytes, *, categories: Collection[str], sensitivities: Collection[str]
) -> LabelMap:
    """Return the map in ``content``, or raise LabelMapInvalid with ``field`` such as ``mappings[3].code``."""
    document = _object(_json(content), None)
    _require_members(document, _MEMBERS, (), "")
    if document["format"] != FORMAT:
        raise LabelMapInvalid(f'Must be "{FORMAT}".', field="format")
    if not isinstance(document["mappings"], list):
        raise LabelMapInvalid("Must be a list.", field="mappings")
    mappings: dict[tuple[str, str], CodeMapping] = {}
    for number, item in enumerate(document["mappings"]):
        mapping = _mapping(item, f"mappings[{number}]", categories, sensitivities)
        if (mapping.system, mapping.code) in mappings:
            raise LabelMapInvalid("This code was mapped before.", field=f"mappings[{number}].code")
        mappings[mapping.system, mapping.code] = mapping
    return LabelMap(
        version=_text(document["version"], "version"),
        reviewer=_text(document["reviewer"], "reviewer"),
        reviewed_on=_date(document["reviewed_on"], "reviewed_on"),
        digest=hashlib.sha256(content).hexdigest(),
        mappings=tuple(mappings.values()),
    )


def _mapping(
    item: Any, place: str, categories: Collection[str], sensitivities: Collection[str]
) -> CodeMapping:
    members = _object(item, place)
    _require_members(members, _NEEDED, _OPTIONAL, place + ".")
    category = members.get("category")
    if category is not None and not (isinstance(category, str) and category in categories):
        raise LabelMapInvalid("No table has this category.", field=f"{place}.category")
    stated = members["sensitivities"]
    if not isinstance(stated, list):
        raise LabelMapInvalid("Must be a list; empty is not sensitive.", field=f"{place}.sensitivities")
    for position, name in enumerate(stated):
        # UNLABELLED is what a code is that nobody reviewed: leave it out of the map to keep it so.
        if not isinstance(name, str) or name not in sensitivities or name == "UNLABELLED":
            raise LabelMapInvalid(
                "No sensitivity that can be stated.", field=f"{place}.sensitivities[{position}]"
            )
    if len(set(stated)) != len(stated):
        raise LabelMapInvalid("One is named twice.", field=f"{place}.sensitivities")
    if "display" in members:
        _text(members["display"], f"{place}.display")
    return CodeMapping(
        system=_text(members["system"], f"{place}.system"),
        code=_text(members["code"], f"{place}.code"),
        category=category,
        sensitivities=tuple(stated),
        reason=_text(members["reason"], f"{place}.reason"),
    )


def _json(content: bytes) -> Any:
    if len(content) > MAX_BYTES:
        raise LabelMapInvalid(f"More than {MAX_BYTES} bytes.")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise LabelMapInvalid("Not UTF-8.") from None
    except json.JSONDecodeError as fault:
        raise LabelMapInvalid(f"line {fault.lineno}, column {fault.colno}: {fault.msg}") from None
    except RecursionError:
        raise LabelMapInvalid("Nested too deeply.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise LabelMapInvalid(f'An object has "{name}" twice.')
        members[name] = value
    return members


def _object(value: Any, place: str | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LabelMapInvalid("Must be an object.", field=place)
    return value


def _require_members(
    members: dict[str, Any], needed: Collection[str], optional: Collection[str], place: str
) -> None:
    for name in needed:
        if name not in members:
            raise LabelMapInvalid("Is missing.", field=place + name)
    for name in members:
        if name not in needed and name not in optional:
            raise LabelMapInvalid("No such member is defined.", field=place + name)


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value or len(value) > _MAX_TEXT or value != value.strip():
        raise LabelMapInvalid(f"Must be text, 1 to {_MAX_TEXT} characters, no outer blanks.", field=place)
    return value


def _date(value: Any, place: str) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-01-31"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise LabelMapInvalid("Must be a date, YYYY-MM-DD.", field=place) from None
