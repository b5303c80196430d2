"""Copies the resources of one patient without what tells who they are, and counts what did not come along."""

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
from backend.research.deidentify.tally import Rule, Tally, held, rule_of
from backend.research.pseudonyms import resource_name, row_pseudonym
from backend.research.types import RecordEntries, StudyId
from backend.types import MemberId, SubjectId

_UNIT: Final = re.compile(r"[A-Za-z0-9%/.\[\]'^*_+()\-]{1,24}")
_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")
_UCUM: Final = "http://unitsofmeasure.org"
_COMPARATORS: Final = frozenset({"<", "<=", ">=", ">"})
_MODIFIERS: Final = frozenset({"modifierExtension", "implicitRules"})


@dataclass(frozen=True, slots=True)
class Export:
    """For whom resources are copied. ``study_key`` is the study's secret; ``on`` the day of the export."""

    study: StudyId
    recipient: MemberId
    study_key: bytes
    on: date
    dates: DatePolicy = DatePolicy.SHIFTED


@dataclass(frozen=True, slots=True)
class Copied:
    """What may leave of one patient: (resource type, JSON text), and what did not by rule."""

    resources: tuple[tuple[str, str], ...]
    tally: Tally


@dataclass(frozen=True, slots=True)
class _Source:
    """A resource with the record it is of, and the strings by which that record refers to it."""

    record: str
    names: Sequence[str]
    resource: JsonObject

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])


def deidentify(records: Iterable[RecordEntries], subject: SubjectId, export: Export) -> Copied:
    """Copy what may leave of one patient's records, oldest first.

    References hold within a record. Resources read with ``Number`` for numbers keep them digit by digit. The
    same resource gets the same id in each export of a study to a recipient, the patient the pseudonym that
    datasets have. The last record's Patient stands for all. A record without its Patient is left out, since
    nobody can say whom it is about, and so is one with several. Raises ExportInvalid where none is left.
    """
    tally = Tally()
    sources: list[_Source] = []
    for record in records:
        name = record.record_id.hex()
        found = [_Source(name, names_of(url, resource), resource) for url, resource in record.entries]
        if sum(source.kind == "Patient" for source in found) == 1:
            sources += found
        else:
            tally[Rule.NOT_ABOUT] += len(found)
    patients = [source.resource for source in sources if source.kind == "Patient"]
    if not patients:
        raise ExportInvalid
    calendar, born = calendar_of(
        patients,
        study_key=export.study_key,
        study=export.study,
        subject=subject,
        policy=export.dates,
        on=export.on,
    )
    staying = [source for source in sources if _stays(source, tally)]
    while True:
        copier = _Copier(staying, subject, export, calendar=calendar, born=born)
        copies = copier.copies()
        # What is no valid resource without what went is left out whole, and then what needs it, too.
        kept = [(source, copy) for source, copy in zip(staying, copies, strict=True) if copy is not None]
        tally += copier.gone
        if len(kept) == len(staying):
            break
        staying = [source for source, _ in kept]
    if not any(source.kind == "Patient" for source in staying):
        raise ExportInvalid
    tally += copier.tally
    last = max(place for place, (source, _) in enumerate(kept) if source.kind == "Patient")
    leaving = [
        (source.kind, write_json(copy))
        for place, (source, copy) in enumerate(kept)
        if source.kind != "Patient" or place == last
    ]
    tally[Rule.MERGED] += len(kept) - len(leaving)
    return Copied(tuple(leaving), +tally)


def _stays(source: _Source, tally: Tally) -> bool:
    if source.kind not in RULES:
        tally[Rule.OTHER_TYPES] += 1
        return False
    if _is_modified(source.resource):
        tally[Rule.MODIFIED] += 1
        return False
    return True


