"""From extracted rows to a released table that keeps its privacy model and was checked before it is seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.hierarchy import Hierarchy
from backend.research.anonymize.types import Diversity, DiversityKind, Mode, PrivacyModel
from backend.research.anonymize.verify import Material, Promise, verify
from backend.research.outputs import Table
from backend.research.released import ReleasedTable
from backend.research.study import Proposal, quasi_identifiers
from backend.research.study_table import anonymize
from backend.research.study_terms import Dataset, DiversityRule
from backend.research.variable_lines import leaf_of, lines_of
from backend.research.variables import Role, Value
from backend.types import SubjectId


def release(
    proposal: Proposal, table: Table, rows: Sequence[tuple[bytes, SubjectId, dict[str, Value]]]
) -> ReleasedTable:
    """Anonymize one row a patient, given with its sort key and patient, and verify the result.

    Raises CohortTooSmall, ModelUnsatisfiable and TableUseless, which say nothing about how many;
    ReleaseUnverified when the independent check disagrees with the engine.
    """
    dataset = proposal.dataset or Dataset()
    model, mode = model_of(table.k, dataset), Mode(dataset.mode.value)
    placed = sorted(rows, key=lambda item: item[0])
    ordered = [row for _, _, row in placed]
    quasi = quasi_identifiers(proposal, table)
    names = [variable.name for variable in quasi]
    lines = {variable.name: lines_of(variable) for variable in quasi}
    original = {
        variable.name: [leaf_of(variable, row[variable.name]) for row in ordered] for variable in quasi
    }
    others = [proposal.by_name[name] for name in table.variables if name not in names]
    sensitive = {
        variable.name: [variable.level_of(row[variable.name]) for row in ordered]
        for variable in others
        if variable.role is Role.SENSITIVE
    }
    done = anonymize(
        original,
        {name: Hierarchy.parse(lines[name], column=name) for name in names},
        sensitive,
        model=model,
        mode=mode,
        suppression_limit=table.suppression_millionths / 1_000_000,
        minimum_cohort=proposal.minimum_cohort,
    )
    cells: dict[str, Sequence[str]] = dict(done.columns)
    cells |= {name: [levels[place] for place in done.kept] for name, levels in sensitive.items()}
    verified = verify(
        Material(
            released=pl.DataFrame({name: list(column) for name, column in cells.items()}),
            original=pl.DataFrame(original),
            kept=np.array(done.kept),
            sensitive_before=pl.DataFrame(sensitive),
            patients=None,
            domains=read_domains(lines),
        ),
        Promise(
            model=model,
            disjoint=mode is Mode.STRICT,
            suppression=table.suppression_millionths / 1_000_000,
            protected=tuple(sensitive) if model.needs_sensitive else (),
        ),
    )
    members = zip(done.kept, verified.classes.of_row.tolist(), strict=True)
    class_of = {placed[place][1]: number for place, number in members}
    released = tuple(zip(*(cells[name] for name in table.variables), strict=True))
    subjects = tuple(placed[place][1] for place in done.kept)
    return ReleasedTable(table.variables, tuple(names), released, done.report, class_of, subjects)


def model_of(k: int, dataset: Dataset) -> PrivacyModel:
    """The model that a proposal's dataset promises, for the engine and its verifier."""
    diversity = None
    if dataset.diversity is not DiversityRule.NONE:
        kind = DiversityKind(dataset.diversity.value)
        diversity = Diversity(kind, float(dataset.l), float(dataset.c) if dataset.c else None)
    return PrivacyModel(k, diversity, float(dataset.t) if dataset.t else None)
