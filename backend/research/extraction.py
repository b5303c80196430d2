"""From the permitted FHIR R4 resources of one patient to one row of values.

The row holds only the study's variables; the resources are not kept. What the patient did not permit, what
was never recorded and what cannot be determined all come out as None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from backend.consent.tables import load_tables
from backend.records.labels import PATIENT_ELEMENTS
from backend.research.errors import ViewChanged
from backend.research.fhir_values import (
    LOINC,
    SNOMED,
    age_in_years,
    birth_year,
    codes,
    has_code,
    latest_moment,
    moment,
    objects,
    quantity,
    text,
)
from backend.research.time_to_event import Course, Followed, follow
from backend.research.types import Opened, Resource
from backend.research.us_states import CODE_BY_NAME, STATE_CODES
from backend.research.variables import Kind, Value, Variable
from backend.research.view_variables import Source, rows_of, take
from backend.research.views.types import Row, View

_FINAL = frozenset({"final", "amended", "corrected"})
_NOT_TAKEN = frozenset(
    {"entered-in-error", "cancelled", "draft", "unknown", "not-taken", "not-done", "intended"}
)
_NOT_HELD = frozenset({"refuted", "entered-in-error"})
_ACTIVE_CONDITION = frozenset({"active", "recurrence", "relapse"})
_MEDICATION_EVENTS = frozenset({"MedicationRequest", "MedicationStatement", "MedicationAdministration"})
_ZIP = re.compile(r"([0-9]{3})[0-9]{2}(-?[0-9]{4})?")
_SMOKING_STATUS = "72166-2"  # LOINC: Tobacco smoking status
# SNOMED CT codes of the US Core smoking status value set
_SMOKING = {
    "449868002": "current",
    "428041000124106": "current",
    "77176002": "current",
    "428071000124103": "current",
    "428061000124105": "current",
    "8517006": "former",
    "266919005": "never",
    "266927001": "unknown",
}
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_BITS = load_tables().categories.bits
_DEMOGRAPHICS = 1 << _BITS["demographics"]
_SEPARABLE = sum(1 << _BITS[name] for name in PATIENT_ELEMENTS)
_ANY = (1 << 64) - 1
_MOST_ALIKE = 65_536

Group = Mapping[str, Sequence[Resource]]


@dataclass(frozen=True, slots=True)
class PatientRecords:
    """What was opened of one patient, and the views that variables may name.

    ``alike``: values of this run, since the rows of many patients hold the same few numbers and words.
    """

    opened: Iterable[Resource | Opened]
    views: Mapping[str, View]
    alike: dict[Value, Value] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Resource | Opened]:
        return iter(self.opened)


def extract(
    variables: Sequence[Variable],
    allowed: frozenset[str],
    resources: Iterable[Resource | Opened],
) -> dict[str, Value]:
    """One row: a value for each variable, None for each that is not in ``allowed``.

    ``resources`` are one patient's; Bundle resources are opened. A variable reads only what ``readable`` lets
    it, where the category of a resource is known. Nothing about odd resources is raised.
    """
    records = resources if isinstance(resources, PatientRecords) else PatientRecords(resources, {})
    views, alike = records.views, records.alike
    if not any(variable.name in allowed for variable in variables):
        return dict.fromkeys((variable.name for variable in variables), None)
    patient = _Patient(list(_opened(resources)), views)
    return {
        variable.name: _one(patient.value(variable), alike) if variable.name in allowed else None
        for variable in variables
    }


def _one(value: Value, alike: dict[Value, Value]) -> Value:
    """One object for equal values."""
    return alike.setdefault(value, value) if len(alike) < _MOST_ALIKE else alike.get(value, value)


def readable(variable: Variable, categories: int) -> bool:
    """Whether a variable reads anything of a segment with this category mask.

    A kind of ours reads the elements it knows, of segments of its category. A view may name any element, so
    the segment must have no category that the view does not declare; but that a Patient resource can be read
    without its contact details and identifiers.
    """
    if not variable.sources:
        return _kind_reads(variable.categories, categories)
    return any(is_within(categories, source.categories) for source in variable.sources)


def _kind_reads(categories: int, mask: int) -> bool:
    return bool(categories & mask)


def is_within(categories: int, mask: int) -> bool:
    """Whether a segment has no category outside ``mask``, but for what is taken out of a Patient resource."""
    separable = _SEPARABLE if categories & _DEMOGRAPHICS else 0
    return bool(categories & ~separable) and not categories & ~separable & ~mask


class _Patient:
    """One patient's resources, sorted for each kind of reader when first needed."""

    def __init__(self, opened: list[Opened], views: Mapping[str, View]) -> None:
        self._opened = opened
        self._views = views
        self._groups: dict[tuple[bool, int], Group] = {}
        self._rows: dict[tuple[str, int], list[Row] | None] = {}
        self._courses: dict[Course, Followed | None] = {}

    def value(self, variable: Variable) -> Value:
        if variable.course is not None:
            return self._followed(variable.kind, variable.course)
        if variable.source is not None:
            return take(variable.source, self._view(variable.source), self._rows_of(variable.source))
        return _READERS[variable.kind](variable, self._group(variable.categories, of_view=False))

    def _followed(self, kind: Kind, course: Course) -> Value:
        if course not in self._courses:
            self._courses[course] = follow(course, self._rows_of)
        found = self._courses[course]
        if found is None:
            return None
        return found.time if kind is Kind.TIME_TO_EVENT else found.status

    def _view(self, source: Source) -> View:
        view = self._views.get(source.view)
        if view is None or view.digest != source.digest:
            raise ViewChanged
        return view

    def _rows_of(self, source: Source) -> list[Row] | None:
        view, key = self._view(source), (source.digest, source.categories)
        if key not in self._rows:
            group = self._group(source.categories, of_view=True)
            self._rows[key] = rows_of(view, group.get(view.resource, ()))
        return self._rows[key]

    def _group(self, mask: int, *, of_view: bool) -> Group:
        """The resources that a view with this mask, or a kind of ours of these categories, reads."""
        reads = is_within if of_view else _kind_reads
        group = self._groups.get((of_view, mask))
        if group is None:
            by_type: dict[str, list[Resource]] = {}
            for item in self._opened:
                kind = item.resource.get("resourceType")
                if isinstance(kind, str) and reads(item.categories, mask):
                    resource = within(item.resource, mask) if of_view else item.resource
                    by_type.setdefault(kind, []).append(resource)
            group = self._groups[of_view, mask] = by_type
        return group


