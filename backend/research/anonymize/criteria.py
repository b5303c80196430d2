"""Does a class satisfy the rule? The definitions themselves, over a class given as a list of tuples.

k: distinct patients. l-diversity: Machanavajjhala, Kifer, Gehrke, Venkitasubramaniam (2006), definitions 4
(entropy) and 5 (recursive), and the count of distinct values. t-closeness: Li, Li, Venkatasubramanian (2007)
with equal ground distance, for which the earth mover's distance is half the sum of absolute differences.
"""

from __future__ import annotations

import math

import numpy as np

from backend.research.anonymize.jit import kernel
from backend.research.anonymize.problem import Ids, Ints, Rule, Tuples

SLACK = 1e-10  # what sums of a class's shares may be off by rounding


@kernel
def heads_of(tuples: Tuples, order: Ids, start: int, stop: int) -> int:
    """Distinct patients of the tuples order[start:stop]; those of one person must stand together."""
    count = 0
    last = -1
    for place in range(start, stop):
        one = order[place]
        person = tuples.person[one]
        if person < 0 or person != last:
            count += tuples.heads[one]
            last = person
    return count


@kernel
def diverse(rule: Rule, hist: Ints, total: int, column: int, scratch: Ints) -> bool:
    """Whether counts ``hist`` of a class's values (summing to ``total``) satisfy diversity and t."""
    size = rule.share.shape[1]
    if rule.kind == 1:
        found = 0
        for value in range(size):
            found += hist[value] > 0
        if found < rule.l:
            return False
    elif rule.kind == 2:
        weighted = 0.0
        for value in range(size):
            if hist[value] < len(rule.nats):
                weighted += rule.nats[hist[value]]
            else:
                weighted += hist[value] * math.log(hist[value])
        if math.log(total) - weighted / total < math.log(rule.l) - SLACK:
            return False
    elif rule.kind == 3:
        # scratch: the l - 1 largest counts, in falling order
        kept = int(rule.l) - 1
        scratch[:kept] = 0
        for value in range(size):
            here = hist[value]
            place = kept
            while place > 0 and here > scratch[place - 1]:
                if place < kept:
                    scratch[place] = scratch[place - 1]
                place -= 1
            if place < kept:
                scratch[place] = here
        if not scratch[0] < rule.c * (total - scratch[:kept].sum()):
            return False
    if rule.with_t:
        apart = 0.0
        for value in range(size):
            apart += abs(hist[value] / total - rule.share[column, value])
        if apart / 2 > rule.t + SLACK:
            return False
    return True


@kernel
def holds(tuples: Tuples, rule: Rule, order: Ids, start: int, stop: int, scratch: Ints) -> bool:
    """Whether the tuples order[start:stop] may be published as one class.

    ``scratch`` has at least ``scratch_size`` places. Tuples of one person stand together.
    """
    if heads_of(tuples, order, start, stop) < rule.k:
        return False
    size = rule.share.shape[1]
    hist = scratch[:size]
    for column in range(rule.share.shape[0]):
        hist[:] = 0
        total = 0
        for place in range(start, stop):
            one = order[place]
            hist[tuples.sensitive[one, column]] += tuples.rows[one]
            total += tuples.rows[one]
        if not diverse(rule, hist, total, column, scratch[size:]):
            return False
    return True


def scratch_for(rule: Rule) -> Ints:
    """Room for ``holds``: a count a value, and the largest counts for recursive diversity."""
    return np.zeros(rule.share.shape[1] + max(int(rule.l), 1) + 1, dtype=np.int64)
