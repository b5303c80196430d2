"""From extracted rows to a released k-anonymous table that was checked before anyone sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import PrivacyModel
from backend.research.anonymize.verify import Material, Promise, verify
from backend.research.outputs import Table
from backend.research.study import Proposal, quasi_identifiers
from backend.research.study_table import ReleaseReport, anonymize
from backend.research.variable_lines import leaf_of, lines_of
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
        {name: Hierarchy.parse(lines[name], column=name) for name in names},
        k=table.k,
        suppression_limit=table.suppression_millionths / 1_000_000,
        minimum_cohort=proposal.minimum_cohort,
    )
    verified = verify(
        Material(
            released=pl.DataFrame({name: list(done.columns[name]) for name in names}),
            original=pl.DataFrame(original),
            kept=np.array(done.kept),
            sensitive_before=pl.DataFrame(),
            patients=None,
            domains=read_domains(lines),
        ),
        Promise(
            model=PrivacyModel(table.k),
            disjoint=True,
            suppression=table.suppression_millionths / 1_000_000,
        ),
    )
    members = zip(done.kept, verified.classes.of_row.tolist(), strict=True)
    class_of = {placed[place][1]: number for place, number in members}
    cells: dict[str, Sequence[str]] = dict(done.columns)
    for name in table.variables:
        variable = proposal.by_name[name]
        if variable.role is Role.SENSITIVE:
            cells[name] = [variable.level_of(ordered[place][name]) for place in done.kept]
    released = tuple(zip(*(cells[name] for name in table.variables), strict=True))
    return ReleasedTable(table.variables, tuple(names), released, done.report, class_of)
