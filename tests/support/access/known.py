"""What the people of the scenario know and the chain must not, and how it becomes what the chain holds.

Where the service has a way to commit to something, this is that way; elsewhere it is the one the interfaces
ask of whoever calls: a hash over a secret salt and the text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from eth_utils.crypto import keccak

from backend.keystore import Secret
from backend.records.manifest import commitment
from backend.research.study import Proposal
from backend.types import Bytes32, MemberId, UnixSeconds
from tests.support.ledger_world import ROOT

PATIENT = "Jane Roe"
PEOPLE = (PATIENT, "1970-01-01", "MRN-0047110815", "jane.roe@example.org", "Mary Roe", "Dr. Ada Example")
RECORDS = {
    "record": f"HbA1c 9.1 % of {PATIENT}, MRN-0047110815",
    "new record": "HIV antibody test: reactive",
    "record of the suspended": "discharge letter, alcohol dependence",
}
EMERGENCIES = {
    "over": "unconscious, chest pain",
    "open": "anaphylactic shock",
    "reason": "polytrauma after a fall",
    "finding": "justified: no relative could be reached",
}
STUDIES = {
    "study": "Metformin and heart failure in the north of the county",
    "suspended study": "Depression after stroke",
    "undecided study": "Statins and sleep",
    "new study": "Asthma and air quality near schools",
}
RESULTS = {
    "closed result": "mean HbA1c 7.3 % among 412 patients",
    "contested result": "odds ratio 1.8",
    "disputed result": "relative risk 0.9",
    "open result": "median stay 6 days",
    "result": "hazard ratio 0.72",
    "another result": "prevalence 3.1 %",
}
CREDENTIAL = "licence 88-1234 of the state board"
SUMMARY = "Dr. Ada Example may read laboratory results for treatment."
RELATIONSHIP = "MTH"  # HL7 RoleCode of a mother
# Several bits each, so that nothing else on a chain is these numbers.
PURPOSES = 1 << 54 | 1 << 33 | 1 << 21 | 1 << 3
CATEGORIES = 1 << 29 | 1 << 17 | 1 << 10 | 1 << 6
SENSITIVITIES = 1 << 30 | 1 << 19 | 1 << 11 | 1 << 2
MASKS = {"purposes": PURPOSES, "categories": CATEGORIES, "sensitivities": SENSITIVITIES}
_SEALED = {**EMERGENCIES, **RESULTS, "credential": CREDENTIAL}


def codes() -> set[str]:
    """Return every code and its words in the published tables: purposes, categories, diagnoses and so on."""
    found: set[str] = set()
    for path in (ROOT / "backend").glob("*/data/v*/*.json"):
        found |= set(_codes_in(json.loads(path.read_text(encoding="utf-8"))))
    return found


def texts() -> set[str]:
    """Return every text of the scenario that the chain must not hold."""
    plain = {*PEOPLE, *RECORDS.values(), *STUDIES.values(), *_SEALED.values(), SUMMARY, RELATIONSHIP}
    return plain | codes()


def sealed(name: str) -> Bytes32:
    """Return the salted commitment to a record, a study or another of the named texts."""
    if name in RECORDS:
        return commitment(RECORDS[name].encode(), Secret(_salt(name)))
    if name in STUDIES:
        return Bytes32(_proposal(name).digest)
    return Bytes32(hashlib.sha256(_salt(name) + _SEALED[name].encode()).digest())


def _salt(name: str) -> bytes:
    """Return what nobody but its owner knows; in a test it may be the same each time."""
    return keccak(text=f"salt of {name}")


def _proposal(name: str) -> Proposal:
    return Proposal(
        researcher=MemberId(bytes(32)),
        title=STUDIES[name],
        purpose="HRESCH",
        duo=("DUO:0000042",),
        variables=(),
        outputs=(),
        not_before=UnixSeconds(0),
        not_after=UnixSeconds(1),
        epsilon=1_000_000,
        runs=1,
        minimum_cohort=10,
        salt=_salt(name),
    )


def _codes_in(table: Any) -> Iterator[str]:
    """Yield the codes of a table, which stand in lists of entries or as keys, and their words."""
    if isinstance(table, list):
        for each in table:
            yield from _codes_in(each)
    elif isinstance(table, dict):
        codes = table.get("codes", [])
        yield from codes if isinstance(codes, dict) else ()
        for entry in codes.values() if isinstance(codes, dict) else codes:
            words = entry.values() if isinstance(entry, dict) else [entry]
            yield from (word for word in words if isinstance(word, str))
        for each in table.values():
            yield from _codes_in(each)
