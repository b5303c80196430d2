"""How published classes lie to each other. A class is a box: one interval of values for each column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from backend.research.anonymize.domains import Codes, Domain, Ints
from backend.research.anonymize.published import Classes

_PAIRS_AT_ONCE = 4_000_000
_WIDEST_TABLE = 60_000_000
_QUERIES_AT_ONCE = 20_000


def overlapping(classes: Classes, domains: Mapping[str, Domain]) -> int:
    """How many pairs of classes share a combination of values that a person could have; 0: all are disjoint.

    Groups of classes are cut wherever a column has a place that no class of the group crosses, all groups and
    places of a column at once, until nothing more can be cut; within what remains, all pairs are compared.
    """
    columns = list(domains)
    first = np.stack([domains[name].first[classes.labels[name]] for name in columns])
    last = np.stack([domains[name].last[classes.labels[name]] for name in columns])
    boxes = np.arange(len(classes))
    group = np.zeros(len(classes), dtype=np.int64)
    unchanged = 0
    column = 0
    while unchanged < len(columns) and len(boxes):
        boxes, group, cut = _cut(
            boxes, group, first[column], last[column], len(domains[columns[column]].values)
        )
        unchanged = 0 if cut else unchanged + 1
        column = (column + 1) % len(columns)
    return sum(_pairs(first[:, part], last[:, part]) for part in _parts(boxes, group))


def _cut(boxes: Ints, group: Ints, first: Ints, last: Ints, size: int) -> tuple[Ints, Ints, bool]:
    """Split each group at the places of one column that no box of it crosses; drop groups of one box."""
    # Groups follow each other on one axis, so that a running maximum never reaches into the next.
    low, high = group * size + first[boxes], group * size + last[boxes]
    order = np.argsort(low, kind="stable")
    low, high = low[order], high[order]
    starts = np.ones(len(low), dtype=bool)
    starts[1:] = low[1:] > np.maximum.accumulate(high)[:-1]
    found = np.cumsum(starts) - 1
    counts = np.bincount(found)
    kept = counts[found] > 1
    was = len(np.unique(group))
    return boxes[order][kept], np.unique(found[kept], return_inverse=True)[1], len(counts) > was


def _parts(boxes: Ints, group: Ints) -> list[Ints]:
    order = np.argsort(group, kind="stable")
    borders = np.flatnonzero(np.diff(group[order])) + 1
    return [part for part in np.split(boxes[order], borders) if len(part)]


def _pairs(first: Ints, last: Ints) -> int:
    count = first.shape[1]
    rows_at_once = max(1, _PAIRS_AT_ONCE // count)
    found = 0
    for start in range(0, count, rows_at_once):
        rows = slice(start, start + rows_at_once)
        meet = np.ones((len(range(*rows.indices(count))), count), dtype=bool)
        for low, high in zip(first, last, strict=True):
            meet &= (low[rows, None] <= high[None, :]) & (low[None, :] <= high[rows, None])
        found += int(meet.sum())
    return int(found - count) // 2  # each box meets itself, and each pair was seen from both sides


def containing(classes: Classes, domains: Mapping[str, Domain]) -> NDArray[np.bool_]:
    """Which classes have another published class wholly inside their box."""
    result = np.zeros(len(classes), dtype=bool)
    for inner, holder in _holders(classes, domains, classes.labels):
        result[holder[holder != inner]] = True
    return result


def people_inside(
    classes: Classes, domains: Mapping[str, Domain], values: Mapping[str, Codes], count: Ints
) -> Ints:
    """How many people of a population lie in the box of each class; one person may lie in several.

    ``values`` are the people's values (places in the domains), ``count`` how many have them.
    """
    labels = {name: domains[name].label_of_value[codes] for name, codes in values.items()}
    inside = np.zeros(len(classes), dtype=np.int64)
    for person, holder in _holders(classes, domains, labels):
        np.add.at(inside, holder, count[person])
    return inside


def _holders(
    classes: Classes, domains: Mapping[str, Domain], labels: Mapping[str, Ints]
) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of a box, given by its labels, and a class that holds it, some boxes at a time.

    The classes form a tree with a level for each column. Every box walks down it, at each column to its own
    label and to all wider ones: it ends at exactly the classes that hold it.
    """
    names = sorted(domains, key=lambda name: -len(np.unique(classes.labels[name])))
    node = np.zeros(len(classes), dtype=np.int64)
    levels: list[tuple[Ints, int, Ints, Ints]] = []
    for name in names:
        used, label = np.unique(classes.labels[name], return_inverse=True)
        keys, node = np.unique(node * len(used) + label, return_inverse=True)
        asked, query_label = np.unique(labels[name], return_inverse=True)
        levels.append((keys, len(used), query_label, _wider(domains[name], asked, used)))
    class_of_leaf = np.empty(len(classes), dtype=np.int64)
    class_of_leaf[node] = np.arange(len(classes))
    boxes = len(labels[names[0]])
    for start in range(0, boxes, _QUERIES_AT_ONCE):
        query = np.arange(start, min(start + _QUERIES_AT_ONCE, boxes))
        at = np.zeros(len(query), dtype=np.int64)
        for keys, size, query_label, wider in levels:
            options = wider[query_label[query]]
            wanted = np.where(options >= 0, at[:, None] * size + options, -1)
            place = _look_up(keys, wanted, (int(at.max(initial=0)) + 1) * size)
            rows, ways = np.nonzero(place >= 0)
            query, at = query[rows], place[rows, ways]
        yield query, class_of_leaf[at]


def _look_up(keys: Ints, wanted: Ints, span: int) -> Ints:
    """The place of each wanted number in the sorted ``keys``, or -1."""
    if span <= _WIDEST_TABLE and span <= 4 * wanted.size:
        table = np.full(span + 1, -1, dtype=np.int64)  # the last one answers -1
        inside = keys[keys < span]
        table[inside] = np.arange(len(inside))
        return table[wanted]
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def _wider(domain: Domain, asked: Ints, used: Ints) -> Ints:
    """[label asked for, way]: places in ``used`` of the labels that hold it; -1 fills up."""
    first, last = domain.first[used], domain.last[used]
    # Two labels for the same values (a group of one) hold each other, and so do classes that bear them.
    holders = [
        np.flatnonzero((first <= low) & (high <= last))
        for low, high in zip(domain.first[asked], domain.last[asked], strict=True)
    ]
    table = np.full((len(asked), max(map(len, holders), default=0)), -1, dtype=np.int64)
    for label, found in enumerate(holders):
        table[label, : len(found)] = found
    return table
