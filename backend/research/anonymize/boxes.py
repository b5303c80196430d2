"""The smallest published group of a class, and what it costs."""

from __future__ import annotations

from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Tree, Tuples


@kernel
def level_over(tree: Tree, column: int, first: int, last: int) -> int:
    """The lowest level whose group holds both codes."""
    low = tree.low[column]
    level = 0
    while low[level, first] != low[level, last]:
        level += 1
    return level


@kernel
def cost_over(tree: Tree, column: int, first: int, last: int) -> float:
    """What a cell costs that is published as the smallest group over both codes."""
    return float(tree.cost[column, level_over(tree, column, first, last), first])


@kernel
def measure(
    tuples: Tuples, tree: Tree, order: Ids, start: int, stop: int, low: Ids, high: Ids
) -> tuple[float, int]:
    """(loss of each row, rows) of order[start:stop] as one class; ``low`` and ``high`` take its extent."""
    columns = tuples.codes.shape[1]
    rows = 0
    low[:] = tuples.codes[order[start]]
    high[:] = low
    for place in range(start, stop):
        one = order[place]
        rows += tuples.rows[one]
        for column in range(columns):
            code = tuples.codes[one, column]
            low[column] = min(low[column], code)
            high[column] = max(high[column], code)
    loss = 0.0
    for column in range(columns):
        loss += cost_over(tree, column, low[column], high[column])
    return loss, rows
