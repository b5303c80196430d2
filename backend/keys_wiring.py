"""Opens the key store that the settings name: embedded, or with its epoch key in an HSM."""

from __future__ import annotations

from backend.adapters.data_directory import DataDirectory
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.hsm import HsmKeyStore
from backend.adapters.keys.hsm_session import HsmAccess
from backend.adapters.keys.paged import PagedKeyStore
from backend.adapters.keys.root import KeyFile, Passphrase
from backend.settings import Settings


def open_keys(settings: Settings, directory: DataDirectory) -> PagedKeyStore:
    """Raises what opening a key store raises: no HSM, another passphrase, in use, rolled back, damaged."""
    token = settings.hsm_token
    if settings.keystore == "embedded" or token is None:  # Settings refuses an HSM without its token
        return EmbeddedKeyStore(directory.keys, _unlock(settings, directory))
    access = HsmAccess(
        module=str(token.module),
        token_label=token.label,
        pin=token.pin.get_secret_value(),
        timeout_seconds=settings.pkcs11_timeout_seconds,
    )
    return HsmKeyStore(directory.keys, access)


def _unlock(settings: Settings, directory: DataDirectory) -> Passphrase | KeyFile:
    if settings.passphrase is not None:
        return Passphrase(settings.passphrase.get_secret_value())
    path = directory.root / "development.key"
    if not path.exists() and not (directory.keys / "store").exists():
        return KeyFile.create(path)
    return KeyFile(path)
