"""Whatever the table, the model and the mode: every promise holds, or there is an error with the reason."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from random import Random

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from backend.errors import AssentError
from backend.research.anonymize import full_domain
from backend.research.anonymize.engine import anonymize
from backend.research.anonymize.errors import (
    AnonymizationInvalid,
    CohortTooSmall,
    ModelUnsatisfiable,
    TableUseless,
    ValueOutsideDomain,
)
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import Anonymized, Diversity, DiversityKind, Mode, PrivacyModel
from tests.unit.research.anonymize import naive

LINES = {
    "sex": [("f", "*"), ("m", "*")],
    "age": [(str(year), f"{year // 2 * 2}+", f"{year // 4 * 4}~", "*") for year in range(8)],
    "city": [("x1", "x", "*"), ("y1", "y", "*"), ("x2", "x", "*"), ("y2", "y", "*"), ("z", "z", "*")],
}
HIERARCHIES = {name: Hierarchy.parse(lines, column=name) for name, lines in LINES.items()}
DIVERSITIES = [
    None,
    Diversity(DiversityKind.DISTINCT, 2),
    Diversity(DiversityKind.DISTINCT, 3),
    Diversity(DiversityKind.ENTROPY, 1.8),
    Diversity(DiversityKind.RECURSIVE, 2, 1.5),
    Diversity(DiversityKind.RECURSIVE, 3, 4.0),
]

rows = st.tuples(
    *(st.sampled_from([line[0] for line in lines]) for lines in LINES.values()),
    st.sampled_from("aaabbcd"),
    st.sampled_from("pq"),
)
tables = st.lists(rows, min_size=1, max_size=60).flatmap(
    lambda some: st.integers(1, 3).map(lambda times: some * times)
)
models = st.builds(
    PrivacyModel,
    st.integers(2, 6),
    st.sampled_from(DIVERSITIES),
    st.sampled_from([None, None, 0.0, 0.2, 0.5]),
)
limits = st.sampled_from([0.0, 0.05, 0.3, 1.0])


def columns_of(table: Sequence[tuple[str, ...]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(quasi-identifiers, sensitive columns)"""
    names = [*LINES, "illness", "ward"]
    columns = {name: [row[place] for row in table] for place, name in enumerate(names)}
    return {name: columns[name] for name in LINES}, {name: columns[name] for name in names[3:]}


def crowd(random: Random, rows_: int) -> list[int]:
    """The patient of each row: sometimes few with many rows each."""
    most = random.choice([4, 9, rows_])
    return [random.randrange(most) for _ in range(rows_)]


