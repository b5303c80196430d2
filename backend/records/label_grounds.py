"""Labels with their reasons: for each resource which code in which table row says what.

For whoever asks how a document would be labelled, without storing it. Confidentiality is HL7 v3's, L to V:
it follows from the labels and from what ``meta.security`` states, and the higher one counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.records.fhir_bundle import Bundle, Resource
from backend.records.label_scan import Finding, Scan
from backend.records.label_tables import LabelTables
from backend.records.labels import Examined, examine


@dataclass(frozen=True, slots=True)
class Passed:
    """Sensitivities that a reference to another resource of the bundle brought, by its place there."""

    index: int
    sensitivities: int


@dataclass(frozen=True, slots=True)
class Explained:
    """The label of one resource. ``findings`` are its own grounds, each once; ``passed`` those of others."""

    resource: Resource
    categories: int
    sensitivities: int
    confidentiality: str
    findings: tuple[Finding, ...]
    passed: tuple[Passed, ...]


def explain(bundle: Bundle, tables: LabelTables) -> tuple[Explained, ...]:
    """Return the label of each resource with its grounds, in the order of ``bundle.resources``."""
    examined = examine(bundle, tables)
    return tuple(
        Explained(
            resource=resource,
            categories=item.categories,
            sensitivities=item.sensitivities,
            confidentiality=confidentiality(item.scan, item.categories, item.sensitivities, tables),
            findings=tuple(dict.fromkeys(item.scan.found)),
            passed=tuple(_passed(bundle, resource, examined)),
        )
        for resource, item in zip(bundle.resources, examined, strict=True)
    )


def confidentiality(scan: Scan, categories: int, sensitivities: int, tables: LabelTables) -> str:
    """Return L, M, N, R or V. A stated level can raise what the labels give, and lower only the default."""
    secrecy = tables.secrecy
    levels = [
        secrecy.stated[finding.code]
        for finding in scan.found
        if finding.system == secrecy.system and finding.code in secrecy.stated
    ]
    if sensitivities:
        levels.append(secrecy.sensitive)
    if sensitivities & secrecy.highest_sensitivities or categories & secrecy.highest_categories:
        levels.append(secrecy.highest)
    return max(levels, key=secrecy.levels.index, default=secrecy.default)


def _passed(bundle: Bundle, resource: Resource, examined: list[Examined]) -> list[Passed]:
    """What this resource has from those it refers to and does not have of its own."""
    own = examined[resource.index].scan.sensitivities
    brought: dict[int, int] = {}
    for _, reference in resource.references.outward:
        target = bundle.resolve(str(reference.get("reference", "")))
        if target is not None and target.type != "Patient":
            mask = examined[target.index].sensitivities & ~own
            if mask:
                brought[target.index] = mask
    return [Passed(index, mask) for index, mask in sorted(brought.items())]
