"""``assent ledger``: what the chain itself knows. Needs a node and the deployment file, and no service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.commands.terminal import (
    ERR,
    OUT,
    AsJson,
    DataDirectory,
    fail,
    named_errors,
    read_settings,
    show,
    until_interrupted,
)

if TYPE_CHECKING:
    from backend.explorer.node import Node
    from backend.explorer.verify import Progress

app = typer.Typer(help="What the chain itself knows; needs no service.", no_args_is_help=True)

Endpoint = Annotated[
    str | None, typer.Option("--rpc", help="JSON-RPC of a chain node; default: this service's")
]
DeploymentFile = Annotated[
    Path | None,
    typer.Option(help="the contracts' addresses; default: chain/deployment.json in the data directory"),
]
AtBlock = Annotated[int | None, typer.Option(min=0, help="a block of the past; default: the newest")]


@app.callback()
def _ledger() -> None:
    """What the chain itself knows; needs no service."""


@app.command("accounts")
def accounts(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Show the accounts that the stopped service sends from, drawing them where it never started: a network
    may want them on its allowlist, or with what they pay for gas."""
    from backend.stores import sending_accounts

    with named_errors():
        found = sending_accounts(read_settings(data_directory=data_directory))
        show({sender.value: account for sender, account in found.items()}, as_json=as_json)


@app.command("join")
def join(
    deployment: Annotated[
        Path, typer.Argument(help="chain/deployment.json of the organisation that deployed the contracts")
    ],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Have the service that is to start here use contracts that others deployed, after checking them on the
    chain, and show what the others need to admit it. Not while it runs."""
    from backend.stores import join as join_network
    from backend.types import to_hex

    with named_errors():
        found = join_network(read_settings(data_directory=data_directory), deployment)
        answer = {
            "member_id": to_hex(found.member),
            "account": found.account,
            "standing": found.standing.name.lower(),
            "accounts": found.accounts if as_json else " ".join(found.accounts),
            "chain_id": found.deployment.chain_id,
            "consent_registry": found.deployment.address("ConsentRegistry"),
            "audit_anchor": found.deployment.address("AuditAnchor"),
            "log_id": to_hex(found.log_id),
        }
        show(answer, as_json=as_json)


@app.command("succeed")
def succeed(
    theirs: Annotated[
        Path | None,
        typer.Option("--with", help="chain/deployment.json of a custodian that has succeeded already"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would be taken over; change nothing")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="give up what was begun; what stands counts on")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Have this release's contracts take over from those of the stopped service, with everything that stands
    there. Nobody signs again. While it runs, every custodian's service on the chain has to be stopped."""
    from backend.maintenance.succeeding import abandon as give_up
    from backend.maintenance.succeeding import succeed as take_over

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        if abandon:
            give_up(settings)
            show({"abandoned": True}, as_json=as_json)
            return
        with _progress() as progress:
            found = take_over(settings, theirs=theirs, dry_run=dry_run, progress=progress)
        answer = {
            "subjects": found.subjects,
            "documents": found.documents,
            "consent_registry": found.deployment.address("ConsentRegistry"),
            "key_registry": found.deployment.address("KeyRegistry"),
            "emergency_access": found.deployment.address("EmergencyAccess"),
            "since_block": found.deployment.since,
        }
        show({**answer, "changed": False} if dry_run else answer, as_json=as_json)


@app.command("show")
def show_id(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="hex: any id of 32 bytes, a subject or an account")
    ],
    block: AtBlock = None,
    events: Annotated[int, typer.Option(min=0, help="show so many of the newest events; 0 for all")] = 100,
    rpc: Endpoint = None,
    deployment: DeploymentFile = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Say what an id is, how it stands and what happened to it; exit status 3 where nothing knows it."""
    from backend.commands.ledger_text import print_shown, shown_json
    from backend.explorer.errors import LedgerIdUnknown
    from backend.explorer.show import parse_id
    from backend.explorer.show import show as look_up
    from backend.types import BlockNumber

    with named_errors():
        word = parse_id(identity)
        with _node(rpc, deployment, data_directory) as node, _progress() as progress:
            try:
                found = look_up(node, word, None if block is None else BlockNumber(block), progress)
            except LedgerIdUnknown as unknown:
                fail(unknown.code, unknown.detail, unknown.remedy, status=3)
    if as_json:
        show(shown_json(found, newest=events), as_json=True)
    else:
        print_shown(found, OUT, newest=events)
    raise typer.Exit(1 if found.agrees is False else 0)


@app.command("watch")
def watch(
    from_block: Annotated[
        int | None, typer.Option("--from", min=0, help="first block to show; default: the next one")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", help="a contract, an event or an id that it names; may be given several times"
        ),
    ] = None,
    rpc: Endpoint = None,
    deployment: DeploymentFile = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Show the events of all contracts as they come, until Ctrl-C. With --json one object a line."""
    from backend.commands.ledger_text import event_json, print_event, print_heading
    from backend.explorer.watch import Filter, Notice, Watch
    from backend.types import BlockNumber

    with (
        named_errors(),
        _node(rpc, deployment, data_directory, may_start=False) as node,
        until_interrupted() as wait,
    ):
        first = None if from_block is None else BlockNumber(from_block)
        watching = Watch(node, first=first, filter_=Filter(filters or []), sleep=wait)
        if not as_json:
            print_heading(OUT)
        try:
            for item in watching.run():
                if isinstance(item, Notice):
                    _notice(item, as_json=as_json)
                elif as_json:
                    typer.echo(json.dumps(event_json(item)))
                else:
                    print_event(item, OUT, newest=len(node.deployment.predecessors))
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


@app.command("verify")
def verify(
    block: AtBlock = None,
    rpc: Endpoint = None,
    deployment: DeploymentFile = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Make all storage again from the events alone and compare it; exit status 1 where it differs."""
    from backend.commands.ledger_text import print_verified, verified_json
    from backend.explorer.verify import verify as compare
    from backend.types import BlockNumber

    with named_errors(), _node(rpc, deployment, data_directory) as node, _progress() as progress:
        report = compare(node, None if block is None else BlockNumber(block), progress)
    if as_json:
        show(verified_json(report), as_json=True)
    else:
        print_verified(report, OUT)
    raise typer.Exit(0 if report.holds else 1)


@contextmanager
def _node(
    rpc: str | None, deployment: Path | None, data_directory: Path | None, *, may_start: bool = True
) -> Iterator[Node]:
    from backend.explorer.node import open_node

    settings = read_settings(data_directory=data_directory)
    with open_node(settings, url=rpc, deployment_file=deployment, may_start=may_start) as node:
        yield node


@contextmanager
def _progress() -> Iterator[Progress]:
    """Where a person looks on, say what takes long."""
    if not ERR.is_terminal:
        yield lambda _: None
        return
    with ERR.status("asking the node") as status:
        yield status.update


def _notice(notice: Any, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"notice": notice.kind, "text": notice.text, "block": notice.block}))
    else:
        ERR.print(notice.text, markup=False, highlight=False, soft_wrap=True)
