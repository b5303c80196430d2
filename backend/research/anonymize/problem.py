"""What the algorithms work on: distinct rows with their weights, hierarchies as tables, the rule as numbers.

Rows that agree in every quasi-identifier (and in every sensitive column, where the model looks at one) can
never be told apart, so they are merged first into one weighted tuple: of a million rows a tenth stays.

**Patients.** ``k`` counts distinct patients. A patient whose rows all merge into one tuple is counted in its
``heads``. The tuples of a patient who has several are kept apart from everybody else's, one ``person`` number
for all of them; a class counts such a number once. So the count is exact, whatever the rows of a patient are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.grouping import number_rows
from backend.research.anonymize.hierarchy import Codes, Hierarchy
from backend.research.anonymize.types import DiversityKind, PrivacyModel

Ints = NDArray[np.int64]
Ids = NDArray[np.int32]
Floats = NDArray[np.float64]

NOBODY = -1
LOOKED_UP = 2_048
KINDS = {DiversityKind.DISTINCT: 1, DiversityKind.ENTROPY: 2, DiversityKind.RECURSIVE: 3}


class Tuples(NamedTuple):
    """``codes`` (n x columns), ``rows`` (how many input rows), ``heads`` and ``person`` (see above) and
    ``sensitive`` (n x sensitive columns). Sorted by ``person``."""

    codes: NDArray[np.int32]
    rows: Ints
    heads: Ints
    person: Ids
    sensitive: NDArray[np.int32]


class Tree(NamedTuple):
    """Every hierarchy padded to one shape, columns x levels x leaves.

    ``low`` is the first code of the group, ``cost`` its loss over the number of columns, so that the costs
    of a row's cells add up to its loss. A column has ``size`` leaves, and its root at level ``height``.
    """

    low: NDArray[np.int32]
    cost: Floats
    height: Ints
    size: Ints


class Rule(NamedTuple):
    """``kind`` is 0 without diversity, else as in KINDS.

    ``share`` (sensitive columns x values) is each value's share of all rows. ``nats[n]`` is n log n, for the
    small n that are looked up. ``several``: some patient has several tuples, so that patients do not add up.
    ``plain``: they do, and there is nothing but k.
    """

    k: int
    kind: int
    l: float  # noqa: E741 -- the letter the definition uses
    c: float
    with_t: bool
    t: float
    share: Floats
    nats: Floats
    several: bool
    plain: bool


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """``tuple_of`` is the tuple that each input row was merged into; ``suppressible`` is in rows."""

    tuples: Tuples
    tree: Tree
    rule: Rule
    tuple_of: Ids
    suppressible: int

    @property
    def total(self) -> int:
        return len(self.tuple_of)


def problem_of(
    codes: Sequence[Codes],
    hierarchies: Sequence[Hierarchy],
    sensitive: Sequence[Codes],
    *,
    model: PrivacyModel,
    suppression: float,
    patients: Ids | None = None,
    merge: bool = True,
) -> Problem:
    """Merge equal rows and lay out tables.

    ``codes`` and ``sensitive`` hold an array a column; sensitive codes are below the number of different
    ones. ``patients`` numbers the patient of each row. There is at least one row and one column. Without
    ``merge`` every tuple is one row.
    """
    looked_at = list(sensitive) if model.needs_sensitive else []
    sizes = [hierarchy.size for hierarchy in hierarchies]
    values = [int(column.max()) + 1 for column in looked_at]
    person: Ids | None
    if merge:
        person = _several(codes, looked_at, sizes, values, patients)
        tuple_of, first, heads = _merged([*codes, *looked_at], [*sizes, *values], person, patients)
    else:
        person = _repeated(patients)
        first = np.lexsort([*reversed(codes), *([] if person is None else [person])]).astype(np.int32)
        tuple_of = np.empty_like(first)
        tuple_of[first] = np.arange(len(first), dtype=np.int32)
        heads = np.ones(len(first), dtype=np.int64)
    tuples = Tuples(
        np.stack([column[first] for column in codes], axis=1).astype(np.int32),
        np.bincount(tuple_of, minlength=len(first)).astype(np.int64),
        heads,
        np.full(len(first), NOBODY, dtype=np.int32) if person is None else person[first],
        _stacked([column[first] for column in looked_at], len(first)),
    )
    rule = _rule(model, looked_at, values, several=person is not None)
    return Problem(tuples, _tree(hierarchies), rule, tuple_of, int(suppression * len(tuple_of) + 1e-9))


def _merged(
    columns: list[Codes], sizes: list[int], person: Ids | None, patients: Ids | None
) -> tuple[Ids, Ids, Ints]:
    """(tuple of each row, first row of each tuple, heads of each tuple), sorted by person."""
    if person is None:
        tuple_of, first = number_rows(columns, sizes)
        return tuple_of, first, _heads(tuple_of, len(first), patients)
    tuple_of, first = number_rows([person + np.int32(1), *columns], [int(person.max()) + 2, *sizes])
    order = np.argsort(person[first], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    tuple_of, first = place[tuple_of].astype(np.int32), first[order]
    heads = np.where(person[first] == NOBODY, _heads(tuple_of, len(first), patients), 1)
    return tuple_of, first, heads


def _repeated(patients: Ids | None) -> Ids | None:
    """For each row a number of its patient when that one has several rows, else NOBODY; None: no such."""
    if patients is None or int(patients.max()) + 1 == len(patients):
        return None
    several = np.bincount(patients) > 1
    return np.where(several, np.cumsum(several) - 1, NOBODY).astype(np.int32)[patients]


def _several(
    codes: Sequence[Codes],
    sensitive: Sequence[Codes],
    sizes: list[int],
    values: list[int],
    patients: Ids | None,
) -> Ids | None:
    """For each row a number of its patient when that patient's rows differ, else NOBODY; None: no such."""
    if patients is None or int(patients.max()) + 1 == len(patients):
        return None
    kind, _ = number_rows([*codes, *sensitive], [*sizes, *values])
    count = int(patients.max()) + 1
    least, most = np.full(count, len(kind), dtype=np.int64), np.full(count, -1, dtype=np.int64)
    np.minimum.at(least, patients, kind)
    np.maximum.at(most, patients, kind)
    differs = least != most
    numbers = np.where(differs, np.cumsum(differs) - 1, NOBODY).astype(np.int32)
    return numbers[patients]


