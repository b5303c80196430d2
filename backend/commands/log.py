"""``assent audit rotate-key``, and what else concerns the log's keys, tiles and witnesses."""

from __future__ import annotations

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
