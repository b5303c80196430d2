from __future__ import annotations

from pathlib import Path

import pytest

from backend.adapters.keys.root import Argon2Cost, KeyFile, Passphrase, RootParameters, new_root, open_root
from backend.keystore import KeyStoreDamaged, KeyStorePassphrase

CHEAP = Argon2Cost(iterations=1, lanes=1, memory_kib=64)


def test_root_opens_again_with_the_same_passphrase_in_any_unicode_form() -> None:
    root, parameters = new_root(Passphrase("caf\u00e9", CHEAP))
    assert open_root(Passphrase("cafe\u0301"), parameters) == root


def test_root_with_another_passphrase_is_refused_by_name() -> None:
    _, parameters = new_root(Passphrase("right", CHEAP))
    with pytest.raises(KeyStorePassphrase) as caught:
        open_root(Passphrase("wrong"), parameters)
    assert caught.value.code == "keystore_passphrase"


def test_root_keeps_the_cost_it_was_made_with() -> None:
    root, parameters = new_root(Passphrase("right", CHEAP))
    again = RootParameters.decode(parameters.encode())
    assert again == parameters
    assert open_root(Passphrase("right", Argon2Cost(2, 1, 128)), again) == root


def test_root_from_a_key_file_opens_with_that_file_only(tmp_path: Path) -> None:
    ours, other = KeyFile.create(tmp_path / "ours"), KeyFile.create(tmp_path / "other")
    root, parameters = new_root(ours)
    assert open_root(KeyFile(tmp_path / "ours"), parameters) == root
    for wrong in (other, KeyFile(tmp_path / "absent"), Passphrase("x")):
        with pytest.raises(KeyStorePassphrase):
            open_root(wrong, parameters)
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o600


def test_key_file_is_never_replaced(tmp_path: Path) -> None:
    KeyFile.create(tmp_path / "key")
    with pytest.raises(FileExistsError):
        KeyFile.create(tmp_path / "key")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_key_file_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "key").write_bytes(bytes(size))
    with pytest.raises(KeyStorePassphrase):
        new_root(KeyFile(tmp_path / "key"))


def test_passphrase_does_not_open_what_a_key_file_closed(tmp_path: Path) -> None:
    _, parameters = new_root(KeyFile.create(tmp_path / "key"))
    with pytest.raises(KeyStorePassphrase):
        open_root(Passphrase("x"), parameters)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"s" * 16],
        [b"s" * 15, b"c" * 16],
        [b"s" * 16, b"c" * 15],
        [b"s" * 16, b"c" * 16, 3, 4],
        [b"s" * 16, b"c" * 16, 3, 4, 2**40],  # would take all memory
        [b"s" * 16, b"c" * 16, 10**9, 4, 65536],  # would take for ever
        [b"s" * 16, b"c" * 16, 3, 4, b"x"],
    ],
)
def test_root_parameters_that_were_tampered_with_are_refused(fields: list[bytes | int]) -> None:
    with pytest.raises(KeyStoreDamaged):
        RootParameters.decode(fields)


def test_passphrase_shows_nothing_when_printed() -> None:
    assert "hunter2" not in repr(Passphrase("hunter2", CHEAP))


def test_passphrase_that_is_empty_is_refused() -> None:
    with pytest.raises(KeyStorePassphrase):
        Passphrase("")
