"""Labels of a bundle's resources: one category mask and one sensitivity mask each.

A resource's sensitivity is what its codes, words and ``meta.security`` say, united with that of every
resource it refers to, until nothing changes any more: a prescription for a sensitive diagnosis, a claim for
it, and what was measured in a visit for it carry its labels. References to the Patient do not pass labels on.
Labels only add (bits are never cleared), so order does not matter and the fixed point exists and is unique.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from backend.records.fhir_bundle import Bundle, Resource, target_type
from backend.records.fhir_json import JsonObject
from backend.records.label_scan import ResourceScanner, Scan
from backend.records.label_tables import UNLABELLED, LabelTables, ResourceRule, label_tables


@dataclass(frozen=True, slots=True)
class Label:
    """Category mask (u64), sensitivity mask (u32; 0 is normal), and codes of this resource no table knows."""

    categories: int
    sensitivities: int
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def is_known(self) -> bool:
        return not self.sensitivities & UNLABELLED


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a bundle the tables know; ``unknown`` counts (type, system, code), commonest first."""

    resources: int
    unlabelled: int
    unknown: tuple[tuple[tuple[str, str, str], int], ...]


def label_bundle(bundle: Bundle, tables: LabelTables | None = None) -> tuple[Label, ...]:
    """Return the label of each resource, in the order of ``bundle.resources``. Never fails."""
    tables = tables or label_tables()
    scanner = ResourceScanner(tables)
    everywhere = scanner.security(bundle.head.get("meta") or {})
    categories: list[int] = []
    masks: list[int] = []
    unknown: list[tuple[tuple[str, str], ...]] = []
    for resource in bundle.resources:
        scan = scanner.scan(resource.content)
        mask, category = _classify(resource, scan, tables)
        masks.append(mask | everywhere)
        categories.append(category)
        unknown.append(tuple(scan.unknown))
    _spread(bundle, masks, tables)
    return tuple(
        Label(category, mask, codes) for category, mask, codes in zip(categories, masks, unknown, strict=True)
    )


def coverage(bundle: Bundle, tables: LabelTables | None = None) -> Coverage:
    """Count what no table knows, so that an operator can see which codes to have added."""
    labels = label_bundle(bundle, tables)
    counts = Counter(
        (resource.type, system, code)
        for resource, label in zip(bundle.resources, labels, strict=True)
        for system, code in label.unknown
    )
    return Coverage(len(labels), sum(not label.is_known for label in labels), tuple(counts.most_common()))


def _classify(resource: Resource, scan: Scan, tables: LabelTables) -> tuple[int, int]:
    """Return (sensitivity mask, category mask) of a resource on its own."""
    rule = tables.resources.get(resource.type)
    if rule is None:
        scan.unknown.append(("resourceType", resource.type))
        return scan.sensitivities | UNLABELLED, tables.category_bits["other"]
    content = resource.content
    if rule.needs and not any(content.get(element) for element in rule.needs):
        scan.unknown.append(("missing", rule.needs[0]))
        scan.sensitivities |= UNLABELLED
    category = _category(content, rule, tables)
    if not category:
        scan.unknown.append(("category", resource.type))
        scan.sensitivities |= UNLABELLED
        category = tables.category_bits["other"]
    if resource.type == "Patient":
        category |= tables.category_bits["contact"] * any(
            content.get(e) for e in ("telecom", "address", "contact")
        )
        category |= tables.category_bits["identifiers"] * ("identifier" in content)
    if resource.type == "QuestionnaireResponse":
        scan.sensitivities |= _questionnaire(content, scan, tables)
    if category == tables.category_bits["vital_signs"] and "device" in content:
        category = tables.category_bits["vital_signs_device"]
    mask = scan.sensitivities | rule.sensitivities
    for bit, labels in tables.category_labels.items():
        mask |= labels if category & bit else 0
    return mask, category


def _category(content: JsonObject, rule: ResourceRule, tables: LabelTables) -> int:
    """The code decides; failing that, the stated category; failing that, the type (0: nothing does)."""
    if rule.by_code:
        for coding in (content.get(rule.by_code) or {}).get("coding", ()):
            entry = tables.lookup(coding.get("system", ""), coding.get("code", ""))
            if entry is not None and entry.categories and _is_own(content, entry.categories, tables):
                return entry.categories
    category = 0
    if rule.by_category:
        for concept in content.get("category", ()):
            for coding in concept.get("coding", ()):
                category |= tables.by_category.get((coding.get("system", ""), coding.get("code", "")), 0)
    if not category and content.get("resourceType") != "Observation":
        return rule.category
    return category


def _is_own(content: JsonObject, category: int, tables: LabelTables) -> bool:
    # A document about laboratory results is a document; only a note, a report and the like name it.
    return content["resourceType"] in {"Observation", "DiagnosticReport"} or category in {
        tables.category_bits[name]
        for name in ("notes", "psychotherapy_notes", "reports", "documents", "genomics")
    }


def _questionnaire(content: JsonObject, scan: Scan, tables: LabelTables) -> int:
    canonical = str(content.get("questionnaire", "")).partition("|")[0]
    mask = tables.questionnaires.get(canonical)
    if mask is None:
        scan.unknown.append(("questionnaire", canonical))
        return UNLABELLED
    return mask


def _spread(bundle: Bundle, masks: list[int], tables: LabelTables) -> None:
    """Pass labels against the direction of references until nothing changes; changes ``masks``."""
    referrers: list[list[int]] = [[] for _ in masks]
    for resource in bundle.resources:
        for _, reference in resource.references.outward:
            text = reference.get("reference")
            if type(text) is not str or text.startswith("#"):
                continue
            target = bundle.resolve(text)
            if target is None:
                # What it refers to is not here, so nobody can say how sensitive the reason is.
                if target_type(text, reference.get("type")) not in tables.administrative:
                    masks[resource.index] |= UNLABELLED
            elif target.type != "Patient":
                referrers[target.index].append(resource.index)
    waiting = [index for index, mask in enumerate(masks) if mask]
    while waiting:
        index = waiting.pop()
        for referrer in referrers[index]:
            if masks[index] & ~masks[referrer]:
                masks[referrer] |= masks[index]
                waiting.append(referrer)
