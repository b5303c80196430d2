"""``assent import``."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from backend.commands.terminal import ERR, OUT, AsJson, DataDirectory, named_errors, read_settings, show

if TYPE_CHECKING:
    from backend.maintenance.importing import Outcome


def import_bundles(
    folder: Annotated[Path, typer.Argument(help="FHIR R4 bundles of enrolled patients, as .json files")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check everything and store nothing")] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Store a folder of bundles while the service is stopped. Run it again to go on after an interruption."""
    from backend.bootstrap import open_world
    from backend.maintenance.importing import REFUSED, bundles_in, import_files

    outcomes: list[Outcome] = []
    with named_errors():
        paths = bundles_in(folder)
        with (
            closing(open_world(read_settings(data_directory=data_directory))) as world,
            Progress(console=ERR, disable=not ERR.is_terminal) as progress,
        ):
            bar = progress.add_task("importing", total=len(paths))
            for outcome in import_files(world, paths, dry_run=dry_run):
                outcomes.append(outcome)
                progress.advance(bar)
    counts = Counter(outcome.result for outcome in outcomes)
    if as_json:
        show({"files": [asdict(outcome) for outcome in outcomes], "counts": dict(counts)}, as_json=True)
    else:
        for outcome in outcomes:
            text = f"{outcome.result:<16} {outcome.file}  {outcome.record_id}{outcome.code} {outcome.detail}"
            OUT.print(text, highlight=False, markup=False, soft_wrap=True)
        show(dict(counts), as_json=False)
    raise typer.Exit(1 if counts[REFUSED] else 0)