def run(
    table: Sequence[tuple[str, ...]],
    model: PrivacyModel,
    *,
    limit: float = 0.0,
    mode: Mode = Mode.STRICT,
    patients: Sequence[object] | None = None,
) -> Anonymized:
    quasi, sensitive = columns_of(table)
    return anonymize(
        quasi, HIERARCHIES, sensitive, model=model, suppression=limit, mode=mode, patients=patients
    )


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(tables, models, limits, st.sampled_from(Mode), st.booleans(), st.randoms(use_true_random=False))
def test_every_release_keeps_every_promise(table, model, limit, mode, several, random) -> None:  # type: ignore[no-untyped-def]
    quasi, sensitive = columns_of(table)
    people = crowd(random, len(table)) if several else None
    whole = range(len(table)) if people is None else people
    guarded = sensitive if model.needs_sensitive else {}
    possible = naive.satisfied(range(len(table)), model, guarded, whole, len(table))
    try:
        done = run(table, model, limit=limit, mode=mode, patients=people)
    except CohortTooSmall:
        assert len(set(whole)) < model.k
        return
    except ModelUnsatisfiable:
        assert not possible
        return
    except TableUseless:
        return
    naive.check(done, quasi, LINES, model=model, sensitive=guarded, limit=limit, people=people)
    assert naive.loss_of(done, LINES) < 1.0
    if mode is Mode.STRICT:
        assert naive.disjoint(done, LINES)
    if mode is Mode.FULL_DOMAIN:
        assert done.levels is not None
        for name, level in done.levels.items():
            released = {line[0]: line[level] for line in LINES[name]}
            assert all(
                label in {None, released[value]}
                for label, value in zip(done.quasi[name], quasi[name], strict=True)
            )
    again = run(table, model, limit=limit, mode=mode, patients=people)
    assert again.class_id.tolist() == done.class_id.tolist()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    tables,
    st.integers(1, 12),
    st.builds(
        PrivacyModel, st.integers(2, 4), st.sampled_from(DIVERSITIES[1:]), st.sampled_from([None, None, 0.3])
    ),
    limits,
    st.sampled_from([Mode.STRICT, Mode.MAX_UTILITY]),
)
def test_a_model_counts_as_unreachable_only_when_no_suppression_within_the_limit_saves_it(
    table, frequent, model, limit, mode
) -> None:  # type: ignore[no-untyped-def]
    table = table + [("f", "0", "x1", "a", "p")] * frequent
    quasi, sensitive = columns_of(table)
    guarded = {"illness": sensitive["illness"]}
    try:
        anonymize(quasi, HIERARCHIES, guarded, model=model, suppression=limit, mode=mode)
    except ModelUnsatisfiable:
        assert not any(
            naive.satisfied(rows_, model, guarded, range(len(table)), len(table))
            for rows_ in _kept_within(sensitive["illness"], limit)
        )
    except (CohortTooSmall, TableUseless):
        pass


def _kept_within(values: Sequence[str], limit: float) -> Iterator[list[int]]:
    """For each count of each value that leaves out no more than the limit, rows of these counts."""
    places = {value: [row for row, own in enumerate(values) if own == value] for value in set(values)}
    for counts in itertools.product(*(range(len(rows_) + 1) for rows_ in places.values())):
        if sum(counts) > 0 and len(values) - sum(counts) <= limit * len(values) + 1e-9:
            yield [row for rows_, count in zip(places.values(), counts, strict=True) for row in rows_[:count]]


@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.MAX_UTILITY])
@pytest.mark.parametrize(
    "diversity", [Diversity(DiversityKind.ENTROPY, 2), Diversity(DiversityKind.RECURSIVE, 2, 1.05)]
)
def test_rows_of_a_frequent_value_are_suppressed_where_that_saves_the_model(
    mode: Mode, diversity: Diversity
) -> None:
    """In all rows a stands to b as 12 to 10; of the equal rows, two of twelve have to go."""
    table = [("f", "0", "x1", "a", "p")] * 12 + [("f", str(age), "x1", "b", "p") for age in (0, 1)] * 5
    quasi, sensitive = columns_of(table)
    guarded = {"illness": sensitive["illness"]}
    model = PrivacyModel(5, diversity)
    with pytest.raises(ModelUnsatisfiable):
        anonymize(quasi, HIERARCHIES, guarded, model=model, suppression=0.0, mode=mode)
    done = anonymize(quasi, HIERARCHIES, guarded, model=model, suppression=0.1, mode=mode)
    naive.check(done, quasi, LINES, model=model, sensitive=guarded, limit=0.1)
    assert {table[row][3] for row in range(len(table)) if done.suppressed[row]} == {"a"}


@pytest.mark.parametrize("mode", Mode)
def test_t_of_several_columns_is_kept_in_each_and_not_in_their_combinations(mode: Mode) -> None:
    """In both cities each column is as in the whole table; the combinations differ as far as they can."""
    table = [("f", "0", "x1", "a", "p"), ("f", "0", "x1", "b", "q")] * 8
    table += [("m", "7", "z", "a", "q"), ("m", "7", "z", "b", "p")] * 8
    done = run(table, PrivacyModel(4, t=0.1), mode=mode)
    assert done.quasi["city"].to_list() == [row[2] for row in table]
    assert done.quasi["age"].to_list() == [row[1] for row in table]


