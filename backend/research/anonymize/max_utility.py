"""Least loss, classes may lie inside each other: peel, cut further, absorb what is left."""

from __future__ import annotations

from backend.research.anonymize.absorb import absorb
from backend.research.anonymize.peel import peel
from backend.research.anonymize.problem import Ids, Problem
from backend.research.anonymize.quota import quota
from backend.research.anonymize.refine import refine
from backend.research.anonymize.thinning import thinned


def max_utility(problem: Problem) -> tuple[Ids, int]:
    """Return the class of each tuple (-1: suppressed) and a number above every class.

    With t, every tuple of the problem is one row. No more than the limit is suppressed when one class of
    all rows, or of all but few enough of them (``thinned``), satisfies the rule.
    """
    class_of, classes = quota(problem) if problem.rule.with_t else peel(problem)
    if classes > 0:
        class_of, classes = refine(problem, class_of, classes)
        if absorb(problem, class_of, classes) <= problem.suppressible:
            return class_of, classes
    # No class was found, or all that were found could not take in what is left: rows that were suppressed
    # on the way may be just those that balance the others.
    staying = thinned(problem)
    if staying is None:
        return class_of, classes
    class_of[:] = -1
    class_of[staying] = 0
    return refine(problem, class_of, 1)
