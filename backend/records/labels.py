"""Labels of a bundle's resources: one category mask and one sensitivity mask each.

A resource's sensitivity is what its codes, words and ``meta.security`` say, united with that of every
resource it refers to, until nothing changes any more: a prescription for a sensitive diagnosis, a claim for
it, and what was measured in a visit for it carry its labels. References to the Patient do not pass labels on.
Labels only add (bits are never cleared), so order does not matter and the fixed point exists and is unique.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backend.records.fhir_bundle import Bundle, Resource, target_type
from backend.records.fhir_json import JsonObject
from backend.records.fhir_subject import SUBJECT_ELEMENTS
from backend.records.label_loading import label_tables
from backend.records.label_scan import Finding, ResourceScanner, Scan
from backend.records.label_tables import UNLABELLED, LabelTables, ResourceRule

# Elements of a Patient resource that bring a category of their own.
PATIENT_ELEMENTS: Final = {"contact": ("telecom", "address", "contact"), "identifiers": ("identifier",)}


@dataclass(frozen=True, slots=True)
class Label:
    """Category mask (u64), sensitivity mask (u32; 0 is normal), and codes of this resource no table knows."""

    categories: int
    sensitivities: int
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def is_known(self) -> bool:
        return not self.sensitivities & UNLABELLED


@dataclass(slots=True)
class Examined:
    """One resource with the grounds of its label. ``sensitivities`` has what references bring besides."""

    scan: Scan
    categories: int
    sensitivities: int


def label_bundle(bundle: Bundle, tables: LabelTables | None = None) -> tuple[Label, ...]:
    """Return the label of each resource, in the order of ``bundle.resources``. Never fails."""
    return tuple(
        Label(item.categories, item.sensitivities, tuple(item.scan.unknown))
        for item in examine(bundle, tables or label_tables())
    )


def examine(bundle: Bundle, tables: LabelTables) -> list[Examined]:
    """Return the label of each resource with its grounds, in the order of ``bundle.resources``."""
    scanner = ResourceScanner(tables)
    everywhere = Scan()
    scanner.security(bundle.head.get("meta") or {}, everywhere)
    examined: list[Examined] = []
    for resource in bundle.resources:
        scan = scanner.scan(resource.content)
        scan.sensitivities |= everywhere.sensitivities
        scan.found += everywhere.found
        category = _classify(resource, scan, tables)
        examined.append(Examined(scan, category, scan.sensitivities))
    _spread(bundle, examined, tables)
    return examined


def _classify(resource: Resource, scan: Scan, tables: LabelTables) -> int:
    """Return the category mask of a resource, and add to ``scan`` what its type and category say."""
    rule = tables.resources.get(resource.type)
    if rule is None:
        scan.mark_unknown("resourceType", resource.type)
        return tables.category_bits["other"]
    content = resource.content
    if rule.needs and not any(content.get(element) for element in rule.needs):
        scan.mark_unknown("missing", rule.needs[0])
    category = _category(content, rule, scan, tables)
    if not category:
        scan.mark_unknown("category", resource.type)
        category = tables.category_bits["other"]
    if resource.type == "Patient":
        contact = any(content.get(element) for element in PATIENT_ELEMENTS["contact"])
        category |= tables.category_bits["contact"] * contact
        category |= tables.category_bits["identifiers"] * ("identifier" in content)
    if resource.type == "QuestionnaireResponse":
        _questionnaire(content, scan, tables)
    if category == tables.category_bits["vital_signs"] and "device" in content:
        category = tables.category_bits["vital_signs_device"]
    if rule.sensitivities:
        scan.add("type", "", resource.type, f"resources/types/{resource.type}", rule.sensitivities)
    for bit, labels in tables.category_labels.items():
        if category & bit:
            (name,) = tables.names(bit, tables.category_bits)
            scan.add("category", "", name, f"resources/category_labels/{name}", labels)
    return category


def _category(content: JsonObject, rule: ResourceRule, scan: Scan, tables: LabelTables) -> int:
    """The code decides; failing that, the stated category; failing that, the type (0: nothing does)."""
    if rule.by_code:
        for coding in (content.get(rule.by_code) or {}).get("coding", ()):
            system, code = coding.get("system", ""), coding.get("code", "")
            entry = tables.lookup(system, code)
            if entry is not None and entry.categories and _is_own(content, entry.categories, tables):
                scan.found.append(Finding("code", system, code, entry.row, entry.categories, 0))
                return entry.categories
    category = 0
    if rule.by_category:
        for concept in content.get("category", ()):
            for coding in concept.get("coding", ()):
                system, code = coding.get("system", ""), coding.get("code", "")
                bit = tables.by_category.get((system, code), 0)
                if bit:
                    category |= bit
                    scan.found.append(Finding("category", system, code, "resources/by_category", bit, 0))
    kind = content["resourceType"]
    if not category and kind != "Observation":
        scan.found.append(Finding("type", "", kind, f"resources/types/{kind}", rule.category, 0))
        return rule.category
    return category


def _is_own(content: JsonObject, category: int, tables: LabelTables) -> bool:
    # A document about laboratory results is a document; only a note, a report and the like name it.
    return content["resourceType"] in {"Observation", "DiagnosticReport"} or category in {
        tables.category_bits[name]
        for name in ("notes", "psychotherapy_notes", "reports", "documents", "genomics")
    }


def _questionnaire(content: JsonObject, scan: Scan, tables: LabelTables) -> None:
    canonical = str(content.get("questionnaire", "")).partition("|")[0]
    mask = tables.questionnaires.get(canonical)
    if mask is None:
        scan.mark_unknown("questionnaire", canonical)
    else:
        scan.add("questionnaire", "", canonical, "resources/questionnaires", mask)


def _spread(bundle: Bundle, examined: list[Examined], tables: LabelTables) -> None:
    """Pass labels against the direction of references until nothing changes."""
    referrers: list[list[int]] = [[] for _ in examined]
    for resource in bundle.resources:
        for element, reference in resource.references.outward:
            text = reference.get("reference")
            if type(text) is not str or text.startswith("#"):
                continue
            target = bundle.resolve(text)
            if target is not None:
                if target.type != "Patient":
                    referrers[target.index].append(resource.index)
            elif element not in SUBJECT_ELEMENTS:
                # What it refers to is not here, so nobody can say how sensitive the reason is.
                kind = target_type(text, reference.get("type"))
                if kind not in tables.administrative and kind != "Patient":
                    own = examined[resource.index]
                    own.scan.mark_unknown("reference", kind or "")
                    own.sensitivities |= UNLABELLED
    waiting = [index for index, item in enumerate(examined) if item.sensitivities]
    while waiting:
        index = waiting.pop()
        for referrer in referrers[index]:
            if examined[index].sensitivities & ~examined[referrer].sensitivities:
                examined[referrer].sensitivities |= examined[index].sensitivities
                waiting.append(referrer)
