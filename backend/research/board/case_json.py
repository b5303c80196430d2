"""A file of the board as canonical JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backend.research.board.types import (
    Case,
    Decision,
    Met,
    Motion,
    MotionKind,
    Preparation,
    Question,
    Recusal,
    Signed,
)
from backend.research.canonical import canonical_json
from backend.research.errors import StudyDamaged
from backend.research.study_terms import condition_from, condition_json
from backend.research.types import StudyId
from backend.types import Address, Bytes32, MemberId, UnixSeconds

_SCHEMA = 1


def encode_case(case: Case) -> bytes:
    prepared = case.preparation
    return canonical_json(
        {
            "schema": _SCHEMA,
            "study": case.study.hex(),
            "version": case.version,
            "preparation": prepared
            and {
                "reviewers": [member.hex() for member in prepared.reviewers],
                "decide_by": prepared.decide_by,
                "remarks": prepared.remarks,
                "at": prepared.at,
            },
            "conditions": [condition_json(item) for item in case.conditions],
            "met": [[item.condition, item.at] for item in case.met],
            "recusals": [_recusal_json(item) for item in case.recusals],
            "questions": [
                [item.number, item.text, item.asked_at, item.answer, item.answered_at]
                for item in case.questions
            ],
            "motions": [_motion_json(item) for item in case.motions],
            "decisions": [_decision_json(item) for item in case.decisions],
        }
    )


def decode_case(content: bytes, *, study: StudyId, version: int) -> Case:
    """Inverse of ``encode_case``; raises StudyDamaged for anything else, and for another study or version."""
    try:
        item = json.loads(content)
        if (item["schema"], item["study"], item["version"]) != (_SCHEMA, study.hex(), version):
            raise ValueError("another file")
        prepared = item["preparation"]
        return Case(
            study=study,
            version=version,
            preparation=prepared
            and Preparation(
                reviewers=tuple(MemberId(bytes.fromhex(member)) for member in prepared["reviewers"]),
                decide_by=UnixSeconds(prepared["decide_by"]),
                remarks=prepared["remarks"],
                at=UnixSeconds(prepared["at"]),
            ),
            conditions=tuple(condition_from(each) for each in item["conditions"]),
            met=tuple(Met(condition, UnixSeconds(at)) for condition, at in item["met"]),
            recusals=tuple(_recusal(each) for each in item["recusals"]),
            questions=tuple(Question(*each) for each in item["questions"]),
            motions=tuple(_motion(each) for each in item["motions"]),
            decisions=tuple(_decision(each) for each in item["decisions"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise StudyDamaged from wrong


def _recusal_json(item: Recusal) -> list[Any]:
    return [item.member.hex(), item.account, item.name, item.reason, item.at]


def _recusal(item: list[Any]) -> Recusal:
    member, account, name, reason, at = item
    return Recusal(MemberId(bytes.fromhex(member)), Address(account), name, reason, UnixSeconds(at))


def _signed_json(item: Signed) -> list[Any]:
    return [item.member.hex(), item.account, item.name, item.signature.hex(), item.at]


def _signed(item: list[Any]) -> Signed:
    member, account, name, signature, at = item
    return Signed(
        MemberId(bytes.fromhex(member)),
        Address(account),
        name,
        bytes.fromhex(signature),
        UnixSeconds(at),
    )


def _motion_json(item: Motion) -> dict[str, Any]:
    return {
        "kind": item.kind.value,
        "number": item.number,
        "reason": item.reason,
        "rules": item.rules.hex(),
        "submit_by": item.submit_by,
        "round": item.round,
        "signatures": [_signed_json(each) for each in item.signatures],
        "on_its_way": item.on_its_way,
    }


def _motion(item: Mapping[str, Any]) -> Motion:
    return Motion(
        kind=MotionKind(item["kind"]),
        number=item["number"],
        reason=item["reason"],
        rules=bytes.fromhex(item["rules"]),
        submit_by=UnixSeconds(item["submit_by"]),
        round=item["round"],
        signatures=tuple(_signed(each) for each in item["signatures"]),
        on_its_way=item["on_its_way"],
    )


def _decision_json(item: Decision) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "number": item.number,
        "reason": item.reason,
        "conditions": [condition_json(each) for each in item.conditions],
        "signed": [_signed_json(each) for each in item.signed],
        "recused": [_recusal_json(each) for each in item.recused],
        "threshold": item.threshold,
        "at": item.at,
        "block": item.block,
        "transaction": None if item.transaction is None else item.transaction.hex(),
        "submit_by": item.submit_by,
        "custodian": item.custodian,
        "researcher": item.researcher,
    }


def _decision(item: Mapping[str, Any]) -> Decision:
    transaction = item["transaction"]
    return Decision(
        kind=item["kind"],
        number=item["number"],
        reason=item["reason"],
        conditions=tuple(condition_from(each) for each in item["conditions"]),
        signed=tuple(_signed(each) for each in item["signed"]),
        recused=tuple(_recusal(each) for each in item["recused"]),
        threshold=item["threshold"],
        at=UnixSeconds(item["at"]),
        block=item["block"],
        transaction=None if transaction is None else Bytes32(bytes.fromhex(transaction)),
        submit_by=None if item["submit_by"] is None else UnixSeconds(item["submit_by"]),
        custodian=item["custodian"],
        researcher=item["researcher"],
    )
