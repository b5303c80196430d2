"""Every figure of quality and risk, against numbers worked out by hand or by other code."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import contingency, hypergeom, nbinom

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.population import expected_small_classes, pitman, snb, uniqueness, zayatz
from backend.research.anonymize.published import classes_of
from backend.research.anonymize.quality import Quality, correlations, cramers_v, quality
from backend.research.anonymize.risk import risks, unique_share

LINES = {
    "age": [("0", "0+", "*"), ("1", "0+", "*"), ("2", "2+", "*"), ("3", "2+", "*"), ("4", "4+", "*")],
    "sex": [("f", "*"), ("m", "*")],
}
DOMAINS = read_domains(LINES)
BEFORE = pl.DataFrame({"age": ["0", "1", "1", "2", "4"], "sex": ["f", "f", "m", "m", "m"]})
RELEASED = pl.DataFrame({"age": ["0+", "0+", "*", "*"], "sex": ["f", "f", "*", "*"]})  # row 4 is left out
KEPT = np.array([0, 1, 2, 3])


def measured() -> Quality:
    classes = classes_of(RELEASED, DOMAINS)
    return quality(BEFORE, RELEASED, KEPT, classes=classes, domains=DOMAINS, k=2)


def test_loss_is_the_mean_share_of_the_domain_that_a_cell_stands_for() -> None:
    found = measured()
    assert found.columns["age"].loss == pytest.approx((0.25 + 0.25 + 1 + 1 + 1) / 5)
    assert found.columns["sex"].loss == pytest.approx(3 / 5)
    assert found.loss == pytest.approx((3.5 / 5 + 3 / 5) / 2)
    assert found.columns["age"].levels == (0, 2, 2)
    assert found.columns["sex"].levels == (2, 2)


def test_rows_cells_and_classes_are_counted() -> None:
    found = measured()
    assert (found.rows_before, found.rows_released, found.rows_suppressed) == (5, 4, 1)
    assert (found.cells_at_root, found.cells_suppressed) == (4, 2)
    assert (found.sizes.classes, found.sizes.least, found.sizes.most) == (2, 2, 2)
    assert found.sizes.c_avg == pytest.approx(4 / (2 * 2))
    assert found.discernibility == 2**2 + 2**2 + 1 * 5
    assert found.nested_share == pytest.approx(2 / 4)  # the class of '*' holds the other one


def test_entropy_counts_lost_bits_against_the_root() -> None:
    # age: 0 once, 1 twice, 2 once, 4 once. In '0+' are three rows: 0 loses log2 3, 1 loses log2 3/2.
    lost = math.log2(3) + math.log2(3 / 2) + math.log2(5 / 2) + math.log2(5) + math.log2(5)
    worst = 3 * math.log2(5) + 2 * math.log2(5 / 2)
    assert measured().columns["age"].entropy == pytest.approx(lost / worst)
    same = quality(BEFORE, BEFORE, np.arange(5), classes=classes_of(BEFORE, DOMAINS), domains=DOMAINS, k=2)
    assert (same.entropy, same.loss, same.correlation_shift) == (0.0, 0.0, 0.0)
    assert [column.shift for column in same.columns.values()] == [0.0, 0.0]


def test_shift_spreads_a_group_evenly_over_its_values() -> None:
    # Before 1/5 2/5 1/5 0 1/5. Released: 2 cells over {0, 1}, 2 over all five: 0.35 0.35 0.1 0.1 0.1.
    expected = (0.15 + 0.05 + 0.1 + 0.1 + 0.1) / 2
    assert measured().columns["age"].shift == pytest.approx(expected)


def test_column_with_one_possible_value_has_nothing_to_lose() -> None:
    domains = read_domains({"sex": LINES["sex"], "land": [("here", "*")]})
    frame = pl.DataFrame({"sex": ["f", "f"], "land": ["*", "*"]})
    before = pl.DataFrame({"sex": ["f", "f"], "land": ["here", "here"]})
    found = quality(before, frame, np.arange(2), classes=classes_of(frame, domains), domains=domains, k=2)
    assert (found.columns["land"].loss, found.columns["land"].entropy, found.cells_at_root) == (0.0, 0.0, 0)


def test_cramers_v_agrees_with_scipy() -> None:
    chance = np.random.default_rng(3)
    one = chance.integers(0, 4, 500)
    other = (one + chance.integers(0, 3, 500)) % 6
    table = contingency.crosstab(one, other).count
    assert cramers_v(one, other) == pytest.approx(contingency.association(table, method="cramer"))
    assert cramers_v(one, one) == pytest.approx(1.0)
    assert cramers_v(one, np.zeros(500, dtype=np.int64)) == 0.0
    frame = pl.DataFrame({"a": one.astype(str), "b": other.astype(str)})
    (pair,) = correlations(frame, frame.select(pl.lit("*").alias("a"), "b"))
    assert (pair.before, pair.after) == (pytest.approx(cramers_v(one, other)), 0.0)


def test_risks_of_three_classes_by_hand() -> None:
    sizes = np.array([2, 5, 13])
    found = risks(sizes)
    assert found.prosecutor.highest == 0.5
    assert found.prosecutor.average == pytest.approx(3 / 20)
    assert found.prosecutor.at_risk == (pytest.approx(2 / 20), pytest.approx(7 / 20))  # 1/5 is not above 0.2
    assert (found.journalist, found.from_population) == (found.prosecutor, False)
    assert found.marketer == pytest.approx(3 / 20)


def test_journalist_and_marketer_use_the_population() -> None:
    sizes, population = np.array([2, 5, 13]), np.array([4, 50, 26])
    found = risks(sizes, population)
    expected = (2 / 4 + 5 / 50 + 13 / 26) / 20
    assert found.journalist.highest == 0.25
    assert found.marketer == pytest.approx(expected)
    assert found.journalist.average == pytest.approx(max(3 / 80, expected))
    assert found.journalist.at_risk == (pytest.approx(2 / 20), pytest.approx(2 / 20))
    assert found.from_population
    with pytest.raises(ValueError, match="population"):
        risks(sizes, np.array([1, 50, 26]))
    assert unique_share(np.array([1, 1, 3])) == pytest.approx(2 / 5)


def drawn(population: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Class sizes of a sample of a population whose classes have these sizes."""
    people = np.repeat(np.arange(len(population)), population)
    chosen = np.random.default_rng(seed).choice(people, round(len(people) * fraction), replace=False)
    counts = np.bincount(chosen)
    return counts[counts > 0]


