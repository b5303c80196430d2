"""Codes in depth-first order, so that every group is one interval; malformed hierarchies are refused."""

from __future__ import annotations

import pytest

from backend.research.anonymize.errors import AnonymizationInvalid, HierarchyInvalid
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import Diversity, DiversityKind, PrivacyModel

# Groups are torn apart on purpose: x1 and x2 must come to stand together.
CITY = [("x1", "x", "*"), ("y1", "y", "*"), ("x2", "x", "*"), ("z", "z", "*"), ("y2", "y", "*")]


def test_leaves_in_depth_first_order_make_every_group_an_interval() -> None:
    city = Hierarchy.parse(CITY, column="city")
    assert city.leaves == ("x1", "x2", "y1", "y2", "z")
    assert (city.height, city.size) == (2, 5)
    assert [city.leaves_of(label) for label in ("x", "y", "z", "*", "y2")] == [
        (0, 1),
        (2, 3),
        (4, 4),
        (0, 4),
        (3, 3),
    ]
    assert city.low.tolist() == [[0, 1, 2, 3, 4], [0, 0, 2, 2, 4], [0] * 5]
    assert city.high.tolist() == [[0, 1, 2, 3, 4], [1, 1, 3, 3, 4], [4] * 5]
    assert [city.label(level, 3) for level in range(3)] == ["y2", "y", "*"]
    assert city.loss()[:, 0].tolist() == [0.0, 0.25, 1.0]
    assert set(city.labels) == {"x1", "x2", "y1", "y2", "z", "x", "y", "*"}


def test_lca_is_the_lowest_level_that_holds_both() -> None:
    city = Hierarchy.parse(CITY, column="city")
    assert city.lca([0, 0, 1, 2, 4], [0, 1, 2, 3, 4]).tolist() == [0, 1, 2, 1, 0]


def test_a_label_on_several_levels_is_one_group() -> None:
    parsed = Hierarchy.parse([("a", "a", "*"), ("b", "c", "*"), ("d", "c", "*")], column="x")
    assert parsed.leaves_of("a") == (0, 0)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("a", "*"), ("b", "c", "*")],
        [("a", "*"), ("b", "+")],
        [("a", "*"), ("a", "*")],
        [("a", "g", "*"), ("b", "h", "*"), ("g", "h", "*")],  # g is a value and a group
        [("a", "g", "p", "*"), ("b", "g", "q", "*")],  # g has two parents
    ],
)
def test_a_malformed_hierarchy_is_refused_by_column(lines: list[tuple[str, ...]]) -> None:
    with pytest.raises(HierarchyInvalid) as refusal:
        Hierarchy.parse(lines, column="city")
    assert refusal.value.field == "city"


@pytest.mark.parametrize(
    ("kind", "l", "c"),
    [
        (DiversityKind.DISTINCT, 1, None),
        (DiversityKind.DISTINCT, 2.5, None),
        (DiversityKind.DISTINCT, 2, 1.0),
        (DiversityKind.ENTROPY, float("nan"), None),
        (DiversityKind.RECURSIVE, 3, None),
        (DiversityKind.RECURSIVE, 3, 0.0),
    ],
)
def test_a_diversity_that_means_nothing_is_refused(kind: DiversityKind, l: float, c: float | None) -> None:  # noqa: E741
    with pytest.raises(AnonymizationInvalid):
        Diversity(kind, l, c)


@pytest.mark.parametrize(("k", "t"), [(1, None), (5, 1.5), (5, float("nan")), (5, -0.1)])
def test_a_model_that_means_nothing_is_refused(k: int, t: float | None) -> None:
    with pytest.raises(AnonymizationInvalid):
        PrivacyModel(k, t=t)
