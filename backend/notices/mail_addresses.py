"""Which texts are addresses that mail is sent to: the dot-atom form of RFC 5321 (4.1.2) in ASCII.

No quoted local part, no address literal, no comment, no letter outside ASCII (RFC 6531 needs a server at each
step that speaks it): nothing is left that a header or a command could be made of.
"""

from __future__ import annotations

import re
from typing import Final

from backend.notices.errors import MailAddressRefused

MAX_CHARACTERS: Final = 254
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FORM: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")


def checked(text: str, *, field: str = "address") -> str:
    """Return the address, its domain in lower case. Raises MailAddressRefused."""
    if len(text) > MAX_CHARACTERS or not _FORM.fullmatch(text):
        raise MailAddressRefused(field=field)
    local, _, domain = text.rpartition("@")
    if domain.rpartition(".")[2].isdigit():  # an IPv4 address without its brackets
        raise MailAddressRefused(field=field)
    return f"{local}@{domain.lower()}"


def mailbox(address: str) -> str:
    """Return what most servers deliver the address to: without a tag, whatever its case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def domain_of(address: str) -> str:
    return address.rpartition("@")[2]