@pytest.mark.parametrize("limit", [0.0, 0.2])
def test_t_of_several_columns_narrows_a_class_until_it_is_kept_in_each(limit: float) -> None:
    random = Random(11)
    table = [
        (random.choice("fm"), str(random.randrange(8)), random.choice(("x1", "y2", "z")), ill, ward)
        for ill, ward in zip(
            random.choices("abcd", (6, 3, 2, 1), k=600), random.choices("pqr", k=600), strict=True
        )
    ]
    quasi, sensitive = columns_of(table)
    model = PrivacyModel(4, t=0.15)
    done = run(table, model, limit=limit, mode=Mode.MAX_UTILITY)
    naive.check(done, quasi, LINES, model=model, sensitive=sensitive, limit=limit)
    combined = anonymize(
        quasi,
        HIERARCHIES,
        {"both": [ill + ward for ill, ward in zip(*sensitive.values(), strict=True)]},
        model=model,
        suppression=limit,
        mode=Mode.MAX_UTILITY,
    )
    assert naive.loss_of(done, LINES) < 0.45 * naive.loss_of(combined, LINES)


def test_row_suppressed_on_the_way_comes_back_where_the_others_need_it() -> None:
    """A lone row was within the limit; without it the four others are 3 to 1, too uneven for the model."""
    table = [
        ("f", "0", "x1", "b", "p"), ("m", "0", "x1", "a", "p"), ("f", "0", "x1", "a", "p"),
        ("m", "0", "x1", "a", "q"), ("m", "0", "x1", "b", "q"),
    ]  # fmt: skip
    model = PrivacyModel(2, Diversity(DiversityKind.ENTROPY, 1.8))
    done = run(table, model, limit=0.3, mode=Mode.MAX_UTILITY, patients=None)
    assert done.class_id.tolist() == [0] * 5


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(tables, models, limits, st.booleans(), st.randoms(use_true_random=False))
def test_full_domain_is_the_optimum_of_all_combinations_of_levels(
    table, model, limit, several, random
) -> None:  # type: ignore[no-untyped-def]
    people = crowd(random, len(table)) if several else list(range(len(table)))
    assume(len(set(people)) >= model.k)
    quasi, sensitive = columns_of(table)
    guarded = sensitive if model.needs_sensitive else {}
    least = _by_brute_force(quasi, guarded, model, limit, people)
    try:
        done = run(table, model, limit=limit, mode=Mode.FULL_DOMAIN, patients=people)
    except ModelUnsatisfiable:
        assert least is None
        return
    except TableUseless:
        assert least is not None
        assert least > 1 - 1e-9
        return
    assert least is not None
    assert naive.loss_of(done, LINES) == pytest.approx(least, abs=1e-9)


def _by_brute_force(
    quasi: dict[str, list[str]],
    sensitive: dict[str, list[str]],
    model: PrivacyModel,
    limit: float,
    people: Sequence[object],
) -> float | None:
    """The least loss of all nodes that publish something, suppressing what fails; None: there is none."""
    total, least = len(people), None
    path = {name: {line[0]: line for line in lines} for name, lines in LINES.items()}
    span = {
        (name, label): (len(naive.leaves(lines, label)) - 1) / (len(lines) - 1)
        for name, lines in LINES.items()
        for line in lines
        for label in line
    }
    for levels in itertools.product(*(range(len(lines[0])) for lines in LINES.values())):
        groups = defaultdict(list)
        for row in range(total):
            cells = (path[name][quasi[name][row]][at] for name, at in zip(LINES, levels, strict=True))
            groups[tuple(cells)].append(row)
        lost, suppressed = 0.0, 0
        for cells, members in groups.items():
            if naive.satisfied(members, model, sensitive, people, total):
                lost += len(members) * sum(span[pair] for pair in zip(LINES, cells, strict=True)) / len(LINES)
            else:
                suppressed += len(members)
        if suppressed < total and suppressed <= limit * total + 1e-9:
            mean = (lost + suppressed) / total
            least = mean if least is None else min(least, mean)
    return least


