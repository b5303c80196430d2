"""``assent backup`` and ``assent restore``."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.commands.terminal import ERR, OUT, AsJson, DataDirectory, fail, named_errors, read_settings, show
from backend.errors import AssentError

if TYPE_CHECKING:
    from backend.backup.reading import Backup
    from backend.backup.recovery_key import ServiceHalf
    from backend.backup.shelf import Shelf

app = typer.Typer(help="Encrypted backups; 'assent restore' is the way back.", invoke_without_command=True)

From = Annotated[Path, typer.Option("--from", help="the backup directory")]
Key = Annotated[Path, typer.Option("--recovery-key", help="private half of the recovery key")]
Generation = Annotated[str | None, typer.Option(help="name of a backup; the newest without it")]
Expired = Annotated[
    bool, typer.Option("--use-expired-key", help="open it with a key that should be destroyed by now")
]
Parts = Annotated[
    int | None, typer.Option(min=0, help="read only so many parts of the tail: the next one is damaged")
]
Older = Annotated[
    bool, typer.Option("--discard-newer", help="restore an older one: what was revoked since counts again")
]


@app.callback()
def backup(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option(help="directory; without it ASSENT_BACKUP_DIRECTORY, or beside the data")
    ] = None,
    service_half: Annotated[
        Path | None, typer.Option(help="service half of the key; ASSENT_BACKUP_RECOVERY_KEY without it")
    ] = None,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Make a whole backup, of a stopped service or of the one that runs, and read it back."""
    if context.invoked_subcommand is not None:
        return
    from backend.maintenance.backing_up import back_up

    with named_errors():
        settings = read_settings(
            data_directory=data_directory, backup_directory=to, backup_recovery_key=service_half
        )
        show(back_up(settings), as_json=as_json)


@app.command()
def keygen(
    out: Annotated[Path, typer.Option(help="where the private half goes; the other one beside it")],
    days: Annotated[int, typer.Option(min=1, max=30, help="how long the key lives")] = 30,
    as_json: AsJson = False,
) -> None:
    """Make a recovery key. Take the private half off this machine; the service needs FILE.service only."""
    from backend.backup.recovery_key import generate, service_path

    try:
        half = generate(out, now=int(time.time()), days=days)
    except OSError as failure:
        fail("usage", f"{out}: {failure.strerror or 'exists'}", "Name a file that is not there yet.")
    show({"private_half": str(out), "service_half": str(service_path(out)), **_told(half)}, as_json=as_json)


@app.command("destroy-key")
def destroy_key(
    file: Annotated[Path, typer.Argument(help="private half of a recovery key")],
    as_json: AsJson = False,
) -> None:
    """Overwrite and remove a private half. Destroy every other copy too: then its backups open no more."""
    from backend.backup.recovery_key import destroy

    with named_errors():
        show({"destroyed": str(file), **_told(destroy(file))}, as_json=as_json)


@app.command("list")
def list_backups(from_: From, as_json: AsJson = False) -> None:
    """List the whole backups in a directory, oldest first. Nothing is checked; see 'verify'."""
    from backend.backup.reading import listed
    from backend.backup.shelf import Shelf

    with named_errors():
        shelf = Shelf(from_)
        found = [listed(shelf, generation) for generation in shelf.generations()]
        show(
            [
                {
                    "generation": each.generation,
                    "tail_parts": each.parts,
                    "reaches": _time(each.reaches),
                    "verified": None if each.verified is None else _time(each.verified),
                    "key": each.header.key.hex(),
                    "key_expires": _time(each.header.expires),
                }
                for each in found
            ],
            as_json=as_json,
        )


@app.command()
def verify(
    from_: From,
    recovery_key: Key,
    generation: Generation = None,
    use_expired_key: Expired = False,
    as_json: AsJson = False,
) -> None:
    """Read a whole backup, blocks too, without restoring; exit status 2 names what is damaged."""
    with named_errors():
        _, opened = _open(from_, recovery_key, generation, expired=use_expired_key)
        answer: dict[str, Any] = {"generation": opened.generation, **opened.verify()}
        show(answer, as_json=as_json)


def restore(
    from_: From,
    recovery_key: Key,
    generation: Generation = None,
    keep_chain: Annotated[
        bool, typer.Option("--keep-chain", help="the embedded chain's directory survived: keep it")
    ] = False,
    parts: Parts = None,
    discard_newer: Older = False,
    use_expired_key: Expired = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Restore a backup into an empty data directory, checked against the chain.

    Exit status 1 when something of it is damaged, 2 when it was refused.
    """
    from backend.backup.errors import BackupNotNewest
    from backend.maintenance.restoring import restore as put_back

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        shelf, opened = _open(from_, recovery_key, generation, expired=use_expired_key, parts=parts)
        newer = None
        if opened.generation != shelf.newest():
            if not discard_newer:
                raise BackupNotNewest
            newer = _readable(from_, recovery_key, shelf.newest())
        report = put_back(settings, opened, shelf, keep_chain=keep_chain, newer=newer).as_json()
    if as_json:
        show(report, as_json=True)
    else:
        for title in ("restored", "replayed"):
            for name, count in report.pop(title).items():
                OUT.print(f"{title:<12} {name:<26} {count}", highlight=False)
        for title in ("lost", "damage"):
            for found in report[title]:
                OUT.print(f"[bold red]{title}[/] {found['code']}: {found['where']}", highlight=False)
    raise typer.Exit(1 if report["damage"] else 0)


def _open(
    directory: Path, key: Path, generation: str | None, *, expired: bool, parts: int | None = None
) -> tuple[Shelf, Backup]:
    from backend.backup.reading import Backup
    from backend.backup.recovery_key import read_private_half
    from backend.backup.shelf import Shelf

    shelf = Shelf(directory)
    opened = Backup(
        shelf,
        generation or shelf.newest(),
        read_private_half(key),
        now=int(time.time()),
        expired=expired,
        parts=parts,
    )
    return shelf, opened


def _readable(directory: Path, key: Path, generation: str) -> Backup | None:
    """Open a backup for what it tells of erasures; None, with a warning, where it does not open."""
    try:
        _, opened = _open(directory, key, generation, expired=True)
        opened.secret_names()
    except AssentError as failure:
        ERR.print(f"{generation}: {failure.code}; what was erased since is not known", highlight=False)
        return None
    return opened


def _told(half: ServiceHalf) -> dict[str, str]:
    return {"key": half.id, "expires": _time(half.expires_at)}


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
