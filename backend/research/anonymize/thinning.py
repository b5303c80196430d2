"""The rows to suppress so that all others, as one class, satisfy the rule.

Whatever satisfies entropy or recursive diversity or t-closeness in parts does so as a whole, so a rule can be
satisfied within the limit only if it is by one class of all rows but those suppressed. What breaks entropy
and recursive diversity are frequent values, and suppressing the most frequent one, row after row, is the
least that mends a column. With several columns, or with rows that stay together, it may be more than needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.criteria import diverse, holds, scratch_for
from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Problem, Rule, Tuples


def thinned(problem: Problem) -> Ids | None:
    """The tuples that stay, or None when more than the limit would have to go."""
    tuples, rule, scratch = problem.tuples, problem.rule, scratch_for(problem.rule)
    kept = np.ones(len(tuples.rows), dtype=np.bool_)
    if rule.kind > 1:
        # Of each column its tuples by value, light ones first.
        order = [np.lexsort((tuples.rows, column)).astype(np.int32) for column in tuples.sensitive.T]
        without_t = rule._replace(with_t=False)
        if not _thin(tuples, without_t, np.stack(order), problem.suppressible, kept, scratch):
            return None
    staying = np.flatnonzero(kept).astype(np.int32)
    return staying if holds(tuples, rule, staying, 0, len(staying), scratch) else None


@kernel
def _thin(
    tuples: Tuples, rule: Rule, order: Ids, suppressible: int, kept: NDArray[np.bool_], scratch: Ints
) -> bool:
    """Take tuples out of ``kept`` until every column is diverse; False when that passes the limit."""
    columns, values = rule.share.shape
    hist, next_of = np.zeros((columns, values), np.int64), np.zeros((columns, values + 1), np.int64)
    for one in range(len(kept)):
        for column in range(columns):
            hist[column, tuples.sensitive[one, column]] += tuples.rows[one]
            next_of[column, tuples.sensitive[one, column] + 1] += 1
    for column in range(columns):
        next_of[column] = np.cumsum(next_of[column])
    left = tuples.rows.sum()
    least = left - suppressible
    column = 0
    while column < columns:
        if diverse(rule, hist[column], left, column, scratch):
            column += 1
            continue
        value = np.argmax(hist[column])
        while not kept[order[column, next_of[column, value]]]:
            next_of[column, value] += 1
        one = order[column, next_of[column, value]]
        kept[one] = False
        left -= tuples.rows[one]
        if left < max(least, 1):
            return False
        for other in range(columns):
            hist[other, tuples.sensitive[one, other]] -= tuples.rows[one]
        column = 0
    return True
