"""Erasure against somebody who kept every file, knows the passphrase and has every key that survives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from backend.adapters.keys import epoch as epochs
from backend.adapters.keys.database import KeyDatabase
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.epochs import SoftwareEpochKey
from backend.adapters.keys.keyring import Keyring, blind_name
from backend.adapters.keys.root import Argon2Cost, Passphrase
from backend.keystore import KeyKind, Secret
from backend.records.wrapping import WRAPPED_BYTES, derive_key

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