@pytest.mark.parametrize("mode", Mode)
def test_different_rows_of_one_patient_count_once_in_a_class(mode: Mode) -> None:
    """Each patient has all ages of one city: without counting patients every city would pass by itself."""
    table = [("f", str(age), city, "a", "p") for city in ("x1", "x2", "y1", "y2") for age in range(8)] * 2
    people = [f"{row[2]}{place // 32}" for place, row in enumerate(table)]
    model = PrivacyModel(4)
    done = run(table, model, mode=mode, patients=people)
    quasi, _ = columns_of(table)
    naive.check(done, quasi, LINES, model=model, sensitive={}, limit=0.0, people=people)
    assert set(done.quasi["city"]) == {"x", "y"}
    assert set(run(table, model, mode=mode).quasi["city"]) == {"x1", "x2", "y1", "y2"}


@pytest.mark.parametrize(
    ("model", "rest", "limit"),
    [
        (PrivacyModel(2, Diversity(DiversityKind.ENTROPY, 1.8)), 0, 0.5),
        (PrivacyModel(2, Diversity(DiversityKind.RECURSIVE, 2, 2.0)), 0, 0.5),
        (PrivacyModel(2, t=0.15), 8, 0.2),
    ],
)
def test_a_group_that_spoils_another_when_merged_does_not_prune_the_optimum(
    model: PrivacyModel, rest: int, limit: float
) -> None:
    """a passes and b fails; a and b together fail, and suppress more than the limit; apart they do not."""
    lines = [("a", "g", "*"), ("b", "g", "*"), ("c", "h", "*")]
    rows_ = [("a", "p")] * 2 + [("a", "q")] * 2 + [("b", "p")] * 4 + [("c", "p"), ("c", "q")] * rest
    done = anonymize(
        {"x": [row[0] for row in rows_]},
        {"x": Hierarchy.parse(lines, column="x")},
        {"ill": [row[1] for row in rows_]},
        model=model,
        suppression=limit,
        mode=Mode.FULL_DOMAIN,
    )
    assert done.levels == {"x": 0}
    assert done.suppressed.tolist() == [row[0] == "b" for row in rows_]


@pytest.mark.parametrize("mode", Mode)
def test_equal_rows_are_released_as_they_are(mode: Mode) -> None:
    table = [("f", "7", "x1", "a", "p")] * 6 + [("m", "0", "z", "a", "p")] * 5
    done = run(table, PrivacyModel(5), mode=mode)
    assert [tuple(done.quasi[name][row] for name in LINES) for row in (0, 10)] == [
        table[0][:3],
        table[10][:3],
    ]
    assert not done.suppressed.any()
    assert done.class_id.tolist() in ([0] * 6 + [1] * 5, [1] * 6 + [0] * 5)


@pytest.mark.parametrize("mode", Mode)
def test_one_patient_with_many_rows_is_one_patient(mode: Mode) -> None:
    table = [("f", "1", "x1", "a", "p")] * 20 + [("m", "5", "y1", "a", "p")] * 20
    people = ["the same"] * 20 + [str(place) for place in range(20)]
    with pytest.raises(TableUseless):  # each sex has patients enough only together with the other
        run(table, PrivacyModel(5), mode=mode, patients=people)
    alone = run(table, PrivacyModel(5), mode=mode)
    assert set(alone.quasi["sex"]) == {"f", "m"}
    several = [f"{place % 5}" for place in range(20)] * 2  # each patient is in both
    both = run(table, PrivacyModel(5), mode=mode, patients=several)
    assert set(both.quasi["sex"]) == {"f", "m"}


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("change", "column"),
    [({"age": "secret"}, "age"), ({"city": None}, "city"), ({"sex": float("nan")}, "sex")],
)
def test_value_outside_its_hierarchy_is_refused_without_being_named(
    mode: Mode, change: dict[str, object], column: str
) -> None:
    quasi, _ = columns_of([("f", "1", "x1", "a", "p")] * 9)
    quasi[column][3] = change[column]  # type: ignore[call-overload]
    with pytest.raises(ValueOutsideDomain) as refusal:
        anonymize(quasi, HIERARCHIES, {}, model=PrivacyModel(5), suppression=0.0, mode=mode)
    assert refusal.value.field == column
    assert refusal.value.code == "value_outside_domain"
    assert "secret" not in str(refusal.value)


