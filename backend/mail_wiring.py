"""Builds what hands mail to patients over to a server."""

from __future__ import annotations

import ssl

from backend.adapters.mail.smtp import Login, Security, Server, SmtpSender
from backend.errors import OperatorError
from backend.notices.errors import MailAddressRefused
from backend.notices.letters import Writer
from backend.notices.mail_addresses import checked
from backend.settings import Settings

_SECURITY = {"smtp": Security.STARTTLS, "smtps": Security.TLS, "smtp+plain": Security.NONE}


class MailSettingsWrong(OperatorError):
    """A file or an address that the settings of mail name cannot be used."""

    code = "mail_settings_wrong"
    remedy = (
        "Correct the named setting: docs/operations.md, 'E-mail'. Without ASSENT_SMTP_URL no mail is sent."
    )


def open_mail(settings: Settings) -> tuple[SmtpSender, Writer] | None:
    """Return what sends and what writes mails; None where no server is set. Raises MailSettingsWrong."""
    server = settings.mail_server
    if server is None or settings.mail_from is None:
        return None
    try:
        address = checked(settings.mail_from)
    except MailAddressRefused as failure:
        raise MailSettingsWrong(failure.remedy, field="ASSENT_MAIL_FROM") from failure
    sender = SmtpSender(
        Server(server.host, server.port, _SECURITY[server.scheme]),
        sender=address,
        login=_login(settings),
        tls=_trust(settings),
    )
    return sender, Writer(sender=address, public_url=settings.public_url)


def _login(settings: Settings) -> Login | None:
    if settings.smtp_login_file is None:
        return None
    try:
        lines = settings.smtp_login_file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as failure:
        raise MailSettingsWrong("The file cannot be read.", field="ASSENT_SMTP_LOGIN_FILE") from failure
    if len(lines) != 2 or not all(lines):
        raise MailSettingsWrong(
            "The file needs two lines: the user, then the password.", field="ASSENT_SMTP_LOGIN_FILE"
        )
    return Login(lines[0], lines[1])


def _trust(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.smtp_ca_file)
    except (OSError, ssl.SSLError) as failure:
        raise MailSettingsWrong(
            "No certificates in PEM could be read.", field="ASSENT_SMTP_CA_FILE"
        ) from failure
