"""``assent receipt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from backend.commands.terminal import AsJson, fail, named_errors, show

app = typer.Typer(help="Consent records and receipts.", no_args_is_help=True)


@app.callback()
def _receipts() -> None:
    """Consent records and receipts."""


@app.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="a consent record or receipt, as the service sent it")],
    jwks: Annotated[Path, typer.Option(help="the custodian's /.well-known/document-jwks.json")],
    log_key: Annotated[
        list[str] | None, typer.Option(help="the audit log's key, for the proof in the receipt of an erasure")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the signature, offline, and in a record that its identifier is the hash of the consent in it and,
    of a consent on paper, that both witnesses signed it; of an erasure, or of results that were
    removed, that the log says it."""
    from dataclasses import asdict

    from backend.adapters.ledger.abi import artifact
    from backend.erasure.receipt import RECEIPT, LogKeyMissing, require_kind, verify_erasure
    from backend.erasure.results_receipt import RESULTS_RECEIPT, verify_removal
    from backend.interop.receipts.signing import verify

    with named_errors():
        document, keys = _read(file), _read(jwks)
        found: Any
        kind = require_kind(document)
        if kind in (RECEIPT, RESULTS_RECEIPT):
            if not log_key:
                raise LogKeyMissing(field="log_key")
            verify_logged = verify_erasure if kind == RECEIPT else verify_removal
            found = verify_logged(document, keys, log_key)
        else:
            found = verify(document, keys, pair_code=artifact("WitnessPair").creation)
    show(asdict(found), as_json=as_json)


def _read(file: Path) -> Any:
    from backend.interop.fhir_consent.source import load_json

    try:
        return load_json(file.read_bytes())
    except OSError as failure:
        fail("file_unreadable", f"{file}: {failure.strerror}", "Name a file that can be read.")
