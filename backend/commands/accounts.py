"""``assent users`` and ``assent clients``."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, fail, named_errors, read_settings, show

users = typer.Typer(help="Accounts of people: staff, auditors, researchers.", no_args_is_help=True)
clients = typer.Typer(help="Systems that sign in by themselves.", no_args_is_help=True)

Roles = Annotated[list[str], typer.Option("--role", help="may be given several times")]


@users.callback()
def _users() -> None:
    """Accounts of people: staff, auditors, researchers."""


@clients.callback()
def _clients() -> None:
    """Systems that sign in by themselves."""


@users.command("add")
def add_user(
    username: Annotated[str, typer.Argument(help="3 to 64 of a-z, 0-9, '.', '_', '@', '-'")],
    role: Roles,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Add an account, also while the service runs. Without --password-stdin a password is drawn and shown."""
    from backend.maintenance.accounts import open_accounts

    drawn = None if password_stdin else secrets.token_urlsafe(18)
    password = drawn or sys.stdin.readline().rstrip("\r\n")
    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        made = accounts.add_user(username, password, role)
        show(made if drawn is None else made | {"password": drawn}, as_json=as_json)


@clients.command("add")
def add_client(
    name: Annotated[str, typer.Argument(help="what the system is called")],
    role: Roles,
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
        belongs_to = member if member is not None else accounts.add_member(new_member or "", role)
        show(accounts.add_client(name, role, belongs_to), as_json=as_json)
