"""``assent users``."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show

app = typer.Typer(help="Accounts of people: staff, auditors, researchers.", no_args_is_help=True)

Roles = Annotated[list[str], typer.Option("--role", help="may be given several times")]
User = Annotated[str, typer.Argument(help="user name or staff id")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="read the password from standard input")
]


@app.callback()
def _users() -> None:
    """Accounts of people: staff, auditors, researchers."""


@app.command("add")
def add(
    username: Annotated[str, typer.Argument(help="3 to 64 of a-z, 0-9, '.', '_', '@', '-'")],
    role: Roles,
    password_stdin: PasswordStdin = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Add an account, also while the service runs. Without --password-stdin a password is drawn and shown."""
    from backend.maintenance.accounts import open_accounts

    password, shown = _password(password_stdin)
    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.add_user(username, password, role) | shown, as_json=as_json)


@app.command("list")
def list_users(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List all accounts, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.users(), as_json=as_json)


@app.command("disable")
def disable(user: User, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Close an account and end its sessions, also while the service runs. One operator must remain."""
    _set_disabled(user, True, data_directory, as_json)


@app.command("enable")
def enable(user: User, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Open a disabled account again, also while the service runs."""
    _set_disabled(user, False, data_directory, as_json)


@app.command("set-roles")
def set_roles(user: User, role: Roles, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Replace the roles of an account and end its sessions, also while the service runs."""
    from backend.maintenance.accounts import find_user, open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        found = find_user(accounts, user)
        show(accounts.set_user_roles(found["staff_id"], role), as_json=as_json)


@app.command("reset-password")
def reset_password(
    user: User,
    password_stdin: PasswordStdin = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Set a new password, lift a lock and end the sessions, also while the service runs. Without
    --password-stdin it is drawn and shown. Where operator.json holds the account, it is kept true."""
    from backend.maintenance.accounts import find_user, keep_operator_file_true, open_accounts

    password, shown = _password(password_stdin)
    settings = read_settings(data_directory=data_directory)
    with named_errors(), open_accounts(settings) as accounts:
        found = find_user(accounts, user)
        accounts.reset_password(found["staff_id"], password)
        kept = keep_operator_file_true(settings, found["username"], password)
        answer = {"staff_id": found["staff_id"], "username": found["username"], "operator_file": kept}
        show(answer | shown, as_json=as_json)


def _set_disabled(user: str, disabled: bool, data_directory: DataDirectory, as_json: bool) -> None:
    from backend.maintenance.accounts import find_user, open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        found = find_user(accounts, user)
        show(accounts.set_user_disabled(found["staff_id"], disabled), as_json=as_json)


def _password(from_stdin: bool) -> tuple[str, dict[str, str]]:
    """Return a password, and what of it to show: only one that was drawn here."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n"), {}
    drawn = secrets.token_urlsafe(18)
    return drawn, {"password": drawn}