def _heads(tuple_of: Ids, count: int, patients: Ids | None) -> Ints:
    """Distinct patients of each tuple."""
    if patients is None:
        return np.bincount(tuple_of, minlength=count).astype(np.int64)
    pairs = np.unique(tuple_of.astype(np.int64) * (int(patients.max()) + 1) + patients)
    return np.bincount(pairs // (int(patients.max()) + 1), minlength=count).astype(np.int64)


def _stacked(columns: list[Codes], length: int) -> NDArray[np.int32]:
    if not columns:
        return np.zeros((length, 0), dtype=np.int32)
    return np.stack(columns, axis=1).astype(np.int32)


def _tree(hierarchies: Sequence[Hierarchy]) -> Tree:
    levels = max(hierarchy.height for hierarchy in hierarchies) + 1
    shape = (len(hierarchies), levels, max(hierarchy.size for hierarchy in hierarchies))
    low, cost = np.zeros(shape, dtype=np.int32), np.zeros(shape)
    for place, hierarchy in enumerate(hierarchies):
        for level in range(levels):  # above its root a column stays at the root
            own = min(level, hierarchy.height)
            low[place, level, : hierarchy.size] = hierarchy.low[own]
            cost[place, level, : hierarchy.size] = hierarchy.loss()[own] / len(hierarchies)
    height = np.array([hierarchy.height for hierarchy in hierarchies], dtype=np.int64)
    size = np.array([hierarchy.size for hierarchy in hierarchies], dtype=np.int64)
    return Tree(low, cost, height, size)


def _rule(model: PrivacyModel, sensitive: Sequence[Codes], values: list[int], *, several: bool) -> Rule:
    share = np.zeros((len(sensitive), max(values, default=0)))
    for place, column in enumerate(sensitive):
        share[place, : values[place]] = np.bincount(column) / len(column)
    diversity = model.diversity
    counts = np.arange(1, LOOKED_UP)
    return Rule(
        k=model.k,
        kind=KINDS[diversity.kind] if diversity else 0,
        l=float(diversity.l) if diversity else 0.0,
        c=float(diversity.c) if diversity and diversity.c is not None else 0.0,
        with_t=model.t is not None,
        t=model.t if model.t is not None else 0.0,
        share=share,
        nats=np.concatenate([[0.0], counts * np.log(counts)]),
        several=several,
        plain=not several and not model.needs_sensitive,
    )