def test_zayatz_by_bayes_written_out() -> None:
    sizes = np.array([1, 1, 1, 2, 2, 3])
    chance = {i: float(hypergeom.pmf(1, 40, i, 10)) * list(sizes).count(i) / 6 for i in (1, 2, 3)}
    assert zayatz(sizes, 40) == pytest.approx(3 * chance[1] / sum(chance.values()) / 10)
    assert zayatz(np.array([2, 2]), 40) == 0.0


def test_pitman_is_at_the_top_of_its_likelihood() -> None:
    sizes = np.repeat([1, 2, 3, 5, 12, 40], [80, 15, 6, 4, 2, 1])
    u, n, size = len(sizes), int(sizes.sum()), 5_000

    def log_likelihood(theta: float, alpha: float) -> float:
        """Pitman's formula, product by product."""
        value = sum(math.log(theta + i * alpha) for i in range(1, u))
        value -= sum(math.log(theta + i) for i in range(1, n))
        return value + sum(math.log(i - alpha) for j in sizes for i in range(1, j))

    grid = [(theta, alpha) for theta in np.arange(1, 60, 0.5) for alpha in np.arange(0.3, 0.9, 0.01)]
    theta, alpha = max(grid, key=lambda point: log_likelihood(*point))
    expected = math.gamma(theta + 1) / math.gamma(theta + alpha) * size ** (alpha - 1)
    assert pitman(sizes, size) == pytest.approx(expected, rel=0.02)
    assert pitman(np.array([1, 1, 1]), size) is None  # no maximum inside
    assert pitman(np.array([9]), size) is None


def test_small_classes_of_the_negative_binomial_model_by_summing() -> None:
    a, b, f = 0.7, 0.3, 0.25
    sizes = np.arange(1, 400)
    chance = nbinom.pmf(sizes - 1, a, b)
    one = float((chance * sizes * f * (1 - f) ** (sizes - 1)).sum())
    two = float((chance * sizes * (sizes - 1) / 2 * f**2 * (1 - f) ** (sizes - 2.0)).sum())
    assert expected_small_classes(a, b, f) == (pytest.approx(one), pytest.approx(two))


def test_estimates_come_near_the_truth_of_a_known_population() -> None:
    population = 1 + nbinom.rvs(0.8, 0.25, size=20_000, random_state=np.random.default_rng(1))
    people = int(population.sum())
    truth = float((population == 1).sum() / people)
    found = snb(drawn(population, 0.4, 2), people)
    assert found is not None
    assert found == pytest.approx(truth, rel=0.15)


def test_dankar_chooses_by_the_sampling_fraction() -> None:
    population = 1 + nbinom.rvs(0.8, 0.25, size=20_000, random_state=np.random.default_rng(1))
    people = int(population.sum())
    heavy = np.repeat([1, 2, 3, 5, 12, 40], [80, 15, 6, 4, 2, 1])
    low = uniqueness(heavy, 20 * int(heavy.sum()))
    assert low.pitman is not None
    assert (low.chosen, low.dankar) == ("pitman", low.pitman)
    sparse, dense = drawn(population, 0.05, 3), drawn(population, 0.4, 3)
    without = uniqueness(sparse, people)  # here Pitman's likelihood has its top at alpha = 0
    assert (without.pitman, without.chosen, without.dankar) == (None, "zayatz", without.zayatz)
    high = uniqueness(dense, people)
    by_snb = snb(dense, people)
    assert by_snb is not None
    assert high.zayatz is not None
    assert high.dankar == min(high.zayatz, by_snb)
    assert uniqueness(np.array([2, 3]), 50).dankar == 0.0
    with pytest.raises(ValueError, match="population"):
        uniqueness(np.array([2, 3]), 4)
