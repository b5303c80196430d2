"""A release from files to files: nothing appears unless all of it was verified and written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from backend.research.anonymize.domains import read_domains
from backend.research.anonymize.hierarchy_files import Lines, read_hierarchies
from backend.research.anonymize.refusals import SchemaInvalid, TableInvalid
from backend.research.anonymize.release import Release, Request, release
from backend.research.anonymize.report import Population, Report, report_on
from backend.research.anonymize.report_html import render
from backend.research.anonymize.schema import Schema, parse_schema
from backend.research.anonymize.staged_files import StagedFiles
from backend.research.anonymize.tables import CSV, read_population, read_table, suffix_of


@dataclass(frozen=True, slots=True)
class Paths:
    """``hierarchies`` is the folder of the hierarchy files; None: the schema's own."""

    table: Path
    schema: Path
    output: Path
    hierarchies: Path | None = None
    report: Path | None = None
    report_html: Path | None = None
    population: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """``report`` is made only where a file for it was asked for."""

    release: Release
    rows_before: int
    digest: str
    report: Report | None


def anonymize_file(paths: Paths, request: Request, *, population_size: int | None = None) -> Done:
    """Read, anonymize, verify, measure and write.

    ``population_size``: how many people the rows were drawn from; where it is not given, the number of rows
    of ``paths.population``.

    Raises SchemaInvalid, TableInvalid, HierarchyInvalid, ValueOutsideDomain and what ``release`` raises; then
    no file is there that was not there before.
    """
    suffix_of(paths.output)
    schema = read_schema(paths.schema)
    lines = read_hierarchies(schema, paths.hierarchies or paths.schema.parent)
    values = _values(lines)
    before = read_table(paths.table, schema, values)
    population = _population(paths, schema, values, population_size)
    people = before.height if schema.patient is None else before[schema.patient].n_unique()
    if population is not None and population.size < people:
        raise TableInvalid("the population is smaller than the table")
    with StagedFiles() as staged:
        # Where to write is settled before the work begins: a run may take long.
        output = staged.path_for(paths.output)
        report_json = staged.path_for(paths.report) if paths.report is not None else None
        report_html = staged.path_for(paths.report_html) if paths.report_html is not None else None
        made = release(before, schema, lines, request)
        _write(made.table, output, suffix_of(paths.output), schema.delimiter)
        with output.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        report = None
        if report_json is not None or report_html is not None:
            report = report_on(before, schema, request, made, digest=digest, population=population)
            if report_json is not None:
                report_json.write_text(
                    json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n", "utf-8"
                )
            if report_html is not None:
                report_html.write_text(render(report), "utf-8")
        staged.publish()
    return Done(made, before.height, digest, report)


def read_schema(path: Path) -> Schema:
    """Read a schema's file. Raises SchemaInvalid."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as failure:
        raise SchemaInvalid(f"{path.name} cannot be read") from failure
    return parse_schema(text)


def _values(lines: dict[str, Lines]) -> dict[str, tuple[str, ...]]:
    return {name: domain.values for name, domain in read_domains(lines).items()}


def _population(
    paths: Paths, schema: Schema, values: dict[str, tuple[str, ...]], size: int | None
) -> Population | None:
    if paths.population is None:
        return None if size is None else Population(size)
    table = read_population(paths.population, schema, values)
    return Population(table.height if size is None else size, table)


def _write(table: pl.DataFrame, path: Path, suffix: str, delimiter: str) -> None:
    try:
        if suffix == CSV:
            table.write_csv(path, separator=delimiter)
        else:
            table.write_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise TableInvalid("the output cannot be written") from failure
