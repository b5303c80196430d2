"""``assent retention``."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show

app = typer.Typer(help="How long records and results of studies are kept.", no_args_is_help=True)


@app.callback()
def _retention() -> None:
    """How long records and results of studies are kept."""


@app.command("show")
def show_rules(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Show the rules in force, checked."""
    from backend.consent.tables import load_tables
    from backend.erasure import results
    from backend.erasure.retention import read_rules

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        file, tables = settings.retention_file, load_tables()
        rules = () if file is None else read_rules(file, tables)
    show(
        [
            {
                "code": rule.code,
                "of": "records",
                "document_types": sorted(rule.document_types),
                "categories": list(tables.categories.codes(rule.categories)),
                "years": rule.years,
                "from": rule.begin.value,
            }
            for rule in rules
        ]
        + [
            {"code": rule.code, "of": f"{rule.what} of studies", "days": rule.days, "from": "study_end"}
            for rule in results.rules(settings.result_retention_days)
        ],
        as_json=as_json,
    )


@app.command("run")
def run_rules(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be erased")] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Begin the erasure of every record whose time is over, or say which those are; with the service stopped.

    A running service does the same every hour."""
    from backend.bootstrap import open_world
    from backend.maintenance.fsck import require_deployment
    from backend.maintenance.retention import due_now
    from backend.stores import open_stores
    from backend.types import subject_text, time_text

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        stores = open_stores(settings)
        try:
            due = due_now(stores)
        finally:
            stores.closing.close()
        if not dry_run:
            world = open_world(settings)
            try:
                world.services.erasure.retention.run()
            finally:
                world.close()
    found = [
        {
            "record_id": each.record_id.hex(),
            "subject": subject_text(each.subject),
            "kept_until": time_text(each.until),
            "rule": each.rule,
            "held": each.held,
        }
        for each in due
    ]
    show(found, as_json=as_json)
