"""``assent members``."""

from __future__ import annotations

from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, named_errors, read_settings, show

app = typer.Typer(help="Organisations that take part.", no_args_is_help=True)

Member = Annotated[str, typer.Argument(help="member id in hex, as 'assent members list' shows it")]


@app.callback()
def _members() -> None:
    """Organisations that take part."""


@app.command("list")
def list_members(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List all members with their standing and the end of their credentials, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.members(), as_json=as_json)


@app.command("admit-custodian")
def admit_custodian(
    member: Annotated[str, typer.Argument(help="member id in hex, as 'assent ledger join' shows it there")],
    account: Annotated[str, typer.Option(help="account of its service, as 'assent ledger join' shows it")],
    name: Annotated[str, typer.Option(help="name of the organisation; it stays here")],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Admit an organisation that runs a service of its own on this chain, also while the service runs. In
    production it counts after the registry's delay."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.admit_custodian(name, member, account), as_json=as_json)


@app.command("suspend")
def suspend(member: Member, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Stop a member at once, until it is reinstated, also while the service runs or the chain is away."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.suspend_member(member), as_json=as_json)


@app.command("reinstate")
def reinstate(member: Member, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """End a suspension, also while the service runs. In production it counts after the registry's delay."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.reinstate_member(member), as_json=as_json)


@app.command("remove")
def remove(member: Member, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Stop a member at once and for good, or call its admission off, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.remove_member(member), as_json=as_json)