def test_a_column_with_codes_of_its_own_is_read_by_its_texts() -> None:
    ages = Hierarchy.parse(LINES["age"], column="age")
    kind = pl.Enum(["unknown", "7", "3", *"012456"])  # another order, and a category that no row has
    column = pl.Series("age", ["3"] * 5 + ["7"] * 5, dtype=kind)

    def attempt(age: pl.Series) -> Anonymized:
        return anonymize(
            {"age": age}, {"age": ages}, {}, model=PrivacyModel(5), suppression=0.0, mode=Mode.STRICT
        )

    assert attempt(column).quasi["age"].to_list() == column.to_list()
    for value in ("unknown", None):
        with pytest.raises(ValueOutsideDomain):
            attempt(pl.concat([column, pl.Series("age", [value], dtype=kind)]))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_sensitive_values_and_patients_are_refused(missing: float | None) -> None:
    quasi, _ = columns_of([("f", "1", "x1", "a", "p")] * 9)
    with pytest.raises(ValueOutsideDomain) as refusal:
        anonymize(
            quasi,
            HIERARCHIES,
            {"dose": pl.Series([1.0] * 8 + [missing])},
            model=PrivacyModel(5, t=0.5),
            suppression=0.0,
            mode=Mode.STRICT,
        )
    assert refusal.value.field == "dose"
    with pytest.raises(ValueOutsideDomain) as refusal:
        anonymize(
            quasi,
            HIERARCHIES,
            {},
            model=PrivacyModel(5),
            suppression=0.0,
            mode=Mode.STRICT,
            patients=[1.0] * 8 + [missing],
        )
    assert refusal.value.field == "patient"


def test_numbers_are_read_as_their_text() -> None:
    ages = Hierarchy.parse(LINES["age"], column="age")
    done = anonymize(
        {"age": pl.Series([3] * 5 + [4] * 5)},
        {"age": ages},
        {},
        model=PrivacyModel(5),
        suppression=0.0,
        mode=Mode.STRICT,
    )
    assert done.quasi["age"].to_list() == ["3"] * 5 + ["4"] * 5


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("model", "error"),
    [
        (PrivacyModel(10), CohortTooSmall),
        (PrivacyModel(5, Diversity(DiversityKind.DISTINCT, 3)), ModelUnsatisfiable),
        (PrivacyModel(5, Diversity(DiversityKind.ENTROPY, 1.99)), ModelUnsatisfiable),
        (PrivacyModel(5, Diversity(DiversityKind.RECURSIVE, 2, 0.5)), ModelUnsatisfiable),
        (PrivacyModel(5, Diversity(DiversityKind.DISTINCT, 1_000_000_000)), ModelUnsatisfiable),
        (PrivacyModel(6), TableUseless),
    ],
)
def test_what_cannot_be_satisfied_is_an_error_and_tells_no_number(
    mode: Mode, model: PrivacyModel, error: type[AssentError]
) -> None:
    table = [("f", "0", "x1", "a", "p")] * 3 + [("m", "7", "z", "b", "q")] * 6
    table[0] = ("f", "0", "y1", "b", "q")
    with pytest.raises(error) as refusal:
        run(table, model, mode=mode)
    assert not any(character.isdigit() for character in str(refusal.value))


