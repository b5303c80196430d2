"""contracts/properties.md, the contract tests and the proofs name each other completely."""

from __future__ import annotations

import pytest

from scripts.proofs import failures, without_code
from scripts.properties import PROPERTIES, Evidence, Property, evidence, gaps, proofs_of, properties_of

ROW = Property("S1", "It holds.", ("test_a",), ("check_a",))
OTHER = {"check_a": frozenset({"S2"})}
FOUND = Evidence(frozenset({"test_a"}), {"check_a": frozenset({"S1"})})


def test_every_property_has_a_sentence() -> None:
    rows = properties_of(PROPERTIES.read_text(encoding="utf-8"))
    assert len(rows) > 100
    assert all(row.sentence.endswith(".") for row in rows)


def test_nothing_is_missing_or_left_over() -> None:
    rows = properties_of(PROPERTIES.read_text(encoding="utf-8"))
    found = evidence()
    assert len(found.tests) > 300
    assert len(found.proofs) > 30
    assert gaps(rows, found) == []


def test_row_with_and_without_proofs_is_read() -> None:
    first = "| S1 | It holds. | test_a, brownie:test_b | check_a |"
    assert properties_of(f"{first}\n| RM-L2 | So. | test_c | |\n| RC3 | So. | test_d |\n") == [
        Property("S1", "It holds.", ("test_a", "brownie:test_b"), ("check_a",)),
        Property("RM-L2", "So.", ("test_c",), ()),
        Property("RC3", "So.", ("test_d",), ()),
    ]


def test_comment_of_a_proof_names_its_properties() -> None:
    text = (
        "    /// S1, RM-L2: for all\n    /// times.\n    function check_a() {}\n    function check_b() {}\n"
    )
    assert proofs_of(text) == {"check_a": frozenset({"S1", "RM-L2"}), "check_b": frozenset()}


@pytest.mark.parametrize(
    ("rows", "found", "gap"),
    [
        ([Property("S1", "", (), ("check_a",))], FOUND, "S1 has no test"),
        ([ROW, ROW], FOUND, "S1 stands twice"),
        ([ROW], Evidence(frozenset(), FOUND.proofs), "test_a does not exist"),
        ([ROW], Evidence(FOUND.tests | {"test_b"}, FOUND.proofs), "test_b belongs to no property"),
        ([ROW], Evidence(FOUND.tests, {}), "check_a does not exist"),
        ([ROW], Evidence(FOUND.tests, {"check_a": frozenset()}), "check_a names no property"),
        ([ROW], Evidence(FOUND.tests, OTHER), "check_a names S2, whose row does not name it"),
        ([ROW], Evidence(FOUND.tests, OTHER), "S1 names check_a, which does not name it"),
    ],
)
def test_each_gap_is_told(rows: list[Property], found: Evidence, gap: str) -> None:
    assert gap in gaps(rows, found)


@pytest.mark.parametrize(
    ("exitcode", "bounded", "told"),
    [
        (0, 0, []),
        (1, 0, ["check_a has a counterexample"]),
        (2, 0, ["check_a timed out"]),
        (4, 0, ["check_a proves nothing: all paths revert"]),
        (0, 1, ["check_a left out paths with longer loops"]),
    ],
)
def test_only_a_whole_proof_counts(exitcode: int, bounded: int, told: list[str]) -> None:
    result = {"name": "check_a(uint256)", "exitcode": exitcode, "num_bounded_loops": bounded}
    report = {"exitcode": int(exitcode != 0), "test_results": {"A.t.sol:AProof": [result]}}
    assert failures(report, {"check_a"}) == told


def test_proof_that_was_not_run_is_told() -> None:
    assert failures({"exitcode": 1, "test_results": {}}, {"check_a"}) == ["check_a was not run"]
    assert failures({"exitcode": 1, "test_results": {}}, set()) == ["halmos failed"]


def test_only_the_code_of_contracts_is_left_out_of_what_halmos_says() -> None:
    code = ["WARNING  unknown deployed bytecode:   \n", "         0x6080\n", "         6040\n"]
    rest = ["[FAIL] check_a\n", "WARNING  loop bound\n", "         longer\n", "    p_time = 0x00\n"]
    assert list(without_code([*code, *rest])) == rest
