"""``assent consent``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.commands.terminal import fail, named_errors

if TYPE_CHECKING:
    from backend.consent.terms import Grant

app = typer.Typer(help="Consents as files: FHIR in and out.", no_args_is_help=True)


@app.callback()
def _consents() -> None:
    """Consents as files: FHIR in and out."""


@app.command("import")
def import_consent(
    file: Annotated[Path, typer.Argument(help="a FHIR R4 or R5 Consent, or a Bundle of them, in JSON")],
    subject: Annotated[str, typer.Option(help="the patient's subject id, 0x and 24 hex digits")],
    profile: Annotated[
        str, typer.Option(help="how its engine reads it; docs/fhir_consent.md lists the profiles")
    ] = "pcf",
    names: Annotated[
        Path | None, typer.Option(help="JSON: what patients, members and records are called in it")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="time zone of dates without time, such as Europe/Berlin")
    ] = None,
    language: Annotated[str, typer.Option(help="'en' or 'de', of the summary to sign")] = "en",
    epoch: Annotated[int, typer.Option(help="the patient's current epoch")] = 0,
) -> None:
    """Print as JSON the messages that the patient would sign. Importing grants nothing."""
    import time

    from backend.consent.drafting import Drafter
    from backend.consent.notices import BuiltInNotices
    from backend.consent.tables import load_tables
    from backend.consent.terms_json import to_json
    from backend.consent.validation import check_grant
    from backend.interop.fhir_consent.importing import Importer
    from backend.interop.fhir_consent.names import names_from_json
    from backend.types import UnixSeconds

    with named_errors():
        known = names_from_json(subject, {} if names is None else _read(names))
        tables = load_tables()
        imported = Importer(known, tables, profile, _zone(zone)).read(_read(file))
        drafter = Drafter(tables=tables, notices=BuiltInNotices())
        grants = [imported.grant] if imported.grant is not None else []
        for wish in () if grants else imported.wishes:
            now = UnixSeconds(int(time.time()))
            grant = drafter.grant(wish, subject=known.subject, epoch=epoch, now=now, language=language)
            check_grant(grant, tables)
            grants.append(grant)
    _print(
        {
            "unchanged_export": imported.grant is not None,
            "messages": [to_json(grant) for grant in grants],
            "notes": [{"field": note.field, "text": note.text} for note in imported.notes],
            "kept": list(imported.kept),
        }
    )


@app.command("export")
def export_consent(
    file: Annotated[
        Path, typer.Argument(help="the message of a consent, or the answer of GET /v1/consents/{id}")
    ],
    custodian: Annotated[str, typer.Option(help="member id of the custodian, 0x and 64 hex digits")],
    fhir: Annotated[str, typer.Option(help="'r4' or 'r5'")] = "r4",
    pcf: Annotated[
        bool, typer.Option(help="in R4: after the lowest level of IHE PCF that can say it")
    ] = True,
    signed_at: Annotated[
        str | None, typer.Option(help="when it was given, with zone; default: 'received_at' of the file")
    ] = None,
) -> None:
    """Print a consent as a FHIR Consent, and on the standard error what only our extensions say."""
    from backend.consent.tables import load_tables
    from backend.interop.fhir_consent.export_r4 import export_r4
    from backend.interop.fhir_consent.export_r5 import export_r5
    from backend.interop.fhir_consent.extensions import names_in
    from backend.interop.fhir_consent.frame import Frame
    from backend.types import MemberId

    if fhir not in ("r4", "r5"):
        fail("usage", "--fhir is r4 or r5.", "See assent consent export --help.")
    with named_errors():
        content = _read(file)
        grant = _grant(content)
        moment = signed_at or (content.get("received_at") if isinstance(content, dict) else None)
        frame = Frame(MemberId(_hex32(custodian)), _seconds(moment))
        tables = load_tables()
        resource = (
            export_r4(grant, frame, tables, pcf=pcf) if fhir == "r4" else export_r5(grant, frame, tables)
        )
    _print(resource)
    typer.echo("In extensions only: " + ", ".join(names_in(resource)), err=True)


def _grant(content: Any) -> Grant:
    from backend.consent.tables import load_tables
    from backend.consent.terms import Grant
    from backend.consent.terms_json import from_json
    from backend.consent.validation import check_grant

    message = content.get("message", content) if isinstance(content, dict) else content
    grant = from_json(Grant, message)
    check_grant(grant, load_tables())
    return grant


def _read(file: Path) -> Any:
    from backend.interop.fhir_consent.source import load_json

    try:
        return load_json(file.read_bytes())
    except OSError as failure:
        fail("file_unreadable", f"{file}: {failure.strerror}", "Name a file that can be read.")


def _zone(name: str | None) -> Any:
    from zoneinfo import ZoneInfo

    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fail(
            "usage",
            "There is no such time zone.",
            "Name one of the tz database, such as UTC or Europe/Berlin.",
        )


def _hex32(text: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 32:
        fail("usage", "A member id is 0x and 64 hex digits.", "See assent members list.")
    return value


def _seconds(text: str | None) -> Any:
    from backend.types import UnixSeconds

    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below
    if moment.tzinfo is None:
        fail("usage", "When it was given, with its zone.", "Give --signed-at, such as 2026-01-31T12:00:00Z.")
    return UnixSeconds(int(moment.timestamp()))


def _print(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
