"""What a mail says: that there is something to see, and where. Neither it nor its headers say what.

Plain text, nothing to be loaded. Marked as made by a program (RFC 3834), with a link that stops the mails at
once (RFC 8058). The Message-ID is drawn once, so that a mail that comes twice can be told from two.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from backend.consent.table_words import sentences
from backend.consent.tables import LANGUAGES
from backend.notices.mail_addresses import domain_of
from backend.notices.types import Topic
from backend.sealed import require_schema
from backend.types import UnixSeconds

SCHEMA_VERSION: Final = 1
STOP_PATH: Final = "/v1/contact/unsubscribe/"
# Folded at 78 characters a long link would be encoded, and no reader of List-Unsubscribe decodes it.
_UNFOLDED: Final = SMTP.clone(max_line_length=998)
_TEXTS: Final = Path(__file__).parent / "data" / "mail.json"


class LetterName(StrEnum):
    """Letters that are no news. Each goes to an address of its own."""

    CONFIRM = "contact.confirm"
    CHANGED = "contact.changed"
    REMOVED = "contact.removed"
    TEST = "contact.test"


@dataclass(frozen=True, slots=True)
class Letter:
    """One to be sent. ``to`` is empty where it goes to the address that the patient has by then."""

    name: str  # a LetterName or a Topic
    id: str  # left part of the Message-ID
    written_at: UnixSeconds
    to: str = ""
    language: str = ""
    code: str = ""
    until: int = 0  # unix seconds, after which it is of no use; 0: never

    def encode(self) -> bytes:
        return json.dumps({"schema": SCHEMA_VERSION, **asdict(self)}).encode()

    @classmethod
    def decode(cls, encoded: bytes) -> Letter:
        """Read what ``encode`` wrote. Raises SchemaUnknown."""
        value = json.loads(encoded)
        require_schema(value.pop("schema"), SCHEMA_VERSION)
        return cls(**value)


def new_id() -> str:
    """Return the left part of a Message-ID that nobody had before."""
    return secrets.token_hex(16)


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return the sentences by language and name. Raises TablesIncomplete."""
    return sentences(json.loads(_TEXTS.read_text(encoding="utf-8")), LANGUAGES)


@dataclass(frozen=True, slots=True)
class Writer:
    """``sender``: the address that mails are from; ``public_url``: where patients sign in."""

    sender: str
    public_url: str

    def compose(self, letter: Letter, *, to: str, language: str, token: str = "") -> bytes:
        """Return the mail. With the ``token`` of a contact it carries the link that stops mails."""
        said = texts()[language]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self.sender
        mail["To"] = to
        mail["Subject"] = said[f"subject.{letter.name}" if letter.name in _OWN_SUBJECT else "subject"]
        mail["Date"] = datetime.fromtimestamp(letter.written_at, UTC)
        mail["Message-ID"] = f"<{letter.id}@{domain_of(self.sender)}>"
        mail["Auto-Submitted"] = "auto-generated"
        url = self.public_url.rstrip("/")
        paragraphs = [said[letter.name].format(url=url, code=letter.code)]
        if letter.name in set(Topic):
            paragraphs += [said["see"].format(url=url)]
        paragraphs += [said["caution"]]
        if token:
            stop = f"{url}{STOP_PATH}{token}"
            mail["List-Unsubscribe"] = f"<{stop}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            paragraphs += [said["stop"].format(stop=stop)]
        mail.set_content("\n\n".join(paragraphs) + "\n", cte="quoted-printable")
        mail["Content-Language"] = language
        return mail.as_bytes(policy=_UNFOLDED)


_OWN_SUBJECT: Final = frozenset(LetterName)
