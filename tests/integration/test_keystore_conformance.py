"""What every key store must do. A new adapter joins by adding its opener to ``OPENERS``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest

from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.hsm import HsmKeyStore
from backend.adapters.keys.root import Argon2Cost, KeyFile, Passphrase
from backend.keystore import (
    KEY_KINDS,
    KeyName,
    KeyNameInvalid,
    KeyStore,
    KeyStoreInUse,
    KeyStoreUnavailable,
    KeyVersion,
    Secret,
    SecretDiffers,
    SecretNotFound,
    WrappingClass,
    version_of,
)
from tests.integration.softhsm import shared_token

Opener = Callable[[Path], KeyStore]


def passphrase(directory: Path) -> KeyStore:
    return EmbeddedKeyStore(directory, Passphrase("conformance", Argon2Cost(1, 1, 64)))


def key_file(directory: Path) -> KeyStore:
    path = directory.with_name("conformance.key")
    return EmbeddedKeyStore(directory, KeyFile(path) if path.exists() else KeyFile.create(path))


def pkcs11(directory: Path) -> KeyStore:
    return HsmKeyStore(directory, shared_token())


OPENERS: list[Opener] = [passphrase, key_file, pkcs11]


@pytest.fixture(params=OPENERS, ids=lambda opener: opener.__name__)
def open_store(request: pytest.FixtureRequest) -> Opener:
    opener: Opener = request.param
    return opener


@pytest.fixture
def store(open_store: Opener, tmp_path: Path) -> Iterator[KeyStore]:
    opened = open_store(tmp_path / "keys")
    yield opened
    opened.close()


def test_get_of_an_unknown_name_is_not_found(store: KeyStore) -> None:
    with pytest.raises(SecretNotFound):
        store.get("master", "records")
    assert not store.exists("master", "records")


def test_get_or_create_gives_the_same_secret_every_time(store: KeyStore) -> None:
    first = store.get_or_create("master", "records")
    assert store.get_or_create("master", "records") == first
    assert store.get("master", "records") == first
    assert store.exists("master", "records")


def test_secrets_of_different_kinds_and_names_differ(store: KeyStore) -> None:
    names: list[KeyName] = [
        ("master", "a"), ("patient", "a"), ("erasure_share", "a"), ("salt", "a"), ("audit", "a"),
        ("signing", "a"), ("account", "a"), ("account", "A"), ("account", "a "),
    ]  # fmt: skip
    assert {kind for kind, _ in names} == KEY_KINDS
    made = store.create_many(names)
    assert len({secret.reveal() for secret in made}) == len(names)
    assert tuple(store.get(kind, name) for kind, name in names) == made


def test_create_many_returns_existing_new_and_repeated_names_in_order(store: KeyStore) -> None:
    old = store.get_or_create("salt", "old")
    made = store.create_many([("salt", "new"), ("salt", "old"), ("salt", "new")])
    assert made == (store.get("salt", "new"), old, store.get("salt", "new"))
    assert store.create_many([]) == ()


def test_put_keeps_a_given_secret_and_never_replaces_it(store: KeyStore) -> None:
    given = Secret(b"g" * 32)
    store.put("account", "relayer", given)
    store.put("account", "relayer", given)
    with pytest.raises(SecretDiffers):
        store.put("account", "relayer", Secret(b"h" * 32))
    assert store.get("account", "relayer") == given


def test_erase_destroys_one_secret_and_keeps_all_others(store: KeyStore) -> None:
    names: list[KeyName] = [("erasure_share", f"r{number}") for number in range(600)]
    secrets = dict(zip(names, store.create_many(names), strict=True))
    store.erase(*names[300])
    with pytest.raises(SecretNotFound):
        store.get(*names[300])
    del secrets[names[300]]
    assert all(store.get(kind, name) == secret for (kind, name), secret in secrets.items())


def test_erase_of_what_is_not_there_does_nothing(store: KeyStore) -> None:
    kept = store.get_or_create("salt", "kept")
    store.erase("salt", "never")
    store.erase_many([])
    store.erase_many([("salt", "never"), ("salt", "never")])
    assert store.get("salt", "kept") == kept


def test_erase_many_destroys_all_named_secrets(store: KeyStore) -> None:
    names: list[KeyName] = [("erasure_share", f"r{number}") for number in range(300)]
    store.create_many(names)
    store.erase_many(names[:299])
    assert [store.exists(*name) for name in names].count(True) == 1
    store.erase_many(names)
    assert not any(store.exists(*name) for name in names)


def test_secret_made_again_after_erasure_is_another_one(store: KeyStore) -> None:
    first = store.get_or_create("salt", "s")
    store.erase("salt", "s")
    assert store.get_or_create("salt", "s") != first


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb", "é"])
def test_every_operation_refuses_a_bad_name(store: KeyStore, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.get("salt", name),
        lambda: store.exists("salt", name),
        lambda: store.get_or_create("salt", name),
        lambda: store.create_many([("salt", "good"), ("salt", name)]),
        lambda: store.put("salt", name, Secret.generate()),
        lambda: store.erase("salt", name),
    ]
    for call in calls:
        with pytest.raises(KeyNameInvalid):
            call()
    assert not store.exists("salt", "good")


def test_everything_is_there_after_a_restart(open_store: Opener, tmp_path: Path) -> None:
    store = open_store(tmp_path / "keys")
    made = store.create_many([("salt", "a"), ("salt", "b"), ("salt", "c")])
    store.erase("salt", "b")
    store.close()
    store = open_store(tmp_path / "keys")
    assert (store.get("salt", "a"), store.get("salt", "c")) == (made[0], made[2])
    assert not store.exists("salt", "b")
    store.close()


def test_rotate_root_keeps_every_secret(open_store: Opener, tmp_path: Path) -> None:
    store = open_store(tmp_path / "keys")
    made = store.create_many([("salt", f"s{number}") for number in range(300)])
    store.rotate_root()
    assert tuple(store.get("salt", f"s{number}") for number in range(300)) == made
    store.close()
    store = open_store(tmp_path / "keys")
    assert tuple(store.get("salt", f"s{number}") for number in range(300)) == made
    store.close()


@pytest.mark.parametrize("key_class", get_args(WrappingClass))
def test_rotation_keeps_every_secret_and_raises_its_class(
    open_store: Opener, tmp_path: Path, key_class: WrappingClass
) -> None:
    store = open_store(tmp_path / "keys")
    made = store.create_many([("salt", f"s{number}") for number in range(300)])
    before = {version.key_class: version for version in store.versions()}
    store.rotate(key_class)
    after = {version.key_class: version for version in store.versions()}
    assert list(after) == ["root", "epoch", "page", "name"]
    raised = {name for name in after if after[name].version > before[name].version}
    assert raised == {"epoch", key_class}  # with the epoch all wraps of before are dead
    assert all(after[name].minimum == after[name].version for name in raised)
    for _ in range(2):
        assert tuple(store.get("salt", f"s{number}") for number in range(300)) == made
        fresh = store.get_or_create("salt", "fresh")
        store.erase("salt", "s0")
        store.put("salt", "s0", made[0])
        store.close()
        store = open_store(tmp_path / "keys")
        assert store.get("salt", "fresh") == fresh
    store.close()


def test_noted_version_of_another_class_is_there_after_a_restart(open_store: Opener, tmp_path: Path) -> None:
    store = open_store(tmp_path / "keys")
    assert version_of(store, "document-signing") == KeyVersion("document-signing", 1)
    noted = KeyVersion("document-signing", 3, 2, 1_700_000_000, 2)
    store.note_version(noted)
    store.rotate("page")
    assert version_of(store, "document-signing") == noted
    store.close()
    store = open_store(tmp_path / "keys")
    assert [version.key_class for version in store.versions()][4:] == ["document-signing"]
    assert version_of(store, "document-signing") == noted
    store.close()


def test_erasure_leaves_nothing_to_log_and_a_rotation_does(store: KeyStore) -> None:
    store.get_or_create("salt", "s")
    store.erase("salt", "s")
    assert all(version.logged == version.version for version in store.versions())
    for key_class in get_args(WrappingClass):
        store.rotate(key_class)
        unlogged = {found.key_class for found in store.versions() if found.logged < found.version}
        assert unlogged == {key_class}
        store.note_version(version_of(store, key_class)._replace(logged=version_of(store, key_class).version))


def test_erasing_many_secrets_costs_one_epoch(store: KeyStore) -> None:
    names: list[KeyName] = [("erasure_share", f"r{number}") for number in range(1000)]
    store.create_many(names)
    (before,) = (version for version in store.versions() if version.key_class == "epoch")
    store.erase_many(names[::2])
    (after,) = (version for version in store.versions() if version.key_class == "epoch")
    assert after.version == before.version + 1
    assert [store.exists(*name) for name in names] == [False, True] * 500


def test_second_opening_while_the_first_is_open_is_refused(open_store: Opener, tmp_path: Path) -> None:
    store = open_store(tmp_path / "keys")
    with pytest.raises(KeyStoreInUse):
        open_store(tmp_path / "keys")
    store.close()
    open_store(tmp_path / "keys").close()


def test_closed_store_is_unavailable(open_store: Opener, tmp_path: Path) -> None:
    store = open_store(tmp_path / "keys")
    store.close()
    store.close()
    calls: list[Callable[[], object]] = [
        lambda: store.get("salt", "a"),
        lambda: store.get_or_create("salt", "a"),
        lambda: store.erase("salt", "a"),
        store.rotate_root,
        lambda: store.rotate("page"),
        store.versions,
    ]
    for call in calls:
        with pytest.raises(KeyStoreUnavailable):
            call()


def test_calls_from_many_threads_agree(store: KeyStore) -> None:
    started = threading.Barrier(8)

    def work(number: int) -> list[Secret]:
        started.wait(timeout=30)
        made = [store.get_or_create("salt", f"shared{step}") for step in range(20)]
        store.create_many([("salt", f"own{number}-{step}") for step in range(20)])
        store.erase("salt", f"own{number}-0")
        return made

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(work, range(8)))
    assert all(result == results[0] for result in results)
    assert not any(store.exists("salt", f"own{number}-0") for number in range(8))
    assert all(store.exists("salt", f"own{number}-19") for number in range(8))
