"""The verifier refuses a release that breaks any one of its promises."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.research.anonymize.domains import read_domain, read_domains
from backend.research.anonymize.overlaps import containing, overlapping, people_inside
from backend.research.anonymize.published import classes_of, joint_key
from backend.research.anonymize.reached import reached
from backend.research.anonymize.refusals import ReleaseUnverified
from backend.research.anonymize.types import Diversity, DiversityKind, PrivacyModel
from backend.research.anonymize.verify import Material, Promise, verify

LINES = {
    "age": [(str(year), f"{year // 2 * 2}+", f"{year // 4 * 4}~", "*") for year in range(8)],
    "city": [("x1", "x", "*"), ("y1", "y", "*"), ("x2", "x", "*"), ("y2", "y", "*"), ("z", "z", "*")],
}
DOMAINS = read_domains(LINES)

# Two classes of four rows: ages 0 and 1 in city x, ages 4 to 7 in y1.
ORIGINAL = {
    "age": ["3", "0", "1", "0", "1", "4", "5", "6", "7", "2"],
    "city": ["z", "x1", "x2", "x2", "x1", "y1", "y1", "y1", "y1", "z"],
}
KEPT = np.arange(1, 9)
RELEASED = {
    "age": ["0+"] * 4 + ["4~"] * 4,
    "city": ["x"] * 4 + ["y1"] * 4,
    "ill": list("aabc") + list("abcd"),
}
ILL_BEFORE = [*RELEASED["ill"], "d", "d"]  # two rows of ten were left out


def material(**released: list[str] | pl.Series) -> Material:
    return Material(
        released=pl.DataFrame({**RELEASED, **released}),
        original=pl.DataFrame(ORIGINAL),
        kept=KEPT,
        sensitive_before=pl.DataFrame({"ill": ILL_BEFORE}),
        patients=None,
        domains=DOMAINS,
    )


def promise(k: int = 4, diversity: Diversity | None = None, t: float | None = None, **other: Any) -> Promise:
    return Promise(
        **{
            "model": PrivacyModel(k, diversity, t),
            "disjoint": True,
            "suppression": 0.2,
            "protected": ("ill",),
            **other,
        }
    )


def refused(what: Material, asked: Promise, reason: str) -> None:
    with pytest.raises(ReleaseUnverified, match=reason):
        verify(what, asked)


def test_release_that_keeps_its_promise_is_counted() -> None:
    found = verify(material(), promise())
    assert (found.k, len(found.classes)) == (4, 2)
    ill = found.reached["ill"]
    assert ill.distinct == 3
    # Class one has shares 1/2, 1/4, 1/4.
    assert ill.entropy == pytest.approx(math.exp(0.5 * math.log(2) + 0.5 * math.log(4)))
    # The table has a 3/10, b 2/10, c 2/10, d 3/10; class one lacks d.
    assert ill.distance == pytest.approx((0.2 + 0.05 + 0.05 + 0.3) / 2)
    assert ill.recursive(2) == pytest.approx(2 / 2)
    assert ill.recursive(3) == pytest.approx(2 / 1)
    assert ill.recursive(4) == math.inf


def test_k_counts_patients_and_not_rows() -> None:
    refused(material(), promise(k=5), "fewer than k")
    owners = pl.Series(["p1", "p1", "p2", "p3", "p4", "p5", "p6", "p7"])
    refused(replace(material(), patients=owners), promise(), "fewer than k")
    assert verify(replace(material(), patients=owners), promise(k=3)).k == 3


def test_cell_that_does_not_hold_its_value_is_refused() -> None:
    refused(material(age=["0+"] * 4 + ["0~"] * 4), promise(), "does not hold")
    refused(material(city=["x1"] * 4 + ["y1"] * 4), promise(), "does not hold")
    refused(material(age=["0+"] * 4 + ["4-7"] * 4), promise(), "not in its hierarchy")
    coded = pl.Series(["0+"] * 4 + ["4-7"] * 4, dtype=pl.Enum(["0+", "4-7"]))
    refused(material(age=coded), promise(), "not in its hierarchy")


def test_overlapping_classes_are_refused_where_disjoint_ones_are_promised() -> None:
    nested = material(age=["0~"] * 4 + ["*"] * 4, city=["x"] * 4 + ["*"] * 4)
    refused(nested, promise(), "overlap")
    assert verify(nested, promise(disjoint=False)).k == 4


def test_more_rows_left_out_than_allowed_are_refused() -> None:
    refused(material(), promise(suppression=0.19), "limit")
    twice = replace(material(), kept=np.array([1, 1, 3, 4, 5, 6, 7, 8]))
    refused(twice, promise(), "each once at most")
    more = replace(material(), original=pl.DataFrame(ORIGINAL)[:7])
    refused(more, promise(), "more than there were")
    empty = replace(material(), released=pl.DataFrame(RELEASED).clear(), kept=KEPT[:0])
    refused(empty, promise(suppression=1.0), "no row")


@pytest.mark.parametrize(
    ("holds", "fails"),
    [
        (Diversity(DiversityKind.DISTINCT, 3), Diversity(DiversityKind.DISTINCT, 4)),
        (Diversity(DiversityKind.ENTROPY, 2.82), Diversity(DiversityKind.ENTROPY, 2.83)),
        (Diversity(DiversityKind.RECURSIVE, 3, 2.01), Diversity(DiversityKind.RECURSIVE, 3, 2.0)),
    ],
)
def test_diversity_below_what_was_asked_is_refused(holds: Diversity, fails: Diversity) -> None:
    verify(material(), promise(diversity=holds))
    refused(material(), promise(diversity=fails), fails.kind.value)
    assert verify(material(), promise(diversity=fails, protected=())).k == 4  # counted, not promised


def test_distance_above_t_is_refused() -> None:
    verify(material(), promise(t=0.3))
    refused(material(), promise(t=0.29), "further than t")
    refused(material(), promise(t=0.3, protected=("ill", "drug")), "was not counted")


def test_sensitive_value_that_the_input_does_not_have_is_refused() -> None:
    refused(material(ill=list("aabc") + list("abce")), promise(), "not one of the input")


def test_label_that_stands_for_torn_groups_is_refused() -> None:
    with pytest.raises(ReleaseUnverified, match="several groups"):
        read_domain("city", [("a", "g", "l", "*"), ("b", "h", "m", "*"), ("c", "g", "n", "*")])


def test_domain_reads_groups_wherever_their_lines_stand() -> None:
    city = DOMAINS["city"]
    span = dict(zip(city.labels, city.span.tolist(), strict=True))
    assert span == {"*": 5, "x": 2, "x1": 1, "x2": 1, "y": 2, "y1": 1, "y2": 1, "z": 1}
    level = dict(zip(city.labels, city.level.tolist(), strict=True))
    assert (level["x1"], level["x"], level["z"], level["*"]) == (0, 1, 0, 2)


def test_key_of_many_wide_columns_stays_exact() -> None:
    chance = np.random.default_rng(5)
    columns = [chance.integers(0, 2, 400) + 2**31 - 2 for _ in range(5)]  # 155 bits together
    key = joint_key(columns, [2**31] * 5)
    expected: dict[tuple[int, ...], int] = {}
    groups = [
        expected.setdefault(row, len(expected)) for row in zip(*map(np.ndarray.tolist, columns), strict=True)
    ]
    assert len(set(key.tolist())) == len(expected)
    assert len({(one, other) for one, other in zip(key.tolist(), groups, strict=True)}) == len(expected)


labels = st.tuples(*(st.sampled_from(DOMAINS[name].labels) for name in LINES))


@settings(max_examples=200)
@given(st.lists(labels, min_size=1, max_size=12))
def test_boxes_agree_with_all_pairs_compared_as_sets(rows: list[tuple[str, str]]) -> None:
    classes = classes_of(pl.DataFrame(rows, schema=list(LINES), orient="row"), DOMAINS)
    holds = {
        name: {label: {line[0] for line in lines if label in line} for label in DOMAINS[name].labels}
        for name, lines in LINES.items()
    }
    boxes = [
        tuple(holds[name][DOMAINS[name].labels[classes.labels[name][number]]] for name in LINES)
        for number in range(len(classes))
    ]
    pairs = [(one, other) for one in range(len(boxes)) for other in range(len(boxes)) if one != other]
    meet = [
        pair
        for pair in pairs
        if all(not a.isdisjoint(b) for a, b in zip(boxes[pair[0]], boxes[pair[1]], strict=True))
    ]
    assert overlapping(classes, DOMAINS) == len(meet) // 2
    nested = [
        any(
            one == number and all(b <= a for a, b in zip(boxes[one], boxes[other], strict=True))
            for one, other in pairs
        )
        for number in range(len(boxes))
    ]
    assert containing(classes, DOMAINS).tolist() == nested


people = st.tuples(*(st.sampled_from([line[0] for line in LINES[name]]) for name in LINES))


@settings(max_examples=100)
@given(st.lists(labels, min_size=1, max_size=12), st.lists(people, min_size=1, max_size=12))
def test_people_inside_each_class_agree_with_looking_at_each_person(
    rows: list[tuple[str, str]], population: list[tuple[str, str]]
) -> None:
    classes = classes_of(pl.DataFrame(rows, schema=list(LINES), orient="row"), DOMAINS)
    frame = pl.DataFrame(population, schema=list(LINES), orient="row")
    values = {name: DOMAINS[name].value_codes(frame[name]) for name in LINES}
    found = people_inside(classes, DOMAINS, values, np.arange(1, len(population) + 1))
    for number in range(len(classes)):
        names = [DOMAINS[name].labels[classes.labels[name][number]] for name in LINES]
        inside = [
            place + 1
            for place, person in enumerate(population)
            if all(
                any(line[0] == value and label in line for line in LINES[name])
                for name, label, value in zip(LINES, names, person, strict=True)
            )
        ]
        assert found[number] == sum(inside)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_reached_agrees_with_counting_by_hand(rows: list[tuple[str, str]]) -> None:
    lines = {"group": [(value, "*") for value in "pqr"]}
    frame = pl.DataFrame(rows, schema=["group", "ill"], orient="row")
    found = reached(classes_of(frame, read_domains(lines)), frame["ill"], frame["ill"])
    share = {value: [ill for _, ill in rows].count(value) / len(rows) for value in "abcd"}
    distinct, entropy, distance, recursive = 9, math.inf, 0.0, 0.0
    for group in {group for group, _ in rows}:
        mine = [ill for name, ill in rows if name == group]
        counts = sorted((mine.count(value) for value in set(mine)), reverse=True)
        distinct = min(distinct, len(counts))
        entropy = min(entropy, -sum(c / len(mine) * math.log(c / len(mine)) for c in counts))
        distance = max(distance, sum(abs(mine.count(v) / len(mine) - share[v]) for v in "abcd") / 2)
        recursive = max(recursive, counts[0] / sum(counts[1:]) if len(counts) > 1 else math.inf)
    assert found.distinct == distinct
    assert found.entropy == pytest.approx(math.exp(entropy))
    assert found.distance == pytest.approx(distance, abs=1e-12)
    assert found.recursive(2) == pytest.approx(recursive)
