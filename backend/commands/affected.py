"""``assent audit affected``: whom a stolen token, a misused account or a member's breach concerns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from backend.commands.terminal import OUT, AsJson, DataDirectory, fail, named_errors, read_settings, show


def affected(
    start: Annotated[str, typer.Option("--from", help="from this time on (ISO 8601 with a zone)")],
    end: Annotated[str, typer.Option("--to", help="and before this time")],
    token: Annotated[str | None, typer.Option(help="the jti of an access token")] = None,
    session: Annotated[
        str | None, typer.Option(help="the fid of a token: every token of the same sign-in")
    ] = None,
    client: Annotated[str | None, typer.Option(help="a client id")] = None,
    user: Annotated[str | None, typer.Option(help="a user name or staff id")] = None,
    member: Annotated[str | None, typer.Option(help="an organisation's member id")] = None,
    record_numbers: Annotated[
        bool,
        typer.Option("--with-record-numbers", help="name the patients, for those who write the letters"),
    ] = False,
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """List all patients whose data it was shown in that time, and apart from them those whose data it was
    refused. For a stopped service; while it runs, GET /v1/audit/affected. Exit status 1: entries of that time
    cannot be told apart, so the list may lack somebody.

    That it was asked stands in the log, where those patients see it.
    """
    from backend.maintenance.account_names import read_member
    from backend.maintenance.affected import find_affected
    from backend.maintenance.fsck import require_deployment
    from backend.stores import open_stores

    start_ms, end_ms = _milliseconds(start, "--from"), _milliseconds(end, "--to")
    with named_errors():
        settings = read_settings(data_directory=data_directory)
        require_deployment(settings)
        stores = open_stores(settings)
        try:
            found = find_affected(
                stores,
                token=token,
                session=session,
                client=client,
                user=user,
                member=None if member is None else read_member(member),
                start_ms=start_ms,
                end_ms=end_ms,
                record_numbers=record_numbers,
            )
        finally:
            stores.closing.close()
    if as_json:
        show(found, as_json=True)
    else:
        _print(found)
    raise typer.Exit(0 if found["complete"] else 1)


def _print(found: dict[str, Any]) -> None:
    for patient in found["patients"]:
        lines = {
            "patient": _name(patient),
            "first": patient["first"],
            "last": patient["last"],
            "reads": patient["reads"],
            "records read": _words(patient["records_read"]),
            "categories read": _words(patient["categories_read"]),
            "records listed": _words(patient["records_listed"]),
            "categories listed": _words(patient["categories_listed"]),
            "other": ", ".join(f"{name} {count}" for name, count in patient["other"].items()) or "none",
            "categories unknown": _words(patient["categories_unknown"]),
        }
        show(lines, as_json=False)
        OUT.print()
    for patient in found["refused"]:
        attempts = ", ".join(f"{name} {count}" for name, count in patient["attempts"].items())
        OUT.print(
            f"refused  {_name(patient)}: {attempts}, {patient['first']} to {patient['last']}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    OUT.print(
        f"{len(found['patients'])} patients concerned, {len(found['refused'])} refused, "
        f"{found['entries']} entries looked through",
        highlight=False,
    )
    if not found["complete"]:
        OUT.print(
            f"NOT COMPLETE: {found['entries_unopened']} entries could not be opened, "
            f"{found['entries_without_token']} name no token",
            highlight=False,
        )


def _name(patient: dict[str, Any]) -> str:
    number = patient.get("record_number")
    return patient["subject"] if number is None else f"{patient['subject']}  record number {number}"


def _words(values: object) -> str:
    if isinstance(values, dict):
        return ", ".join(f"{name} ({count})" for name, count in values.items()) or "none"
    return ", ".join(map(str, values)) or "none" if isinstance(values, list) else str(values)


def _milliseconds(text: str, option: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        fail("usage", f"{option} {text}: no time with a zone", "Write it as 2026-01-31T08:00:00+01:00.")
    return int(moment.timestamp() * 1_000)
