"""Keys that sign documents: the newest signs, older ones verify as long as they are published.

Of a key that is followed by another only the public half is kept, in the key store, where the index cannot
put another in its place. With a key that somebody else may hold, anybody could write documents of any date,
so that one is withdrawn: what it signed has to be fetched again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from joserfc.jwk import ECKey

from backend.identity.signing_keys import es256_key
from backend.keystore import KeyStore, KeyVersion, Secret, version_of

KEY_CLASS: Final = "document-signing"
_CONTEXT: Final = b"assent/document/P-256"


def _name(version: int) -> str:
    return f"document/{version}"


class DocumentKeys:
    """Ends at its start what a crash left of a rotation."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._destroy_earlier(version_of(keys, KEY_CLASS))

    def signer(self) -> ECKey:
        """Return the key that signs."""
        return self._private(version_of(self._keys, KEY_CLASS).version)

    def published(self) -> tuple[ECKey, ...]:
        """Return the public keys that verify, newest first."""
        state = version_of(self._keys, KEY_CLASS)
        newest = ECKey.import_key(self._private(state.version).as_dict(private=False))
        earlier = (self._public(version) for version in range(state.version - 1, state.minimum - 1, -1))
        return (newest, *earlier)

    def rotate(self, *, clock: Callable[[], int], compromised: bool = False) -> KeyVersion:
        """Make the next key; it signs from now on. ``compromised``: no earlier one verifies any more."""
        old = version_of(self._keys, KEY_CLASS)
        self._keys.create_many([("signing", _name(old.version + 1))])  # durable before anything names it
        public = self._private(old.version).as_dict(private=False)
        for coordinate in ("x", "y"):
            value = Secret(base64.urlsafe_b64decode(str(public[coordinate]) + "="))
            self._keys.put("signing", f"{_name(old.version)}/{coordinate}", value)
        minimum = old.version + 1 if compromised else old.minimum
        new = KeyVersion(KEY_CLASS, old.version + 1, minimum, clock(), old.logged)
        self._keys.note_version(new)
        self._destroy_earlier(new)
        return new

    def _destroy_earlier(self, state: KeyVersion) -> None:
        versions = range(1, state.version)
        halves = [f"{_name(version)}/{part}" for version in range(1, state.minimum) for part in ("x", "y")]
        self._keys.erase_many(("signing", name) for name in [*map(_name, versions), *halves])

    def _private(self, version: int) -> ECKey:
        if version == 1:
            secret = self._keys.get_or_create("signing", _name(version))
        else:
            secret = self._keys.get("signing", _name(version))
        return es256_key(secret.reveal(), _CONTEXT)

    def _public(self, version: int) -> ECKey:
        x, y = (self._keys.get("signing", f"{_name(version)}/{part}").reveal() for part in ("x", "y"))
        return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": _base64url(x), "y": _base64url(y)})


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
