"""``assent payouts``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from backend.commands.terminal import AsJson, DataDirectory, fail, named_errors, read_settings, show

app = typer.Typer(help="Money of studies.", no_args_is_help=True)

Study = Annotated[str, typer.Argument(help="study id in hex")]


@app.callback()
def _payouts() -> None:
    """Money of studies."""


@app.command("fund")
def fund(
    study: Study,
    amount: Annotated[int, typer.Argument(help="in the token's smallest unit", min=1)],
    invoice: Annotated[str, typer.Option(help="your reference, without names; each pays once")],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Pay into a study's escrow against an invoice, through the running service."""
    body = {"study": study, "amount": str(amount), "invoice": invoice}
    show(_ask(data_directory, "/v1/escrows/invoices", body), as_json=as_json)


@app.command("results")
def results(study: Study, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List a study's results, with how many of their patients are paid, wait and are missing."""
    show(_list(data_directory, f"/v1/payouts/results?study={study}"), as_json=as_json)


@app.command("escrows")
def escrows(study: Study, data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List a study's escrows: balance, deposits and invoices."""
    show(_list(data_directory, f"/v1/escrows?study={study}"), as_json=as_json)


@app.command("propose")
def propose(
    study: Study,
    escrow: Annotated[str, typer.Argument(help="escrow id in hex")],
    result: Annotated[str, typer.Argument(help="digest of the result in hex")],
    per_patient: Annotated[int | None, typer.Option(help="the study's price for each patient", min=1)] = None,
    budget: Annotated[int | None, typer.Option(help="shared equally; the rest stays", min=1)] = None,
    missing: Annotated[int, typer.Option(help="shares known to be gone, as 'results' shows", min=0)] = 0,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Propose the payout of a result to the patients who named a payee, through the running service. A study
    with a price is paid by it; for another one give '--per-patient' or '--budget'."""
    body: dict[str, Any] = {"study": study, "escrow": escrow, "result": result, "missing": missing}
    body |= {} if per_patient is None else {"per_patient": str(per_patient)}
    body |= {} if budget is None else {"budget": str(budget)}
    show(_ask(data_directory, "/v1/payouts", body), as_json=as_json)


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="a payment's proof, as GET /v1/payments/proof gave it")],
    as_json: AsJson = False,
) -> None:
    """Check a payment's proof offline: its ids, its leaf, and the path to its root. It counts if the market's
    payoutOf(round) has this root."""
    from backend.research.money.proof_document import check_proof
    from backend.types import to_hex

    try:
        document = json.loads(file.read_bytes())
    except OSError as failure:
        fail("file_unreadable", f"{file}: {failure.strerror}", "Name a file that can be read.")
    except ValueError:
        document = None
    with named_errors():
        proved = check_proof(document)
    found = {
        "chain_id": proved.chain_id,
        "market": proved.market,
        "round": to_hex(proved.round),
        "root": to_hex(proved.root),
        "study": to_hex(proved.terms.study),
        "token": proved.terms.token,
        "account": proved.payment.account,
        "amount": str(proved.payment.amount),
    }
    show(found, as_json=as_json)


def _ask(data_directory: Path | None, path: str, body: dict[str, Any]) -> dict[str, Any]:
    from backend.maintenance.running import RunningService

    with named_errors():
        service = RunningService(read_settings(data_directory=data_directory).data_directory)
        try:
            return service.post(path, body)
        finally:
            service.close()


def _list(data_directory: Path | None, path: str) -> list[dict[str, Any]]:
    from backend.maintenance.running import RunningService

    with named_errors():
        service = RunningService(read_settings(data_directory=data_directory).data_directory)
        try:
            return service.list(path)
        finally:
            service.close()
