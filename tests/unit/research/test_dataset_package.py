"""A released dataset comes out of its package as it went in, and what is none is refused."""

from __future__ import annotations

import io
import zipfile

import polars as pl
import pytest

from backend.research.datasets.methods import Released, methods_paragraph
from backend.research.datasets.package import Package, PackageInvalid, build, read, table_of
from backend.research.released import ReleaseReport
from backend.research.result import report_json
from backend.research.study_terms import Dataset, DiversityRule, TableMode

TABLE = table_of(("sex", "age"), [("f", "30-39"), ("m", "*"), ("f", 'a,"b"\nc')], ("aa", "bb", "cc"))
ABOUT = {"release": "0x" + "ab" * 32, "report": {"k_reached": 5}, "title": "Küste"}
REPORT = report_json(ReleaseReport(5, 6, 90, 10, 12, (5, 5, 6, 7, 9), 1.5, 0.25, {"sex": 0.1, "age": 0.4}))
RELEASED = Released("0xstudy", "0xrelease", "0xcustodian", 1_790_000_000, (80, 120))


def packed() -> bytes:
    return build(Package(TABLE, ABOUT, "What was done.\n"))


def repacked(**changes: bytes | None) -> bytes:
    """The package with files exchanged, or left out."""
    with zipfile.ZipFile(io.BytesIO(packed())) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files |= {name.replace("__", "."): data for name, data in changes.items() if data is not None}
    for name in [name.replace("__", ".") for name, data in changes.items() if data is None]:
        del files[name]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_package_holds_the_rows_twice_and_what_they_are() -> None:
    found = read(packed())
    assert found.table.equals(TABLE)
    assert found.table.columns == ["pseudonym", "sex", "age"]
    assert (found.about, found.methods) == (ABOUT, "What was done.\n")


def test_equal_releases_are_equal_bytes() -> None:
    assert packed() == packed()


def test_names_of_columns_keep_off_the_pseudonym() -> None:
    with pytest.raises(ValueError, match="pseudonym"):
        table_of(("pseudonym",), [("x",)], ("aa",))


def test_empty_table_keeps_its_columns() -> None:
    table = table_of(("sex",), [], ())
    assert read(build(Package(table, {}, ""))).table.equals(table)


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"PK\x03\x04",
        packed()[:-30],
        repacked(methods__txt=None),
        repacked(more__txt=b""),
        repacked(release__json=b"[]"),
        repacked(release__json=b"{"),
        repacked(data__parquet=b"PAR1"),
        repacked(data__csv=b"pseudonym,sex,age\naa,f,30-39\n"),
    ],
)
def test_what_is_no_package_is_refused(package: bytes) -> None:
    with pytest.raises(PackageInvalid):
        read(package)


def test_methods_say_what_the_release_promises_and_no_more() -> None:
    plain = methods_paragraph(RELEASED, REPORT, Dataset(), ("sex", "age"))
    for said in (
        "0xrelease",
        "(sex, age)",
        "at least 5 patients",
        "reached: 6, in 12 classes",
        "between 80 and 119",
        "10 of 100 rows were left out",
        "0.2500",
        "No two classes overlap",
        "2026-09-21",
    ):
        assert said in plain, said  # fmt: skip
    assert "l-diversity" not in plain
    assert "t-closeness" not in plain


def test_methods_name_diversity_distance_and_mode() -> None:
    dataset = Dataset(TableMode.MAX_UTILITY, DiversityRule.RECURSIVE, l="3", c="4", t="0.2")
    said = methods_paragraph(RELEASED, REPORT, dataset, ("sex",))
    assert "recursive (4, 3)-diversity" in said
    assert "within 0.2" in said
    assert "bound by contract" in said


def test_package_is_read_by_other_programs() -> None:
    with zipfile.ZipFile(io.BytesIO(packed())) as archive:
        assert archive.testzip() is None
        assert pl.read_csv(archive.read("data.csv"))["sex"].to_list() == ["f", "m", "f"]
