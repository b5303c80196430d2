"""``assent webhooks``."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show

app = typer.Typer(help="Messages to systems of organisations.", no_args_is_help=True)


@app.callback()
def _webhooks() -> None:
    """Messages to systems of organisations."""


@app.command("list")
def list_deliveries(
    state: Annotated[str, typer.Option(help="'dead' (given up), 'waiting', 'delivered' or 'all'")] = "dead",
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """List messages that were given up, or those of another state, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.deliveries(state), as_json=as_json)


@app.command("retry")
def retry(
    message: Annotated[str, typer.Argument(help="message id, as 'assent webhooks list' shows it")],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Have one message tried again at once, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.retry_delivery(message), as_json=as_json)
