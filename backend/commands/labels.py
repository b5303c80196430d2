"""``assent labels``: needs neither a service nor its stores."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from backend.commands.terminal import OUT, AsJson, DataDirectory, named_errors, printable, read_settings, show

if TYPE_CHECKING:
    from backend.maintenance.label_coverage import DataSet
    from backend.records.label_coverage import Unknown

app = typer.Typer(help="The tables that label records.", no_args_is_help=True)


@app.callback()
def _labels() -> None:
    """The tables that label records."""


@app.command("coverage")
def coverage(
    folder: Annotated[Path, typer.Argument(help="FHIR R4 bundles or resources, as .json files")],
    label_map: Annotated[
        Path | None, typer.Option("--map", help="a map of local codes (ASSENT_LABEL_MAP)")
    ] = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """List the codes of a data set that no table knows; exit status 1 when a file could not be read."""
    from backend.maintenance.label_coverage import cover
    from backend.records.label_loading import tables_with_map

    with named_errors():
        settings = read_settings(data_directory=data_directory, label_map=label_map)
        found = cover(folder, tables_with_map(settings.label_map_file))
    if as_json:
        show(asdict(found), as_json=True)
    else:
        _print(found)
    raise typer.Exit(1 if found.refused else 0)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="a map of local codes")], as_json: AsJson = False
) -> None:
    """Check a map of local codes as the service would at its start, and print its digests."""
    from backend.records.label_loading import join, label_tables, read_map

    with named_errors():
        label_map = read_map(file)
        tables = join(label_tables(), label_map)
        answer = {
            "version": label_map.version,
            "reviewer": label_map.reviewer,
            "reviewed_on": label_map.reviewed_on.isoformat(),
            "mappings": len(label_map.mappings),
            "map_digest": label_map.digest,
            "published_digest": tables.published,
            "digest": tables.digest,
        }
        show(answer, as_json=as_json)


def _print(found: DataSet) -> None:
    for title, rows in (("codes no table knows", found.coverage.codes), ("others", found.coverage.others)):
        if rows:
            OUT.print(_table(title, rows))
    for refusal in found.refused:
        text = f"refused  {refusal.file}  {refusal.code} {refusal.detail}"
        OUT.print(text, highlight=False, markup=False, soft_wrap=True)
    counts = {
        "files": found.files,
        "resources": found.coverage.resources,
        "unlabelled": found.coverage.unlabelled,
        "codes": len(found.coverage.codes),
        "tables": found.tables,
    }
    show(counts, as_json=False)


def _table(title: str, rows: tuple[Unknown, ...]) -> Table:
    table = Table(box=None, title=title, title_justify="left", pad_edge=False)
    for column in ("count", "system", "code", "display", "resource types"):
        table.add_column(column, justify="right" if column == "count" else "left", overflow="fold")
    for row in rows:
        cells = (str(row.count), row.system, row.code, row.display, ", ".join(row.resource_types))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
