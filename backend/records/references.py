"""References on the way out: what is released must not point at what is withheld.

A reference stays if it is local to its resource ("#id") or leads to a resource released with it; every other
one goes, whether its target is withheld, in another record or nowhere, so that the three look alike. What
remains is valid FHIR R4: an optional element disappears, together with the element around it where that
cannot stand without it; a mandatory one becomes the constant ``WITHHELD`` (FHIR data-absent-reason "masked").

A resource from which something was removed also loses its narrative and those of its contained resources: the
narrative may name the target in words. A resource with nothing to remove keeps its text byte for byte; a
changed one is written as JSON without white space, members in their order, numbers with their own digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from backend.records.fhir_bundle import names_of
from backend.records.fhir_json import JsonObject, Limits, Number, SourceBundle, read_bundle, write_json
from backend.records.segments import collection

WITHHELD: Final[JsonObject] = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
    ]
}
_OUR_OWN = Limits(max_bytes=1 << 40, max_entries=1 << 40)  # bounded when it came in; the mark adds no depth
_REFERENCE = re.compile(rb'"reference"\s*:\s*"([^"\\]*)"')


def resource_ids(payload: bytes) -> frozenset[str]:
    """Return every reference string that leads to a resource of a segment's payload."""
    return _ids(read_bundle(payload, _OUR_OWN))


def _ids(bundle: SourceBundle) -> frozenset[str]:
    return frozenset(
        name
        for entry in bundle.entries
        for name in names_of(entry.members.get("fullUrl"), entry.members["resource"])
    )


def release(payloads: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return FHIR payloads that go out together, each without references to anything outside them."""
    kept = tuple(payloads)
    released = frozenset(name for payload in kept for name in resource_ids(payload))
    return tuple(remove_references(payload, released) for payload in kept)


def remove_references(payload: bytes, released: Collection[str]) -> bytes:
    """Return a FHIR segment's payload without references to what is not in ``released``.

    ``payload`` is as ``segments.segment`` made it, ``released`` the union of ``resource_ids`` of all payloads
    that go out together. The same bytes come back where nothing was to be removed.
    """
    names = released if isinstance(released, set | frozenset) else frozenset(released)
    if _all_released(payload, names):
        return payload
    entries = [
        (entry.members.get("fullUrl"), _cleaned(entry.resource_text, names))
        for entry in read_bundle(payload, _OUR_OWN).entries
    ]
    return collection(entries)


def _all_released(payload: bytes, released: Collection[str]) -> bool:
    """Tell without parsing, where it can be told: no reference is written with escapes, and each may stay."""
    if b"\\u" in payload:
        return False
    found = _REFERENCE.findall(payload)
    return len(found) == payload.count(b'"reference"') and all(
        _may_stay(reference.decode(), released) for reference in set(found)
    )


def _may_stay(reference: str, released: Collection[str]) -> bool:
    return reference.startswith("#") or reference.partition("/_history/")[0] in released


def _cleaned(text: str, released: Collection[str]) -> str:
    resource = json.loads(text, parse_float=Number, parse_int=Number)
    remover = _Remover(released)
    remover.clean(resource, resource["resourceType"])
    if not remover.changed:
        return text
    _drop_narratives(resource)
    return write_json(resource)


def _drop_narratives(resource: JsonObject) -> None:
    resource.pop("text", None)
    for inner in resource.get("contained", ()):
        inner.pop("text", None)


@lru_cache(maxsize=1)
def _mandatory() -> tuple[frozenset[str], frozenset[str]]:
    """Return the paths where a missing reference is marked, and where it takes its surroundings along."""
    path = files("backend.records").joinpath("data", "required_references.json")
    table = json.loads(path.read_text("utf-8"))
    return frozenset(table["mask"]), frozenset(table["drop"])


class _Remover:
    """Removes references inside one resource; ``changed`` tells whether there were any to remove."""

    def __init__(self, released: Collection[str]) -> None:
        self.changed = False
        self._released = released
        self._masked, self._with_parent = _mandatory()

    def clean(self, node: JsonObject, path: str) -> bool:
        """Clean an object in place; False means that nothing is left for it to say and it must go too."""
        for key, value in list(node.items()):
            here = f"{path}.{key}"
            if type(value) is dict:
                if self._keep(value, here):
                    continue
                if not self._remove(node, key, here, mark=dict(WITHHELD)):
                    return False
            elif type(value) is list:
                kept = [item for item in value if type(item) is not dict or self._keep(item, here)]
                if len(kept) == len(value):
                    continue
                if kept:
                    node[key] = kept
                elif not self._remove(node, key, here, mark=[dict(WITHHELD)]):
                    return False
        return bool(node)

    def _keep(self, value: JsonObject, path: str) -> bool:
        reference = value.get("reference")
        if type(reference) is str:
            stays = _may_stay(reference, self._released)
            self.changed = self.changed or not stays
            return stays
        return self.clean(value, value.get("resourceType", path)) or not self.changed

    def _remove(self, node: JsonObject, key: str, path: str, *, mark: Any) -> bool:
        """Take one element out, or mark it; False where the object around it cannot stand without it."""
        if path in self._masked:
            node[key] = mark
            return True
        if path in self._with_parent or path.endswith("xtension.valueReference"):
            return False
        del node[key]
        return True
