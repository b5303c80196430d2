"""The published vectors are what the code decides, what a person expected, and what the files hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.consent.decision import decide
from backend.consent.decision_json import decision_to_json
from backend.consent.decision_reading import input_from_json
from backend.consent.decision_types import Answer, Reason
from backend.consent.errors import InvalidTerms, UnknownCode
from scripts.make_vectors import all_cases, files
from scripts.vectors import world as w

FOLDER = Path(__file__).parents[3] / "vectors"
CASES = [
    pytest.param(case, id=f"{path.stem}/{case['name']}")
    for path in sorted((FOLDER / "decisions").glob("*.json"))
    for case in json.loads(path.read_text())["cases"]
]


@pytest.mark.parametrize("case", CASES)
def test_published_decision_is_decided_again(case: dict[str, Any]) -> None:
    request = input_from_json(case["input"], w.TABLES)
    assert decision_to_json(decide(request), w.TABLES) == case["decision"]


def test_files_are_what_the_script_writes() -> None:
    written = files()
    stored = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")}
    assert stored == set(written)
    for name, text in written.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"run scripts.make_vectors for {name}"


def test_there_are_enough_cases_and_no_name_twice() -> None:
    names = Counter((case.topic, case.name) for case in all_cases())
    assert len(names) >= 150
    assert set(names.values()) == {1}


def test_every_answer_and_every_reason_has_a_case() -> None:
    seen_answers, seen_reasons = set(), set()
    for case in all_cases():
        decision = decide(case.request)
        seen_answers.add(decision.answer)
        seen_reasons |= {*decision.reasons, *(finding.reason for finding in decision.findings)}
    assert seen_answers == set(Answer)
    assert seen_reasons == set(Reason)


def test_input_with_an_unknown_or_missing_member_is_refused() -> None:
    data = CASES[0].values[0]["input"]
    with pytest.raises(InvalidTerms):
        input_from_json({**data, "emergency": True}, w.TABLES)
    with pytest.raises(InvalidTerms):
        input_from_json({name: data[name] for name in data if name != "stale"}, w.TABLES)
    with pytest.raises(UnknownCode):
        input_from_json({**data, "purpose": "treat"}, w.TABLES)


def test_input_whose_document_is_not_its_id_is_refused() -> None:
    data = next(case.values[0]["input"] for case in CASES if case.values[0]["input"]["evidence"])
    evidence = {**data["evidence"][0], "id": "0x" + "11" * 32}
    with pytest.raises(InvalidTerms) as refusal:
        input_from_json({**data, "evidence": [evidence]}, w.TABLES)
    assert refusal.value.field == "evidence[0].id"
