"""Keys that sign access tokens: ES256 (RFC 7518, 3.4), rotated with overlap, published (RFC 7517).

ES256 because every JOSE library verifies it. A key is derived from a 32-byte secret of the key store; the key
id is its RFC 7638 thumbprint, so that the index cannot put another key behind an id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey

from backend.errors import Unavailable
from backend.identity.ports import IdentityAudit, SigningKeyStates
from backend.identity.seal import Sealer
from backend.identity.types import SigningKeyState
from backend.keystore import KeyStore
from backend.types import UnixSeconds

ALGORITHM: Final = "ES256"
PUBLISH_AHEAD_SECONDS: Final = 600  # others fetch the key set this often, so a key is known before it signs
CACHE_SECONDS: Final = 60  # for how long a process may not know of another's rotation
RELOAD_SECONDS: Final = 5  # shortest time between two looks for keys another process made
_CONTEXT: Final = b"assent/access-token/P-256"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


@dataclass(frozen=True, slots=True)
class SigningKey:
    state: SigningKeyState
    key: ECKey
    key_id: str  # RFC 7638 thumbprint, base64url


class KeyRing:
    """``token_seconds`` is how long a token can live, so how long a key must be kept after its last use."""

    def __init__(
        self,
        *,
        keys: KeyStore,
        states: SigningKeyStates,
        sealer: Sealer,
        audit: IdentityAudit,
        clock: Callable[[], int],
        token_seconds: int,
    ) -> None:
        self._keys = keys
        self._states = states
        self._sealer = sealer
        self._audit = audit
        self._clock = clock
        self._token_seconds = token_seconds
        self._lock = threading.Lock()
        self._ring: tuple[SigningKey, ...] = ()
        self._loaded_at = 0

    def signer(self) -> SigningKey:
        """Return the newest key whose time to sign has come; makes the first one of a deployment."""
        self._reload(max_age_seconds=CACHE_SECONDS)
        if not self._ring:
            self._make(generation=1, sign_from=self._clock())
            self._reload(max_age_seconds=0)
        now = self._clock()
        usable = [key for key in self._ring if _verifies(key, now) and key.state.sign_from <= now]
        if not usable:
            raise Unavailable("No signing key is usable now.")
        return usable[-1]

    def find(self, key_id: str) -> SigningKey | None:
        """Return the key with this id if tokens of it may still be accepted."""
        for max_age_seconds in (CACHE_SECONDS, RELOAD_SECONDS):
            self._reload(max_age_seconds=max_age_seconds)
            for key in self._ring:
                if key.key_id == key_id:
                    return key if _verifies(key, self._clock()) else None
        return None

    def public_set(self) -> dict[str, Any]:
        """Return the JWK Set to publish: keys that sign, will sign soon, or signed tokens still alive."""
        self.signer()
        now = self._clock()
        return {
            "keys": [
                {**key.key.as_dict(private=False), "kid": key.key_id, "use": "sig", "alg": ALGORITHM}
                for key in self._ring
                if _verifies(key, now)
            ]
        }

    def states(self) -> tuple[SigningKeyState, ...]:
        """Return the states of the keys whose tokens may still be accepted, oldest first."""
        self.signer()
        now = self._clock()
        return tuple(key.state for key in self._ring if _verifies(key, now))

    def rotate(self, *, by: str, compromised: bool = False) -> str:
        """Make the next key and return its id. Two rotations at once make one key.

        Regular: the new key is published now and signs in ten minutes; the old one is accepted until its last
        token has expired. ``compromised``: the new key signs at once, tokens of older keys are refused at
        once here, and within a minute by other processes.
        """
        current = self.signer()
        ring = self._ring
        if not compromised and ring[-1] is not current:
            return ring[-1].key_id  # a rotation is under way
        now = self._clock()
        sign_from = now if compromised else now + PUBLISH_AHEAD_SECONDS
        self._make(generation=ring[-1].state.generation + 1, sign_from=sign_from)
        # Only now: a crash in between must not leave the ring without a key.
        retired_at = now if compromised else sign_from + self._token_seconds + 2 * CACHE_SECONDS
        for key in ring:
            if key.state.verify_until is None or key.state.verify_until > retired_at:
                self._states.retire(
                    self._sealer.seal(replace(key.state, verify_until=UnixSeconds(retired_at)))
                )
        self._reload(max_age_seconds=0)
        key_id = self._ring[-1].key_id
        self._audit.signing_key_rotated(key_id=key_id, by=by, compromised=compromised)
        return key_id

    def _make(self, *, generation: int, sign_from: int) -> None:
        self._load_key(generation)  # the secret is durable before anything names it
        self._states.insert(
            self._sealer.seal(SigningKeyState(generation=generation, sign_from=UnixSeconds(sign_from)))
        )

    def _reload(self, *, max_age_seconds: int) -> None:
        now = self._clock()
        with self._lock:
            if self._ring and 0 <= now - self._loaded_at < max_age_seconds:
                return
            known = {key.state.generation: key.key for key in self._ring}
            ring = []
            for state in sorted(self._states.all(), key=lambda state: state.generation):
                key = known.get(state.generation) or self._load_key(state.generation)
                ring.append(SigningKey(self._sealer.check(state), key, key.thumbprint()))
            self._ring = tuple(ring)
            self._loaded_at = now

    def _load_key(self, generation: int) -> ECKey:
        secret = self._keys.get_or_create("signing", f"access-token/{generation}").reveal()
        return es256_key(secret, _CONTEXT)


def es256_key(secret: bytes, context: bytes) -> ECKey:
    """Return the P-256 key of a secret for one use; ``context`` keeps the uses of one secret apart."""
    # 16 bytes more than the order, so that the remainder is not biased (FIPS 186-5, A.2.1).
    wide = HKDF(algorithm=SHA256(), length=48, salt=None, info=context).derive(secret)
    scalar = int.from_bytes(wide) % (_ORDER - 1) + 1
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ECKey.import_key(pem)


def _verifies(key: SigningKey, now: int) -> bool:
    return key.state.verify_until is None or now < key.state.verify_until
