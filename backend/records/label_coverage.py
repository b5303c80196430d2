"""What of a data set no table knows: the codes that a deployment may map, and what else restricts data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backend.records.fhir_bundle import Bundle
from backend.records.label_loading import label_tables
from backend.records.label_tables import UNLABELLED, LabelTables
from backend.records.labels import examine

# What a scan names in place of a code system where it is not a code that is unknown.
NOT_CODES: Final = frozenset(
    {
        *("resourceType", "missing", "category", "questionnaire", "modifierExtension", "contentType"),
        *("reference", "urn:ietf:bcp:47"),
    }
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """One code, or one other reason, how often it occurs, and in which types of resource.

    ``display`` is the commonest one that came with the code, "" where none did.
    """

    system: str
    code: str
    display: str
    count: int
    resource_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a data set the tables know. Commonest first; ``others`` no label map can make known."""

    resources: int
    unlabelled: int
    codes: tuple[Unknown, ...]
    others: tuple[Unknown, ...]


def coverage(bundles: Iterable[Bundle], tables: LabelTables | None = None) -> Coverage:
    """Count what no table knows, so that an operator can see which codes to have mapped."""
    tables = tables or label_tables()
    resources = unlabelled = 0
    counts: Counter[tuple[str, str]] = Counter()
    types: dict[tuple[str, str], set[str]] = defaultdict(set)
    displays: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for bundle in bundles:
        for resource, item in zip(bundle.resources, examine(bundle, tables), strict=True):
            resources += 1
            unlabelled += bool(item.sensitivities & UNLABELLED)
            for name in item.scan.unknown:
                counts[name] += 1
                types[name].add(resource.type)
            for name, display in item.scan.displays.items():
                displays[name][display] += 1
    found = [
        Unknown(
            *name,
            display=min(displays[name], key=lambda text: (-displays[name][text], text), default=""),
            count=count,
            resource_types=tuple(sorted(types[name])),
        )
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Coverage(
        resources,
        unlabelled,
        codes=tuple(item for item in found if _is_code(item)),
        others=tuple(item for item in found if not _is_code(item)),
    )


def _is_code(item: Unknown) -> bool:
    return bool(item.system and item.code) and item.system not in NOT_CODES
