"""Reads a stored proposal back; ``Proposal.as_json`` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.research.errors import StudyDamaged
from backend.research.outputs import from_json
from backend.research.study import Proposal
from backend.research.study_terms import dataset_from, document_from, price_from
from backend.research.time_to_event import Course
from backend.research.types import StudyId
from backend.research.variables import Kind, Role, Variable
from backend.research.view_variables import Source
from backend.types import MemberId, UnixSeconds


def proposal_from_json(document: Mapping[str, Any]) -> Proposal:
    """Inverse of ``Proposal.as_json``; raises StudyDamaged for anything that it would not have written."""
    try:
        proposal = Proposal(
            researcher=MemberId(bytes.fromhex(document["researcher"])),
            title=document["title"],
            purpose=document["purpose"],
            duo=tuple(document["duo"]),
            variables=tuple(_variable(item) for item in document["variables"]),
            outputs=tuple(from_json(item["name"], item) for item in document["outputs"]),
            not_before=UnixSeconds(_whole(document["period"][0])),
            not_after=UnixSeconds(_whole(document["period"][1])),
            epsilon=_whole(document["epsilon"]),
            runs=_whole(document["runs"]),
            minimum_cohort=_whole(document["minimum_cohort"]),
            salt=bytes.fromhex(document["salt"]),
            price=price_from(document.get("price")),
            documents=tuple(document_from(item) for item in document.get("documents", ())),
            dataset=dataset_from(document.get("dataset")),
            amends=StudyId(bytes.fromhex(document["amends"])) if document.get("amends") else None,
        )
        same = proposal.as_json() == dict(document)
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise StudyDamaged from wrong
    if not same:
        raise StudyDamaged
    return proposal


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a whole number")
    return value


def _variable(item: Mapping[str, Any]) -> Variable:
    return Variable(
        name=item["name"],
        kind=Kind(item["kind"]),
        role=Role(item["role"]),
        system=item["system"],
        code=item["code"],
        unit=item["unit"],
        edges=tuple(item["edges"]),
        levels=tuple(item["levels"]),
        reference_date=item["reference_date"],
        active_only=item["active_only"],
        source=Source.from_json(item["source"]) if "source" in item else None,
        course=Course.from_json(item["course"]) if "course" in item else None,
    )
