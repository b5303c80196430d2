"""``assent anonymize``: from files to files, or to an error with its reason and no file at all."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.research.anonymize import release

PEOPLE = 300
SCHEMA = """
columns:
  id: {role: patient}
  name: {role: identifier}
  age: {role: quasi, hierarchy: age.csv}
  sex: {role: quasi, hierarchy: sex.csv}
  ill: {role: sensitive}
  drug: {role: sensitive}
  ward: {role: insensitive}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.yml").write_text(SCHEMA)
    levels = tmp_path / "levels"
    levels.mkdir()
    (levels / "age.csv").write_text("".join(f"{age};{age // 10 * 10}+;*\n" for age in range(100)))
    (levels / "sex.csv").write_text("f;*\nm;*\n")
    write(tmp_path / "in.csv", rows())
    return tmp_path


def rows() -> list[dict[str, Any]]:
    return [
        {
            "id": f"patient-{person}",
            "name": f"Name {person}",
            "age": 20 + person * 7 % 60,
            "sex": "fm"[person % 2],
            "ill": ["flu", "none", "cold", "gout"][person * person % 11 % 4],
            "drug": "ab"[person % 5 % 2],
            "ward": f"w{person % 3}",
        }
        for person in range(PEOPLE)
    ]


def write(path: Path, table: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def run(*options: str, status: int = 0) -> str:
    found = CliRunner().invoke(app, ["anonymize", *options])
    assert found.exit_code == status, found.output
    return found.output


def usual(*options: str, output: str = "out.csv", **replaced: str) -> list[str]:
    given = {"input": "in.csv", "schema": "schema.yml", "hierarchies": "levels", "output": output} | replaced
    return [part for name, value in given.items() for part in (f"--{name}", value)] + list(options)


def test_release_holds_its_promise_and_only_the_columns_that_leave(folder: Path) -> None:
    said = json.loads(run(*usual("--k", "5", "--report", "r.json", "--report-html", "r.html", "--json")))
    text = (folder / "out.csv").read_text()
    released = list(csv.DictReader(text.splitlines()))
    assert list(released[0]) == ["age", "sex", "ill", "drug", "ward"]
    assert "Name" not in text
    assert "patient-" not in text
    assert min(Counter((row["age"], row["sex"]) for row in released).values()) >= 5
    assert said["rows_released"] == len(released)
    assert said["rows_released"] + said["rows_suppressed"] == PEOPLE
    assert said["release_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    report = json.loads((folder / "r.json").read_text())
    assert report["release_sha256"] == said["release_sha256"]
    assert report["privacy"]["mode"] == "strict"
    assert (folder / "r.html").read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("in.csv", "levels", "out.csv", "r.html", "r.json", "schema.yml")
    ]


@pytest.mark.parametrize("mode", ["strict", "max-utility", "full-domain"])
def test_l_and_t_hold_for_the_columns_named_in_every_mode(folder: Path, mode: str) -> None:
    options = ["--l", "2", "--sensitive", "ill", "--t", "0.5", "--mode", mode, "--report", "r.json"]
    run(*usual(*options))
    found = json.loads((folder / "r.json").read_text())
    assert found["privacy"]["protected"] == ["ill"]
    assert found["sensitive"]["ill"]["distinct_l"] >= 2
    assert found["sensitive"]["ill"]["t"] <= 0.5
    assert set(found["sensitive"]) == {"ill", "drug"}  # what the others reach is told as well


def test_recursive_diversity_takes_its_c(folder: Path) -> None:
    run(*usual("--l", "2", "--l-kind", "recursive", "--l-c", "4", "--sensitive", "ill", "--report", "r.json"))
    assert json.loads((folder / "r.json").read_text())["sensitive"]["ill"]["recursive_c"] < 4


def test_parquet_goes_in_and_out(folder: Path) -> None:
    pl.DataFrame(rows()).write_parquet(folder / "in.parquet")
    run(*usual(output="out.parquet", input="in.parquet"))
    released = pl.read_parquet(folder / "out.parquet")
    assert released.columns == ["age", "sex", "ill", "drug", "ward"]
    assert released.group_by("age", "sex").len()["len"].min() >= 5  # type: ignore[operator]


def test_journalist_is_told_from_the_population(folder: Path) -> None:
    people = [{"age": row["age"], "sex": row["sex"], "more": 1} for row in rows()]
    write(folder / "all.csv", people * 3)
    run(*usual("--mode", "max-utility", "--population", "all.csv", "--report", "r.json"))
    found = json.loads((folder / "r.json").read_text())["risk"]
    assert found["journalist_from_population"] is True
    # Three times as many people in each class, or more where classes lie inside one another.
    assert found["journalist"]["highest"] <= found["prosecutor"]["highest"] / 3 + 1e-6
    assert 0 < found["marketer"] <= found["prosecutor"]["average"] / 3 + 1e-6
    assert found["population_uniqueness"] is not None
    write(folder / "all.csv", people[:200])
    assert "table_invalid" in run(*usual("--population", "all.csv", output="two.csv"), status=2)
    write(folder / "all.csv", [{"age": 20, "sex": "f"}] * PEOPLE)
    options = ["--population", "all.csv", "--report", "r2.json"]
    assert "table_invalid" in run(*usual(*options, output="two.csv"), status=2)
    assert not (folder / "two.csv").exists()
    write(folder / "all.csv", [{"age": 20}] * PEOPLE)
    assert "schema_invalid" in run(*usual("--population", "all.csv", output="two.csv"), status=2)


def test_order_of_the_rows_is_another_each_time_and_says_nothing(folder: Path) -> None:
    run(*usual(output="one.csv"))
    run(*usual(output="two.csv"))
    one, two = ((folder / name).read_text().splitlines() for name in ("one.csv", "two.csv"))
    assert sorted(one) == sorted(two)
    assert one != two


def test_several_rows_of_a_patient_count_once_and_share_a_pseudonym(folder: Path) -> None:
    table = rows()
    write(folder / "in.csv", [row for person in table for row in (person, {**person, "ward": "w9"})])
    (folder / "key").write_bytes(b"k" * 32)
    run(*usual("--k", "5", "--pseudonym-key", "key"))
    released = pl.read_csv(folder / "out.csv", infer_schema=False)
    assert released.columns[0] == "id"
    assert released["id"].str.contains(r"^[0-9a-f]{32}$").all()
    people = released.group_by("age", "sex").agg(pl.col("id").n_unique())["id"]
    assert people.min() >= 5  # type: ignore[operator]
    assert released["id"].n_unique() == released.height / 2
    (folder / "key").write_bytes(b"short")
    assert "usage" in run(*usual("--pseudonym-key", "key", output="two.csv"), status=2)


def test_pseudonyms_that_would_join_rows_into_one_person_are_refused(folder: Path) -> None:
    table = rows()
    moved = {**table[0], "age": 79, "sex": "m"}  # one patient alone is in two classes
    write(folder / "in.csv", [*table, moved])
    (folder / "key").write_bytes(b"k" * 32)
    assert "release_unverified" in run(*usual("--pseudonym-key", "key"), status=2)
    run(*usual())  # without pseudonyms the rows cannot be joined


def changed(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Path], object]:
    return lambda folder: write(folder / "in.csv", change(rows()))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (changed(lambda table: [{**table[0], "age": 100}, *table]), "value_outside_domain"),
        (changed(lambda table: [{**table[0], "ill": ""}, *table]), "value_outside_domain"),
        (changed(lambda table: [{**row, "x": 1} for row in table]), "schema_invalid"),
        (changed(lambda table: table[:4]), "cohort_too_small"),
        (lambda folder: (folder / "levels" / "age.csv").unlink(), "table_invalid"),
        (lambda folder: (folder / "levels" / "sex.csv").write_text("f;*\nm;x\n"), "hierarchy_invalid"),
        (lambda folder: (folder / "schema.yml").write_text("draft: x"), "schema_invalid"),
        (lambda folder: (folder / "schema.yml").unlink(), "schema_invalid"),
        (lambda folder: (folder / "in.csv").unlink(), "table_invalid"),
        (lambda folder: (folder / "r.json").write_text("mine"), "table_invalid"),
    ],
)
def test_failure_names_its_code_and_leaves_no_file(
    folder: Path, spoil: Callable[[Path], object], code: str
) -> None:
    spoil(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    said = run(*usual("--k", "5", "--report", "r.json", "--report-html", "r.html"), status=2)
    assert said.startswith(code)
    assert "100" not in said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_release_that_does_not_verify_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = release.anonymize

    def wrong(*arguments: Any, **options: Any) -> Any:
        done = real(*arguments, **options)
        done.quasi["age"][0] = "20+" if done.quasi["age"][0] != "20+" else "30+"
        return done

    monkeypatch.setattr(release, "anonymize", wrong)
    assert "release_unverified" in run(*usual("--report", "r.json"), status=2)
    assert not {"out.csv", "r.json"} & {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "options",
    [
        ("--mode", "fast"),
        ("--l-kind", "entropy"),
        ("--l-c", "3"),
        ("--l", "2", "--l-kind", "shallow"),
        ("--pseudonym-key", "absent"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder: Path, options: tuple[str, ...]) -> None:
    assert "usage" in run(*usual(*options), status=2)
    assert "anonymization_invalid" in run(*usual("--sensitive", "ward", "--l", "2"), status=2)
    assert "anonymization_invalid" in run(*usual("--l", "2", "--l-kind", "recursive"), status=2)


def test_files_are_needed_but_for_a_draft() -> None:
    assert "usage" in run("--k", "5", status=2)


def test_draft_guesses_with_care_and_is_refused_until_completed(folder: Path) -> None:
    draft = run("--init", "in.csv")
    lines = {line.split(":")[0].strip(' "'): line for line in draft.splitlines() if line.startswith("  ")}
    assert set(lines) == set(rows()[0])
    for name, role in [("id", "patient"), ("name", "identifier"), ("age", "quasi"), ("sex", "quasi")]:
        assert f"role: {role}" in lines[name]
    assert "role: CHECK" in lines["ward"]  # nothing is called harmless but by a person
    assert "insensitive}" not in draft
    (folder / "schema.yml").write_text(draft)
    assert "schema_invalid" in run(*usual(), status=2)
    completed = (
        draft.replace("draft: not checked yet\n", "")
        .replace('"age": {role: quasi, hierarchy: CHECK}', '"age": {role: quasi, hierarchy: age.csv}')
        .replace('"sex": {role: quasi, hierarchy: CHECK}', '"sex": {role: quasi, hierarchy: sex.csv}')
        .replace("role: CHECK", "role: insensitive")
    )
    (folder / "schema.yml").write_text(completed)
    run(*usual())


def test_draft_finds_the_delimiter_and_quotes_names(folder: Path) -> None:
    (folder / "odd.csv").write_text('"a: b";no\n1;2\n3;4\n')
    draft = run("--init", "odd.csv")
    assert 'delimiter: ";"' in draft
    assert '  "a: b": {' in draft
    assert '  "no": {' in draft
