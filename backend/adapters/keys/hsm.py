"""The key store with its epoch key in an HSM: PKCS#11, AES-256-GCM, a key that never leaves the token.

``epoch key (object of the token) -> page keys -> up to 256 secrets each (keys.db)``. A page key is encrypted
by the token (CKM_AES_GCM, PKCS#11 v2.40, 2.11.6) with its place as associated data. Destroying the object of
an epoch (C_DestroyObject) is what erases, so a token must not be backed up with the objects of old epochs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from backend.adapters.keys.epochs import Place
from backend.adapters.keys.hsm_errors import HsmUnfit
from backend.adapters.keys.hsm_session import HsmAccess, HsmSession
from backend.adapters.keys.paged import PagedKeyStore
from backend.keystore import SECRET_BYTES, KeyStoreDamaged, KeyStoreRolledBack, Secret

Key: TypeAlias = Any  # a secret key: the driver mixes in what the token can do with it

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_NEVER_LEAVES: Final = {
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.PRIVATE: True,
    Attribute.MODIFIABLE: False,
}


class HsmKeyStore(PagedKeyStore):
    """Opening raises HsmModuleMissing, HsmTokenMissing, HsmPinRefused, HsmTokenLocked, HsmUnfit too."""

    def __init__(
        self,
        directory: Path,
        access: HsmAccess,
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(directory, HsmEpochs(access), create=create, clock=clock)


class HsmEpochs:
    """Implements ``EpochKeys``: an object of the token for each epoch, named by store and number."""

    kind = "pkcs11"

    def __init__(self, access: HsmAccess) -> None:
        self._session = HsmSession(access)

    def make(self, place: Place, epoch: int) -> HsmEpochKey:
        identifier = _identifier(place, epoch)

        def generate(session: pkcs11.Session) -> None:
            for left in _found(session, place):  # by an attempt whose answer was lost
                if left.id == identifier:
                    left.destroy()
            key = session.generate_key(
                KeyType.AES,
                256,
                id=identifier,
                label=_label(place),
                store=True,
                capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
                template=_NEVER_LEAVES,
            )
            if not (key[Attribute.ALWAYS_SENSITIVE] and key[Attribute.NEVER_EXTRACTABLE]):
                key.destroy()
                raise HsmUnfit

        self._session.call(generate)
        return HsmEpochKey(self._session, place, epoch)

    def open(self, place: Place, epoch: int) -> HsmEpochKey:
        key = HsmEpochKey(self._session, place, epoch)
        self._session.call(key.find)
        return key

    def destroy_others(self, place: Place, epoch: int | None) -> None:
        keep = None if epoch is None else _identifier(place, epoch)

        def destroy(session: pkcs11.Session) -> None:
            for key in _found(session, place):
                if key.id != keep:
                    key.destroy()

        self._session.call(destroy)

    def close(self) -> None:
        self._session.close()


class HsmEpochKey:
    """Implements ``EpochKey``."""

    def __init__(self, session: HsmSession, place: Place, epoch: int) -> None:
        self._session = session
        self._place = place
        self._epoch = epoch
        self._handle: tuple[int, Key] | None = None  # of which session

    def wrap(self, secret: Secret, info: bytes) -> bytes:
        return self._session.call(lambda session: _encrypt(self.find(session), secret.reveal(), info))

    def unwrap(self, wrapped: bytes, info: bytes) -> Secret:
        if len(wrapped) != _NONCE_BYTES + SECRET_BYTES + _TAG_BYTES:
            raise KeyStoreDamaged
        parameters = pkcs11.GCMParams(wrapped[:_NONCE_BYTES], info, _TAG_BYTES * 8)

        def decrypt(session: pkcs11.Session) -> bytes:
            key = self.find(session)
            sealed = wrapped[_NONCE_BYTES:]
            try:
                return bytes(key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))
            except pkcs11.PKCS11Error as error:
                # Tokens say different things of a wrong tag. It is one if the key still works.
                _encrypt(key, bytes(SECRET_BYTES), b"")
                raise KeyStoreDamaged from error

        return Secret(self._session.call(decrypt))

    def find(self, session: pkcs11.Session) -> Key:
        """Return the object in this session. Raises KeyStoreRolledBack when the token has none."""
        if self._handle is None or self._handle[0] != self._session.generation:
            wanted = _identifier(self._place, self._epoch)
            key = next((key for key in _found(session, self._place) if key.id == wanted), None)
            if key is None:
                raise KeyStoreRolledBack
            self._handle = (self._session.generation, key)
        return self._handle[1]


def _encrypt(key: Key, secret: bytes, info: bytes) -> bytes:
    """Return nonce (12 bytes), ciphertext (32) and tag (16)."""
    nonce = os.urandom(_NONCE_BYTES)
    parameters = pkcs11.GCMParams(nonce, info, _TAG_BYTES * 8)
    return nonce + bytes(key.encrypt(secret, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))


def _label(place: Place) -> str:
    return f"assent/{place.store_id.hex()}"


def _identifier(place: Place, epoch: int) -> bytes:
    return place.store_id + epoch.to_bytes(8)


def _found(session: pkcs11.Session, place: Place) -> list[Key]:
    # Shows whether the session is alive: the driver cannot end a search that began in a lost one.
    session.generate_random(8)
    return list(
        session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: _label(place)})
    )
