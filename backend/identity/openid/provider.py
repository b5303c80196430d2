"""What the provider publishes: where its endpoints are (OpenID Connect Discovery) and its keys (RFC 7517).

Both are asked for when they are needed and kept for a while, so that the service starts and goes on without
the provider. After a failure nobody asks again for some seconds: a provider that hangs must not hold threads.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from backend.identity.openid.errors import OpenIdProviderUnavailable
from backend.identity.openid.ports import ProviderLink

METADATA_SECONDS: Final = 3600.0
KEYS_SECONDS: Final = 600.0  # so long a key counts after the provider has withdrawn it
ROTATED_SECONDS: Final = 15.0  # between two looks for a key that is not known
LOOK_SECONDS: Final = 10.0  # for so long a provider that answered counts as there
FAILED_SECONDS: Final = 5.0  # after a failure, until the next try
MIN_RSA_BITS: Final = 2048
_MAX_KEYS: Final = 64

Key = ECKey | RSAKey
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Metadata:
    """``end_session`` is None where the provider has no page to sign out."""

    authorization: str
    token: str
    keys: str
    end_session: str | None


class Provider:
    """One issuer. Thread-safe."""

    def __init__(
        self, *, issuer: str, link: ProviderLink, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.issuer = issuer
        self._link = link
        self._monotonic = monotonic
        self._metadata = _Kept(self._load_metadata, monotonic)
        self._keys = _Kept(self._load_keys, monotonic)
        self._looked_at: float | None = None
        self._looking = threading.Lock()

    def metadata(self, *, just_now: bool = False) -> Metadata:
        """``just_now``: only if it answered a moment ago, as before a browser is sent there.

        Raises OpenIdProviderUnavailable.
        """
        return self._metadata.get(LOOK_SECONDS if just_now else METADATA_SECONDS)

    def find_key(self, key_id: str) -> Key | None:
        """Return the key. One that is not known may be new, so the set is looked at again, but not often.

        Raises OpenIdProviderUnavailable.
        """
        found = self._keys.get(KEYS_SECONDS).get(key_id)
        return found or self._newer_keys().get(key_id)

    def _newer_keys(self) -> Mapping[str, Key]:
        with self._looking:
            now = self._monotonic()
            if self._looked_at is None or now - self._looked_at >= ROTATED_SECONDS:
                self._looked_at = now
                return self._keys.get(0)
        return self._keys.get(KEYS_SECONDS)

    def _load_metadata(self) -> Metadata:
        document = self._link.document(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            raise OpenIdProviderUnavailable("The provider names another issuer than ASSENT_OPENID_ISSUER.")
        return Metadata(
            authorization=self._endpoint(document, "authorization_endpoint"),
            token=self._endpoint(document, "token_endpoint"),
            keys=self._endpoint(document, "jwks_uri"),
            end_session=self._endpoint(document, "end_session_endpoint")
            if "end_session_endpoint" in document
            else None,
        )

    def _endpoint(self, document: Mapping[str, Any], name: str) -> str:
        address = document.get(name)
        if isinstance(address, str) and len(address) <= 2_000:
            parts = urlsplit(address)
            secure = parts.scheme == "https" or parts.scheme == urlsplit(self.issuer).scheme
            if secure and parts.hostname and not parts.fragment:
                return address
        raise OpenIdProviderUnavailable("The provider's description is not one.")

    def _load_keys(self) -> Mapping[str, Key]:
        listed = self._link.document(self.metadata().keys).get("keys")
        if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
            raise OpenIdProviderUnavailable("The provider's key set is not one.")
        found: dict[str, Key] = {}
        for entry in listed:
            key = _signing_key(entry)
            if key is not None and key.kid is not None:
                found[key.kid] = key
        return found


class _Kept(Generic[Value]):
    """One value, loaded by one thread at a time."""

    def __init__(self, load: Callable[[], Value], monotonic: Callable[[], float]) -> None:
        self._load = load
        self._monotonic = monotonic
        self._found: tuple[float, Value] | None = None
        self._failed_at: float | None = None
        self._lock = threading.Lock()

    def get(self, max_age_seconds: float) -> Value:
        asked_at = self._monotonic()
        kept = self._found
        if kept is not None and asked_at - kept[0] < max_age_seconds:
            return kept[1]
        with self._lock:
            now = self._monotonic()
            # 0 seconds: what another thread loaded after we asked is new enough.
            if self._found is not None and now - self._found[0] < max(max_age_seconds, now - asked_at):
                return self._found[1]  # another thread loaded it meanwhile
            if self._failed_at is not None and now - self._failed_at < FAILED_SECONDS:
                raise OpenIdProviderUnavailable
            try:
                value = self._load()
            except OpenIdProviderUnavailable:
                self._failed_at = self._monotonic()
                raise
            self._failed_at = None
            self._found = (now, value)
            return value


def _signing_key(entry: object) -> Key | None:
    """Return a public key of a kind that signs tokens; None for all others, of which a set may have some."""
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # weak keys are refused below
            key = JWKRegistry.import_key(entry)
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(key, ECKey | RSAKey) or key.is_private or not isinstance(key.kid, str):
        return None
    weak = isinstance(key, RSAKey) and key.public_key.key_size < MIN_RSA_BITS
    return None if weak else key
