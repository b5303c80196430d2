"""The settings of mail: which servers are named, and that mail in clear stays on this machine."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from backend.mail_wiring import MailSettingsWrong, open_mail
from backend.settings import Settings

FROM = "notices@custodian.example"


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


def test_without_a_server_no_mail_is_sent() -> None:
    assert open_mail(settings()) is None
    assert open_mail(settings(mail_from=FROM)) is None


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", ("smtp", "mail.example", 587)),
        ("smtp://mail.example:25", ("smtp", "mail.example", 25)),
        ("smtps://mail.example", ("smtps", "mail.example", 465)),
        ("smtp+plain://localhost", ("smtp+plain", "localhost", 25)),
        ("smtp+plain://127.0.0.1:2525", ("smtp+plain", "127.0.0.1", 2525)),
        ("smtp+plain://[::1]:2525", ("smtp+plain", "::1", 2525)),
    ],
)
def test_server_is_read_from_its_url(url: str, server: tuple[str, str, int]) -> None:
    assert settings(smtp_url=url, mail_from=FROM).mail_server == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example", "http://mail.example", "smtp:", "smtp://", "smtp://mail.example/path",
        "smtp://user:secret@mail.example", "smtp://mail.example:99999", "smtp://mail.example?x=1",
        "smtp+plain://mail.example", "smtp+plain://10.0.0.1", "smtp+plain://localhost.example",
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(smtp_url=url, mail_from=FROM)


def test_server_needs_the_address_that_mails_are_from() -> None:
    with pytest.raises(ValidationError, match="ASSENT_MAIL_FROM"):
        settings(smtp_url="smtp://mail.example")


def test_files_and_addresses_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    one_line = tmp_path / "login"
    one_line.write_text("user\n")
    for field, given in (
        ("ASSENT_MAIL_FROM", {"mail_from": "Notices <a@b.example>"}),
        ("ASSENT_SMTP_LOGIN_FILE", {"smtp_login_file": tmp_path / "nowhere"}),
        ("ASSENT_SMTP_LOGIN_FILE", {"smtp_login_file": one_line}),
        ("ASSENT_SMTP_CA_FILE", {"smtp_ca_file": tmp_path / "nowhere"}),
        ("ASSENT_SMTP_CA_FILE", {"smtp_ca_file": one_line}),
    ):
        with pytest.raises(MailSettingsWrong) as refusal:
            open_mail(settings(**{"smtp_url": "smtp://mail.example", "mail_from": FROM, **given}))
        assert refusal.value.field == field


def test_login_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "login"
    file.write_text("assent\nthe password\n")
    opened = open_mail(settings(smtp_url="smtp://mail.example", mail_from=FROM, smtp_login_file=file))
    assert opened is not None
    assert opened[0]._login is not None
    assert opened[0]._login.password == "the password"
    assert "the password" not in repr(opened[0]._login)
    assert opened[0]._tls.verify_mode is ssl.CERT_REQUIRED
    assert opened[0]._tls.check_hostname
