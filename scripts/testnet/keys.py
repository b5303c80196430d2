"""What a node has for itself alone: the key its peers know it by, and the account that seals blocks."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Final

from eth_account import Account
from eth_keys.datatypes import PrivateKey

NODE_KEY: Final = "nodekey"
PASSWORD: Final = "password"  # noqa: S105 - the name of a file
KEYSTORE: Final = "keystore"
# The password is 32 random bytes that nobody has to remember, so stretching it would add nothing.
_LIGHT_SCRYPT: Final = 4096


def draw_node_key(folder: Path) -> str:
    """Draw the key of a node and return its public half; the one that is there is kept."""
    path = folder / NODE_KEY
    if not path.exists():
        _write_secret(path, secrets.token_hex(32))
    key = PrivateKey(bytes.fromhex(path.read_text(encoding="ascii")))
    return str(key.public_key.to_hex()).removeprefix("0x")


def draw_account(folder: Path) -> str:
    """Draw an account with a password, as geth keeps them, and return its address; the one there stays."""
    store = folder / KEYSTORE
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kept in store.iterdir():
        return str(Account.from_key(_opened(kept, folder)).address)
    password = secrets.token_hex(32)
    _write_secret(folder / PASSWORD, password)
    account = Account.create()
    sealed = Account.encrypt(account.key, password, kdf="scrypt", iterations=_LIGHT_SCRYPT)
    # The library writes it as a number, without leading zeros; geth wants all 16 bytes, and panics.
    cipher = sealed["crypto"]["cipherparams"]
    cipher["iv"] = cipher["iv"].rjust(32, "0")
    _write_secret(store / f"{account.address.lower()}.json", json.dumps(sealed))
    return str(account.address)


def draw_key(path: Path) -> str:
    """Draw a plain key file, as ``scripts/deploy.py`` reads it, and return the account's address."""
    if not path.exists():
        _write_secret(path, secrets.token_hex(32))
    return str(Account.from_key(path.read_text(encoding="ascii")).address)


def _opened(kept: Path, folder: Path) -> bytes:
    return bytes(Account.decrypt(json.loads(kept.read_bytes()), (folder / PASSWORD).read_text()))


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
