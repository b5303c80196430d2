"""``assent keys``."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from backend.commands.terminal import AsJson, DataDirectory, fail, named_errors, read_settings, show
from backend.settings import Settings

app = typer.Typer(help="Keys and their rotation.", no_args_is_help=True)


class Class(StrEnum):
    """What can be rotated; docs/operations.md says what each is for."""

    ACCESS_TOKEN = "access-token"  # noqa: S105 - the name of a class of keys
    ROOT = "root"
    EPOCH = "epoch"
    PAGE = "page"
    NAME = "name"
    RECORD_NUMBER = "record-number"
    DOCUMENT_SIGNING = "document-signing"
    DOCUMENTS = "documents"
    MARKS = "marks"
    STAFF_INDEX = "staff-index"
    CUSTODIAN_RECIPIENT = "custodian-recipient"
    TOKENS = "tokens"
    AUDIT = "audit"
    PATIENT = "patient"
    SEGMENT = "segment"


@app.callback()
def _keys() -> None:
    """Keys and their rotation."""


@app.command("list")
def list_keys(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List the classes of keys of a stopped service: version, when it was made, lowest version in use."""
    from backend.maintenance.key_rotation import open_rotation

    with named_errors(), open_rotation(read_settings(data_directory=data_directory)) as rotation:
        show(rotation.listed(), as_json=as_json)


@app.command("rotate")
def rotate(
    key_class: Annotated[
        Class, typer.Argument(metavar="[CLASS]", help=", ".join(Class))
    ] = Class.ACCESS_TOKEN,
    compromised: Annotated[
        bool,
        typer.Option("--compromised", help="refuse at once what older keys signed (tokens or documents)"),
    ] = False,
    passphrase_stdin: Annotated[
        bool,
        typer.Option("--passphrase-stdin", help="read the new passphrase of the root from standard input"),
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Replace the keys of a class, of a stopped service; those of access tokens and of the audit log's
    entries also while it runs.

    The next key of access tokens signs in ten minutes, with --compromised at once.
    """
    if compromised and key_class not in {Class.ACCESS_TOKEN, Class.DOCUMENT_SIGNING}:
        fail("usage", f"--compromised is not for {key_class}", "Leave it out: the old keys are dead anyway.")
    with named_errors():
        settings = read_settings(data_directory=data_directory)
        show(
            _rotate(settings, key_class, compromised=compromised, from_stdin=passphrase_stdin),
            as_json=as_json,
        )


def _rotate(settings: Settings, key_class: Class, *, compromised: bool, from_stdin: bool) -> dict[str, Any]:
    from backend.maintenance.accounts import open_accounts
    from backend.maintenance.key_rotation import rotate_keys

    if key_class in {Class.ACCESS_TOKEN, Class.AUDIT}:
        with open_accounts(settings) as accounts:
            if key_class is Class.AUDIT:
                return accounts.rotate_audit_keys()
            return accounts.rotate_signing_key(compromised=compromised)
    passphrase = _passphrase(from_stdin) if key_class is Class.ROOT else None
    return rotate_keys(settings, key_class.value, passphrase=passphrase, compromised=compromised)


def _passphrase(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("New passphrase of the key store", hide_input=True, confirmation_prompt=True)
    return asked
