"""What an output must satisfy, recounted in the slowest and plainest way; shares no code with the engine."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from backend.research.anonymize.types import Anonymized, DiversityKind, PrivacyModel

Lines = Sequence[tuple[str, ...]]
Columns = Mapping[str, Sequence[str]]


def satisfied(
    rows: Sequence[int], model: PrivacyModel, sensitive: Columns, people: Sequence[object], total: int
) -> bool:
    """Whether the rows, as one class of a table of ``total`` rows, satisfy the model."""
    if len({people[row] for row in rows}) < model.k:
        return False
    return all(_guarded([values[row] for row in rows], model, values, total) for values in sensitive.values())


def _guarded(values: list[str], model: PrivacyModel, column: Sequence[str], total: int) -> bool:
    counts = sorted(Counter(values).values(), reverse=True)
    diversity = model.diversity
    if diversity is not None:
        if diversity.kind is DiversityKind.DISTINCT and len(counts) < diversity.l:
            return False
        if diversity.kind is DiversityKind.ENTROPY:
            entropy = -sum(count / len(values) * math.log(count / len(values)) for count in counts)
            if entropy < math.log(diversity.l) - 1e-9:
                return False
        if diversity.kind is DiversityKind.RECURSIVE:
            assert diversity.c is not None
            if not counts[0] < diversity.c * sum(counts[int(diversity.l) - 1 :]):
                return False
    if model.t is not None:
        whole, here = Counter(column), Counter(values)
        apart = sum(abs(here[value] / len(values) - whole[value] / total) for value in whole) / 2
        if apart > model.t + 1e-9:
            return False
    return True


def check(
    done: Anonymized,
    quasi: Columns,
    lines: Mapping[str, Lines],
    *,
    model: PrivacyModel,
    sensitive: Columns,
    limit: float,
    people: Sequence[object] | None = None,
) -> None:
    """Assert everything that a result promises, from the labels alone."""
    total = len(next(iter(quasi.values())))
    owners = range(total) if people is None else people
    groups = {name: {line[0]: set(line) for line in lines[name]} for name in quasi}
    classes: dict[tuple[str, ...], list[int]] = defaultdict(list)
    numbers: dict[int, tuple[str, ...]] = {}
    for row in range(total):
        cells = tuple(done.quasi[name][row] for name in quasi)
        if done.suppressed[row]:
            assert done.class_id[row] == -1
            assert all(cell is None for cell in cells)
            continue
        assert all(cell in groups[name][quasi[name][row]] for name, cell in zip(quasi, cells, strict=True))
        classes[cells].append(row)
        assert numbers.setdefault(int(done.class_id[row]), cells) == cells
    assert sorted(numbers) == list(range(len(classes)))
    assert int(done.suppressed.sum()) <= limit * total + 1e-9
    assert classes
    for rows in classes.values():
        assert satisfied(rows, model, sensitive, owners, total)


def leaves(lines: Lines, label: str) -> set[str]:
    return {line[0] for line in lines if label in line}


def loss_of(done: Anonymized, lines: Mapping[str, Lines]) -> float:
    """The mean over cells of (leaves - 1) / (domain - 1); a suppressed cell is 1."""
    cells = [
        1.0 if label is None else (len(leaves(lines[name], label)) - 1) / max(len(lines[name]) - 1, 1)
        for name, column in done.quasi.items()
        for label in column
    ]
    return sum(cells) / len(cells)


def disjoint(done: Anonymized, lines: Mapping[str, Lines]) -> bool:
    """Whether any two classes have a column in which their groups share no value."""
    names = list(done.quasi)
    boxes = {
        cells
        for cells in zip(*(done.quasi[name].to_list() for name in names), strict=True)
        if cells[0] is not None
    }
    sets = [[leaves(lines[name], cell) for name, cell in zip(names, cells, strict=True)] for cells in boxes]
    return all(
        any(not one & other for one, other in zip(first, second, strict=True))
        for place, first in enumerate(sets)
        for second in sets[place + 1 :]
    )
