"""``assent clients``."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, fail, named_errors, read_settings, show

app = typer.Typer(help="Systems that sign in by themselves.", no_args_is_help=True)

Client = Annotated[str, typer.Argument(help="client id, as 'assent clients list' shows it")]
DAY_SECONDS = 24 * 3600


@app.callback()
def _clients() -> None:
    """Systems that sign in by themselves."""


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="what the system is called")],
    role: Annotated[list[str], typer.Option("--role", help="may be given several times")],
    member: Annotated[str | None, typer.Option(help="id of the organisation it belongs to, in hex")] = None,
    new_member: Annotated[
        str | None, typer.Option(help="name of an organisation to admit with the same roles")
    ] = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Add a system with OAuth2 client credentials, also while the service runs. The secret is shown once."""
    from backend.maintenance.accounts import open_accounts

    if (member is None) == (new_member is None):
        fail("usage", "Give one of --member and --new-member.", "See assent clients add --help.")
    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        standing: dict[str, object] = {}
        if member is None:
            admitted = accounts.add_member(new_member or "", role)
            member = str(admitted["member_id"])
            # It may sign in at once, and is permitted nothing before its organisation is admitted.
            standing = {each: admitted[each] for each in ("standing", "effective_from")}
        show(accounts.add_client(name, role, member) | standing, as_json=as_json)


@app.command("list")
def list_clients(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List all clients, without their secrets, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.clients(), as_json=as_json)


@app.command("disable")
def disable(client: Client, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Close a client and end its sessions, also while the service runs."""
    _set_disabled(client, True, data_directory, as_json)


@app.command("enable")
def enable(client: Client, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Open a disabled client again, also while the service runs."""
    _set_disabled(client, False, data_directory, as_json)


@app.command("rotate-secret")
def rotate_secret(
    client: Client,
    overlap_seconds: Annotated[
        int,
        typer.Option(min=0, max=30 * DAY_SECONDS, help="how long the old secret still holds; 0 ends it now"),
    ] = DAY_SECONDS,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Draw a new secret, shown once, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.rotate_secret(client, overlap_seconds), as_json=as_json)


def _set_disabled(client: str, disabled: bool, data_directory: DataDirectory, as_json: bool) -> None:
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.set_client_disabled(client, disabled), as_json=as_json)
