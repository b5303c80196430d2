"""Keys of what is handed out and may stop working: cursors, references to patients, codes, links in mails.

They are replaced together. Whoever holds something of before asks for it again.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from backend.keystore import KeyName, KeyStore, secrets_in_use

KEY_CLASS: Final = "tokens"
TokenKey: TypeAlias = Literal["cursors", "identity/patient-refs", "identity/enrolment-codes", "contacts"]


def token_key(keys: KeyStore, name: TokenKey) -> bytes:
    """Return the 32 bytes that count now."""
    return secrets_in_use(keys, KEY_CLASS, key_of(name))[0].reveal()


def key_of(name: TokenKey) -> KeyName:
    """Return the name of a key, as its first version bears it."""
    return "master", name
