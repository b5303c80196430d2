"""The key store as the rest of the program sees it: secrets named by (kind, name), kept or really destroyed.

A pure port: no cryptography and no file here. Adapters: ``backend.adapters.keys``. One conformance suite runs
on each of them (``tests/integration/test_keystore_conformance.py``).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, NoReturn, Protocol, TypeAlias, get_args

from backend.errors import Conflict, IntegrityError, InvalidInput, NotFound, OperatorError, Unavailable

SECRET_BYTES: Final = 32
MAX_NAME_LENGTH: Final = 200

KeyKind: TypeAlias = Literal["master", "patient", "erasure_share", "salt", "audit", "signing", "account"]
KEY_KINDS: Final[frozenset[str]] = frozenset(get_args(KeyKind))
WrappingClass: TypeAlias = Literal["epoch", "page", "name"]
KeyName: TypeAlias = tuple[KeyKind, str]  # name: 1..200 printable ASCII characters, a pseudonym or an id


class Secret:  # noqa: PLW1641 - no dictionary key: its hash would be one more place it leaks from
    """Exactly 32 secret bytes. Printing or logging it shows nothing; ``reveal()`` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != SECRET_BYTES:
            raise ValueError(f"a secret has {SECRET_BYTES} bytes, not {len(value)}")
        self._value = bytes(value)

    @classmethod
    def generate(cls) -> Secret:
        """Return a fresh secret from the operating system's generator."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def reveal(self) -> bytes:
        """Return the 32 bytes, for a cipher or a signer. Do not keep them."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return "Secret(redacted)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class KeyVersion(NamedTuple):
    """Where the keys of one class stand. What a version below ``minimum`` made is refused.

    While a rotation is under way, ``minimum`` is below ``version`` and both are looked up.
    """

    key_class: str
    version: int
    minimum: int = 1
    made_at: int = 0  # Unix seconds; 0: with the deployment
    logged: int = 1  # the last version whose making stands in the audit log


class SecretNotFound(NotFound):
    """No secret of this name: it never existed or it was erased; the store cannot tell which."""

    code = "secret_not_found"
    remedy = "The key was never made here or has been erased. What it protected cannot be read any more."


class SecretDiffers(Conflict):
    """``put`` named a secret that exists with another value."""

    code = "secret_differs"
    remedy = "A secret is never overwritten: erase the old one first, or choose another name."


class KeyNameInvalid(InvalidInput):
    code = "key_name_invalid"
    remedy = "Use a known kind and a name of 1 to 200 printable ASCII characters."


class KeyStoreUnavailable(Unavailable):
    code = "keystore_unavailable"
    remedy = (
        "The key store cannot be read or written now (disk full, closed, device error). Try again shortly."
    )


class KeyStoreDamaged(IntegrityError):
    """A file or row of the key store is not what was stored there."""

    code = "keystore_damaged"
    remedy = "Stop the service and restore the key store's directory from a copy, every file of one moment."


class KeyStorePassphrase(OperatorError):
    """The passphrase or key file is not the one this key store was closed with."""

    code = "keystore_passphrase"
    remedy = "Give the passphrase (or key file) this data directory was made with. It cannot be recovered."


class KeyStoreInUse(OperatorError):
    code = "keystore_in_use"
    remedy = "Another process has this key store open. Stop it, or use another data directory."


class KeyStoreRolledBack(OperatorError):
    """The database names an epoch key that is not there: one of the two was put back from an older copy."""

    code = "keystore_rolled_back"
    remedy = "Database and epoch key are not of the same moment. Restore both from one copy."


class KeyStoreSchema(OperatorError):
    """The database has the form of another release."""

    code = "keystore_schema"
    remedy = "Use the release this data directory was made with, or another data directory."


class KeyStoreKind(OperatorError):
    """The store's epoch key lives elsewhere than the settings say."""

    code = "keystore_kind"
    remedy = "Set ASSENT_KEYSTORE to the kind this data directory was made with."


