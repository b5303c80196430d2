"""The published vectors are what the code decides, what a person expected, and what the files hold."""

from __future__ import annotations

import json
import sys
from collections import Counter
from inspect import CO_NEWLOCALS
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest

from backend.consent import decision, evidence_set, matching, membership, standing
from backend.consent.decision import decide, decide_many
from backend.consent.decision_json import decision_to_json
from backend.consent.decision_reading import input_from_json
from backend.consent.decision_types import Answer, Reason
from backend.consent.errors import InvalidTerms, UnknownCode
from scripts.make_vectors import all_cases, files
from scripts.vectors import world as w

FOLDER = Path(__file__).parents[3] / "vectors"
SETTLING = "require_permitted"
CASES = [
    pytest.param(case, id=f"{path.stem}/{case['name']}")
    for path in sorted((FOLDER / "decisions").glob("*.json"))
    for case in json.loads(path.read_text())["cases"]
]


@pytest.mark.parametrize("case", CASES)
def test_published_decision_is_decided_again(case: dict[str, Any]) -> None:
    request = input_from_json(case["input"], w.TABLES)
    assert decision_to_json(decide(request), w.TABLES) == case["decision"]


def test_description_counts_the_cases_and_names_every_file() -> None:
    text = (FOLDER / "README.md").read_text()
    assert f"{len(CASES)} cases." in text
    for path in (FOLDER / "decisions").glob("*.json"):
        assert f"`{path.stem}`" in text


def test_files_are_what_the_script_writes() -> None:
    written = files()
    stored = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")}
    assert stored == set(written)
    for name, text in written.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"run scripts.make_vectors for {name}"


def test_there_are_enough_cases_and_no_name_twice() -> None:
    names = Counter((case.topic, case.name) for case in all_cases())
    assert len(names) >= 400
    assert set(names.values()) == {1}


def test_every_answer_and_every_reason_has_a_case() -> None:
    seen_answers, seen_reasons = set(), set()
    for case in all_cases():
        decided = decide(case.request)
        seen_answers.add(decided.answer)
        seen_reasons |= {*decided.reasons, *(finding.reason for finding in decided.findings)}
    assert seen_answers == set(Answer)
    assert seen_reasons == set(Reason)


def test_every_obligation_is_demanded_fulfilled_and_unfulfilled() -> None:
    decided = [decide(case.request) for case in all_cases()]
    demanded = {
        bit
        for decision in decided
        for bit in w.TABLES.obligations.codes(decision.obligations)
        if decision.answer is Answer.PERMIT
    }
    refused = {
        bit
        for decision in decided
        if decision.reasons == (Reason.OBLIGATION_UNFULFILLED,)
        for finding in decision.findings
        for bit in w.TABLES.obligations.codes(finding.obligations)
    }
    assert demanded == refused == set(w.TABLES.obligations.bits)


@pytest.mark.parametrize("module", [decision, matching, standing, membership, evidence_set])
def test_every_line_of_the_decision_is_reached_by_the_vectors_alone(module: ModuleType) -> None:
    """But for what refuses a malformed call, which no vector can be."""
    source = Path(str(module.__file__))
    reached: set[int] = set()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != str(source):
            return None
        if event == "line":
            reached.add(frame.f_lineno)
        return trace

    requests = [case.request for case in all_cases()]
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for request in requests:
            decide(request)
            decide_many(request, (request.segment,))
    finally:
        sys.settrace(before)
    text = source.read_text().splitlines()
    missed = {text[line - 1].strip() for line in _lines(source) - reached}
    assert {line for line in missed if not line.startswith(("raise ", "def ", "class ", "@"))} == set()


def _lines(source: Path) -> set[int]:
    """Return the lines inside functions, without those of the one that decides nothing."""
    pending, found = [compile(source.read_text(), str(source), "exec")], set()
    while pending:
        code = pending.pop()
        inner = [item for item in code.co_consts if isinstance(item, CodeType)]
        pending += [item for item in inner if item.co_name.isidentifier() and item.co_name != SETTLING]
        if code.co_flags & CO_NEWLOCALS:
            found |= {line for *_, line in code.co_lines() if line and line != code.co_firstlineno}
    return found


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