def within(resource: Resource, mask: int) -> Resource:
    """A Patient resource without the elements of categories outside ``mask``; any other as it is."""
    hidden = {
        element
        for name, elements in PATIENT_ELEMENTS.items()
        if not mask & 1 << _BITS[name]
        for element in (*elements, *(f"_{element}" for element in elements))
    }
    if resource.get("resourceType") != "Patient" or hidden.isdisjoint(resource):
        return resource
    return {element: value for element, value in resource.items() if element not in hidden}


def _opened(resources: Iterable[Resource | Opened]) -> Iterator[Opened]:
    """Resources whose category is not known are read by our own kinds and by no view."""
    for item in resources:
        found = item if isinstance(item, Opened) else None
        for resource in _flat([item.resource if isinstance(item, Opened) else item]):
            yield Opened(found.categories if found is not None else _ANY, resource)


def _flat(resources: Iterable[Any]) -> Iterable[Resource]:
    for resource in resources:
        if not isinstance(resource, Mapping):
            continue
        if resource.get("resourceType") == "Bundle":
            yield from (
                inner for entry in objects(resource.get("entry")) for inner in objects(entry.get("resource"))
            )
        else:
            yield resource


def _patient(group: Group) -> Resource:
    """The newest Patient resource; of equal ones the last given."""
    found: Resource = {}
    newest = _EARLIEST
    for resource in group.get("Patient", ()):
        meta = resource.get("meta")
        updated = moment(meta.get("lastUpdated")) if isinstance(meta, Mapping) else None
        if (updated or _EARLIEST) >= newest:
            newest, found = updated or _EARLIEST, resource
    return found


def _address(group: Group) -> Mapping[str, Any]:
    """Where the patient lives: the first current address, a home before others."""
    current = [
        address
        for address in objects(_patient(group).get("address"))
        if address.get("use") not in ("old", "temp", "billing")
        and not (isinstance(address.get("period"), Mapping) and address["period"].get("end"))
    ]
    current.sort(key=lambda address: address.get("use") != "home")
    return current[0] if current else {}


def _sex(variable: Variable, group: Group) -> Value:
    gender = text(_patient(group).get("gender"))
    return gender if gender in variable.domain else None


