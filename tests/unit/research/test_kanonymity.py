"""k always holds, values stay in their groups, classes are disjoint: checked by code of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.errors import (
    AnonymizationInvalid,
    CohortTooSmall,
    TableUseless,
    ValueOutsideDomain,
)
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import PrivacyModel
from backend.research.anonymize.verify import Material, Promise, verify
from backend.research.study_table import StudyTable, anonymize
from backend.research.variable_lines import with_missing

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
HIERARCHIES = {name: Hierarchy.parse(lines, column=name) for name, lines in LINES.items()}

rows = st.tuples(*(st.sampled_from([line[0] for line in lines]) for lines in LINES.values()))


def columns_of(table: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    return {name: [row[place] for row in table] for place, name in enumerate(LINES)}


def check(done: StudyTable, columns: dict[str, list[str]], k: int) -> None:
    found = verify(
        Material(
            released=pl.DataFrame({name: list(cells) for name, cells in done.columns.items()}),
            original=pl.DataFrame(columns),
            kept=np.array(done.kept),
            sensitive_before=pl.DataFrame(),
            patients=None,
            domains=read_domains(LINES),
        ),
        Promise(model=PrivacyModel(k), disjoint=True, suppression=1.0),
    )
    assert (found.k, len(found.classes)) == (done.report.k_reached, done.report.classes)
    assert done.report.rows_released + done.report.rows_suppressed == len(columns["sex"])


@settings(max_examples=60)
@given(
    st.lists(rows, min_size=1, max_size=120), st.sampled_from([5, 7, 11]), st.sampled_from([0.0, 0.1, 1.0])
)
def test_anonymize_random_tables_keeps_every_promise(
    table: list[tuple[str, ...]], k: int, limit: float
) -> None:
    columns = columns_of(table)
    try:
        done = anonymize(columns, HIERARCHIES, model=PrivacyModel(k), suppression_limit=limit)
    except CohortTooSmall:
        assert len(table) < k
        return
    except TableUseless:
        return
    check(done, columns, k)
    assert done.report.rows_suppressed <= limit * len(table)
    assert 0 <= done.report.loss < 1


def test_anonymize_equal_rows_are_released_as_they_are_and_missing_is_a_value() -> None:
    table = [("f", "7", "x1")] * 6 + [("missing", "missing", "missing")] * 5
    done = anonymize(columns_of(table), HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.0)
    assert done.report.loss == 0.0
    assert list(zip(*done.columns.values(), strict=True)) == table


def test_anonymize_report_counts_a_suppressed_row_as_lost_in_every_cell() -> None:
    table = [("f", "7", "x1")] * 50 + [("m", "30", "y1")]
    done = anonymize(columns_of(table), HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.05)
    assert done.report.rows_suppressed == 1
    assert done.report.loss == pytest.approx(1 / 51)
    assert done.report.loss_by_column == {name: pytest.approx(1 / 51) for name in LINES}


def test_anonymize_loss_is_the_share_of_the_domain_that_a_group_spans() -> None:
    table = [("f", "0", "x1")] * 3 + [("f", "1", "x2")] * 3
    done = anonymize(columns_of(table), HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.0)
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
        anonymize(columns, HIERARCHIES, model=PrivacyModel(k), suppression_limit=0.0, minimum_cohort=minimum)
    assert not any(character.isdigit() for character in str(refusal.value))


def test_anonymize_nothing_but_stars_is_an_error_not_an_empty_success() -> None:
    lines = {"sex": LINES["sex"]}
    with pytest.raises(TableUseless):
        anonymize({"sex": ["f"] * 4 + ["m"] * 4}, {"sex": Hierarchy.parse(lines["sex"], column="sex")},
                  model=PrivacyModel(5), suppression_limit=0.0)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": PrivacyModel(4)}, AnonymizationInvalid),
        ({"suppression_limit": 1.5}, AnonymizationInvalid),
        ({"suppression_limit": float("nan")}, AnonymizationInvalid),
    ],
)
def test_anonymize_bad_parameters_are_refused(changes: dict[str, object], error: type[Exception]) -> None:
    settings_ = {"model": PrivacyModel(5), "suppression_limit": 0.0} | changes
    with pytest.raises(error):
        anonymize(columns_of([("f", "1", "x1")] * 9), HIERARCHIES, **settings_)  # type: ignore[arg-type]


def test_anonymize_value_outside_its_hierarchy_is_refused_without_being_named() -> None:
    table = [("f", "1", "x1")] * 9 + [("f", "secret", "x1")]
    with pytest.raises(ValueOutsideDomain) as refusal:
        anonymize(columns_of(table), HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.0)
    assert refusal.value.field == "age"
    assert "secret" not in str(refusal.value)
    with pytest.raises(AnonymizationInvalid):
        anonymize({"sex": ["f"], "age": []}, HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.0)
    with pytest.raises(AnonymizationInvalid):
        anonymize({"shoe": ["42"] * 9}, HIERARCHIES, model=PrivacyModel(5), suppression_limit=0.0)
