"""The wrapping keys of a store: epoch key over page keys over secrets; and the key blinding names.

Nothing is stored here; each method turns a wrapped value into a key or back. Every wrap is bound to the store
and to its page and version, or to the secret's kind and blinded name, so rows cannot change places.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from backend.adapters.keys.epochs import EpochKey
from backend.keystore import KeyName, KeyStoreDamaged, Secret
from backend.records import canonical
from backend.records.envelope_errors import WrapRefused
from backend.records.wrapping import unwrap, wrap

_CACHED_PAGES: Final = 1024  # some 100 KiB, a quarter of a million secrets
# Some 16 MiB. A read needs five, and opening one costs 50 microseconds; the audit keys of the patients of a
# busy day must fit beside the others, since a round over more of them than fit finds none.
_CACHED_SECRETS: Final = 32_768


class Keyring:
    """The opened keys of one epoch. An erasure begins a new epoch, so nothing erased is remembered here."""

    def __init__(self, store_id: bytes, epoch_key: EpochKey) -> None:
        self._store_id = store_id
        self._epoch_key = epoch_key
        self._pages: OrderedDict[int, Secret] = OrderedDict()
        self._secrets: OrderedDict[KeyName, Secret] = OrderedDict()

    def wrap_name_key(self, key: Secret, version: int) -> bytes:
        return self._epoch_key.wrap(key, self._info("name-key", version))

    def unwrap_name_key(self, wrapped: bytes, version: int) -> Secret:
        return self._epoch_key.unwrap(wrapped, self._info("name-key", version))

    def wrap_page_key(self, page: int, version: int, key: Secret) -> bytes:
        return self._epoch_key.wrap(key, self._info("page", page, version))

    def unwrap_page_key(self, page: int, version: int, wrapped: bytes) -> Secret:
        return self._epoch_key.unwrap(wrapped, self._info("page", page, version))

    def cached_page(self, page: int) -> Secret | None:
        """Return an opened page key if it is among the last used ones."""
        key = self._pages.get(page)
        if key is not None:
            self._pages.move_to_end(page)
        return key

    def remember_page(self, page: int, key: Secret) -> Secret:
        self._pages[page] = key
        self._pages.move_to_end(page)
        if len(self._pages) > _CACHED_PAGES:
            self._pages.popitem(last=False)
        return key

    def cached_secret(self, name: KeyName) -> Secret | None:
        """Return an opened secret if it is among the last used ones."""
        secret = self._secrets.get(name)
        if secret is not None:
            self._secrets.move_to_end(name)
        return secret

    def remember_secret(self, name: KeyName, secret: Secret) -> Secret:
        self._secrets[name] = secret
        if len(self._secrets) > _CACHED_SECRETS:
            self._secrets.popitem(last=False)
        return secret

    def wrap_secret(self, secret: Secret, *, page_key: Secret, kind: str, name: bytes) -> bytes:
        return wrap(secret, under=page_key, info=self._info("secret", kind, name))

    def unwrap_secret(self, wrapped: bytes, *, page_key: Secret, kind: str, name: bytes) -> Secret:
        try:
            return unwrap(wrapped, under=page_key, info=self._info("secret", kind, name))
        except WrapRefused as error:
            raise KeyStoreDamaged from error

    def label_cipher(self, page_key: Secret) -> AESSIV:
        """Return what encrypts the names in a page (RFC 5297), so that they can be blinded anew."""
        info = self._info("labels")
        return AESSIV(HKDFExpand(algorithm=SHA512(), length=64, info=info).derive(page_key.reveal()))

    def seal_label(self, label: str, *, cipher: AESSIV, kind: str, name: bytes) -> bytes:
        return cipher.encrypt(label.encode(), [self._info("label", kind, name)])

    def open_label(self, sealed: bytes, *, cipher: AESSIV, kind: str, name: bytes) -> str:
        try:
            return cipher.decrypt(sealed, [self._info("label", kind, name)]).decode()
        except (InvalidTag, ValueError) as error:
            raise KeyStoreDamaged from error

    def seal_count(self, count: int, *, cipher: AESSIV, page: int) -> bytes:
        """Return how many secrets a page holds, so that one that goes without an erasure is missed."""
        return cipher.encrypt(count.to_bytes(4, "big"), [self._info("count", page)])

    def open_count(self, sealed: bytes, *, cipher: AESSIV, page: int) -> int:
        try:
            return int.from_bytes(cipher.decrypt(sealed, [self._info("count", page)]), "big")
        except (InvalidTag, ValueError) as error:
            raise KeyStoreDamaged from error

    def _info(self, what: str, *parts: int | str | bytes) -> bytes:
        return canonical.encode(["assent/keystore/1", self._store_id, what, *parts])


def blind_name(name_key: Secret, kind: str, name: str) -> bytes:
    """Return what stands for a name in the database: names are pseudonyms, and even those are not shown."""
    return hmac.digest(name_key.reveal(), canonical.encode([kind, name]), "sha256")
