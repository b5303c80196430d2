"""The wrapping keys of the embedded store: epoch key over page keys over secrets; and the key blinding names.

Nothing is stored here; each method turns a wrapped value into a key or back. Every wrap is bound to the store
and to its page, or to the secret's kind and blinded name, so rows cannot change places.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Final

from backend.keystore import KeyName, KeyStoreDamaged, Secret
from backend.records import canonical
from backend.records.envelope_errors import WrapRefused
from backend.records.wrapping import unwrap, wrap

_CACHED_PAGES: Final = 1024  # some 100 KiB, a quarter of a million secrets
_CACHED_SECRETS: Final = 8192  # some 4 MiB; a read needs five, and opening one costs 50 microseconds


def _unwrap(wrapped: bytes, *, under: Secret, info: bytes) -> Secret:
    try:
        return unwrap(wrapped, under=under, info=info)
    except WrapRefused as error:
        raise KeyStoreDamaged from error


class Keyring:
    """The opened keys of one epoch. An erasure begins a new epoch, so nothing erased is remembered here."""

    def __init__(self, store_id: bytes, epoch_key: Secret) -> None:
        self._store_id = store_id
        self._epoch_key = epoch_key
        self._pages: OrderedDict[int, Secret] = OrderedDict()
        self._secrets: OrderedDict[KeyName, Secret] = OrderedDict()

    def wrap_name_key(self, key: Secret) -> bytes:
        return wrap(key, under=self._epoch_key, info=self._info("name-key"))

    def unwrap_name_key(self, wrapped: bytes) -> Secret:
        return _unwrap(wrapped, under=self._epoch_key, info=self._info("name-key"))

    def wrap_page_key(self, page: int, key: Secret) -> bytes:
        return wrap(key, under=self._epoch_key, info=self._info("page", page))

    def unwrap_page_key(self, page: int, wrapped: bytes) -> Secret:
        return _unwrap(wrapped, under=self._epoch_key, info=self._info("page", page))

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
        return _unwrap(wrapped, under=page_key, info=self._info("secret", kind, name))

    def _info(self, what: str, *parts: int | str | bytes) -> bytes:
        return canonical.encode(["assent/keystore/1", self._store_id, what, *parts])


def blind_name(name_key: Secret, kind: str, name: str) -> bytes:
    """Return what stands for a name in the database: names are pseudonyms, and even those are not shown."""
    return hmac.digest(name_key.reveal(), canonical.encode([kind, name]), "sha256")
