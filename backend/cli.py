"""The command-line program ``assent``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import (
    anonymize,
    archive,
    backups,
    clients,
    consents,
    deciding,
    finality,
    importing,
    keys,
    labels,
    ledger,
    log,
    members,
    migrating,
    notices,
    payouts,
    receipts,
    retention,
    sealed,
    stopping,
    upkeep,
    users,
    webhooks,
    witnessing,
)
from backend.commands.terminal import OUT, DataDirectory, named_errors, read_settings

app = typer.Typer(
    name="assent",
    help="A consent ledger for health records.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def up(
    data_directory: DataDirectory = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    public_url: Annotated[
        str | None,
        typer.Option(help="address users see; sets the domain of wallet sign-in and of passkeys"),
    ] = None,
    storage: Annotated[str | None, typer.Option(help="'directory' or 'kubo'")] = None,
    stand_by: Annotated[
        bool | None,
        typer.Option("--stand-by", help="where another process serves this data: wait, then take over"),
    ] = None,
    samples: Annotated[bool, typer.Option(help="load sample patients on the first run")] = True,
) -> None:
    """Start the whole system and serve the API until Ctrl-C."""
    from backend.serving import run

    with named_errors():
        if public_url is None and port is not None:
            public_url = f"http://localhost:{port}"
        run(
            read_settings(
                data_directory=data_directory,
                host=host,
                port=port,
                public_url=public_url,
                storage=storage,
                standby=stand_by,
            ),
            samples=samples,
            announce=typer.echo,
        )


@app.command()
def demo(
    bundles: Annotated[Path | None, typer.Option(help="a folder of FHIR R4 bundles")] = None,
    storage: Annotated[str, typer.Option(help="'directory' or 'kubo'")] = "directory",
    report: Annotated[Path, typer.Option(help="where the JSON report goes")] = Path("demo-report.json"),
) -> None:
    """Tell the whole story through the public API and check it; the exit status is 0 if all held."""
    from backend.demo.story import tell

    with named_errors():
        held = tell(bundles=bundles, storage=storage, report=report, console=OUT)
    raise typer.Exit(0 if held else 1)


app.command("anonymize")(anonymize.anonymize)
app.command("decide")(deciding.decide)
app.command("open")(sealed.open_sealed)
app.command("deploy")(upkeep.deploy)
app.command("doctor")(upkeep.doctor)
app.command("import")(importing.import_bundles)
app.command("fsck")(upkeep.fsck)
app.command("reindex")(upkeep.reindex)
app.command("migrate")(migrating.migrate)
app.command("restore")(backups.restore)
app.add_typer(backups.app, name="backup")
app.add_typer(users.app, name="users")
app.add_typer(sealed.app, name="recipient")
app.add_typer(clients.app, name="clients")
app.add_typer(members.app, name="members")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(keys.app, name="keys")
app.add_typer(consents.app, name="consent")
app.add_typer(archive.app, name="archive")
app.add_typer(receipts.app, name="receipt")
app.add_typer(payouts.app, name="payouts")
app.add_typer(retention.app, name="retention")
ledger.app.command("stop")(stopping.stop)
app.add_typer(ledger.app, name="ledger")
app.add_typer(notices.app, name="notices")
app.add_typer(labels.app, name="labels")
log.audit.command("compare")(witnessing.compare)
log.audit.command("finality")(finality.finality)
app.add_typer(log.audit, name="audit")
app.command("witness")(witnessing.witness)
app.command("witness-key")(witnessing.witness_key)


if __name__ == "__main__":
    app()
