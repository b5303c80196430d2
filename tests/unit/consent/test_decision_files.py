"""``assent decide``: offline decisions from plain files, and errors that name file, member and rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from backend.cli import app
from backend.consent.decision import decide
from backend.consent.decision_files import read_consents, read_question, with_evidence
from backend.consent.decision_json import decision_to_json, input_to_json
from backend.consent.errors import InvalidTerms
from backend.consent.terms import Grant, Kind, Rule
from backend.consent.terms_json import to_json
from backend.errors import AssentError
from backend.types import to_hex
from scripts.make_vectors import all_cases
from scripts.vectors import world as w

Write = Callable[[str, object], str]
RULES = (Rule(permit=False, categories=w.categories("medications")), Rule(permit=True))
PERMIT = w.grant(Kind.PERMIT, *RULES)
SLOT = {
    "subject": str(w.SUBJECT),
    "kind": 1,
    "epoch": 0,
    "revokedAt": 0,
    "notAfter": w.END,
    "notBefore": w.START,
}
QUESTION: dict[str, Any] = {
    "subject": str(w.SUBJECT),
    "requester": {"actor": to_hex(w.DOCTOR), "organisations": [to_hex(w.CLINIC)]},
    "purpose": "TREAT",
    "action": "access",
    "segment": {"categories": ["laboratory"], "dataFrom": w.DATA_TIME, "dataTo": w.DATA_TIME + 1},
    "now": "2027-01-15T09:00:00+01:00",
    "block": 100,
    "patient": {"controller": w.PATIENT, "epoch": 0, "count": 1},
    "members": {to_hex(member): {"standing": "active", "expiry": w.END} for member in (w.DOCTOR, w.CLINIC)},
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writing(name: str, content: object) -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return writing


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["decide", *arguments])


def entry(document: Grant = PERMIT, **changes: Any) -> dict[str, Any]:
    return {"document": to_json(document), "slot": SLOT, **changes}


def test_short_form_permits_and_names_consent_block_tables_and_sentence(write: Write) -> None:
    result = run(write("q.json", QUESTION), "--consents", write("c.json", [entry()]), "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["answer"]) == (0, "permit")
    assert answer["consents"] == [to_hex(w.final(PERMIT).prepared.consent_id)]
    assert (answer["finalBlock"], answer["tables"]["digest"]) == (100, w.TABLES.digest)
    assert answer["sentence"].startswith("Permitted: ")


@pytest.mark.parametrize(
    ("status", "changes", "consents"),
    [
        (0, {}, [entry()]),
        (1, {"segment": {**QUESTION["segment"], "categories": ["medications"]}}, [entry()]),
        (3, {"purpose": "HRESCH"}, [entry()]),
        (3, {"patient": {**QUESTION["patient"], "count": 0}}, [to_json(PERMIT)]),  # on no block
        (1, {"patient": {**QUESTION["patient"], "count": 2}}, [entry()]),  # not all of them
        (1, {"members": {}}, [entry()]),  # nobody is in standing unless a file says so
        (4, {"stale": True}, [entry()]),
    ],
)
def test_exit_status_tells_the_answer(
    write: Write, status: int, changes: dict[str, Any], consents: list[Any]
) -> None:
    question = write("q.json", {**QUESTION, **changes})
    assert run(question, "--consents", write("c.json", consents)).exit_code == status


def test_several_files_are_one_set_and_a_deny_among_them_counts(write: Write) -> None:
    deny = write("deny.json", to_json(w.grant(Kind.DENY)))
    permit = write("permit.json", {"consents": [entry()]})
    result = run(write("q.json", QUESTION), "--consents", permit, deny, "--explain")
    assert result.exit_code == 1
    assert "deny: It forbids this." in result.stdout
    assert "rule 0 (forbids" in result.stdout
    assert "Not about what is asked in: category." in result.stdout


def test_published_vector_is_decided_as_published(write: Write) -> None:
    folder = Path(__file__).parents[3] / "vectors" / "decisions"
    case = json.loads((folder / "rules.json").read_text())["cases"][0]
    found = json.loads(run(str(folder / "rules.json"), "--case", case["name"], "--json").stdout)
    assert {name: found[name] for name in case["decision"]} == case["decision"]
    alone = json.loads(run(write("case.json", case), "--json").stdout)
    assert alone == found


def test_every_vector_reads_the_same_through_the_command_as_the_decision() -> None:
    for case in all_cases():
        data = json.loads(json.dumps(input_to_json(case.request, w.TABLES, case.via)))
        request, tables = read_question({"name": case.name, "input": data})
        assert decision_to_json(decide(request), tables) == decision_to_json(decide(case.request), w.TABLES)


def _terms(**changes: Any) -> dict[str, Any]:
    message = to_json(PERMIT)
    return {**message, "terms": {**message["terms"], **changes}}


_BAD_RULE = w.grant(Kind.PERMIT, RULES[0], replace(RULES[1], data_to=w.START, data_from=w.END))


@pytest.mark.parametrize(
    ("question", "consents", "named"),
    [
        ({"purpose": "TREATMENT"}, [], "q.json: purpose"),
        ({"now": "2027-01-15T09:00:00"}, [], "q.json: now"),
        ({"patient": {"controller": w.PATIENT, "epoch": 0}}, [], "q.json: patient.count"),
        ({"patients": 1}, [], "q.json: patients"),
        ({"segment": {"categories": "laboratory"}}, [], "q.json: segment.categories"),
        ({"segment": {**QUESTION["segment"], "dataTo": 5}}, [], "q.json: segment.dataTo"),
        ({"members": {"0x12": {}}}, [], "q.json: membersAtFinal"),
        ({}, [entry(_BAD_RULE)], "c.json: [0].document.terms.rules[1].dataTo"),
        ({}, entry(_BAD_RULE), "c.json: document.terms.rules[1].dataTo"),
        ({}, [entry(w.grant(grantee=bytes(32)))], "c.json: [0].document.terms.grantee"),
        ({}, [entry(), entry(w.grant(Kind.PERMIT, *[RULES[0]] * 17))], "c.json: [1].document.terms.rules"),
        ({}, [_terms(purposes=str(2**63))], "c.json: [0].terms.purposes"),
        ({}, [entry(w.grant(not_after=w.START))], "c.json: [0].document.notAfter"),
        ({}, [entry(w.grant(subject=w.OTHER_SUBJECT))], "c.json: [0].document.subject"),
        ({}, [entry(w.grant(max_uses=3))], "c.json: [0].uses"),
        ({}, [entry(id="0x" + "11" * 32)], "c.json: [0].id"),
        ({}, [entry(revocationPendin=True)], "c.json: [0].revocationPendin"),
        ({}, [{**entry(), "slot": {**SLOT, "epoch": -1}}], "c.json: [0].final.epoch"),
    ],
)
def test_bad_input_names_file_member_and_rule(
    write: Write, question: dict[str, Any], consents: object, named: str
) -> None:
    result = run(write("q.json", {**QUESTION, **question}), "--consents", write("c.json", consents))
    assert result.exit_code == 2
    assert named + ": " in result.stderr


def test_file_that_is_no_json_or_not_there_is_bad_input(write: Write) -> None:
    assert run(write("q.json", "{")).exit_code == 2
    assert run(write("q.json", "[" * 100_000)).exit_code == 2
    assert run("not-there.json").exit_code == 2
    assert run(write("q.json", {"cases": 1})).exit_code == 2


def _places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path]
    if isinstance(value, dict):
        found += [place for name, item in value.items() for place in _places(item, (*path, name))]
    if isinstance(value, list):
        found += [place for name, item in enumerate(value) for place in _places(item, (*path, name))]
    return found


def _changed(value: Any, path: tuple[str | int, ...], junk: object) -> Any:
    if not path:
        return junk
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _changed(value[path[0]], path[1:], junk)
    return copied


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.just("0x" + "00" * 32),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
WHOLE = json.loads(json.dumps(input_to_json(w.ask(w.final(PERMIT)), w.TABLES)))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["short", "whole", "consents"]), st.data())
def test_junk_anywhere_is_decided_or_refused_with_a_named_error(where: str, data: st.DataObject) -> None:
    good = {"short": QUESTION, "whole": WHOLE, "consents": [entry()]}[where]
    bad = _changed(good, data.draw(st.sampled_from(_places(good))), data.draw(JUNK))
    try:
        if where == "consents":
            request, tables = read_question(QUESTION)
            request = with_evidence(request, read_consents(bad, request.subject, tables))
        else:
            request, _ = read_question(bad)
        decide(request)
    except AssentError as refusal:
        named = refusal.field
    else:
        named = "nothing"
    assert named


def test_missing_members_are_refused_and_never_completed_wider() -> None:
    for name in WHOLE:
        with pytest.raises(InvalidTerms) as refusal:
            read_question({other: WHOLE[other] for other in WHOLE if other != name})
        assert refusal.value.field == name
