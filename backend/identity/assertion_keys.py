"""Which keys a client may register to sign its assertions."""

from __future__ import annotations

import json
import warnings
from typing import Final

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, KeySet, RSAKey

from backend.errors import InvalidInput

_MIN_RSA_BITS: Final = 2048
_MAX_CHARACTERS: Final = 20_000


def require_public_keys(key_set: str) -> None:
    """Raise InvalidInput unless ``key_set`` is a JWK Set of public keys that may sign assertions."""
    if len(key_set) > _MAX_CHARACTERS:
        raise InvalidInput("Send at most 20,000 characters.", field="assertion_keys")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # weak keys are refused below
            keys = KeySet.import_key_set(json.loads(key_set)).keys
    except (JoseError, ValueError, KeyError, TypeError, AttributeError) as refusal:
        raise InvalidInput("Send a JWK Set.", field="assertion_keys") from refusal
    for key in keys:
        weak = isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS
        if not isinstance(key, ECKey | RSAKey) or key.is_private or weak or not key.kid:
            raise InvalidInput("Send public EC or RSA keys (2048 bits), with kid.", field="assertion_keys")
    if not keys:
        raise InvalidInput("Send at least one key.", field="assertion_keys")