def _age(variable: Variable, group: Group) -> Value:
    years = age_in_years(_patient(group).get("birthDate"), date.fromisoformat(variable.reference_date))
    return None if years is None else Decimal(years)


def _birth_year(variable: Variable, group: Group) -> Value:
    del variable
    year = birth_year(_patient(group).get("birthDate"))
    return None if year is None else Decimal(year)


def _postal_region(variable: Variable, group: Group) -> Value:
    del variable
    code = _address(group).get("postalCode")
    found = _ZIP.fullmatch(code.strip()) if isinstance(code, str) else None
    return found.group(1) if found else None


def _state(variable: Variable, group: Group) -> Value:
    del variable
    state = _address(group).get("state")
    if not isinstance(state, str):
        return None
    code = state.strip().upper()
    return code if code in STATE_CODES else CODE_BY_NAME.get(state.strip().casefold())


def _country(variable: Variable, group: Group) -> Value:
    del variable
    country = _address(group).get("country")
    return country.strip().upper() if isinstance(country, str) and country.strip() else None


def _condition(variable: Variable, group: Group) -> Value:
    for resource in group.get("Condition", ()):
        if not has_code(resource.get("code"), variable.system, variable.code):
            continue
        if codes(resource.get("verificationStatus")) & _NOT_HELD:
            continue
        if not variable.active_only or codes(resource.get("clinicalStatus")) & _ACTIVE_CONDITION:
            return "present"
    return "absent"


def _measurement(variable: Variable, group: Group) -> Value:
    newest: tuple[datetime, Decimal] | None = None
    for resource in group.get("Observation", ()):
        at = latest_moment(resource)
        if (
            text(resource.get("status")) not in _FINAL
            or at is None
            or (newest is not None and at < newest[0])
        ):
            continue
        # A panel such as blood pressure carries its numbers in components.
        for part in (resource, *objects(resource.get("component"))):
            if has_code(part.get("code"), variable.system, variable.code):
                value = quantity(part.get("valueQuantity"), variable.unit)
                if value is not None:
                    newest = (at, value)
    return newest[1] if newest else None


def _medication(variable: Variable, group: Group) -> Value:
    for kind in _MEDICATION_EVENTS:
        for resource in group.get(kind, ()):
            status = text(resource.get("status"))
            if status in _NOT_TAKEN or (variable.active_only and status != "active"):
                continue
            if any(
                has_code(concept, variable.system, variable.code) for concept in _concepts(resource, group)
            ):
                return "present"
    return "absent"


def _concepts(resource: Resource, group: Group) -> Iterable[Any]:
    """What a medication event names, in place or by reference to a Medication that is at hand."""
    yield resource.get("medicationCodeableConcept")
    reference = resource.get("medicationReference")
    target = reference.get("reference") if isinstance(reference, Mapping) else None
    if isinstance(target, str):
        for medication in (*objects(resource.get("contained")), *group.get("Medication", ())):
            name = medication.get("id")
            if isinstance(name, str) and target in (f"#{name}", f"Medication/{name}", f"urn:uuid:{name}"):
                yield medication.get("code")


def _smoking(variable: Variable, group: Group) -> Value:
    del variable
    newest: tuple[datetime, str] | None = None
    for resource in group.get("Observation", ()):
        at = latest_moment(resource)
        if (
            text(resource.get("status")) not in _FINAL
            or at is None
            or (newest is not None and at < newest[0])
        ):
            continue
        if has_code(resource.get("code"), LOINC, _SMOKING_STATUS):
            concept = resource.get("valueCodeableConcept")
            status = next((_SMOKING[code] for code in _SMOKING if has_code(concept, SNOMED, code)), None)
            if status is not None:
                newest = (at, status)
    return newest[1] if newest else None


_READERS: dict[Kind, Callable[[Variable, Group], Value]] = {
    Kind.SEX: _sex,
    Kind.AGE: _age,
    Kind.BIRTH_YEAR: _birth_year,
    Kind.POSTAL_REGION: _postal_region,
    Kind.STATE: _state,
    Kind.COUNTRY: _country,
    Kind.CONDITION: _condition,
    Kind.LABORATORY: _measurement,
    Kind.VITAL_SIGN: _measurement,
    Kind.MEDICATION: _medication,
    Kind.SMOKING: _smoking,
}