class KeyStoreMissing(OperatorError):
    code = "keystore_missing"
    remedy = "There is no key store in this directory. Point to the right one, or restore it."


def check_name(kind: str, name: str) -> None:
    """Raise KeyNameInvalid unless ``kind`` is known and ``name`` is 1..200 printable ASCII characters."""
    if kind not in KEY_KINDS:
        raise KeyNameInvalid(f"unknown kind of key {kind!r}")
    if not (1 <= len(name) <= MAX_NAME_LENGTH and name.isascii() and name.isprintable()):
        raise KeyNameInvalid


class KeyStore(Protocol):
    """Every operation is durable when it returns, and safe to repeat after a crash.

    All raise KeyStoreUnavailable when the store cannot answer and KeyStoreDamaged when what it holds does not
    authenticate. Calls from several threads are allowed.
    """

    def get(self, kind: KeyKind, name: str) -> Secret:
        """Return the secret; raise SecretNotFound when it never existed or was erased."""

    def exists(self, kind: KeyKind, name: str) -> bool:
        """Tell whether ``get`` would find a secret."""

    def get_or_create(self, kind: KeyKind, name: str) -> Secret:
        """Return the secret, made at random if absent. Not for reading: it would replace an erased one."""

    def create_many(self, names: Iterable[KeyName]) -> tuple[Secret, ...]:
        """``get_or_create`` for each name, in order, made durable together: all of them or none."""

    def put(self, kind: KeyKind, name: str, secret: Secret) -> None:
        """Keep a given secret. The same value again is accepted; another value raises SecretDiffers."""

    def erase(self, kind: KeyKind, name: str) -> None:
        """Destroy the secret: after return no older copy of the store with all surviving keys opens it.

        Erasing what is not there does nothing.
        """

    def erase_many(self, names: Iterable[KeyName]) -> None:
        """Destroy several secrets at once, all or none, at the price of one."""

    def rotate_root(self) -> None:
        """Replace every wrapping key above the secrets; what the old ones wrapped opens nothing any more."""

    def rotate(self, key_class: WrappingClass) -> None:
        """Replace the keys of one class and wrap anew what they held: all or nothing, and the old ones dead.

        ``epoch``: the key above all pages. ``page``: the key of every page. ``name``: what blinds names.
        """

    def versions(self) -> tuple[KeyVersion, ...]:
        """Return where every class of keys stands: the store's own from the root down, then others noted."""

    def note_version(self, version: KeyVersion) -> None:
        """Keep where a class of keys stands whose secrets lie here."""

    def damaged(self) -> Iterator[str]:
        """Yield the name of each place where something stored does not open, or is gone unerased."""

    def close(self) -> None:
        """Release files, locks and sessions. A closed store raises KeyStoreUnavailable."""


def versioned(name: KeyName, version: int) -> KeyName:
    """Return what names a version of a key: the first has the bare name."""
    kind, bare = name
    return name if version == 1 else (kind, f"{bare}/{version}")


def secrets_in_use(keys: KeyStore, key_class: str, name: KeyName) -> tuple[Secret, ...]:
    """Return the versions of a key that count, newest first: more than one while a rotation is under way.

    Raises SecretNotFound where the newest was lost.
    """
    state = version_of(keys, key_class)
    newest = versioned(name, state.version)
    # Made where it is the first, or a rotation has not come to it yet; any other that is not there was lost.
    may_be_new = state.version == 1 or state.minimum < state.version
    found = [keys.get_or_create(*newest) if may_be_new else keys.get(*newest)]
    for version in range(state.version - 1, state.minimum - 1, -1):
        older = versioned(name, version)
        if keys.exists(*older):  # not there: a rotation has destroyed it, and ends next
            found.append(keys.get(*older))
    return tuple(found)


def version_of(keys: KeyStore, key_class: str) -> KeyVersion:
    """Return where a class of keys stands; at its first version where nothing was noted."""
    return next(
        (found for found in keys.versions() if found.key_class == key_class), KeyVersion(key_class, 1)
    )
