"""Generate plausible FHIR R4 bundles of invented patients, the same ones for the same seed.

    python -m scripts.generate_bundles OUT_DIR --count 20 --seed 1

Every bundle is a transaction of one patient: visits over years, problems (some of them sensitive), medicines,
laboratory results and vital signs with units and reference ranges, vaccinations, an allergy, procedures, a
claim, notes. Every fifth patient is a minor with a parent as related person. Nobody in them exists.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from scripts import sample_content as content

Json = dict[str, Any]
TODAY: Final = date(2025, 6, 30)  # the bundles' own present: fixed, so that they never change
MINOR_EVERY: Final = 5
_YEARS_OF_HISTORY: Final = 8


def _concept(system: str, code: str, name: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": name}], "text": name}


def _hl7(system: str, code: str) -> Json:
    return {"coding": [{"system": content.HL7 + system, "code": code}]}


class _Patient:
    """Builds one bundle. All randomness comes from the generator given."""

    def __init__(self, rng: random.Random, number: int) -> None:
        self.rng = rng
        self.entries: list[Json] = []
        self.is_minor = number % MINOR_EVERY == MINOR_EVERY - 1
        self.sensitive = self.sensitive_problem(number)
        youngest, oldest = self.sensitive.ages if self.sensitive else (24, 82)
        self.age = rng.randint(5, 16) if self.is_minor else rng.randint(max(youngest, 24), min(oldest, 82))
        self.sex = (self.sensitive and self.sensitive.sex) or rng.choice(("female", "male"))
        self.born = TODAY - timedelta(days=self.age * 365 + rng.randint(20, 340))
        self.clinic = self.add("Organization", name="Brookside Family Practice", active=True,
                               type=[_hl7("organization-type", "prov")])  # fmt: skip
        family, given = rng.choice(content.FAMILY_NAMES), rng.choice(content.FEMALE_NAMES)
        self.doctor = self.add("Practitioner", name=[{"family": family, "given": [given]}])
        self.me = self.add("Patient", **self.person(number))

    def sensitive_problem(self, number: int) -> content.Problem | None:
        """Every second adult has one; turning through the list gives every kind its turn in a small set."""
        if self.is_minor:
            return None
        if number % 2 == 0:
            return None
        turn = number // 2 - (number + 1) // (2 * MINOR_EVERY)  # the minors have no turn
        return content.SENSITIVE[turn % len(content.SENSITIVE)]

    def add(self, kind: str, **members: Any) -> Json:
        """Append a resource and return a Reference to it."""
        name = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        resource = {"resourceType": kind, "id": name} | members
        request = {"method": "POST", "url": kind}
        self.entries.append({"fullUrl": f"urn:uuid:{name}", "resource": resource, "request": request})
        return {"reference": f"urn:uuid:{name}"}

    def person(self, number: int) -> Json:
        rng = self.rng
        names = content.FEMALE_NAMES if self.sex == "female" else content.MALE_NAMES
        self.family = rng.choice(content.FAMILY_NAMES)
        return {
            "identifier": [{"type": _hl7("v2-0203", "MR"), "system": "urn:example:assent:record-number",
                            "value": f"S{number:05d}-{rng.randint(100000, 999999)}"}],
            "name": [{"use": "official", "family": self.family, "given": [rng.choice(names)]}],
            "telecom": [{"system": "phone", "value": f"555-01{rng.randint(10, 99)}", "use": "home"}],
            "gender": self.sex,
            "birthDate": self.born.isoformat(),
            "address": [{"line": [f"{rng.randint(1, 99)} {rng.choice(content.STREETS)}"],
                         "city": rng.choice(content.CITIES), "country": "US"}],
        }  # fmt: skip

    def moment(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, 8, tzinfo=UTC) + timedelta(
            minutes=self.rng.randrange(480)
        )

    def visit(self, when: datetime, reason: content.Problem | None = None, cause: Json | None = None) -> Json:
        kind = (
            ("185347001", "Encounter for problem")
            if reason
            else ("162673000", "General examination of patient")
        )
        members: Json = {
            "status": "finished",
            "class": {"system": content.HL7 + "v3-ActCode", "code": "AMB"},
            "type": [_concept(content.SNOMED, *kind)],
            "subject": self.me,
            "participant": [{"individual": self.doctor}],
            "period": {"start": when.isoformat(), "end": (when + timedelta(minutes=25)).isoformat()},
            "serviceProvider": self.clinic,
        }
        if reason:
            members["reasonCode"] = [_concept(content.SNOMED, reason.code, reason.name)]
        if cause:
            members["reasonReference"] = [cause]
        return self.add("Encounter", **members)

    def observe(self, measure: content.Measure, when: datetime, visit: Json, *, sick: bool = False) -> Json:
        low, high = measure.sick if sick and measure.sick else (measure.low, measure.high)
        value: float = round(self.rng.uniform(low, high), measure.decimals)
        if measure.decimals == 0:
            value = int(value)
        unit = {"unit": measure.unit, "system": content.UCUM, "code": measure.unit}
        return self.add(
            "Observation", status="final", category=[_hl7("observation-category", measure.category)],
            code=_concept(content.LOINC, measure.code, measure.name), subject=self.me, encounter=visit,
            effectiveDateTime=when.isoformat(), issued=(when + timedelta(hours=3)).isoformat(),
            valueQuantity={"value": value} | unit,
            referenceRange=[{"low": {"value": measure.low} | unit, "high": {"value": measure.high} | unit}],
        )  # fmt: skip

    def report(self, code: str, name: str, results: list[Json], when: datetime, visit: Json) -> None:
        self.add("DiagnosticReport", status="final", category=[_hl7("v2-0074", "LAB")],
                 code=_concept(content.LOINC, code, name), subject=self.me, encounter=visit,
                 effectiveDateTime=when.isoformat(), issued=(when + timedelta(hours=4)).isoformat(),
                 result=results)  # fmt: skip

    def note(self, text: str, when: datetime, visit: Json) -> None:
        data = base64.b64encode(text.encode()).decode()
        kind = _concept(content.LOINC, "11506-3", "Progress note")
        self.add("DocumentReference", status="current", type=kind, subject=self.me, date=when.isoformat(),
                 author=[self.doctor], content=[{"attachment": {"contentType": "text/plain", "data": data}}],
                 context={"encounter": [visit], "period": {"start": when.isoformat()}})  # fmt: skip

    def vaccinate(self, vaccine: tuple[str, str], when: datetime, visit: Json) -> None:
        code = _concept(content.CVX, *vaccine)
        self.add("Immunization", status="completed", vaccineCode=code, patient=self.me, encounter=visit,
                 occurrenceDateTime=when.isoformat(), primarySource=True)  # fmt: skip

    def problem(self, problem: content.Problem, day: date) -> None:
        """A diagnosis at a visit for it, its medicines and measures, a follow-up, a note and a claim."""
        when = self.moment(day)
        visit = self.visit(when, problem)
        condition = self.add(
            "Condition", clinicalStatus=_hl7("condition-clinical", "active"),
            verificationStatus=_hl7("condition-ver-status", "confirmed"),
            code=_concept(content.SNOMED, problem.code, problem.name), subject=self.me, encounter=visit,
            onsetDateTime=when.isoformat(), recordedDate=when.isoformat(),
        )  # fmt: skip
        for code, name in problem.medications:
            self.add("MedicationRequest", status="active", intent="order",
                     medicationCodeableConcept=_concept(content.RXNORM, code, name), subject=self.me,
                     encounter=visit, authoredOn=when.isoformat(), requester=self.doctor,
                     reasonReference=[condition])  # fmt: skip
        later = min(when + timedelta(days=self.rng.randint(60, 200)), self.moment(TODAY))
        follow_up = self.visit(later, problem, condition)
        for measure in problem.measures:
            self.observe(measure, when, visit, sick=True)
            self.observe(measure, later, follow_up, sick=self.rng.random() < 0.5)
        self.note(problem.note, when, visit)
        period = {"start": when.isoformat(), "end": when.isoformat()}
        self.add("Claim", status="active", type=_hl7("claim-type", "institutional"), use="claim",
                 patient=self.me, billablePeriod=period, created=when.isoformat(),
                 provider=self.clinic, priority=_hl7("processpriority", "normal"),
                 diagnosis=[{"sequence": 1, "diagnosisReference": condition}],
                 insurance=[{"sequence": 1, "focal": True, "coverage": {"display": "Sample Mutual"}}],
                 total={"value": self.rng.randint(60, 420), "currency": "USD"})  # fmt: skip

    def check_up(self, day: date, hypertensive: bool) -> None:
        when = self.moment(day)
        visit = self.visit(when)
        for measure in content.VITALS:
            self.observe(measure, when, visit, sick=hypertensive and self.rng.random() < 0.6)
        panel = [self.observe(measure, when, visit) for measure in content.BASIC_PANEL]
        self.report("24320-4", "Basic metabolic panel", panel, when, visit)
        if self.rng.random() < 0.7:
            count = [self.observe(measure, when, visit) for measure in content.BLOOD_COUNT]
            self.report("58410-2", "Complete blood count", count, when, visit)
        vaccines = content.CHILD_VACCINES if self.is_minor else content.ADULT_VACCINES
        self.vaccinate(self.rng.choice(vaccines), when, visit)
        if self.rng.random() < 0.35:
            code = _concept(content.SNOMED, *self.rng.choice(content.PROCEDURES))
            self.add("Procedure", status="completed", code=code, subject=self.me, encounter=visit,
                     performedPeriod={"start": when.isoformat(), "end": when.isoformat()})  # fmt: skip
        self.note("Routine check. Feels well, sleeps well, no complaints.", when, visit)

    def fits(self, problem: content.Problem) -> bool:
        return problem.ages[0] <= self.age <= problem.ages[1] + 10 and problem.sex in {None, self.sex}


def _bundle(rng: random.Random, number: int) -> Json:
    patient = _Patient(rng, number)
    years = min(patient.age - 1, _YEARS_OF_HISTORY)
    start = TODAY.year - years
    ordinary = [problem for problem in content.ORDINARY if patient.fits(problem)]
    problems = rng.sample(ordinary, k=min(len(ordinary), rng.randint(1, 3)))
    if patient.sensitive:
        problems.append(patient.sensitive)
    elif patient.is_minor and patient.age > 12:
        problems.append(content.SENSITIVE[0])
    hypertensive = any(problem.code == "59621000" for problem in problems)
    for year in range(start, TODAY.year + 1):
        patient.check_up(date(year, rng.randint(1, 6), rng.randint(1, 28)), hypertensive)
    for problem in problems:
        patient.problem(
            problem, date(rng.randint(start, TODAY.year - 1), rng.randint(1, 12), rng.randint(1, 28))
        )
    if rng.random() < 0.4:
        when = patient.moment(date(start, 3, 14)).isoformat()
        patient.add("AllergyIntolerance", clinicalStatus=_hl7("allergyintolerance-clinical", "active"),
                    code=_concept(content.SNOMED, *rng.choice(content.ALLERGIES)), patient=patient.me,
                    recordedDate=when)  # fmt: skip
    if patient.is_minor:
        name = {"family": patient.family, "given": [rng.choice(content.FEMALE_NAMES)]}
        relationship = [_hl7("v3-RoleCode", "PRN")]
        patient.add("RelatedPerson", patient=patient.me, relationship=relationship, name=[name])
    return {"resourceType": "Bundle", "type": "transaction", "entry": patient.entries}


def generate(count: int, seed: int) -> list[Json]:
    """Return ``count`` bundles as JSON values; the n-th depends on ``seed`` and n only."""
    return [numbered(number, seed) for number in range(count)]


def numbered(number: int, seed: int) -> Json:
    """Return the bundle that is ``number`` of them, from 0."""
    return _bundle(random.Random(f"assent sample {seed} {number}"), number)


def encode(bundle: Json) -> bytes:
    """Return a bundle as the bytes that the command writes."""
    return json.dumps(bundle, indent=1, ensure_ascii=False).encode() + b"\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the bundles as ``patient-000.json`` and so on; return the exit status."""
    parser = argparse.ArgumentParser(description="Write FHIR R4 bundles of invented patients.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for number, bundle in enumerate(generate(options.count, options.seed)):
        (options.folder / f"patient-{number:03d}.json").write_bytes(encode(bundle))
    print(f"{options.count} bundles in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
