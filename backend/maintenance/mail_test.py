"""Sends the operator a mail, the way patients get theirs."""

from __future__ import annotations

import time
from typing import Any

from backend.mail_wiring import open_mail
from backend.notices.errors import MailNotConfigured, MailNotSent
from backend.notices.letters import Letter, LetterName, new_id
from backend.notices.mail_addresses import checked
from backend.settings import Settings
from backend.types import UnixSeconds


def send_test_mail(settings: Settings, address: str, language: str) -> dict[str, Any]:
    """Hand one mail over and return what was done. Raises MailAddressRefused, MailNotConfigured,
    MailSettingsWrong, MailNotSent."""
    to = checked(address)
    opened = open_mail(settings)
    if opened is None:
        raise MailNotConfigured
    sender, writer = opened
    letter = Letter(LetterName.TEST, new_id(), UnixSeconds(int(time.time())))
    failure = sender.send(to, writer.compose(letter, to=to, language=language))
    if failure is not None:
        raise MailNotSent(f"The mail was not taken: {failure.word}.")
    return {"handed_over_to": settings.smtp_url, "from": writer.sender, "to": to, "message_id": letter.id}
