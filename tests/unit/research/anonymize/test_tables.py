"""Files are read whole and strictly; no message repeats a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from backend.research.anonymize.errors import HierarchyInvalid, ValueOutsideDomain
from backend.research.anonymize.hierarchy_files import read_hierarchies
from backend.research.anonymize.refusals import SchemaInvalid, TableInvalid
from backend.research.anonymize.schema import parse_schema
from backend.research.anonymize.staged_files import StagedFiles
from backend.research.anonymize.tables import read_table

SCHEMA = parse_schema(
    "columns: {age: {role: quasi, hierarchy: age.csv}, ill: {role: sensitive}, id: {role: patient},"
    " name: {role: identifier}, ward: {role: insensitive}}"
)
LEAVES = {"age": ["30", "31"]}
HEADER = "id,name,age,ill,ward\n"


def csv(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_csv_and_parquet_of_the_same_table_read_alike(tmp_path: Path) -> None:
    text = HEADER + "1,Ann,30,flu,\n2,Bob,31,none,w2\n"
    from_csv = read_table(csv(tmp_path, text), SCHEMA, LEAVES)
    pl.DataFrame(
        {"id": [1, 2], "name": ["Ann", "Bob"], "age": [30, 31], "ill": ["flu", "none"], "ward": [None, "w2"]}
    ).write_parquet(tmp_path / "table.parquet")
    from_parquet = read_table(tmp_path / "table.parquet", SCHEMA, LEAVES)
    assert from_csv.columns == ["age", "ill", "id", "ward"]  # an identifier is not even read
    assert from_csv["age"].dtype == pl.Enum(["30", "31"])
    assert from_csv.cast(pl.String).rows() == from_parquet.cast(pl.String).rows()
    assert from_csv.cast(pl.String).rows() == [("30", "flu", "1", None), ("31", "none", "2", "w2")]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("9,Ann,32,flu,w", "age"),
        ("9,Ann,,flu,w", "age"),
        ("9,Ann,30,,w", "ill"),
        ("9,Ann,30,NaN,w", "ill"),
        ("9,Ann,30,  ,w", "ill"),
        (",Ann,30,flu,w", "id"),
    ],
)
def test_value_that_is_missing_or_outside_stops_the_reading(tmp_path: Path, row: str, column: str) -> None:
    path = csv(tmp_path, f"{HEADER}1,Ann,30,flu,w\n{row}\n")
    with pytest.raises(ValueOutsideDomain) as refusal:
        read_table(path, SCHEMA, LEAVES)
    assert refusal.value.field == column
    assert "32" not in str(refusal.value)


def test_parquet_with_not_a_number_or_nested_values_is_refused(tmp_path: Path) -> None:
    good = {"id": [1], "name": ["a"], "age": ["30"], "ill": [1.5], "ward": ["w"]}
    path = tmp_path / "table.parquet"
    for column, value, refusal in [
        ("ill", [float("nan")], ValueOutsideDomain),
        ("ward", [["a"]], TableInvalid),
        ("age", [None], ValueOutsideDomain),
        ("age", ["x"], ValueOutsideDomain),
    ]:
        pl.DataFrame({**good, column: value}).write_parquet(path)
        with pytest.raises(refusal) as found:
            read_table(path, SCHEMA, LEAVES)
        assert found.value.field == column


@pytest.mark.parametrize(
    "text",
    ["", HEADER, HEADER + "1,Ann,30,flu\n1,Ann,30,flu,w,more\n", HEADER + '1,Ann,30,"flu,w\n'],
    ids=["empty", "no rows", "too long", "open quote"],
)
def test_file_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableInvalid):
        read_table(csv(tmp_path, text), SCHEMA, LEAVES)


def test_columns_are_those_of_the_schema_each_once(tmp_path: Path) -> None:
    for header in ("id,name,age,ill", "id,name,age,ill,ward,x", "id,name,age,ill,ward,ward"):
        with pytest.raises(SchemaInvalid):
            read_table(csv(tmp_path, f"{header}\n{header}\n"), SCHEMA, LEAVES)
    with pytest.raises(TableInvalid):
        read_table(tmp_path / "table.xlsx", SCHEMA, LEAVES)
    with pytest.raises(TableInvalid):
        read_table(tmp_path / "absent.csv", SCHEMA, LEAVES)


def test_hierarchy_files_are_read_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "age.csv").write_text('30;"30;31";*\n31;"30;31";*\n\n')
    assert read_hierarchies(SCHEMA, tmp_path) == {"age": [["30", "30;31", "*"], ["31", "30;31", "*"]]}
    (tmp_path / "age.csv").write_text("\n")
    with pytest.raises(HierarchyInvalid):
        read_hierarchies(SCHEMA, tmp_path)
    (tmp_path / "age.csv").unlink()
    with pytest.raises(TableInvalid, match="'age'") as refusal:
        read_hierarchies(SCHEMA, tmp_path)
    assert refusal.value.field == "age"


def test_staged_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    with StagedFiles() as staged:
        staged.path_for(tmp_path / "one").write_text("1")
        staged.path_for(tmp_path / "two").write_text("2")
        assert not (tmp_path / "one").exists()
        staged.publish()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"one": "1", "two": "2"}

    def work(spoil: Callable[[StagedFiles], object]) -> None:
        with StagedFiles() as staged:
            staged.path_for(tmp_path / "three").write_text("3")
            spoil(staged)
            staged.publish()

    with pytest.raises(ZeroDivisionError):
        work(lambda staged: 1 / 0)
    with pytest.raises(TableInvalid):
        work(lambda staged: staged.path_for(tmp_path / "two"))  # exists
    with pytest.raises(TableInvalid):
        work(lambda staged: staged.path_for(tmp_path / "four").unlink())  # as if the disk had lost it

    def taken(staged: StagedFiles) -> None:
        staged.path_for(tmp_path / "five")
        (tmp_path / "five").mkdir()  # somebody else's, meanwhile: 'three' has its name by then

    with pytest.raises(TableInvalid):
        work(taken)
    (tmp_path / "five").rmdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    with pytest.raises(TableInvalid), StagedFiles() as staged:
        staged.path_for(tmp_path / "absent" / "five")
