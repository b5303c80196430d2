"""Checks a released table from its strings alone; shares no code with the engine that made it.

Every check raises ReleaseUnverified with the reason (never a value) and returns what it counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from backend.research.errors import ReleaseUnverified

Columns = Mapping[str, Sequence[str]]
Lines = Iterable[Sequence[str]]  # (value, group, ..., '*') for each value, as in a hierarchy file


def verify_k(
    table: Columns, quasi_identifiers: Sequence[str], k: int, patients: Sequence[str] | None = None
) -> int:
    """Count the distinct patients of each combination of quasi-identifiers; return the smallest number.

    Raises ReleaseUnverified when it is below k, when the table is empty or columns differ in length.
    """
    if not quasi_identifiers:
        raise ReleaseUnverified("no quasi-identifiers")
    lengths = {len(table[name]) for name in quasi_identifiers}
    if len(lengths) != 1 or lengths == {0}:
        raise ReleaseUnverified("empty table, or columns of different length")
    length = lengths.pop()
    people: Sequence[object] = patients if patients is not None else range(length)
    if len(people) != length:
        raise ReleaseUnverified("a patient is needed for each row")
    members: dict[tuple[str, ...], set[object]] = {}
    for combination, person in zip(
        zip(*(table[name] for name in quasi_identifiers), strict=True), people, strict=True
    ):
        members.setdefault(combination, set()).add(person)
    least = min(len(group) for group in members.values())
    if least < k:
        raise ReleaseUnverified("a combination of quasi-identifiers is shared by fewer than k patients")
    return least


def verify_containment(original: Columns, released: Columns, hierarchies: Mapping[str, Lines]) -> int:
    """Check that each released cell is a group that holds the original value; return the cells seen.

    Row i of ``released`` belongs to row i of ``original``.
    """
    seen = 0
    for name, cells in released.items():
        groups = {line[0]: set(line) for line in hierarchies[name]}
        values = original[name]
        if len(values) != len(cells):
            raise ReleaseUnverified(f"column {name} differs in length")
        for value, cell in zip(values, cells, strict=True):
            if cell not in groups.get(value, ()):
                raise ReleaseUnverified(f"column {name}: a released group does not hold the original value")
        seen += len(cells)
    return seen


def verify_disjoint(
    table: Columns, quasi_identifiers: Sequence[str], hierarchies: Mapping[str, Lines]
) -> int:
    """Check that any two classes are disjoint in at least one column; return the number of classes.

    With that, no published class lies inside or across another.
    """
    classes = list(dict.fromkeys(zip(*(table[name] for name in quasi_identifiers), strict=True)))
    overlap = np.ones((len(classes), len(classes)), dtype=bool)
    for place, name in enumerate(quasi_identifiers):
        values: dict[str, set[str]] = {}
        for line in hierarchies[name]:
            for label in line:
                values.setdefault(label, set()).add(line[0])
        labels = list(dict.fromkeys(combination[place] for combination in classes))
        if any(label not in values for label in labels):
            raise ReleaseUnverified(f"column {name}: a released group is not in its hierarchy")
        meets = np.array([[not values[one].isdisjoint(values[other]) for other in labels] for one in labels])
        number = {label: index for index, label in enumerate(labels)}
        index = np.array([number[combination[place]] for combination in classes])
        overlap &= meets[np.ix_(index, index)]
    np.fill_diagonal(overlap, val=False)
    if overlap.any():
        raise ReleaseUnverified("two classes overlap")
    return len(classes)
