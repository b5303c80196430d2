"""A small checker of a profile's differential: cardinalities, patterns, bindings and slices by type or value.

It knows what the profiles here use and nothing more; the HAPI validator reads the same definitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Profile:
    elements: Sequence[Json]
    value_sets: Mapping[str, Mapping[str, Sequence[str]]]

    def breaches(self, resource: Json) -> list[str]:
        """Return the ids of the elements that the resource breaks."""
        return [
            element["id"]
            for element in self.elements
            if "." in element["id"]
            and not all(self._holds(element, owner) for owner in self._owners(element, resource))
        ]

    def _owners(self, element: Json, resource: Json) -> list[Json]:
        """Return what has the element as a member: the resource, or the items of a slice."""
        _, first, *rest = element["id"].split(".")
        if not rest:
            return [resource]
        of = next(each for each in self.elements if each["id"] == f"AuditEvent.{first}")
        return [item for item in _values(resource, first.split(":")[0]) if self._is_in(item, of)]

    def _holds(self, element: Json, owner: Json) -> bool:
        values = _values(owner, element["path"].split(".")[-1])
        if "sliceName" in element:
            values = [value for value in values if self._is_in(value, element)]
        elif not all(self._fits(value, element) for value in values):
            return False
        most = element.get("max", "*")
        if len(values) < element.get("min", 0) or (most != "*" and len(values) > int(most)):
            return False
        if element.get("slicing", {}).get("rules") != "closed":
            return True
        slices = [each for each in self.elements if each["path"] == element["path"] and "sliceName" in each]
        return all(any(self._is_in(value, each) for each in slices) for value in values)

    def _is_in(self, value: Any, sliced: Json) -> bool:
        kind = next((each for each in self.elements if each["id"] == f"{sliced['id']}.type"), None)
        return self._fits(value, sliced) if kind is None else self._fits(value.get("type"), kind)

    def _fits(self, value: Any, element: Json) -> bool:
        patterns = [pattern for name, pattern in element.items() if name.startswith("pattern")]
        bound = element.get("binding")
        return all(_matches(value, pattern) for pattern in patterns) and (
            bound is None or self._is_of(value, self.value_sets[bound["valueSet"]])
        )

    def _is_of(self, value: Any, allowed: Mapping[str, Sequence[str]]) -> bool:
        codings = value.get("coding", [value]) if isinstance(value, dict) else []
        return any(coding["code"] in allowed.get(coding["system"], ()) for coding in codings)


def _values(owner: Json, name: str) -> list[Any]:
    value = owner.get(name, [])
    return value if isinstance(value, list) else [value]


def _matches(value: Any, pattern: Any) -> bool:
    match pattern:
        case dict():
            return isinstance(value, dict) and all(
                _matches(value.get(name), p) for name, p in pattern.items()
            )
        case list():
            return isinstance(value, list) and all(any(_matches(v, p) for v in value) for p in pattern)
        case _:
            return bool(value == pattern)
