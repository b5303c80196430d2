"""From extracted rows to a released k-anonymous table that was checked before anyone sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.overlaps import overlapping
from backend.research.anonymize.published import classes_of
from backend.research.anonymize.refusals import ReleaseUnverified
from backend.research.anonymize.verify import require_containment, require_k, require_suppression
from backend.research.hierarchy import from_lines, leaf_of, lines_of
from backend.research.kanonymity import ReleaseReport, anonymize
from backend.research.outputs import Table
from backend.research.study import Proposal, quasi_identifiers
from backend.research.variables import Role, Value
from backend.types import SubjectId


@dataclass(frozen=True, slots=True)
class ReleasedTable:
    """One row a patient, in an order that tells nothing; one cell for each name in ``columns``.

    ``class_of`` tells which patients share their quasi-identifiers: for the release ledger, never released.
    """

    columns: tuple[str, ...]
    quasi_identifiers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    report: ReleaseReport
    class_of: Mapping[SubjectId, int]


def release(
    proposal: Proposal, table: Table, rows: Sequence[tuple[bytes, SubjectId, dict[str, Value]]]
) -> ReleasedTable:
    """Anonymize one row a patient, given with its sort key and patient, and verify the result.

    Raises CohortTooSmall and TableUseless, which say nothing about how many; ReleaseUnverified when the
    independent check disagrees with the engine.
    """
    placed = sorted(rows, key=lambda item: item[0])
    ordered = [row for _, _, row in placed]
    quasi = quasi_identifiers(proposal, table)
    names = [variable.name for variable in quasi]
    lines = {variable.name: lines_of(variable) for variable in quasi}
    original = {
        variable.name: [leaf_of(variable, row[variable.name]) for row in ordered] for variable in quasi
    }
    done = anonymize(
        original,
        {name: from_lines(name, lines[name]) for name in names},
        k=table.k,
        suppression_limit=table.suppression_millionths / 1_000_000,
        minimum_cohort=proposal.minimum_cohort,
    )
    released = pl.DataFrame({name: list(done.columns[name]) for name in names})
    domains = read_domains(lines)
    require_suppression(len(ordered), released.height, table.suppression_millionths / 1_000_000)
    classes = classes_of(released, domains)
    require_k(classes, table.k)
    require_containment(pl.DataFrame(original), np.array(done.kept), released, domains)
    if overlapping(classes, domains):
        raise ReleaseUnverified("two classes overlap")
    class_of = {
        placed[place][1]: number for place, number in zip(done.kept, classes.of_row.tolist(), strict=True)
    }
    cells: dict[str, Sequence[str]] = dict(done.columns)
    for name in table.variables:
        variable = proposal.by_name[name]
        if variable.role is Role.SENSITIVE:
            cells[name] = [variable.level_of(ordered[place][name]) for place in done.kept]
    made = tuple(zip(*(cells[name] for name in table.variables), strict=True))
    return ReleasedTable(table.variables, tuple(names), made, done.report, class_of)
