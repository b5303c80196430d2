"""``assent audit rotate-key``, and what else concerns the log's keys, tiles and witnesses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show
from backend.commands.upkeep import audit as audit  # noqa: PLC0414 - the group that these join
from backend.commands.upkeep import opened


@audit.command("rotate-key")
def rotate_key(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Make the log's next key; the service must be stopped. Publish what is printed beside the older keys."""
    from backend.maintenance.fsck import require_deployment
    from backend.maintenance.log_keys import rotate_log_key

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores:
            show(rotate_log_key(stores), as_json=as_json)


@audit.command("tiles")
def tiles(
    directory: Annotated[Path, typer.Argument(help="where the files go; what is there already stays")],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Write the log's checkpoint and tiles as files (C2SP tlog-tiles); the service must be stopped."""
    from backend.maintenance.fsck import require_deployment
    from backend.maintenance.log_tiles import write_tiles

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores:
            show(write_tiles(stores, directory), as_json=as_json)
