"""``assent archive``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, named_errors, show

app = typer.Typer(help="A patient's whole record, as an archive.", no_args_is_help=True)


@app.callback()
def _archive() -> None:
    """A patient's whole record, as an archive."""


@app.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="the archive, as the service sent it")],
    jwks: Annotated[Path, typer.Option(help="the custodian's /.well-known/document-jwks.json")],
    key: Annotated[list[str], typer.Option(help="the log's verifier key; may repeat")],
    as_json: AsJson = False,
) -> None:
    """Check an archive offline: that it is the custodian's, that each document is the one that was stored,
    and the consents and accesses beside them."""
    from dataclasses import asdict

    from backend.adapters.ledger.abi import artifact
    from backend.interop.fhir_consent.source import load_json
    from backend.interop.portability.verify import verify_archive

    with named_errors():
        keys = load_json(jwks.read_bytes())
        found = verify_archive(file, jwks=keys, log_keys=key, pair_code=artifact("WitnessPair").creation)
    show(asdict(found), as_json=as_json)
