"""Copies the resources of one patient without what tells who they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from backend.records.fhir import conforms
from backend.records.fhir_bundle import names_of
from backend.records.fhir_json import JsonObject, Number, write_json
from backend.research.deidentify.dates import POOLED_AGE, Calendar, DatePolicy, calendar_of
from backend.research.deidentify.elements import (
    AGE_CODES,
    CODES,
    HL7_CODE,
    HL7_SYSTEMS,
    RULES,
    TERMINOLOGIES,
    Kind,
    Rules,
)
from backend.research.deidentify.errors import ExportInvalid
from backend.research.deidentify.places import coarse_address
from backend.research.pseudonyms import pseudonym, resource_name
from backend.research.types import StudyId
from backend.types import SubjectId

_UNIT: Final = re.compile(r"[A-Za-z0-9%/.\[\]'^*_+()\-]{1,24}")
_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")
_UCUM: Final = "http://unitsofmeasure.org"
_COMPARATORS: Final = frozenset({"<", "<=", ">=", ">"})
_MODIFIERS: Final = frozenset({"modifierExtension", "implicitRules"})


@dataclass(frozen=True, slots=True)
class Export:
    """For whom resources are copied. ``study_key`` is the study's secret; ``on`` the day of the export."""

    study: StudyId
    study_key: bytes
    on: date
    dates: DatePolicy = DatePolicy.SHIFTED


def deidentify(
    entries: Iterable[tuple[str | None, JsonObject]], subject: SubjectId, export: Export
) -> tuple[str, ...]:
    """Return the JSON texts of what may leave of one patient's resources, given with their fullUrls.

    Resources read with ``Number`` for numbers keep them digit by digit. The same resource gets the same id in
    each export of a study, the patient the study's pseudonym. Raises ExportInvalid unless there is exactly
    one Patient.
    """
    found = [(names_of(full_url, resource), resource) for full_url, resource in entries]
    patients = [resource for _, resource in found if resource["resourceType"] == "Patient"]
    if len(patients) != 1:
        raise ExportInvalid
    calendar, born = calendar_of(
        patients[0],
        study_key=export.study_key,
        study=export.study,
        subject=subject,
        policy=export.dates,
        on=export.on,
    )
    staying = [
        (names, resource)
        for names, resource in found
        if resource["resourceType"] in RULES and not _is_modified(resource)
    ]
    while True:
        copies = _Copier(staying, subject, export, calendar=calendar, born=born).copies()
        # What is no valid resource without what went is left out whole, and then what needs it, too.
        kept = [(item, copy) for item, copy in zip(staying, copies, strict=True) if copy is not None]
        if len(kept) == len(staying):
            return tuple(write_json(copy) for _, copy in kept)
        staying = [item for item, _ in kept]


class _Copier:
    def __init__(
        self,
        resources: Sequence[tuple[Sequence[str], JsonObject]],
        subject: SubjectId,
        export: Export,
        *,
        calendar: Calendar,
        born: str | None,
    ) -> None:
        self._resources = [resource for _, resource in resources]
        self._calendar = calendar
        self._born = born
        self._renamed: dict[str, str] = {}
        self._ids: list[str] = []
        self._patient = ""
        for names, resource in resources:
            kind = resource["resourceType"]
            if kind == "Patient":
                name = str(pseudonym(export.study_key, export.study, subject))
                self._patient = f"Patient/{name}"
            else:
                # By its place in the record where the source gave it no name: then nothing refers to it.
                own = names[0] if names else f"#{len(self._ids)}"
                name = resource_name(export.study_key, export.study, subject, f"{kind} {own}")
            self._ids.append(name)
            self._renamed |= dict.fromkeys(names, f"{kind}/{name}")

    def copies(self) -> list[JsonObject | None]:
        return [
            self._resource(resource, name) for resource, name in zip(self._resources, self._ids, strict=True)
        ]

    def _resource(self, resource: JsonObject, name: str) -> JsonObject | None:
        rules = RULES[resource["resourceType"]]
        for element, kind in rules.items():
            if kind is Kind.PATIENT and self._reference(resource.get(element)) != {
                "reference": self._patient
            }:
                return None  # about somebody else, or nobody says about whom
        copy = {"resourceType": resource["resourceType"], "id": name} | self._object(resource, rules)
        if _states_age(resource):
            _pool(copy)
        return copy if conforms(json.loads(write_json(copy))) else None

    def _object(self, node: Mapping[str, Any], rules: Rules) -> JsonObject:
        kept: JsonObject = {}
        for element, rule in rules.items():
            if element not in node:
                continue
            value = node[element]
            if isinstance(value, list):
                items = [copy for item in value if (copy := self._value(item, rule)) is not None]
                if items:
                    kept[element] = items
            elif (copy := self._value(value, rule)) is not None:
                kept[element] = copy
        return kept

    def _value(self, value: Any, rule: Kind | Rules) -> Any:
        if isinstance(rule, Mapping):
            return (self._object(value, rule) or None) if isinstance(value, dict) else None
        if rule is Kind.FLAG:
            return value if isinstance(value, bool) else None
        if rule is Kind.NUMBER:
            return value if _is_number(value) else None
        if rule is Kind.BIRTH:
            return self._born
        if isinstance(value, str):
            return self._text(value, rule)
        return self._structure(value, rule) if isinstance(value, dict) else None

    def _text(self, value: str, rule: Kind) -> str | None:
        if rule is Kind.DATE:
            return self._calendar.moved(value)
        return value if rule is Kind.CODE and value in CODES else None

    def _structure(self, value: JsonObject, rule: Kind) -> Any:
        if rule in (Kind.REFERENCE, Kind.PATIENT):
            return self._reference(value)
        if rule is Kind.CODING:
            return _coding(value)
        if rule is Kind.CONCEPT:
            codings = [kept for item in value.get("coding", ()) if (kept := _coding(item)) is not None]
            return {"coding": codings} if codings else None
        if rule is Kind.ADDRESS:
            return coarse_address(value)
        if rule in (Kind.QUANTITY, Kind.AGE):
            return _quantity(value, pooled=rule is Kind.AGE)
        return None

    def _reference(self, value: Any) -> JsonObject | None:
        reference = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            return None
        target = self._renamed.get(reference.partition("/_history/")[0])
        return None if target is None else {"reference": target}


