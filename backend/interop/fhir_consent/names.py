"""Who and what the references of a Consent lead to. Nothing is looked up and nothing is guessed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from backend.consent.decision_types import dependents_of_record, reference_of_record
from backend.interop.fhir_consent.codes import ACCOUNT, MEMBER, RECORD, SUBJECT, Json
from backend.interop.fhir_consent.errors import (
    FhirConsentMalformed,
    FhirConsentOtherSubject,
    FhirConsentUnresolved,
)
from backend.types import Bytes32, MemberId, RecordId, SubjectId, subject_text, to_hex

T = TypeVar("T")
_MEMBER: Final = re.compile(r"0x[0-9a-f]{64}\Z")
_SUBJECT: Final = re.compile(r"0x[0-9a-f]{24}\Z")
_RECORD: Final = re.compile(r"[0-9a-f]{32}\Z")
CARE_TEAM: Final = "CareTeam"
_TEAM: Final = re.compile(
    rf"{CARE_TEAM}/([0-9a-f]{{64}})\Z"
)  # a team's id is as long as an id of FHIR can be


@dataclass(frozen=True, slots=True)
class Names:
    """The patient that a Consent is imported for, and what foreign names stand for.

    Keys are ``Type/id``, an absolute URL, or ``system|value`` of an identifier. Ids of ours need no entry.
    ``care_teams`` are those that there are here, and a reference to a CareTeam leads to one of them; None: it
    is not known which there are.
    """

    subject: SubjectId
    patients: frozenset[str] = frozenset()
    members: Mapping[str, MemberId] = field(default_factory=dict)
    records: Mapping[str, RecordId] = field(default_factory=dict)
    care_teams: Collection[MemberId] | None = None

    def check_patient(self, reference: object, path: str) -> None:
        """Raise FhirConsentOtherSubject unless every name in ``reference`` is one of this patient."""
        own = f"{SUBJECT}|{subject_text(self.subject)}"
        if any(key != own and key not in self.patients for key in _keys(reference, path)):
            raise FhirConsentOtherSubject(field=path)

    def member(self, reference: object, path: str) -> MemberId:
        """Return the member or the care team that an actor is."""
        found = MemberId(self._resolve(reference, path, self.members, MEMBER, _MEMBER))
        if self.care_teams is not None and found not in self.care_teams and _is_team(reference):
            raise FhirConsentUnresolved("There is no such care team here.", field=path)
        return found

    def record(self, reference: object, path: str) -> Bytes32:
        """Return the form in which a rule names a record."""
        return reference_of_record(self._record(reference, path))

    def dependents(self, reference: object, path: str) -> Bytes32:
        """Return the form in which a rule names a record and those that refer to it."""
        return dependents_of_record(self._record(reference, path))

    def _record(self, reference: object, path: str) -> RecordId:
        return RecordId(self._resolve(reference, path, self.records, RECORD, _RECORD))

    def _resolve(
        self, reference: object, path: str, known: Mapping[str, bytes], system: str, form: re.Pattern[str]
    ) -> bytes:
        found = set()
        for key in _keys(reference, path):
            prefix, _, value = key.rpartition("|")
            if prefix == system and form.match(value):
                found.add(bytes.fromhex(value.removeprefix("0x")))
            elif key in known:
                found.add(known[key])
            elif system == MEMBER and (team := _TEAM.match(key)):
                found.add(bytes.fromhex(team[1]))
            else:
                raise FhirConsentUnresolved(field=path)
        if len(found) != 1 or not any(next(iter(found))):
            raise FhirConsentUnresolved("Its names lead to different ones, or to nobody.", field=path)
        return found.pop()


def names_from_json(subject: str, value: object) -> Names:
    """Return the names in ``{"patients": [name], "members": {name: id}, "records": {name: id}}``.

    Raise FhirConsentMalformed naming the part at fault.
    """
    if not isinstance(value, dict) or value.keys() - {"patients", "members", "records"}:
        raise FhirConsentMalformed("An object with patients, members and records.", field="names")
    patients = value.get("patients", [])
    if not isinstance(patients, list) or not all(isinstance(name, str) for name in patients):
        raise FhirConsentMalformed("A list of names.", field="names.patients")
    number = int(subject, 16) if _SUBJECT.match(subject) else 0
    if not number:
        raise FhirConsentMalformed("A subject id is 0x and 24 hex digits.", field="subject")
    return Names(
        SubjectId(number),
        frozenset(patients),
        {name: MemberId(found) for name, found in _ids(value, "members", _MEMBER)},
        {name: RecordId(found) for name, found in _ids(value, "records", _RECORD)},
    )


def _ids(value: dict[str, object], part: str, form: re.Pattern[str]) -> Iterator[tuple[str, bytes]]:
    held = value.get(part, {})
    if not isinstance(held, dict):
        raise FhirConsentMalformed("An object of names and ids.", field=f"names.{part}")
    for name, text in held.items():
        if not isinstance(text, str) or not form.match(text):
            raise FhirConsentMalformed(f"An id: {form.pattern[:-2]}.", field=f"names.{part}.{name!s:.80}")
        yield name, bytes.fromhex(text.removeprefix("0x"))


def subject_reference(subject: SubjectId) -> Json:
    return _logical("Patient", SUBJECT, subject_text(subject))


def member_reference(member: bytes, kind: str | None = None) -> Json:
    return _logical(kind, MEMBER, to_hex(member))


def with_care_teams(part: Any, teams: Collection[MemberId]) -> Any:
    """Return an export in which every reference to one of these members says that it is a CareTeam."""
    match part:
        case {"identifier": {"system": system, "value": value}} if system == MEMBER and any(
            value == to_hex(team) for team in teams
        ):
            return {**part, "type": CARE_TEAM}
        case dict():
            return {name: with_care_teams(value, teams) for name, value in part.items()}
        case list():
            return [with_care_teams(each, teams) for each in part]
        case _:
            return part


def account_reference(account: str) -> Json:
    return _logical("RelatedPerson", ACCOUNT, account)


def record_reference(record: bytes) -> Json:
    return _logical(None, RECORD, record.hex())


def _logical(kind: str | None, system: str, value: str) -> Json:
    identifier = {"identifier": {"system": system, "value": value}}
    return identifier if kind is None else {"type": kind, **identifier}


def _is_team(reference: object) -> bool:
    return isinstance(reference, dict) and (
        reference.get("type") == CARE_TEAM or f"{CARE_TEAM}/" in str(reference.get("reference", ""))
    )


def _keys(reference: object, path: str) -> list[str]:
    """Return every name that a Reference gives: its literal reference, its identifier."""
    if not isinstance(reference, dict):
        raise FhirConsentMalformed("A Reference.", field=path)
    keys = []
    literal, identifier = reference.get("reference"), reference.get("identifier")
    if literal is not None:
        keys.append(literal)
    if isinstance(identifier, dict):
        keys.append(f"{identifier.get('system', '')}|{identifier.get('value', '')}")
    elif identifier is not None:
        raise FhirConsentMalformed("An Identifier.", field=f"{path}.identifier")
    if not keys or not all(isinstance(key, str) for key in keys):
        raise FhirConsentMalformed("A Reference with a reference or an identifier.", field=path)
    return keys
