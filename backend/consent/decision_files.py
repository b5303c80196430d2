"""Reads a question and the consents from plain files, for a decision far from any service.

Both are either as in the published vectors, or in a short form that a person can write. The short form says
less, so what it leaves out is filled in as ``docs/decision.md`` states: data of unknown time, no member in
standing, a document on no block. How many consents the chain counts is never filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from backend.consent.decision_reading import evidence_from_json, input_from_json, members
from backend.consent.decision_types import DecisionInput, Evidence
from backend.consent.errors import InvalidTerms
from backend.consent.tables import Tables, load_tables
from backend.consent.terms import UNBOUNDED, Delegation, Document, Grant
from backend.consent.terms_json import from_json
from backend.consent.typed_data import consent_id
from backend.consent.uses import NO_USE, UNLIMITED, limit_of
from backend.consent.validation import check_delegation, check_grant
from backend.errors import AssentError
from backend.types import SubjectId, to_hex

COMPLETED: Final[Mapping[str, Any]] = {
    "evidence": [], "stale": False, "suspended": [], "endedEpoch": None, "queuePosition": 0, "fulfils": [],
}  # fmt: skip
_COMPLETED_SEGMENT: Final[Mapping[str, Any]] = {
    "sensitivities": [], "dataFrom": 0, "dataTo": UNBOUNDED, "references": [],
}  # fmt: skip
_COMPLETED_REQUESTER: Final[Mapping[str, Any]] = {
    "actor": None, "organisations": [], "account": None, "teams": {},
}  # fmt: skip
_SHORT_ENTRY: Final = "id type via slot uses usedAt revocationPending"


def read_question(data: object, *, case: str | None = None) -> tuple[DecisionInput, Tables]:
    """Return the question of a file's JSON, with the evidence that it holds itself, and the tables it is in.

    The file holds a question, one case of the published vectors, or a file of them with ``case`` as name.
    Raise InvalidTerms or UnknownCode, naming the member.
    """
    tables = load_tables()
    if isinstance(data, Mapping) and "cases" in data:
        tables, data = _case(data, case)
    if isinstance(data, Mapping) and "input" in data:
        data = data["input"]
    request = input_from_json(_completed(data), tables)
    for number, item in enumerate(request.evidence):
        _check(item, tables, f"evidence[{number}].document.")
    return request, tables


def read_consents(data: object, subject: SubjectId, tables: Tables) -> tuple[Evidence, ...]:
    """Return the evidence of a file's JSON: an entry, a list of them, or an object with one as ``consents``.

    An entry is as in the vectors, or ``document`` with its ``slot`` on the chain, or the bare document, which
    then is on no block. Raise InvalidTerms, UnknownCode or UnknownBit, naming entry, member and rule.
    """
    if isinstance(data, Mapping) and set(data) == {"consents"}:
        data = data["consents"]
    entries = data if isinstance(data, list) else [data]
    return tuple(_entries(entries, subject, tables, plural=isinstance(data, list)))


def with_evidence(request: DecisionInput, evidence: tuple[Evidence, ...]) -> DecisionInput:
    """Return the question with more evidence."""
    return replace(request, evidence=(*request.evidence, *evidence))


def in_file(error: AssentError, file: str) -> AssentError:
    """Return the error with the name of the file before that of the member."""
    error.field = file if error.field is None else f"{file}: {error.field}"
    return error


def _entries(entries: list[Any], subject: SubjectId, tables: Tables, *, plural: bool) -> Iterator[Evidence]:
    for number, entry in enumerate(entries):
        path = f"[{number}]." if plural else ""
        item = _entry(entry, path)
        inner = path if isinstance(entry, Mapping) and "terms" in entry else f"{path}document."
        _check(item, tables, inner)
        if item.prepared.document.subject != subject:
            raise InvalidTerms("It is a consent of another patient.", field=inner + "subject")
        yield item


def _entry(entry: object, path: str) -> Evidence:
    if isinstance(entry, Mapping) and "final" in entry:
        return evidence_from_json(entry, path)
    bare = isinstance(entry, Mapping) and "terms" in entry
    short = {"document": entry} if bare else members(entry, "document", path, optional=_SHORT_ENTRY)
    message = short["document"]
    inner = path if bare else f"{path}document."
    delegation = isinstance(message, Mapping) and "delegate" in message
    document: Document = (
        from_json(Delegation, message, inner) if delegation else from_json(Grant, message, inner)
    )
    limited = isinstance(document, Grant) and limit_of(document.terms) not in (NO_USE, UNLIMITED)
    if limited and "uses" not in short and short.get("slot") is not None:
        raise InvalidTerms("Its uses are limited, so say how many were made.", field=path + "uses")
    slot = short.get("slot")
    whole = {
        "id": short.get("id", to_hex(consent_id(document))),
        "type": short.get("type", type(document).__name__),
        "document": message,
        "via": short.get("via", []),
        "final": slot,
        "head": slot,
        "revocationPending": short.get("revocationPending", False),
        "uses": short.get("uses", 0),
        "usedAt": short.get("usedAt", []),
    }
    return evidence_from_json(whole, path)


def _case(data: Mapping[str, Any], case: str | None) -> tuple[Tables, object]:
    cases, head = data["cases"], data.get("tables")
    if (
        not isinstance(cases, list)
        or not isinstance(head, Mapping)
        or not isinstance(head.get("version"), int)
    ):
        raise InvalidTerms("Not a file of vectors.", field="cases")
    for item in cases:
        if isinstance(item, Mapping) and item.get("name") == case:
            return load_tables(head["version"]), item
    raise InvalidTerms("The file has no case of this name: give --case.", field="cases")


def _check(item: Evidence, tables: Tables, path: str) -> None:
    document = item.prepared.document
    if isinstance(document, Grant):
        check_grant(document, tables, path)
    else:
        check_delegation(document, tables, path)


def _completed(data: object) -> object:
    """Return the question as in the vectors. What is in that form already is returned as it is."""
    if not isinstance(data, Mapping) or not {"block", "patient", "members"} & set(data):
        return data
    found = {**COMPLETED, **data}
    block = found.pop("block", None)
    found.setdefault("view", None if block is None else {"final": block, "head": block})
    if "patient" in found:
        patient = members(found.pop("patient"), "controller epoch count", "patient.", optional="opened")
        subject = {"opened": True, **patient}
        found.setdefault("subjectAtFinal", subject)
        found.setdefault("subjectAtHead", subject)
    memberships = found.pop("members", {})
    found.setdefault("membersAtFinal", memberships)
    found.setdefault("membersAtHead", memberships)
    for name, completing in (("segment", _COMPLETED_SEGMENT), ("requester", _COMPLETED_REQUESTER)):
        if isinstance(found.get(name), Mapping):
            found[name] = {**completing, **found[name]}
    if isinstance(found.get("now"), str):
        found["now"] = _seconds(found["now"], "now")
    if isinstance(found.get("segment"), dict):
        for name in ("dataFrom", "dataTo"):
            if isinstance(found["segment"][name], str):
                found["segment"][name] = _seconds(found["segment"][name], f"segment.{name}")
    return found


def _seconds(text: str, path: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as failure:
        raise InvalidTerms("Unix seconds, or a date and time as in ISO 8601.", field=path) from failure
    if moment.tzinfo is None:
        raise InvalidTerms("A time without zone may be any of 26 hours.", field=path)
    return int(moment.timestamp())
