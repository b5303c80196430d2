"""The command-line program ``assent``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from backend import logs
from backend.errors import AssentError

app = typer.Typer(
    name="assent",
    help="A consent ledger for health records.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")

_OUT = Console()
_ERR = Console(stderr=True)

DataDirectory = Annotated[
    Path | None, typer.Option(help="where the embedded stores lie (ASSENT_DATA_DIRECTORY)")
]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.command()
def up(
    data_directory: DataDirectory = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    public_url: Annotated[
        str | None, typer.Option(help="address users see; sets the domain of wallet sign-in")
    ] = None,
    storage: Annotated[str | None, typer.Option(help="'directory' or 'kubo'")] = None,
    samples: Annotated[bool, typer.Option(help="load sample patients on the first run")] = True,
) -> None:
    """Start the whole system and serve the API until Ctrl-C."""
    from backend.serving import run

    with _named_errors():
        run(
            _settings(
                data_directory=data_directory, host=host, port=port, public_url=public_url, storage=storage
            ),
            samples=samples,
            announce=_OUT.print,
        )


@app.command()
def demo(
    bundles: Annotated[Path | None, typer.Option(help="a folder of FHIR R4 bundles")] = None,
    storage: Annotated[str, typer.Option(help="'directory' or 'kubo'")] = "directory",
    report: Annotated[Path, typer.Option(help="where the JSON report goes")] = Path("demo-report.json"),
) -> None:
    """Tell the whole story through the public API and check it; the exit status is 0 if all held."""
    from backend.demo.story import tell

    with _named_errors():
        held = tell(bundles=bundles, storage=storage, report=report, console=_OUT)
    raise typer.Exit(0 if held else 1)


@audit_app.command("verify")
def audit_verify(
    bundle: Annotated[Path, typer.Argument(help="a proof bundle, as downloaded")],
    key: Annotated[str, typer.Option(help="the log's verifier key, from a place you trust")],
    endpoint: Annotated[
        str | None, typer.Option(help="JSON-RPC of a chain node, to check the anchor")
    ] = None,
    contract: Annotated[str | None, typer.Option(help="address of AuditAnchor")] = None,
    log_id: Annotated[str | None, typer.Option(help="id of the log in the contract")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof bundle offline: nothing but the file and the log's public key is needed."""
    from backend.audit import verify

    try:
        report = verify.verify_bundle(json.loads(bundle.read_text()), [key])
        if endpoint is not None:
            if contract is None or log_id is None:
                _fail(
                    "usage", "--endpoint needs --contract and --log-id", "Take them from a place you trust."
                )
            report["chain"] = verify.check_chain(
                report["anchor"], rpc=endpoint, contract=contract, log_id=log_id
            )
    except (OSError, ValueError) as failure:
        _fail(
            "proof_refused", str(failure), "Do not rely on this bundle. Get it again and ask the custodian."
        )
    _print(report, as_json=as_json)


def _settings(**overrides: object) -> Any:
    from pydantic import ValidationError

    from backend.settings import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as failure:
        first = failure.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        _fail("settings_invalid", f"{name}: {first['msg']}", "Correct the ASSENT_ variable or the option.")


class _named_errors:  # noqa: N801 - reads as a statement
    """Turn our errors into a message with the remedy, and an exit status of 2."""

    def __enter__(self) -> None:
        if not sys.stderr.isatty() or os.environ.get("ASSENT_LOG") == "json":
            logs.configure()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, AssentError):
            _fail(error.code, error.detail, error.remedy)


def _fail(code: str, detail: str, remedy: str) -> NoReturn:
    _ERR.print(f"[bold red]{code}[/]: {detail}", highlight=False)
    if remedy != detail:
        _ERR.print(remedy, highlight=False)
    raise typer.Exit(2)


def _print(value: object, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(value, default=str))
    elif isinstance(value, dict):
        for name, item in value.items():
            _OUT.print(f"{name:<24} {item}", highlight=False)
    else:
        _OUT.print(value)


if __name__ == "__main__":
    app()
