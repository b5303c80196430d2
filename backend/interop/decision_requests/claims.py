"""The claims of a question, read from JSON, whatever envelope they came in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from backend.consent.tables import CodeTable, Tables
from backend.interop.decision_requests.errors import (
    DecisionClaimMalformed,
    DecisionClaimMissing,
    DecisionClaimUnknown,
)
from backend.interop.fhir_consent.codes import (
    ACCOUNT,
    ACT_CODE,
    ACT_REASON,
    ACTION,
    CATEGORY,
    CONFIDENTIALITY,
    CONSENT_ACTION,
    CONSENT_LOINC,
    CONSENT_SCOPE,
    LOINC,
    MEMBER,
    OURS,
    PRIVACY_SCOPE,
    SENSITIVITY,
    SUBJECT,
)
from backend.records.label_tables import LabelTables, ResourceRule

PATIENT_REF: Final = f"{OURS}patient-ref"
OBLIGATION: Final = f"{OURS}obligation"
REDACT: Final = "REDACT"  # of v3-ActCode
REDACT_LABELS: Final = "redact_labels"  # all but what has normal confidentiality
RESOURCE_TYPES: Final = "http://hl7.org/fhir/resource-types"
NAMES: Final = frozenset(
    {"patientId", "actor", "purposeOfUse", "class", "category", "scope", "action", "securityLabel", "fulfils"}
)
_MAX_VALUES: Final = 64
_MAX_ACTORS: Final = 16
_FORMS: Final = {
    SUBJECT: re.compile(r"0x[0-9a-f]{24}\Z"),
    PATIENT_REF: re.compile(r"[\x21-\x7e]{1,256}\Z"),
    MEMBER: re.compile(r"0x[0-9a-f]{64}\Z"),
    ACCOUNT: re.compile(r"0x[0-9a-fA-F]{40}\Z"),
}
_SCOPES: Final = frozenset({(CONSENT_SCOPE, PRIVACY_SCOPE), (LOINC, CONSENT_LOINC)})


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. ``subject`` or ``patient_ref`` is set; ``members`` are ids and ``accounts`` addresses, in
    lower-case hex and in the order given; one of them is there.

    The codes are those of the tables; ``categories`` is not empty, and all of it has to be permitted.
    """

    subject: str | None
    patient_ref: str | None
    members: tuple[str, ...]
    accounts: tuple[str, ...]
    purpose: str
    action: str
    categories: tuple[str, ...]
    sensitivities: tuple[str, ...]
    fulfils: tuple[str, ...]  # obligations that the asker carries out


