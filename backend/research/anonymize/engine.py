"""Anonymize a table: columns of values in, released labels and classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from backend.research.anonymize.encode import (
    Column,
    encode,
    encode_free,
    encode_patients,
    require_one_length,
)
from backend.research.anonymize.errors import (
    AnonymizationInvalid,
    CohortTooSmall,
    ModelUnsatisfiable,
    TableUseless,
)
from backend.research.anonymize.full_domain import full_domain
from backend.research.anonymize.grouping import number_rows
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.max_utility import max_utility
from backend.research.anonymize.problem import Ids, Ints, Problem, problem_of
from backend.research.anonymize.strict import strict
from backend.research.anonymize.types import SUPPRESSED, Anonymized, Mode, PrivacyModel


def anonymize(
    quasi: Mapping[str, Column],
    hierarchies: Mapping[str, Hierarchy],
    sensitive: Mapping[str, Column],
    *,
    model: PrivacyModel,
    suppression: float,
    mode: Mode,
    patients: Sequence[object] | pl.Series | None = None,
) -> Anonymized:
    """Generalise and suppress until every published class satisfies the model.

    ``quasi`` holds the quasi-identifiers, each with its hierarchy by name; ``sensitive`` the columns that
    diversity and t look at, each by itself. ``patients`` names the patient of each row (None: every row is
    another patient); several rows of one patient count once for k. ``suppression`` is the largest share of
    rows left out. The result depends on the input alone: nothing is drawn at random.

    Raises AnonymizationInvalid; ValueOutsideDomain, naming the column; CohortTooSmall (fewer patients than
    k); ModelUnsatisfiable (l or t cannot be reached within the limit); TableUseless (nothing but roots and
    suppressed rows would be published).
    """
    if not 0.0 <= suppression <= 1.0:
        raise AnonymizationInvalid("the suppression limit is a share")
    if not quasi or not set(quasi) <= set(hierarchies):
        raise AnonymizationInvalid("every quasi-identifier needs a hierarchy, and one is needed")
    if model.needs_sensitive and not sensitive:
        raise AnonymizationInvalid("diversity and t-closeness need a sensitive column")
    others = [patients] if patients is not None else []
    length = require_one_length([*quasi.values(), *sensitive.values(), *others])
    ordered = [hierarchies[name] for name in quasi]
    codes = [encode(values, hierarchy) for values, hierarchy in zip(quasi.values(), ordered, strict=True)]
    guarded = [encode_free(values, name) for name, values in sensitive.items()]
    people = encode_patients(patients) if patients is not None else None
    if (length if people is None else len(np.unique(people))) < model.k:
        raise CohortTooSmall
    diversity = model.diversity
    if diversity is not None and any(int(column.max()) + 1 < diversity.l - 1e-9 for column in guarded):
        raise ModelUnsatisfiable("a sensitive column has fewer values than l")
    merge = mode is not Mode.MAX_UTILITY or model.t is None
    prepared = partial(
        problem_of, codes, ordered, guarded, model=model, suppression=suppression, patients=people
    )
    problem = prepared(merge=merge)
    try:
        class_of, levels = classes_of(problem, mode)
    except ModelUnsatisfiable:
        if not merge or mode is Mode.FULL_DOMAIN or problem.suppressible == 0:
            raise
        # Equal rows may be too many to be suppressed together, and not each by itself.
        problem = prepared(merge=False)
        class_of, levels = classes_of(problem, mode)
    return _released(
        problem, dict(zip(quasi, ordered, strict=True)), class_of, levels=levels, mode=mode, model=model
    )


def classes_of(problem: Problem, mode: Mode) -> tuple[Ids, Ints | None]:
    """The class of each tuple (negative: suppressed) and, in full-domain mode, the level of each column.

    Raises ModelUnsatisfiable and AnonymizationInvalid.
    """
    levels: Ints | None = None
    if mode is Mode.FULL_DOMAIN:
        found = full_domain(problem)
        if found is None:
            raise ModelUnsatisfiable
        class_of, levels = found
    else:
        class_of, _ = strict(problem) if mode is Mode.STRICT else max_utility(problem)
    left_out = class_of < 0
    if left_out.all() or int(problem.tuples.rows[left_out].sum()) > problem.suppressible:
        raise ModelUnsatisfiable
    return class_of, levels


def _released(
    problem: Problem,
    hierarchies: Mapping[str, Hierarchy],
    class_of: Ids,
    *,
    levels: Ints | None,
    mode: Mode,
    model: PrivacyModel,
) -> Anonymized:
    """Labels for every input row. Raises TableUseless."""
    kept = class_of >= 0
    used, numbers = np.unique(class_of[kept], return_inverse=True)
    published: list[NDArray[np.int64]] = []
    useless = True
    for place, hierarchy in enumerate(hierarchies.values()):
        low, high = _extent(problem.tuples.codes[kept, place], numbers, len(used))
        own = hierarchy.lca(low, high) if levels is None else np.full(len(used), levels[place])
        useless &= bool((own == hierarchy.height).all())
        number = {label: at for at, label in enumerate(hierarchy.labels)}
        table = np.array([[number[label] for label in names] for names in hierarchy.names], dtype=np.int64)
        published.append(table[own, low])
    if useless:
        raise TableUseless
    # Classes that carry the same labels are one to a reader; what holds for each holds for both together.
    sizes = [len(hierarchy.labels) for hierarchy in hierarchies.values()]
    merged, first = number_rows(published, sizes)
    of_tuple = np.full(len(class_of), SUPPRESSED, dtype=np.int64)
    of_tuple[kept] = merged[numbers]
    class_id = of_tuple[problem.tuple_of]
    row = pl.Series(np.where(class_id == SUPPRESSED, len(first), class_id).astype(np.uint32))
    released = {
        name: pl.Series(name, [*hierarchy.labels, None], dtype=pl.Enum(hierarchy.labels))
        .gather(np.append(labels[first], len(hierarchy.labels)))  # of each class, then of a row left out
        .gather(row)
        for (name, hierarchy), labels in zip(hierarchies.items(), published, strict=True)
    }
    by_name = None if levels is None else dict(zip(hierarchies, levels.tolist(), strict=True))
    return Anonymized(released, class_id == SUPPRESSED, class_id, mode, model, by_name)


def _extent(
    codes: NDArray[np.int32], numbers: NDArray[np.intp], classes: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The least and the greatest code of each class."""
    low = np.full(classes, np.iinfo(np.int32).max, dtype=np.int32)
    high = np.full(classes, -1, dtype=np.int32)
    np.minimum.at(low, numbers, codes)
    np.maximum.at(high, numbers, codes)
    return low, high
