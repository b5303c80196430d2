"""The embedded key store: what its files may show, and what happens when they are damaged or put back."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.root import Argon2Cost, KeyFile, Passphrase
from backend.keystore import (
    KeyName,
    KeyStoreDamaged,
    KeyStoreMissing,
    KeyStorePassphrase,
    KeyStoreRolledBack,
    KeyStoreUnavailable,
    SecretNotFound,
)

PASSPHRASE = Passphrase("correct horse", Argon2Cost(1, 1, 64))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(directory: Path) -> Iterator[EmbeddedKeyStore]:
    opened = EmbeddedKeyStore(directory, PASSPHRASE)
    yield opened
    opened.close()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_wrong_passphrase_is_named(store: EmbeddedKeyStore, directory: Path) -> None:
    store.close()
    with pytest.raises(KeyStorePassphrase) as caught:
        EmbeddedKeyStore(directory, Passphrase("battery staple"))
    assert caught.value.code == "keystore_passphrase"
    EmbeddedKeyStore(directory, PASSPHRASE).close()


def test_key_file_opens_and_another_one_does_not(tmp_path: Path, directory: Path) -> None:
    ours, other = KeyFile.create(tmp_path / "ours"), KeyFile.create(tmp_path / "other")
    store = EmbeddedKeyStore(directory, ours)
    made = store.get_or_create("salt", "s")
    store.close()
    with pytest.raises(KeyStorePassphrase):
        EmbeddedKeyStore(directory, other)
    store = EmbeddedKeyStore(directory, ours)
    assert store.get("salt", "s") == made
    store.close()


def test_store_that_is_not_there_is_not_made_unasked(directory: Path) -> None:
    with pytest.raises(KeyStoreMissing):
        EmbeddedKeyStore(directory, PASSPHRASE, create=False)
    EmbeddedKeyStore(directory, PASSPHRASE).close()
    EmbeddedKeyStore(directory, PASSPHRASE, create=False).close()


def test_files_hold_neither_secrets_nor_names(store: EmbeddedKeyStore, directory: Path) -> None:
    made = store.create_many([("salt", f"subject-{number}") for number in range(300)])
    everything = b"".join(files(directory).values())
    assert not any(secret.reveal() in everything for secret in made)
    assert b"subject-" not in everything


def test_new_passphrase_replaces_the_old_one(store: EmbeddedKeyStore, directory: Path) -> None:
    made = store.get_or_create("salt", "s")
    store.rotate_root(Passphrase("new", Argon2Cost(1, 1, 128)))
    assert store.get("salt", "s") == made
    store.erase("salt", "other")
    store.close()
    with pytest.raises(KeyStorePassphrase):
        EmbeddedKeyStore(directory, PASSPHRASE)
    store = EmbeddedKeyStore(directory, Passphrase("new"))
    assert store.get("salt", "s") == made
    store.close()


def test_database_put_back_from_before_an_erasure_is_refused(
    store: EmbeddedKeyStore, directory: Path, tmp_path: Path
) -> None:
    store.create_many([("salt", "a"), ("salt", "b")])
    store.close()
    shutil.copy(directory / "store" / "keys.db", tmp_path / "old.db")
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    store.erase("salt", "a")
    store.close()
    shutil.copy(tmp_path / "old.db", directory / "store" / "keys.db")
    before = files(directory)
    with pytest.raises(KeyStoreRolledBack) as caught:
        EmbeddedKeyStore(directory, PASSPHRASE)
    assert caught.value.code == "keystore_rolled_back"
    assert {name: before[name] for name in before if name.startswith("epoch-")} == {
        name: data for name, data in files(directory).items() if name.startswith("epoch-")
    }


def test_database_of_another_store_is_refused(
    store: EmbeddedKeyStore, directory: Path, tmp_path: Path
) -> None:
    store.close()
    other = EmbeddedKeyStore(tmp_path / "other", PASSPHRASE)
    other.close()
    shutil.copy(tmp_path / "other" / "store" / "keys.db", directory / "store" / "keys.db")
    with pytest.raises(KeyStoreDamaged):
        EmbeddedKeyStore(directory, PASSPHRASE)


def test_database_that_is_gone_is_not_made_again(store: EmbeddedKeyStore, directory: Path) -> None:
    store.close()
    (directory / "store" / "keys.db").unlink()
    with pytest.raises(KeyStoreDamaged):
        EmbeddedKeyStore(directory, PASSPHRASE)


def test_epoch_file_with_any_flipped_bit_is_refused(store: EmbeddedKeyStore, directory: Path) -> None:
    store.close()
    path = directory / "store" / "epoch-1.key"
    good = path.read_bytes()
    for at in range(0, len(good), 3):
        damaged = bytearray(good)
        damaged[at] ^= 1
        path.write_bytes(bytes(damaged))
        with pytest.raises((KeyStoreDamaged, KeyStorePassphrase)):
            EmbeddedKeyStore(directory, PASSPHRASE)
    path.write_bytes(good)
    EmbeddedKeyStore(directory, PASSPHRASE).close()


def test_rows_that_changed_places_are_refused(store: EmbeddedKeyStore, directory: Path) -> None:
    store.create_many([("salt", "a"), ("salt", "b"), ("audit", "a")])
    store.close()
    database = sqlite3.connect(directory / "store" / "keys.db")
    rows = database.execute("SELECT kind, name, wrapped FROM secrets").fetchall()
    moved = [*rows[1:], rows[0]]
    for (kind, name, _), (_, _, wrapped) in zip(rows, moved, strict=True):
        database.execute("UPDATE secrets SET wrapped = ? WHERE kind = ? AND name = ?", (wrapped, kind, name))
    database.commit()
    database.close()
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    for kind, name in (("salt", "a"), ("salt", "b")):
        with pytest.raises(KeyStoreDamaged):
            store.get(kind, name)  # type: ignore[arg-type]
    with pytest.raises(KeyStoreDamaged):
        store.get("audit", "a")
    store.close()


def test_file_that_is_no_database_is_refused(store: EmbeddedKeyStore, directory: Path) -> None:
    store.close()
    (directory / "store" / "keys.db").write_bytes(b"not a database at all, but long enough" * 200)
    with pytest.raises(KeyStoreDamaged):
        EmbeddedKeyStore(directory, PASSPHRASE)


def test_page_that_is_emptied_goes_away(store: EmbeddedKeyStore, directory: Path) -> None:
    store.create_many([("salt", f"s{number}") for number in range(256)])
    store.get_or_create("salt", "next page")
    store.erase_many([("salt", f"s{number}") for number in range(256)])
    store.erase("salt", "next page")
    store.close()
    database = sqlite3.connect(directory / "store" / "keys.db")
    assert database.execute("SELECT count(*) FROM pages").fetchone() == (0,)
    database.close()
    store = EmbeddedKeyStore(directory, PASSPHRASE)
    assert store.get_or_create("salt", "again") == store.get("salt", "again")
    store.close()


def test_secret_whose_transaction_failed_is_not_remembered(store: EmbeddedKeyStore, directory: Path) -> None:
    path = next(directory.rglob("keys.db"))
    with closing(sqlite3.connect(path)) as beside:
        beside.execute(
            "CREATE TRIGGER full BEFORE INSERT ON secrets WHEN NEW.kind = 'audit'"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        beside.commit()
    with pytest.raises(KeyStoreUnavailable):
        store.create_many([("salt", "s"), ("salt", "s"), ("audit", "a")])
    with pytest.raises(SecretNotFound):
        store.get("salt", "s")


def test_secret_that_was_read_is_forgotten_when_another_is_erased(
    store: EmbeddedKeyStore, directory: Path
) -> None:
    kept, _ = store.create_many([("salt", "kept"), ("salt", "erased")])
    assert store.get("salt", "kept") == store.get("salt", "kept") == kept
    store.get("salt", "erased")
    store.erase("salt", "erased")
    with pytest.raises(SecretNotFound):
        store.get("salt", "erased")
    assert store.get("salt", "kept") == kept


def test_rows_put_into_another_store_are_found_under_their_names(tmp_path: Path) -> None:
    first = EmbeddedKeyStore(tmp_path / "first", PASSPHRASE)
    names: list[KeyName] = [("salt", f"record/{number}") for number in range(700)]
    made = first.create_many(names)
    rows = list(first.rows())
    assert dict(rows).keys() == set(names)
    first.rotate("name")
    assert sorted(name for name, _ in first.rows()) == sorted(names)
    other = EmbeddedKeyStore(tmp_path / "other", PASSPHRASE)
    other.put_rows(rows)
    assert tuple(other.get(*name) for name in names) == made
    other.erase(*names[3])
    assert other.row(names[3]) is None
    assert other.row(names[4]) == made[4]
    assert len(list(other.rows())) == 699
    first.close()
    other.close()


def test_changes_tell_what_was_made_and_erased_and_only_that(tmp_path: Path) -> None:
    store = EmbeddedKeyStore(tmp_path / "keys", PASSPHRASE)
    store.create_many([("salt", "before"), ("salt", "erased")])
    assert store.take_changes() == set()  # nobody asked to remember any
    store.record_changes()
    store.get_or_create("salt", "before")
    assert store.take_changes() == set()
    store.get_or_create("salt", "made")
    store.erase("salt", "erased")
    changes = store.take_changes()
    assert changes == {("salt", "made"), ("salt", "erased")}
    assert store.take_changes() == set()
    store.put_back_changes(changes)
    assert store.take_changes() == changes
    store.close()
