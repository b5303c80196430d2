"""Who takes part in the sequences: people with keys, and contract wallets of one key each."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache

from eth_keys import KeyAPI
from eth_keys.backends import CoinCurveECCBackend
from eth_utils.crypto import keccak

_KEYS = KeyAPI(CoinCurveECCBackend())
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
# What a spoilt signature looks like. Each makes it nobody's.
FLAWS = ("other command", "other contract", "other chain", "high s", "short", "empty")


@cache
def key_of(name: str) -> bytes:
    return bytes(keccak(text=f"differential {name}"))


@cache
def account_of(name: str) -> str:
    """The account of the key with this name, in lower case."""
    return str(_KEYS.PrivateKey(key_of(name)).public_key.to_address())


@lru_cache(maxsize=100_000)
def sign_digest(name: str, digest: bytes) -> bytes:
    made = _KEYS.PrivateKey(key_of(name)).sign_msg_hash(digest)
    return made.r.to_bytes(32) + made.s.to_bytes(32) + bytes([27 + made.v])


def with_high_s(signature: bytes) -> bytes:
    """The other signature of the same key over the same digest, which is not canonical."""
    s = _ORDER - int.from_bytes(signature[32:64])
    return signature[:32] + s.to_bytes(32) + bytes([27 + 28 - signature[64]])


class Cast:
    """Everyone by account. A wallet's key is its owner's: ``"wallet of NAME"`` belongs to the key NAME."""

    def __init__(self, names: Iterable[str], wallets: dict[str, str]) -> None:
        """``wallets``: owner's name to the wallet's account."""
        self._owners = {account_of(name): name for name in names} | {
            account: owner for owner, account in wallets.items()
        }
        self._wallets = {account: account_of(owner) for owner, account in wallets.items()}

    @property
    def wallet_owners(self) -> list[str]:
        return [self._owners[account] for account in self._wallets]

    def wallet_of(self, owner: str) -> str:
        return next(account for account in self._wallets if self._owners[account] == owner)

    def is_wallet(self, account: str) -> bool:
        return account in self._wallets

    def owner(self, wallet: str) -> str:
        """The account that sends for this wallet."""
        return self._wallets[wallet]

    def sign(self, account: str, digest: bytes) -> bytes:
        return sign_digest(self._owners[account], digest) if account in self._owners else bytes(65)
