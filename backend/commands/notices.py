"""``assent notices``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backend.commands.terminal import AsJson, DataDirectory, fail, named_errors, read_settings, show

app = typer.Typer(
    help="Texts that people are shown before they sign; mail to patients.", no_args_is_help=True
)


@app.callback()
def _notices() -> None:
    """Texts that people are shown before they sign; mail to patients."""


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="the text, in UTF-8; '.md' is Markdown, all else plain text")],
    language: Annotated[str, typer.Option(help="'en' or 'de'")],
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Publish a notice, also while the service runs: drafts in its language name it from now on."""
    from backend.maintenance.accounts import open_accounts

    media_type = "text/markdown" if file.suffix == ".md" else "text/plain"
    try:
        content = file.read_bytes()
    except OSError as failure:
        fail("usage", f"{file}: {failure.strerror}", "Name a file that can be read.")
    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.publish_notice(content, language, media_type), as_json=as_json)


@app.command("list")
def list_notices(data_directory: DataDirectory = None, as_json: AsJson = False) -> None:
    """List the notices, newest first, also while the service runs."""
    from backend.maintenance.accounts import open_accounts

    with named_errors(), open_accounts(read_settings(data_directory=data_directory)) as accounts:
        show(accounts.notices(), as_json=as_json)


@app.command("mail-test")
def mail_test(
    address: Annotated[str, typer.Argument(help="where the mail goes")],
    language: Annotated[str, typer.Option(help="'en' or 'de'")] = "en",
    data_directory: DataDirectory = None,
    as_json: AsJson = False,
) -> None:
    """Send one mail the way patients get theirs, also while the service runs."""
    from backend.consent.tables import check_language
    from backend.maintenance.mail_test import send_test_mail

    with named_errors():
        settings = read_settings(data_directory=data_directory)
        show(send_test_mail(settings, address, check_language(language)), as_json=as_json)
