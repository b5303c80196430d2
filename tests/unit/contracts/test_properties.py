"""contracts/properties.md and the contract tests name each other completely."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| ((?:RM-)?[SLN]\d+|(?:RC|EA|AA|RR)\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def _rows() -> list[tuple[str, str, list[str]]]:
    text = (ROOT / "contracts" / "properties.md").read_text(encoding="utf-8")
    return [(row[1], row[2], row[3].split(", ")) for row in ROW.finditer(text)]


def _tests() -> set[str]:
    forge = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*/*.t.sol"))
    brownie = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests/contracts").glob("test_*.py")
    )
    names = set(re.findall(r"function ((?:test|invariant)_\w+)\(", forge))
    return names | {f"brownie:{name}" for name in re.findall(r"^def (test_\w+)\(", brownie, re.MULTILINE)}


def test_every_property_has_its_own_id_a_sentence_and_tests() -> None:
    rows = _rows()
    assert len(rows) > 40
    assert len({identity for identity, _, _ in rows}) == len(rows)
    assert all(sentence.endswith(".") and tests for _, sentence, tests in rows)


def test_every_test_named_by_a_property_exists() -> None:
    named = {test for _, _, tests in _rows() for test in tests}
    assert named - _tests() == set()


def test_every_contract_test_belongs_to_a_property() -> None:
    named = {test for _, _, tests in _rows() for test in tests}
    assert _tests() - named == set()
