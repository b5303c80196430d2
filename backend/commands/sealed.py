"""``assent open`` and ``assent recipient``: keys that content is sealed to, and opening what was."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, fail, named_errors, passphrase_in, show

PASSPHRASE: str = "ASSENT_KEY_PASSPHRASE"  # noqa: S105 - the variable's name  # nosec B105

app = typer.Typer(help="Keys that content is sealed to.", no_args_is_help=True)
KeyFile = Annotated[Path, typer.Argument(help="the key file")]


@app.callback()
def _recipient() -> None:
    """Keys that content is sealed to."""


@app.command("new")
def new(
    file: KeyFile,
    protect: Annotated[
        bool, typer.Option(help="under the passphrase in ASSENT_KEY_PASSPHRASE, or one that is asked for")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Draw a private key and write it to a new file. Print the public key, which is registered."""
    from backend.client import new_key, write_key

    passphrase = passphrase_in(PASSPHRASE, confirm=True) if protect else None
    with named_errors():
        key = new_key()
        write_key(key, file, passphrase=passphrase)
    show(_public(key.public.encoded, key.public.id), as_json=as_json)


@app.command("show")
def show_key(file: KeyFile, as_json: AsJson = False) -> None:
    """Print the public key of a key file."""
    from backend.client import read_key

    with named_errors():
        public = read_key(file, passphrase=_needed(file)).public
    show(_public(public.encoded, public.id), as_json=as_json)


def open_sealed(
    delivery: Annotated[
        Path, typer.Argument(help="what the service sent: a segment, or what a study released")
    ],
    key: Annotated[Path, typer.Option(help="the private key's file, from 'assent recipient new'")],
    out: Annotated[Path, typer.Option(help="where the document goes; must not be there")],
    as_json: AsJson = False,
) -> None:
    """Open a segment, or a dataset or records of a study (as a ZIP), that was sealed to your key. Nothing is
    written unless all of it is authentic."""
    from backend.client import is_release, open_file, open_release_file, read_key

    if out.exists():
        fail("file_exists", f"{out.name} is there already", "Name another file, or move that one away.")
    named: dict[str, object]
    with named_errors():
        private = read_key(key, passphrase=_needed(key))
        if is_release(delivery):
            release, source = open_release_file(delivery, private, out)
            named = {"study": f"0x{release.study.hex()}", "release": f"0x{release.release.hex()}"}
        else:
            header, source = open_file(delivery, private, out)
            named = {
                "record": header.context.record_id.hex(),
                "version": header.context.version,
                "segment": header.context.segment,
                "end_to_end": header.origin is not None,
            }
    of_file = {
        "media_type": source.media_type,
        "size_bytes": source.size_bytes,
        "sha256": source.sha256.hex(),
    }
    show({**named, **of_file}, as_json=as_json)


def _needed(file: Path) -> str | None:
    """Ask for a passphrase only where the file has one."""
    try:
        return passphrase_in(PASSPHRASE, confirm=False) if '"argon2id"' in file.read_text() else None
    except (OSError, ValueError):
        return None  # reading the key says what is wrong


def _public(encoded: bytes, identifier: bytes) -> dict[str, str]:
    return {
        "public_key": base64.urlsafe_b64encode(encoded).decode().rstrip("="),
        "id": "0x" + identifier.hex(),
    }
