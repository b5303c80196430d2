"""``assent keys``."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show

app = typer.Typer(help="Keys that sign access tokens.", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keys that sign access tokens."""


@app.command("rotate")
def rotate(
    compromised: Annotated[
        bool, typer.Option("--compromised", help="refuse at once all tokens that older keys signed")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Make the next key, also while the service runs. It signs in ten minutes, with --compromised at once."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.rotate_signing_key(compromised=compromised), as_json=as_json)


def rotate_audit(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Give every patient a new audit key for entries from now on, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.rotate_audit_keys(), as_json=as_json)