def _coding(value: Any) -> JsonObject | None:
    """System and code of a published terminology; never a display, which people can type."""
    if not isinstance(value, dict):
        return None
    system, code = value.get("system"), value.get("code")
    if not isinstance(system, str) or not isinstance(code, str):
        return None
    form = TERMINOLOGIES.get(system) or (HL7_CODE if HL7_SYSTEMS.fullmatch(system) else None)
    return {"system": system, "code": code} if form is not None and form.fullmatch(code) else None


def _quantity(value: JsonObject, *, pooled: bool) -> JsonObject | None:
    if not _is_number(value.get("value")):
        return None
    kept: JsonObject = {"value": value["value"]}
    if value.get("comparator") in _COMPARATORS:
        kept["comparator"] = value["comparator"]
    code = value.get("code")
    if value.get("system") == _UCUM and isinstance(code, str):
        # What stands in braces is an annotation, free text that UCUM gives no meaning.
        unit = _ANNOTATION.sub("", code) or "1"
        if _UNIT.fullmatch(unit):
            kept |= {"unit": unit, "system": _UCUM, "code": unit}
    if pooled:
        _pool_quantity(kept)
    return kept


def _pool_quantity(quantity: JsonObject) -> None:
    """An age over 89 becomes 90. One in a unit that is not years is taken for one where it could be."""
    unit = quantity.get("code", "a")
    years = {"mo": 12, "wk": 52, "d": 365, "h": 8_760, "min": 525_600}.get(unit, 1)
    if float(quantity["value"]) >= POOLED_AGE * years:
        quantity["value"] = type(quantity["value"])(POOLED_AGE * years)


def _pool(copy: JsonObject) -> None:
    for holder in (copy, *copy.get("component", ())):
        quantity = holder.get("valueQuantity")
        if quantity is not None:
            _pool_quantity(quantity)
        number = holder.get("valueInteger")
        if number is not None and float(number) >= POOLED_AGE:
            holder["valueInteger"] = type(number)(POOLED_AGE)


def _states_age(resource: JsonObject) -> bool:
    """Whether an observation, or a part of one, is of the patient's age."""
    parts = [resource, *(part for part in resource.get("component", ()) if isinstance(part, dict))]
    codings = [
        coding
        for part in parts
        if isinstance(part.get("code"), dict)
        for coding in part["code"].get("coding", ())
        if isinstance(coding, dict)
    ]
    return any(coding.get("code") in AGE_CODES for coding in codings)


def _is_number(value: Any) -> bool:
    return isinstance(value, Number | int | float) and not isinstance(value, bool)


def _is_modified(node: Any) -> bool:
    """Whether something turns the meaning round in a form that is not copied (R4, "isModifier")."""
    if isinstance(node, dict):
        return bool(_MODIFIERS & node.keys()) or any(map(_is_modified, node.values()))
    return isinstance(node, list) and any(map(_is_modified, node))
