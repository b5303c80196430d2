"""``assent migrate``: for stopped stores that an earlier release wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only list the steps and how much each changes")
    ] = False,
    to: Annotated[
        Path | None, typer.Option(help="where the backup goes; ASSENT_BACKUP_DIRECTORY without it")
    ] = None,
    service_half: Annotated[
        Path | None, typer.Option(help="service half of its key; ASSENT_BACKUP_RECOVERY_KEY without it")
    ] = None,
    without_backup: Annotated[
        bool, typer.Option("--without-backup", help="you have a backup that you verified")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Bring data that an earlier release wrote into the form of this one, after a backup.

    Interrupted, it goes on when it is called again; until then nothing starts on the data.
    """
    from backend.maintenance import migrating

    with named_errors():
        settings = read_settings(
            data_directory=data_directory, backup_directory=to, backup_recovery_key=service_half
        )
        done = migrating.migrate(
            settings,
            dry_run=dry_run,
            with_backup=not without_backup,
            tell=(lambda _: None) if as_json else typer.echo,
        )
        show(done, as_json=as_json)
