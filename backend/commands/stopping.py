"""``assent ledger stop``: a signed stop goes to a node, where no service relays it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.commands.terminal import OUT, AsJson, named_errors, passphrase_in, show

if TYPE_CHECKING:
    from backend.explorer.stopping import Outcome

PASSPHRASE: str = "ASSENT_ACCOUNT_PASSPHRASE"  # noqa: S105 - the variable's name  # nosec B105


def stop(
    file: Annotated[
        Path,
        typer.Argument(
            help="a signed stop: saved or printed stop sheet, body of POST /v1/revocations; - to type it"
        ),
    ],
    rpc: Annotated[str, typer.Option("--rpc", help="JSON-RPC of any node of the chain")],
    deployment: Annotated[
        Path | None, typer.Option(help="the contracts' addresses, as every custodian hands them out")
    ] = None,
    contract: Annotated[
        str | None, typer.Option(help="address of the registry of consents, where the stop does not name it")
    ] = None,
    account: Annotated[
        Path | None,
        typer.Option(
            help=f"key file of the account that pays for gas; its passphrase is asked for, or in {PASSPHRASE}"
        ),
    ] = None,
    gas_price: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="least wei a unit of gas, above what the blocks ask; default: 1 with an account, else 0",
        ),
    ] = None,
    wait: Annotated[float, typer.Option(min=1, max=3600, help="seconds to wait for its block")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Send a signed stop to a bare node, after checking that it is valid there. Needs no service, no data
    directory and no session: whoever holds the stop may send it."""
    from backend.explorer.stop_file import read_stop
    from backend.explorer.stopping import Payer, send_stop

    with named_errors():
        held = read_stop(_text(file))
        outcome = send_stop(
            held,
            url=rpc,
            deployment=None if deployment is None else _deployment(deployment),
            contract=None if contract is None else _address(contract),
            payer=Payer(
                key=None if account is None else _key(account),
                gas_price=(0 if account is None else 1) if gas_price is None else gas_price,
            ),
            wait_seconds=wait,
        )
    if as_json:
        show(_as_json(outcome), as_json=True)
    else:
        for line in _sentences(outcome):
            OUT.print(line, highlight=False, markup=False, soft_wrap=True)


def _text(file: Path) -> str:
    from backend.explorer.errors import StopUnreadable

    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text()
    except (OSError, ValueError) as failure:
        raise StopUnreadable(f"{file} cannot be read as text.") from failure


def _deployment(file: Path) -> Any:
    from backend.adapters.ledger.deployment_file import read_deployment
    from backend.maintenance.errors import NoDeployment

    found = read_deployment(file)
    if found is None:
        raise NoDeployment(str(file))
    return found


def _address(text: str) -> Any:
    from backend.consent.terms_json import value_from_json

    return value_from_json("address", text, "contract")


def _key(file: Path) -> bytes:
    from eth_account import Account

    from backend.explorer.errors import AccountFileInvalid

    try:
        content = file.read_text()
    except (OSError, ValueError) as failure:
        raise AccountFileInvalid(f"{file} cannot be read.") from failure
    try:
        return bytes(Account.decrypt(content, passphrase_in(PASSPHRASE, confirm=False)))
    except (ValueError, KeyError, TypeError, AttributeError) as failure:
        raise AccountFileInvalid(f"{file} does not open.") from failure


def _as_json(outcome: Outcome) -> dict[str, Any]:
    from backend.types import subject_text, time_text, to_hex

    return {
        "state": "ended_before" if outcome.block is None else "ended",
        "subject": subject_text(outcome.subject),
        "consent_id": None if outcome.consent is None else to_hex(outcome.consent),
        "epoch": outcome.epoch,
        "kind": _kind(outcome),
        "ended_at": time_text(outcome.at) if outcome.at else None,
        "block": outcome.block,
        "transaction": None if outcome.transaction is None else to_hex(outcome.transaction),
        "ended": None if outcome.ended is None else [to_hex(each) for each in outcome.ended],
    }


def _kind(outcome: Outcome) -> str:
    from backend.consent.terms import Kind

    return Kind(outcome.kind).name.lower() if outcome.kind else "everything"


def _sentences(outcome: Outcome) -> list[str]:
    told = _as_json(outcome)
    subject = told["subject"]
    what = (
        f"every permit and delegation of patient {subject} up to epoch {outcome.epoch}"
        if outcome.consent is None
        else f"{told['kind']} {told['consent_id']} of patient {subject}"
    )
    if outcome.block is None:
        since = f" at {told['ended_at']}" if told["ended_at"] else ""
        return [f"Ended before{since}: {what}.", "Nothing was sent."]
    lines = [
        f"Ended: {what}.",
        f"Block {outcome.block} of {told['ended_at']}, transaction {told['transaction']}.",
        "Every custodian that sees this block denies from now on.",
        "Until it is final another block may replace it: the same command again says whether it stands.",
    ]
    if told["kind"] == "deny":
        lines.append("It was a deny: what it kept out is allowed again where a permit says so.")
    if outcome.consent is None:
        lines.append("Denies and guardianships stand, and so does what is given from now on.")
        if outcome.ended is None:
            lines.append("The node did not list what that was; 'assent ledger show' tells of each.")
        else:
            lines += [f"  {each}" for each in told["ended"]] or ["  Nothing was standing."]
    return lines