def asked(
    claims: Mapping[str, object], place: Mapping[str, str], tables: Tables, labels: LabelTables
) -> Asked:
    """Return the question that the claims make; ``place`` gives the path of each, also of a missing one.

    Raises DecisionClaimMissing, DecisionClaimUnknown, DecisionClaimMalformed.
    """
    reader = _Reader(claims, place)
    subject, patient_ref = reader.patient()
    reader.check_scope()
    members, accounts = reader.actors()
    return Asked(
        subject=subject,
        patient_ref=patient_ref,
        members=members,
        accounts=accounts,
        purpose=reader.one_code("purposeOfUse", tables.purposes, (ACT_REASON,)),
        action=reader.one_code("action", tables.actions, (ACTION, CONSENT_ACTION), default="access"),
        categories=reader.categories(tables.categories, labels),
        sensitivities=reader.sensitivities(tables.sensitivities),
        fulfils=reader.fulfils(tables.obligations),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    claims: Mapping[str, object]
    place: Mapping[str, str]

    def patient(self) -> tuple[str | None, str | None]:
        """Return the subject id or the reference. Identifiers of other systems are other names of the patient
        that only they can read; those of ours must lead to one."""
        found = set()
        for system, value in self._identifiers("patientId", bare=(SUBJECT, PATIENT_REF)):
            if system in (SUBJECT, PATIENT_REF):
                found.add((system, value))
        if not found:
            raise DecisionClaimUnknown(
                f"An identifier of {SUBJECT} or {PATIENT_REF}.", field=self._at("patientId")
            )
        if len(found) != 1:
            raise DecisionClaimMalformed(
                "One patient, by one identifier of ours.", field=self._at("patientId")
            )
        ((system, value),) = found
        return (value, None) if system == SUBJECT else (None, value)

    def actors(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return members and accounts. Identifiers of other systems may stand beside ours."""
        found = [
            (system, value.lower())
            for system, value in self._identifiers("actor", bare=(MEMBER, ACCOUNT))
            if system in (MEMBER, ACCOUNT)
        ]
        if not found:
            raise DecisionClaimUnknown(f"An identifier of {MEMBER} or {ACCOUNT}.", field=self._at("actor"))
        if len(found) > _MAX_ACTORS or sum(system == ACCOUNT for system, _ in found) > 1:
            raise DecisionClaimMalformed("One actor with its organisations.", field=self._at("actor"))
        members = tuple(value for system, value in found if system == MEMBER)
        return members, tuple(value for system, value in found if system == ACCOUNT)

    def check_scope(self) -> None:
        """Raise DecisionClaimUnknown unless what is asked about is the patient's privacy consents."""
        for name in ("category", "scope"):
            for system, code in self._codes(name, default_system=CONSENT_SCOPE):
                if (system, code) not in _SCOPES:
                    raise DecisionClaimUnknown(
                        "Consents about privacy are decided here.", field=self._at(name)
                    )

    def one_code(
        self, name: str, table: CodeTable, systems: Sequence[str], *, default: str | None = None
    ) -> str:
        found = self._codes(name, default_system=systems[0])
        if not found:
            if default is not None and name not in self.claims:
                return default
            raise DecisionClaimMissing(field=self._at(name))
        if len(found) != 1:
            raise DecisionClaimMalformed("One decision answers one of these.", field=self._at(name))
        ((system, code),) = found
        if system not in systems or code not in table.bits:
            raise DecisionClaimUnknown(field=self._at(name))
        return code

    def categories(self, table: CodeTable, labels: LabelTables) -> tuple[str, ...]:
        """Return the categories of the content classes: ours, or those in which FHIR's are filed."""
        mask = 0
        for system, code in self._codes("class", default_system=RESOURCE_TYPES):
            if system == CATEGORY and code in table.bits:
                mask |= 1 << table.bits[code]
            elif (system, code) in labels.by_category:
                mask |= labels.by_category[system, code]
            elif system == RESOURCE_TYPES and code in labels.resources:
                mask |= self._filed(labels.resources[code])
            else:
                raise DecisionClaimUnknown(field=self._at("class"))
        if not mask:
            raise DecisionClaimMissing(field=self._at("class"))
        return table.codes(mask)

    def _filed(self, rule: ResourceRule) -> int:
        if rule.by_code or rule.by_category:
            raise DecisionClaimUnknown(
                f"Resources of this type are filed by their codes: name a category ({CATEGORY}).",
                field=self._at("class"),
            )
        return rule.category

    def sensitivities(self, table: CodeTable) -> tuple[str, ...]:
        mask = 0
        for system, code in self._codes("securityLabel", default_system=ACT_CODE):
            if (system, code) == (CONFIDENTIALITY, "N"):
                continue
            if system not in (ACT_CODE, SENSITIVITY) or code not in table.bits:
                raise DecisionClaimUnknown(field=self._at("securityLabel"))
            mask |= 1 << table.bits[code]
        return table.codes(mask)

    def fulfils(self, table: CodeTable) -> tuple[str, ...]:
        found = []
        for system, code in self._codes("fulfils", default_system=OBLIGATION):
            if (system, code) == (ACT_CODE, REDACT):
                found.append(REDACT_LABELS)
            elif system == OBLIGATION and code in table.bits:
                found.append(code)
            else:
                raise DecisionClaimUnknown(field=self._at("fulfils"))
        return tuple(found)

    def _identifiers(self, name: str, *, bare: Sequence[str]) -> list[tuple[str, str]]:
        """Return (system, value); a string alone is of the first system in ``bare`` whose form it has."""
        found = []
        for item in self._values(name):
            match item:
                case str() if item:
                    system = next((system for system in bare if _FORMS[system].match(item)), "")
                    found.append((system, item))
                case {"system": str(system), "value": str(value), **rest} if not rest and value:
                    if system in _FORMS and not _FORMS[system].match(value):
                        raise DecisionClaimMalformed("This is no id of that system.", field=self._at(name))
                    found.append((system, value))
                case _:
                    raise DecisionClaimMalformed("A system and a value.", field=self._at(name))
        if not found:
            raise DecisionClaimMissing(field=self._at(name))
        return found

    def _codes(self, name: str, *, default_system: str) -> list[tuple[str, str]]:
        found = []
        for item in self._values(name):
            match item:
                case str() if item:
                    pair = (default_system, item)
                case {"system": str(system), "code": str(code), **rest} if not rest and code:
                    pair = (system, code)
                case {"system": str(system), "value": str(code), **rest} if not rest and code:
                    pair = (system, code)
                case _:
                    raise DecisionClaimMalformed("A code, or a system and a code.", field=self._at(name))
            if pair not in found:
                found.append(pair)
        return found

    def _values(self, name: str) -> list[Any]:
        value = self.claims.get(name, [])
        values = value if isinstance(value, list) else [value]
        if len(values) > _MAX_VALUES:
            raise DecisionClaimMalformed(f"At most {_MAX_VALUES} values.", field=self._at(name))
        if name in self.claims and not values:
            raise DecisionClaimMissing(field=self._at(name))
        return values

    def _at(self, name: str) -> str:
        return self.place[name]
