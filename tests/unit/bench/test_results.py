"""The results file: what is written is read back, and what has another shape is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.results import (
    Result,
    ResultsMalformed,
    at_most,
    merged,
    ratio_at_least,
    ratio_at_most,
    read,
    shown,
    skipped,
    table,
    write,
)

MACHINE = {"cpus": 2, "cpu": "some", "memory_mib": 1024, "python": "3.11.0", "load_before": 0.1}
MEASURED = [
    shown("part", 0.5, "s"),
    at_most("sum", 0.12345678, "s", 0.14),
    ratio_at_least("rate", 100, "1/s", reference=1000, limit=0.2),
    ratio_at_most("time", 3, "ms", reference=2, limit=1.5),
    skipped("rate", "MB/s", "the program is not here"),
]
ROWS = merged([], MEASURED, commit="abc")


def test_results_written_are_read_back(tmp_path: Path) -> None:
    write(tmp_path / "results.json", ROWS, machine=MACHINE)
    assert read(tmp_path / "results.json") == ROWS


def test_goals_are_met_at_the_limit_and_not_beyond() -> None:
    assert at_most("a", 0.14, "s", 0.14).met
    assert not at_most("a", 0.15, "s", 0.14).met
    assert ratio_at_least("a", 20, "1/s", reference=100, limit=0.2).met
    assert not ratio_at_least("a", 19, "1/s", reference=100, limit=0.2).met
    assert ratio_at_most("a", 3, "ms", reference=2, limit=1.5).met
    assert not ratio_at_most("a", 3.1, "ms", reference=2, limit=1.5).met


def test_table_shows_unmet_goals_first_and_explanations_last() -> None:
    shown_first = [str(cell) for cell in table(ROWS).columns[1].cells]
    assert shown_first == ["rate", "sum", "time", "part", "rate: not measured, the program is not here"]


@pytest.mark.parametrize(
    "change",
    [
        {"value": "fast"},
        {"value": True},
        {"met": None},
        {"goal": None},
        {"name": "part"},
        {"commit": ""},
        {"host": "here"},
    ],
)
def test_malformed_result_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "results.json"
    write(path, ROWS, machine=MACHINE)
    document = json.loads(path.read_text())
    document["results"][1] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(ResultsMalformed):
        read(path)


@pytest.mark.parametrize("text", ["", "[]", '{"machine": {}, "results": []}'])
def test_malformed_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ResultsMalformed):
        read(path)


def test_result_is_rounded_to_what_is_known() -> None:
    assert at_most("a", 0.123456, "s", 1) == Result("a", 0.1235, "s", None, None, "<= 1 s", True)


def test_rows_measured_again_stand_where_they_stood_and_each_tells_its_commit() -> None:
    again, new = shown("part", 0.75, "s"), shown("another", 1, "s")
    found = merged(ROWS, [new, again], commit="def")
    assert found == [replace(again, commit="def"), *ROWS[1:], replace(new, commit="def")]
    assert {row.commit for row in ROWS} == {"abc"}