class _Copier:
    """One pass over resources. ``tally`` is of those that came along, ``gone`` of those that did not."""

    def __init__(
        self,
        sources: Sequence[_Source],
        subject: SubjectId,
        export: Export,
        *,
        calendar: Calendar,
        born: str | None,
    ) -> None:
        self._sources = sources
        self._calendar = calendar
        self._born = born
        self._renamed: dict[tuple[str, str], str] = {}
        self._ids: list[str] = []
        self._record = ""
        self.tally = Tally()
        self.gone = Tally()
        name = str(row_pseudonym(export.study_key, export.study, export.recipient, subject))
        self._patient = f"Patient/{name}"
        for source in sources:
            if source.kind != "Patient":
                # By its place in the record where the source gave it no name: then nothing refers to it.
                own = source.names[0] if source.names else f"#{len(self._ids)}"
                name = resource_name(
                    export.study_key,
                    export.study,
                    export.recipient,
                    subject,
                    f"{source.record} {source.kind} {own}",
                )
            else:
                name = self._patient.removeprefix("Patient/")
            self._ids.append(name)
            for known in source.names:
                self._renamed[source.record, known] = f"{source.kind}/{name}"

    def copies(self) -> list[JsonObject | None]:
        return [self._copy(source, name) for source, name in zip(self._sources, self._ids, strict=True)]

    def _copy(self, source: _Source, name: str) -> JsonObject | None:
        before, self._record = self.tally.copy(), source.record
        copy, rule = self._resource(source.resource, name)
        if copy is None:
            self.tally = before  # the whole counts, not its parts
            self.gone[rule] += 1
        return copy

    def _resource(self, resource: JsonObject, name: str) -> tuple[JsonObject | None, Rule]:
        """A copy, or the rule by which there is none."""
        rules = RULES[resource["resourceType"]]
        for element, kind in rules.items():
            if kind is Kind.PATIENT and self._reference(resource.get(element)) != {
                "reference": self._patient
            }:
                return None, Rule.NOT_ABOUT  # about somebody else, or nobody says about whom
        whole = {name: value for name, value in resource.items() if name not in ("resourceType", "id")}
        copy = {"resourceType": resource["resourceType"], "id": name} | self._object(whole, rules)
        if _states_age(resource):
            self.tally[Rule.AGES] += _pool(copy)
        valid = conforms(json.loads(write_json(copy)))
        return (copy if valid else None), Rule.INCOMPLETE

    def _object(self, node: Mapping[str, Any], rules: Rules) -> JsonObject:
        kept: JsonObject = {}
        for element in node.keys() - rules.keys():
            self.tally[rule_of(element, node[element])] += held(node[element])
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
            return (self._object(value, rule) or None) if isinstance(value, dict) else self._other()
        if rule is Kind.FLAG:
            return value if isinstance(value, bool) else self._other()
        if rule is Kind.NUMBER:
            return value if _is_number(value) else self._other()
        if rule is Kind.BIRTH:
            self.tally[Rule.DATES if self._born is None else Rule.DATES_MOVED] += 1
            return self._born
        if isinstance(value, str):
            return self._text(value, rule)
        return self._structure(value, rule) if isinstance(value, dict) else self._other()

    def _other(self) -> None:
        """A value of a form that its element does not have in R4."""
        self.tally[Rule.ELEMENTS] += 1

    def _text(self, value: str, rule: Kind) -> str | None:
        if rule is Kind.DATE:
            moved = self._calendar.moved(value)
            self.tally[Rule.DATES if moved is None else Rule.DATES_MOVED] += 1
            return moved
        if rule is Kind.CODE and value in CODES:
            return value
        self.tally[Rule.CODES if rule is Kind.CODE else Rule.ELEMENTS] += 1
        return None

    def _structure(self, value: JsonObject, rule: Kind) -> Any:
        if rule in (Kind.REFERENCE, Kind.PATIENT):
            self.tally[Rule.TEXTS] += "display" in value
            found = self._reference(value)
            self.tally[Rule.REFERENCES] += found is None
            return found
        if rule is Kind.CODING:
            return self._coding(value)
        if rule is Kind.CONCEPT:
            self.tally[Rule.TEXTS] += "text" in value
            codings = [kept for item in value.get("coding", ()) if (kept := self._coding(item)) is not None]
            return {"coding": codings} if codings else None
        if rule is Kind.ADDRESS:
            coarse = coarse_address(value)
            self.tally[Rule.PLACES] += 1
            return coarse
        if rule in (Kind.QUANTITY, Kind.AGE):
            quantity = _quantity(value)
            if quantity is None:
                return self._other()
            if rule is Kind.AGE:
                self.tally[Rule.AGES] += _pool_quantity(quantity)
            return quantity
        return self._other()

    def _coding(self, value: Any) -> JsonObject | None:
        found = _coding(value)
        self.tally[Rule.CODES] += found is None
        self.tally[Rule.TEXTS] += isinstance(value, dict) and "display" in value
        return found

    def _reference(self, value: Any) -> JsonObject | None:
        reference = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            return None
        target = self._renamed.get((self._record, reference.partition("/_history/")[0]))
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


def _quantity(value: JsonObject) -> JsonObject | None:
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
    return kept


def _pool_quantity(quantity: JsonObject) -> bool:
    """An age over 89 becomes 90; tell whether it did. One in a unit that is not years is taken for one where
    it could be."""
    unit = quantity.get("code", "a")
    years = {"mo": 12, "wk": 52, "d": 365, "h": 8_760, "min": 525_600}.get(unit, 1)
    if float(quantity["value"]) < POOLED_AGE * years:
        return False
    quantity["value"] = type(quantity["value"])(POOLED_AGE * years)
    return True


def _pool(copy: JsonObject) -> int:
    """Pool the ages that an observation states; return how many."""
    pooled = 0
    for holder in (copy, *copy.get("component", ())):
        quantity = holder.get("valueQuantity")
        if quantity is not None:
            pooled += _pool_quantity(quantity)
        number = holder.get("valueInteger")
        if number is not None and float(number) >= POOLED_AGE:
            holder["valueInteger"] = type(number)(POOLED_AGE)
            pooled += 1
    return pooled


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