@pytest.mark.parametrize("mode", Mode)
def test_nothing_but_suppressed_rows_is_an_error(mode: Mode) -> None:
    table = [("f", "0", "x1", "a", "p")] * 5
    with pytest.raises(ModelUnsatisfiable):
        run(table, PrivacyModel(5, Diversity(DiversityKind.ENTROPY, 2)), limit=1.0, mode=mode)


def test_shapes_that_cannot_be_are_refused() -> None:
    quasi, sensitive = columns_of([("f", "1", "x1", "a", "p")] * 9)
    good = PrivacyModel(5)

    def attempt(**changes: object) -> None:
        settings_: dict[str, object] = {"model": good, "suppression": 0.0, "mode": Mode.STRICT}
        settings_ |= changes
        columns = settings_.pop("quasi", quasi)
        guarded = settings_.pop("sensitive", sensitive)
        anonymize(columns, HIERARCHIES, guarded, **settings_)  # type: ignore[arg-type]

    for changes in (
        {"suppression": 1.5},
        {"suppression": float("nan")},
        {"quasi": {}},
        {"quasi": {"shoe": ["42"] * 9}},
        {"quasi": {"sex": ["f"], "age": []}},
        {"patients": ["a"]},
        {"model": PrivacyModel(5, t=0.1), "sensitive": {}},
    ):
        with pytest.raises(AnonymizationInvalid):
            attempt(**changes)
    with pytest.raises(CohortTooSmall):
        attempt(quasi={"sex": []}, sensitive={})


@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.MAX_UTILITY])
@pytest.mark.parametrize("width", [12, 40])
def test_keys_wider_than_64_bits_stay_exact(mode: Mode, width: int) -> None:
    """Rows that differ in one column only, whichever, are not confused: 100 values a column, many columns."""
    lines = [(str(value), f"{value // 10}t", "*") for value in range(100)]
    names = [f"q{place}" for place in range(width)]
    hierarchies = {name: Hierarchy.parse(lines, column=name) for name in names}
    rows_ = [["0"] * width for _ in range(5)]
    for place in range(width):
        other = ["0"] * width
        other[place] = "99"
        rows_ += [other] * 5
    quasi = {name: [row[place] for row in rows_] for place, name in enumerate(names)}
    done = anonymize(quasi, hierarchies, {}, model=PrivacyModel(5), suppression=0.0, mode=mode)
    assert {name: column.to_list() for name, column in done.quasi.items()} == quasi
    assert len(set(done.class_id.tolist())) == width + 1


def test_full_domain_finds_the_optimum_of_a_lattice_of_millions_of_nodes() -> None:
    """Of copies of one column the finest tells all that the others do: the optimum has them at one level."""
    random, copies = Random(3), 5
    table = [tuple(random.choice(lines)[0] for lines in LINES.values()) for _ in range(150)]
    quasi = {name: [row[place] for row in table] for place, name in enumerate(LINES)}
    lines = {f"{name}{copy}": found for copy in range(copies) for name, found in LINES.items()}
    for model, limit in itertools.product((PrivacyModel(3), PrivacyModel(6)), (0.0, 0.1, 1.0)):
        done = anonymize(
            {f"{name}{copy}": quasi[name] for copy in range(copies) for name in LINES},
            {name: Hierarchy.parse(found, column=name) for name, found in lines.items()},
            {},
            model=model,
            suppression=limit,
            mode=Mode.FULL_DOMAIN,
        )
        least = _by_brute_force(quasi, {}, model, limit, range(150))
        assert naive.loss_of(done, lines) == pytest.approx(least, abs=1e-9)


def test_an_optimum_that_takes_too_long_to_prove_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [("f", str(place % 8), ("x1", "y2", "z")[place % 3], "a", "p") for place in range(60)]
    assert run(table, PrivacyModel(5), mode=Mode.FULL_DOMAIN).levels
    monkeypatch.setattr(full_domain, "MAX_EVALUATED", 2)
    with pytest.raises(AnonymizationInvalid):
        run(table, PrivacyModel(5), mode=Mode.FULL_DOMAIN)
