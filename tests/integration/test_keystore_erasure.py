"""Erasure against somebody who kept every file, knows the passphrase and has every key that survives."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from backend.adapters.keys import epoch as epochs
from backend.adapters.keys.database import KeyDatabase
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.epochs import SoftwareEpochKey
from backend.adapters.keys.hsm import HsmKeyStore
from backend.adapters.keys.hsm_session import HsmAccess, HsmSession
from backend.adapters.keys.keyring import Keyring, blind_name
from backend.adapters.keys.root import Argon2Cost, Passphrase
from backend.keystore import KeyKind, KeyStoreDamaged, KeyStoreRolledBack, Secret, WrappingClass
from backend.records import canonical
from backend.records.wrapping import WRAPPED_BYTES, derive_key
from tests.integration.softhsm import new_token

PASSPHRASE = Passphrase("known to all", Argon2Cost(1, 1, 64))
NAMES: list[tuple[KeyKind, str]] = [("erasure_share", f"record-{number}") for number in range(4)]


class Attacker:
    """Tries every wrap that may start at any byte of any artefact under every key found so far."""

    def __init__(
        self, artefacts: Iterable[bytes], store_id: bytes, blinded: Sequence[tuple[str, bytes]]
    ) -> None:
        self._windows = {
            data[at : at + WRAPPED_BYTES]
            for data in artefacts
            for at in range(len(data) - WRAPPED_BYTES + 1)
            if any(data[at : at + 8])
        }
        self._store_id = store_id
        self._blinded = blinded

    def secrets(self, epoch_keys: list[Secret]) -> set[bytes]:
        """Return every secret of the wanted names that opens, starting from epoch keys."""
        ring = Keyring(self._store_id, SoftwareEpochKey(epoch_keys[0]))
        pages = {
            key for epoch_key in epoch_keys for key in self._open(epoch_key, ring._info("page", 1, 1))
        } | {page for epoch_key in epoch_keys for page in self._open(epoch_key, ring._info("page", 2, 1))}
        return {
            secret
            for page in pages
            for kind, name in self._blinded
            for secret in self._open(Secret(page), ring._info("secret", kind, name))
        }

    def _open(self, under: Secret, info: bytes) -> set[bytes]:
        key = derive_key(under, info).reveal()
        found = set()
        for window in self._windows:
            try:
                found.add(aes_key_unwrap(key, window))
            except InvalidUnwrap:
                continue
        return found


def artefacts(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


def read_epochs(directory: Path, store_id: bytes) -> list[Secret]:
    found = []
    for path in (directory / "store").glob("epoch-*.key"):
        number = int(path.stem.split("-")[1])
        key, _ = epochs.read_epoch(directory / "store", store_id=store_id, epoch=number, opener=PASSPHRASE)
        found.append(key)
    return found


@pytest.mark.parametrize("restart_between", [False, True])
def test_old_files_and_all_surviving_keys_open_nothing_erased(tmp_path: Path, restart_between: bool) -> None:
    directory = tmp_path / "keys"
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    secrets = [secret.reveal() for secret in store.create_many(NAMES)]
    before = artefacts(directory)  # the database, its write-ahead log, everything
    database = KeyDatabase(directory / "store" / "keys.db")
    row = database.store_row()
    database.close()
    assert row is not None
    old_epochs = read_epochs(directory, row.id)
    name_key = Keyring(row.id, SoftwareEpochKey(old_epochs[0])).unwrap_name_key(row.name_key, 1)
    blinded = [(kind, blind_name(name_key, kind, name)) for kind, name in NAMES]
    if restart_between:
        store.close()
        before += artefacts(directory)
        store = EmbeddedKeyStore(directory, PASSPHRASE)

    store.erase(*NAMES[1])
    after = artefacts(directory)
    store.get_or_create("salt", "life goes on")
    store.erase(*NAMES[3])
    store.close()
    after += artefacts(directory)

    # The search itself works: with the epoch key of then, all four open.
    assert set(secrets) <= Attacker(before, row.id, blinded).secrets(old_epochs)
    # What survives is the passphrase and today's epoch key: they open what was not erased and nothing else.
    surviving = read_epochs(directory, row.id)
    assert len(surviving) == 1
    opened = Attacker([*before, *after], row.id, blinded).secrets(surviving)
    assert opened & set(secrets) == {secrets[0], secrets[2]}


def test_root_rotation_makes_old_wraps_dead(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    secret = store.get_or_create("signing", "log").reveal()
    before = artefacts(directory)
    database = KeyDatabase(directory / "store" / "keys.db")
    row = database.store_row()
    database.close()
    assert row is not None
    old_epochs = read_epochs(directory, row.id)
    name_key = Keyring(row.id, SoftwareEpochKey(old_epochs[0])).unwrap_name_key(row.name_key, 1)
    blinded = [("signing", blind_name(name_key, "signing", "log"))]
    store.rotate_root(Passphrase("new", Argon2Cost(1, 1, 64)))
    store.close()
    assert secret in Attacker(before, row.id, blinded).secrets(old_epochs)
    # The files of today with the epoch key of yesterday give nothing, so a leaked old root is worth nothing.
    assert Attacker(artefacts(directory), row.id, blinded).secrets(old_epochs) == set()


class HsmAttacker(Attacker):
    """Has the token with its PIN as it is now, and every file there ever was."""

    def __init__(
        self, data: Iterable[bytes], token: HsmAccess, store_id: bytes, blinded: Sequence[tuple[str, bytes]]
    ) -> None:
        files = list(data)
        super().__init__(files, store_id, blinded)
        self._session = HsmSession(token)
        size = 60  # nonce, page key, tag; random bytes have many values
        self._pages = {
            window
            for content in files
            for at in range(len(content) - size + 1)
            if len(set(window := content[at : at + size])) > 40
        }

    def opened(self) -> set[bytes]:
        """Return every secret of the wanted names that opens with the keys of the token."""
        infos = [canonical.encode(["assent/keystore/1", self._store_id, "page", page, 1]) for page in (1, 2)]
        pages = self._session.call(lambda session: self._decrypt(session, infos))
        self._session.close()
        ring = Keyring(self._store_id, SoftwareEpochKey(Secret.generate()))
        return {
            secret
            for page in pages
            for kind, name in self._blinded
            for secret in self._open(Secret(page), ring._info("secret", kind, name))
        }

    def _decrypt(self, session: pkcs11.Session, infos: list[bytes]) -> set[bytes]:
        found = set()
        for key in list(session.get_objects()):
            for window in self._pages:
                for info in infos:
                    try:
                        found.add(
                            key.decrypt(  # type: ignore[attr-defined]
                                window[12:],
                                mechanism=pkcs11.Mechanism.AES_GCM,
                                mechanism_param=pkcs11.GCMParams(window[:12], info, 128),
                            )
                        )
                    except pkcs11.PKCS11Error:
                        continue
        return found


def test_hsm_old_files_and_the_token_of_today_open_nothing_erased(tmp_path: Path) -> None:
    directory, token = tmp_path / "keys", replace(new_token(), timeout_seconds=120.0)
    store = HsmKeyStore(directory, token)
    secrets = [secret.reveal() for secret in store.create_many(NAMES)]
    blinded = [(kind, store._blind(kind, name)) for kind, name in NAMES]
    before = artefacts(directory)
    shutil.copytree(directory, tmp_path / "copy")
    # The search itself works: with the token of then, all four open.
    assert set(secrets) <= HsmAttacker(before, token, store._row.id, blinded).opened()

    store.erase(*NAMES[1])
    store.erase(*NAMES[3])
    after = artefacts(directory)
    store.close()
    files = [*before, *after, *artefacts(directory)]
    opened = HsmAttacker(files, token, store._row.id, blinded).opened()
    assert opened & set(secrets) == {secrets[0], secrets[2]}
    # The copy of the whole store with the token is refused, and destroys nothing.
    with pytest.raises(KeyStoreRolledBack):
        HsmKeyStore(tmp_path / "copy", token)
    store = HsmKeyStore(directory, token)
    assert [store.exists(*name) for name in NAMES] == [True, False, True, False]
    assert store.get(*NAMES[2]).reveal() == secrets[2]
    store.close()


def test_copy_of_the_old_epoch_file_is_what_defeats_erasure(tmp_path: Path) -> None:
    """docs/operations.md says so: this is why epoch files must not be in a backup."""
    directory = tmp_path / "keys"
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    secret = store.get_or_create(*NAMES[0])
    shutil.copytree(directory, tmp_path / "copy")
    store.erase(*NAMES[0])
    store.close()
    old = EmbeddedKeyStore(tmp_path / "copy", PASSPHRASE)
    assert old.get(*NAMES[0]) == secret
    old.close()
    shutil.copytree(tmp_path / "copy", tmp_path / "without")
    next((tmp_path / "without" / "store").glob("epoch-*")).unlink()
    with pytest.raises(KeyStoreRolledBack):
        EmbeddedKeyStore(tmp_path / "without", PASSPHRASE)


@pytest.mark.parametrize("key_class", ["epoch", "page", "name"])
def test_rotation_makes_old_wraps_dead(tmp_path: Path, key_class: WrappingClass) -> None:
    directory = tmp_path / "keys"
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    secret = store.get_or_create("signing", "log").reveal()
    before = artefacts(directory)
    old_epochs = read_epochs(directory, store._row.id)
    old_page, old_name = store._page_key(store._database, 1), store._name_key  # type: ignore[arg-type]
    blinded = [("signing", store._blind("signing", "log"))]
    assert secret in Attacker(before, store._row.id, blinded).secrets(old_epochs)
    store.rotate(key_class)
    blinded.append(("signing", store._blind("signing", "log")))
    today = artefacts(directory)
    new_epochs = read_epochs(directory, store._row.id)
    assert store.get("signing", "log").reveal() == secret
    # Yesterday's keys open nothing of today, and today's keys nothing of yesterday.
    assert Attacker(today, store._row.id, blinded).secrets(old_epochs) == set()
    assert Attacker(before, store._row.id, blinded).secrets(new_epochs) == set()
    if key_class != "epoch":  # a leaked page key is worth nothing any more
        ring = store._keyring
        for kind, name in blinded:
            found = Attacker(today, store._row.id, [])._open(old_page, ring._info("secret", kind, name))
            assert found == set()
    if key_class == "name":  # nor does a leaked name key find a name
        name = blind_name(old_name, "signing", "log")
        assert not any(name in data for data in today)
    store.close()


def test_page_key_of_a_retired_version_is_refused(tmp_path: Path) -> None:
    store = EmbeddedKeyStore(tmp_path, PASSPHRASE)
    store.get_or_create("salt", "s")
    store.rotate("page")
    page = store._database.page(1)  # type: ignore[union-attr]
    assert page is not None
    assert page.version == 2
    key = store._keyring.unwrap_page_key(1, 2, page.wrapped)
    # As an attacker with today's epoch key would have it; the version alone decides.
    store._database.write_page(  # type: ignore[union-attr]
        page._replace(version=1, wrapped=store._keyring.wrap_page_key(1, 1, key))
    )
    store.close()
    store = EmbeddedKeyStore(tmp_path, PASSPHRASE)
    with pytest.raises(KeyStoreDamaged):
        store.get("salt", "s")
    store.close()


def test_secret_taken_away_without_an_erasure_is_missed_whatever_is_rotated(tmp_path: Path) -> None:
    store = EmbeddedKeyStore(tmp_path, PASSPHRASE)
    store.create_many([("salt", "a"), ("salt", "b"), ("salt", "c")])
    assert list(store.damaged()) == []
    row = store._database.find("salt", store._blind("salt", "a"))  # type: ignore[union-attr]
    assert row is not None
    store._database.delete([row])  # type: ignore[union-attr]
    assert list(store.damaged()) == ["page 1: 2 secrets of 3"]
    store.erase("salt", "b")
    assert list(store.damaged()) == ["page 1: 1 secrets of 2"]
    for key_class in ("epoch", "page", "name"):
        store.rotate(key_class)  # type: ignore[arg-type]
        assert list(store.damaged()) == ["page 1: 1 secrets of 2"]
    store.put("salt", "a", Secret.generate())
    assert list(store.damaged()) == ["page 1: 2 secrets of 3"]
    store.erase_many([("salt", "a"), ("salt", "c")])
    assert list(store.damaged()) == ["page 1: 0 secrets of 1"]
    store.close()
