"""What changed between two versions of a proposal, for people to read.

Made from the signed text itself, member by member, so that nothing in it can change unseen. Members that have
names (variables, outputs, documents) are compared by them, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.research.duo_terms import parse_term
from backend.research.errors import DuoTermInvalid
from backend.research.study import Proposal
from backend.types import time_text

_NOT_COMPARED: Final = frozenset({"schema", "salt", "amends"})  # different in every version by nature
_PERIOD: Final = ("period.from", "period.to")


class Version(StrEnum):
    """What a proposal is to the one it amends."""

    FIRST = "first"
    AMENDMENT = "amendment"
    RENEWAL = "renewal"  # nothing but the period changed, and it ends later


@dataclass(frozen=True, slots=True)
class Change:
    """One member of the text: '' before where it is new, '' after where it is gone."""

    member: str
    before: str
    after: str


def differences(before: Proposal, after: Proposal) -> tuple[Change, ...]:
    """Return every member that changed, in the order of the text; none for the same proposal."""
    old, new = dict(_members(before)), dict(_members(after))
    found = (Change(name, old.get(name, ""), new.get(name, "")) for name in {**old, **new})
    return tuple(change for change in found if change.before != change.after)


def version_of(before: Proposal | None, after: Proposal) -> Version:
    """Return what ``after`` is to the proposal that it amends, None where it amends none."""
    if before is None:
        return Version.FIRST
    changed = {change.member for change in differences(before, after)}
    longer = after.not_after > before.not_after
    return Version.RENEWAL if longer and changed.issubset(_PERIOD) else Version.AMENDMENT


def _members(proposal: Proposal) -> Iterator[tuple[str, str]]:
    for name, value in proposal.as_json().items():
        if name in _NOT_COMPARED:
            continue
        match name:
            case "period":
                yield from zip(_PERIOD, map(time_text, value), strict=True)
            case "epsilon":
                yield name, f"{value / 1_000_000:.6f}"
            case "duo":
                yield from ((f"duo.{term}", _label(term)) for term in value)
            case _:
                yield from _flat(name, value)


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every leaf with a path; a leaf that says nothing ('' or null or false) is none."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(f"{path}.{name}", item)
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(item, Mapping) and "name" in item for item in value)
    ):
        for item in value:
            # The name itself too, so that a member which has nothing else is seen.
            yield f"{path}.{item['name']}", "named"
            rest = {name: member for name, member in item.items() if name != "name"}
            yield from _flat(f"{path}.{item['name']}", rest)
    elif isinstance(value, list):
        yield from _text(path, "; ".join(map(_item, value)))
    else:
        yield from _text(path, _item(value))


def _text(path: str, text: str) -> Iterator[tuple[str, str]]:
    if text:
        yield path, text


def _item(value: Any) -> str:
    """A leaf, or a short list or map in a list, such as a filter: ``diabetes: present, missing``."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, list):
        nested = any(isinstance(item, list) for item in value)
        return (": " if nested else ", ").join(map(_item, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_item(item)}" for name, item in sorted(value.items()))
    return str(value)


def _label(term: str) -> str:
    try:
        return parse_term(term).definition.label
    except DuoTermInvalid:
        return term
