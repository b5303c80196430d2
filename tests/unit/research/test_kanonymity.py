"""k always holds, values stay in their groups, classes are disjoint: checked by code of its own."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.research.anonymize.domains import Lines, read_domains
from backend.research.anonymize.errors import (
    AnonymizationInvalid,
    CohortTooSmall,
    TableUseless,
    ValueOutsideDomain,
)
from backend.research.anonymize.overlaps import overlapping
from backend.research.anonymize.published import Classes, classes_of
from backend.research.anonymize.verify import require_containment, require_k
from backend.research.hierarchy import from_lines, from_text, with_missing
from backend.research.kanonymity import Anonymized, anonymize

ADULT = Path(__file__).parents[4] / "shared" / "data" / "adult"

LINES = {
    "sex": with_missing([("f", "*"), ("m", "*")]),
    "age": with_missing([(str(year), f"{year // 5 * 5}+", f"{year // 20 * 20}~", "*") for year in range(40)]),
    "city": with_missing(
        [
            ("x1", "x", "*"),
            ("x2", "x", "*"),
            ("x3", "x", "*"),
            ("y1", "y", "*"),
            ("y2", "y", "*"),
            ("z1", "z", "*"),
        ]
    ),
}
HIERARCHIES = {name: from_lines(name, lines) for name, lines in LINES.items()}

rows = st.tuples(*(st.sampled_from([line[0] for line in lines]) for lines in LINES.values()))


def columns_of(table: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    return {name: [row[place] for row in table] for place, name in enumerate(LINES)}


def verified(
    done: Anonymized,
    kept: Mapping[str, Sequence[str]],
    lines: Mapping[str, Lines],
    k: int,
    people: list[str] | None = None,
) -> Classes:
    released, domains = pl.DataFrame(dict(done.columns)), read_domains(lines)
    classes = classes_of(released, domains, pl.Series(people) if people is not None else None)
    require_k(classes, k)
    require_containment(pl.DataFrame(dict(kept)), np.arange(released.height), released, domains)
    assert overlapping(classes, domains) == 0
    return classes


def check(done: Anonymized, columns: dict[str, list[str]], people: list[str] | None, k: int) -> None:
    kept = {name: [column[place] for place in done.kept] for name, column in columns.items()}
    owners = [people[place] for place in done.kept] if people is not None else None
    classes = verified(done, kept, LINES, k, owners)
    assert (int(classes.people.min()), len(classes)) == (done.report.k_reached, done.report.classes)
    assert done.report.rows_released + done.report.rows_suppressed == len(columns["sex"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(rows, min_size=1, max_size=120), st.sampled_from([5, 7, 11]), st.sampled_from([0.0, 0.1, 1.0])
)
def test_anonymize_random_tables_keeps_every_promise(
    table: list[tuple[str, ...]], k: int, limit: float
) -> None:
    columns = columns_of(table)
    try:
        done = anonymize(columns, HIERARCHIES, k=k, suppression_limit=limit)
    except CohortTooSmall:
        assert len(table) < k
        return
    except TableUseless:
        return
    check(done, columns, None, k)
    assert done.report.rows_suppressed <= limit * len(table)
    assert 0 <= done.report.loss < 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(rows, st.integers(0, 25)), min_size=1, max_size=120))
def test_anonymize_counts_patients_not_rows(table: list[tuple[tuple[str, ...], int]]) -> None:
    columns = columns_of([row for row, _ in table])
    people = [str(person) for _, person in table]
    try:
        done = anonymize(columns, HIERARCHIES, k=5, suppression_limit=0.2, patients=people)
    except CohortTooSmall:
        assert len(set(people)) < 5
        return
    except TableUseless:
        return
    check(done, columns, people, 5)


def test_anonymize_one_patient_with_many_rows_is_one_patient() -> None:
    table = [("f", "1", "x1")] * 20 + [("m", "30", "y1")] * 20
    people = ["the same"] * 20 + [str(place) for place in range(20)]
    with pytest.raises(TableUseless):  # each sex has patients enough only together with the other
        anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.0, patients=people)
    alone = anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.0)
    assert set(alone.columns["sex"]) == {"f", "m"}


def test_anonymize_equal_rows_are_released_as_they_are_and_missing_is_a_value() -> None:
    table = [("f", "7", "x1")] * 6 + [("missing", "missing", "missing")] * 5
    done = anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.0)
    assert done.report.loss == 0.0
    assert list(zip(*done.columns.values(), strict=True)) == table


def test_anonymize_report_counts_a_suppressed_row_as_lost_in_every_cell() -> None:
    table = [("f", "7", "x1")] * 50 + [("m", "30", "y1")]
    done = anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.05)
    assert done.report.rows_suppressed == 1
    assert done.report.loss == pytest.approx(1 / 51)
    assert done.report.loss_by_column == {name: pytest.approx(1 / 51) for name in LINES}


def test_anonymize_loss_is_the_share_of_the_domain_that_a_group_spans() -> None:
    table = [("f", "0", "x1")] * 3 + [("f", "1", "x2")] * 3
    done = anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.0)
    # age 0+ spans 5 of 41 values, city x spans 3 of 7 (missing is one of them)
    assert done.report.loss_by_column == {
        "sex": 0.0,
        "age": pytest.approx(4 / 40),
        "city": pytest.approx(2 / 6),
    }


@pytest.mark.parametrize(("size", "k", "minimum"), [(4, 5, 0), (0, 5, 0), (19, 5, 20)])
def test_anonymize_small_cohort_is_refused_without_telling_how_small(size: int, k: int, minimum: int) -> None:
    columns = columns_of([("f", "1", "x1")] * size)
    with pytest.raises(CohortTooSmall) as refusal:
        anonymize(columns, HIERARCHIES, k=k, suppression_limit=0.0, minimum_cohort=minimum)
    assert not any(character.isdigit() for character in str(refusal.value))


def test_anonymize_nothing_but_stars_is_an_error_not_an_empty_success() -> None:
    lines = {"sex": LINES["sex"]}
    with pytest.raises(TableUseless):
        anonymize({"sex": ["f"] * 4 + ["m"] * 4}, {"sex": from_lines("sex", lines["sex"])}, k=5,
                  suppression_limit=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"k": 4}, AnonymizationInvalid),
        ({"suppression_limit": 1.5}, AnonymizationInvalid),
        ({"suppression_limit": float("nan")}, AnonymizationInvalid),
        ({"patients": ["a"]}, AnonymizationInvalid),
    ],
)
def test_anonymize_bad_parameters_are_refused(changes: dict[str, object], error: type[Exception]) -> None:
    settings_ = {"k": 5, "suppression_limit": 0.0} | changes
    with pytest.raises(error):
        anonymize(columns_of([("f", "1", "x1")] * 9), HIERARCHIES, **settings_)  # type: ignore[arg-type]


def test_anonymize_value_outside_its_hierarchy_is_refused_without_being_named() -> None:
    table = [("f", "1", "x1")] * 9 + [("f", "secret", "x1")]
    with pytest.raises(ValueOutsideDomain) as refusal:
        anonymize(columns_of(table), HIERARCHIES, k=5, suppression_limit=0.0)
    assert refusal.value.field == "age"
    assert "secret" not in str(refusal.value)
    with pytest.raises(AnonymizationInvalid):
        anonymize({"sex": ["f"], "age": []}, HIERARCHIES, k=5, suppression_limit=0.0)
    with pytest.raises(AnonymizationInvalid):
        anonymize({"shoe": ["42"] * 9}, HIERARCHIES, k=5, suppression_limit=0.0)


def adult() -> tuple[dict[str, list[str]], dict[str, list[tuple[str, ...]]]]:
    if not ADULT.is_dir():
        pytest.skip("the Adult table is not here (../shared/data/adult)")
    names = [
        "sex",
        "age",
        "race",
        "marital-status",
        "education",
        "native-country",
        "workclass",
        "salary-class",
    ]
    with (ADULT / "adult.csv").open() as source:
        table = list(csv.DictReader(source, delimiter=";"))
    lines = {
        name: [
            tuple(line.split(";"))
            for line in (ADULT / f"adult_hierarchy_{name}.csv").read_text().splitlines()
            if line
        ]
        for name in names
    }
    return {name: [row[name] for row in table] for name in names}, lines


def test_anonymize_adult_table_loses_five_percent_at_most() -> None:
    columns, lines = adult()
    hierarchies = {name: from_lines(name, found) for name, found in lines.items()}
    start = time.perf_counter()
    done = anonymize(columns, hierarchies, k=5, suppression_limit=0.04)
    seconds = time.perf_counter() - start
    assert done.report.loss <= 0.05
    assert seconds < 30  # 3 s on the machine it was measured on
    kept = {name: [column[place] for place in done.kept] for name, column in columns.items()}
    assert int(verified(done, kept, lines, 5).people.min()) == 5
    pycanon = pytest.importorskip("pycanon.anonymity", reason="pycanon is a development dependency")
    pandas = pytest.importorskip("pandas", reason="pandas comes with pycanon")
    assert pycanon.k_anonymity(pandas.DataFrame(dict(done.columns)), list(columns)) == done.report.k_reached


def test_hierarchy_text_form_reads_as_lines() -> None:
    found = from_text("city", "x1;x;*\nx2;x;*\ny1;y;*\n\n")
    assert found.code_of == {"x1": 0, "x2": 1, "y1": 2}
    assert found.leaves.tolist() == [[3, 3, 3], [2, 2, 1], [1, 1, 1]]
