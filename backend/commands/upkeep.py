"""``assent fsck``, ``reindex``, ``deploy`` and ``audit``: for a stopped service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from backend.commands import affected, replaying
from backend.commands.terminal import OUT, AsJson, DataDirectory, fail, named_errors, read_settings, show
from backend.types import SubjectId

if TYPE_CHECKING:
    from backend.maintenance.report import Report
    from backend.settings import Settings
    from backend.stores import Stores

audit = typer.Typer(help="The audit log.", no_args_is_help=True)


@contextmanager
def opened(settings: Settings) -> Iterator[Stores]:
    from backend.stores import open_stores

    stores = open_stores(settings)
    try:
        yield stores
    finally:
        stores.closing.close()


def deploy(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Put the contracts on the chain, or check that those there are ours, and print their addresses."""
    with named_errors(), opened(read_settings(data_directory=data_directory)) as stores:
        deployment = stores.deployment
        addresses = {name: contract.address for name, contract in sorted(deployment.contracts.items())}
        show({"chain_id": deployment.chain_id, "deployer": deployment.deployer, **addresses}, as_json=as_json)


def doctor(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Look at every part of the configuration and say what is wrong and how to mend it; changes nothing. Exit
    status 1 where something is broken.
    """
    from backend.maintenance.doctor import State, examine

    with named_errors():
        findings = list(examine(read_settings(data_directory=data_directory)))
    if as_json:
        show({"findings": [asdict(each) for each in findings]}, as_json=True)
    else:
        table = Table(
            "part", "", Column("what", overflow="fold"), Column("what to do", overflow="fold"), box=None
        )
        colours = {State.SOUND: "green", State.LOOK: "yellow", State.BROKEN: "bold red"}
        for each in findings:
            mark = f"[{colours[each.state]}]{each.state}[/]"
            table.add_row(each.part, mark, escape(each.said), escape(each.remedy))
        OUT.print(table)
    raise typer.Exit(1 if any(each.state is State.BROKEN for each in findings) else 0)


def fsck(
    collect: Annotated[
        bool, typer.Option("--collect", help="remove what interrupted writes left behind")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="bring nodes of the block store what they lack, from the others")
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Check every record, block, key, consent and log entry against the chain; exit status 1 on damage."""
    from backend.maintenance.fsck import check_everything, require_deployment

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores:
            report = check_everything(stores, repair=repair)
            if collect and report.sound:
                from backend.maintenance.records import collect as remove

                report.counts.update(remove(stores, report))
        _answer(report, as_json=as_json)


def reindex(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Rebuild from the chain what the index repeats of it."""
    from backend.maintenance.fsck import require_deployment
    from backend.maintenance.reindex import reindex as rebuild

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores:
            show(dict(rebuild(stores)), as_json=as_json)


@audit.command("fsck")
def audit_fsck(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """Rebuild the log from its raw entries and name what is damaged; exit status 1 on damage."""
    from backend.maintenance.chain_facts import read_chain
    from backend.maintenance.fsck import check_audit, require_deployment
    from backend.maintenance.report import Report

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        report = Report()
        with opened(settings) as stores:
            check_audit(stores, read_chain(stores).subjects, report)
        _answer(report, as_json=as_json)


@audit.command("export")
def audit_export(
    subject: Annotated[
        str | None, typer.Option(help="one patient's subject id; everybody's without it")
    ] = None,
    outside: Annotated[
        bool,
        typer.Option(
            "--outside", help="without identities: pseudonyms of this export alone, times to the hour"
        ),
    ] = False,
    data_directory: DataDirectory = None,
) -> None:
    """Print the log as FHIR AuditEvents, one a line, oldest first; exit status 2 if an entry is damaged.

    That it was read stands in the log, where the patient sees it.
    """
    from backend.audit.errors import EntryDamaged
    from backend.maintenance.audit_export import AuditExport
    from backend.maintenance.fsck import require_deployment

    if subject is not None and not re.fullmatch("0x[0-9a-f]{24}", subject):
        fail("usage", f"--subject {subject}: no subject id", "Give 0x and 24 hex digits.")
    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        with opened(settings) as stores, closing(AuditExport(stores, outside=outside)) as export:
            for event in export.events(None if subject is None else SubjectId(int(subject, 16))):
                typer.echo(json.dumps(event))
        if export.damaged:
            raise EntryDamaged(f"{export.damaged} entries cannot be read and are not in the export")


audit.command("replay")(replaying.replay)
audit.command("affected")(affected.affected)


@audit.command("verify")
def audit_verify(
    source: Annotated[
        list[str],
        typer.Argument(
            help="a proof bundle or .tlog-proof, as downloaded; or a whole log: a directory of tiles, or its"
            " address, https://.../v1/log. May repeat, also for several logs"
        ),
    ],
    key: Annotated[
        list[str], typer.Option(help="the log's verifier key, from a place you trust; may repeat")
    ],
    witness: Annotated[list[str] | None, typer.Option(help="a witness's verifier key; may repeat")] = None,
    quorum: Annotated[
        int | None, typer.Option(help="how many of the witnesses must have cosigned; all without it")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="JSON-RPC of a chain node, to check the anchor")
    ] = None,
    contract: Annotated[str | None, typer.Option(help="address of AuditAnchor")] = None,
    log_id: Annotated[
        list[str] | None,
        typer.Option(help="id of the log in the contract; of several logs ORIGIN=ID for each"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check proofs or whole logs offline: only they and the public keys of logs and witnesses are needed.

    Of several sources each is checked; exit status 2 where one is refused."""
    from backend.audit import verify
    from backend.commands.proof_report import print_report

    if endpoint is not None and (contract is None or not log_id):
        fail("usage", "--endpoint needs --contract and --log-id", "Take them from a place you trust.")
    reports, refused, unread, unheard = list[dict[str, object]](), *(list[str]() for _ in range(3))
    for each in source:
        name = f"{each}: " if len(source) > 1 else ""
        try:
            report = verify.verify_source(
                each,
                key,
                witnesses=witness,
                quorum=quorum,
                rpc=endpoint,
                contract=contract or "",
                log_ids=log_id,
            )
        except ValueError as failure:
            refused.append(f"{name}{failure}")
        except OSError as failure:
            of_file = failure.filename is not None
            (unread if of_file else unheard).append(f"{name}{failure}")
        else:
            reports.append(report)
            if not as_json:
                print_report(report, OUT)
    if as_json and reports:
        show(reports if len(source) > 1 else reports[0], as_json=True)
    if refused:
        every = "\n".join([*refused, *unread, *unheard])
        fail("proof_refused", every, "Do not rely on what was refused. Get it again and ask the custodian.")
    if unread:
        fail("usage", "\n".join([*unread, *unheard]), "Name the file or directory that was downloaded.")
    if unheard:
        fail("endpoint_unreachable", "\n".join(unheard), "Nothing was found wrong. Try again.")


def _answer(report: Report, *, as_json: bool) -> None:
    if as_json:
        show(report.as_json(), as_json=True)
    else:
        show(dict(report.counts), as_json=False)
        for finding in report.leftovers:
            OUT.print(f"left over  {finding.code}: {finding.where}", highlight=False, soft_wrap=True)
        for finding in report.damage:
            OUT.print(
                f"[bold red]DAMAGED[/]    {finding.code}: {finding.where}", highlight=False, soft_wrap=True
            )
        OUT.print("sound" if report.sound else f"{len(report.damage)} damaged", highlight=False)
    raise typer.Exit(0 if report.sound else 1)
