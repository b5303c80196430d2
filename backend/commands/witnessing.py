"""``assent witness``, ``witness-key`` and ``audit compare``: for members that watch another one's log."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.commands.terminal import OUT, AsJson, fail, named_errors, show, until_interrupted
from backend.errors import AssentError

if TYPE_CHECKING:
    from backend.audit.note import NoteVerifier
    from backend.audit.witness import Witness

LogKeys = Annotated[
    list[str], typer.Option(help="the log's verifier key, from a place you trust; may repeat")
]


def witness(
    log: Annotated[str, typer.Option(help="address of the log, such as https://hospital.example")],
    log_key: LogKeys,
    key_file: Annotated[Path, typer.Option(help="this witness's private keys: assent witness-key")],
    state: Annotated[Path, typer.Option(help="directory for what must not be forgotten; back it up")],
    every: Annotated[int, typer.Option(min=1, help="seconds between looks")] = 60,
    once: Annotated[bool, typer.Option("--once", help="look once, then end")] = False,
) -> None:
    """Watch another member's audit log: cosign each checkpoint that extends all before.

    Ends with status 1 at a split view, and then starts no more until its evidence is moved away.
    """
    from backend.adapters.log_over_http import LogOverHttp
    from backend.adapters.witness_directory import WitnessDirectory
    from backend.audit import cosigner_keys
    from backend.audit.witness import Witness

    with named_errors():
        origin = _verifiers(log_key)[0].name
        keys = " ".join(log_key).split()
        cosigners = cosigner_keys.read(_text(key_file), clock=lambda: int(time.time()))
        with (
            closing(LogOverHttp(log)) as source,
            closing(WitnessDirectory(state, origin=origin)) as directory,
        ):
            watching = Witness(source=source, state=directory, cosigners=cosigners, log_keys=keys)
            if once:
                _look(watching)
            else:
                _watch(watching, every)


def witness_key(
    file: Annotated[Path, typer.Argument(help="a new file for the private keys")],
    name: Annotated[str, typer.Option(help="of the witness, such as clinic.example/witness")],
) -> None:
    """Make the keys of a witness, ML-DSA-44 and Ed25519, and print the verifier keys to hand out."""
    from backend.audit import cosigner_keys

    with named_errors():
        text = cosigner_keys.make(name)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as failure:
            fail("usage", f"{file}: {failure.strerror}", "Name a file that does not exist yet.")
        with os.fdopen(descriptor, "w") as written:
            written.write(text)
        for cosigner in cosigner_keys.read(text, clock=lambda: 0):
            typer.echo(cosigner.verifier_key)


def compare(
    one: Annotated[Path, typer.Argument(help="a checkpoint, or the evidence of a split view")],
    other: Annotated[Path | None, typer.Argument(help="another checkpoint of the same log")] = None,
    key: LogKeys = [],  # noqa: B006 - typer copies it
    log: Annotated[str | None, typer.Option(help="address of the log, for two sizes")] = None,
    save: Annotated[Path | None, typer.Option(help="where the evidence goes, if there is any")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether two checkpoints are of one history. Status 1, and the evidence, for a split view."""
    from backend.adapters.log_over_http import LogOverHttp
    from backend.audit import verify
    from backend.audit.split_view import find_split

    with named_errors():
        verifiers = _verifiers(key)
        if other is None:
            evidence = _text(one)
        else:
            source = None if log is None else LogOverHttp(log)
            split = find_split(
                (_text(one), _text(other)),
                origin=verifiers[0].name,
                verifiers=verifiers,
                fetch=None if source is None else source.tile,
            )
            if source is not None:
                source.close()
            if split is None:
                show({"split_view": False} if as_json else "one history", as_json=as_json)
                return
            evidence = split.encode()
        try:
            found = verify.verify_split_view(json.loads(evidence), key)
        except ValueError as failure:
            fail("evidence_refused", str(failure), "This file does not show a split view.")
        if save is not None:
            save.write_text(evidence)
    if as_json:
        show(found, as_json=True)
    else:
        OUT.print("[bold red]SPLIT VIEW[/]: the log signed two histories", highlight=False)
        for head in found["signed"]:
            OUT.print(f"  {head['size']} entries, root {head['root']}", highlight=False, soft_wrap=True)
        OUT.print(
            f"  the larger one had root {found['root_in_larger']} at {found['signed'][0]['size']} entries",
            highlight=False,
            soft_wrap=True,
        )
    raise typer.Exit(1)


def _watch(watching: Witness, every: int) -> None:
    """Look until Ctrl-C or a split view; whatever else goes wrong is said, and tried again."""
    with until_interrupted() as wait:
        while True:
            try:
                _look(watching)
            except AssentError as error:
                typer.echo(f"{error.code}: {error.detail}", err=True)
            try:
                wait(every)
            except KeyboardInterrupt:
                return


def _look(watching: Witness) -> None:
    from backend.audit.errors import SplitViewFound

    try:
        seen, checkpoint = watching.look()
    except SplitViewFound as found:
        fail(found.code, found.detail, found.remedy, status=1)
    typer.echo(f"{watching.origin} {checkpoint.size} {checkpoint.root.hex()}: {seen}")


def _verifiers(keys: Sequence[str]) -> list[NoteVerifier]:
    from backend.audit import cosignature

    found = [cosignature.verifier(key) for key in " ".join(keys).split()]
    if not found:
        fail("usage", "no key of the log is given", "Give --key, from a place you trust.")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        fail("usage", f"{path}: {failure}", "Name a file that can be read.")
