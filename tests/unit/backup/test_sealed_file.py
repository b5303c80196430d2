from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.backup import sealed_file
from backend.backup.errors import BackupDamaged, RecoveryKeyDiffers
from backend.backup.operations import (
    ClearCollection,
    DropDocuments,
    DropPin,
    DropSecret,
    Journal,
    Operation,
    PutDocument,
    PutFile,
    PutPin,
    PutSecret,
    decode,
    encode,
)
from backend.backup.recovery_key import RecoveryKey, generate, read_private_half
from backend.keystore import Secret

NOW = 1_800_000_000
SECRET = Secret(b"\x07" * 32)
EVERY_KIND: list[Operation] = [
    PutDocument("records", b"bson"),
    DropDocuments("records", b"key"),
    ClearCollection("papers"),
    PutSecret("salt", "record/1", SECRET),
    DropSecret("salt", "other"),
    PutPin("bafy"),
    DropPin("bafz"),
    PutFile("chain/deployment.json", b"{}"),
    Journal(17, b"frames"),
]


@pytest.fixture
def key(tmp_path: Path) -> RecoveryKey:
    generate(tmp_path / "key", now=NOW)
    return read_private_half(tmp_path / "key")


def write(path: Path, key: RecoveryKey, contents: list[Operation], previous: bytes = b"") -> None:
    sealed_file.write(path, contents, to=key.service, generation="g", part="index", at=NOW, previous=previous)


def read(path: Path, key: RecoveryKey, *, part: str = "index", previous: bytes = b"") -> list[Operation]:
    return list(sealed_file.read(path, opener=key, generation="g", part=part, previous=previous))


def test_every_kind_of_operation_comes_back_as_it_was(tmp_path: Path, key: RecoveryKey) -> None:
    many = EVERY_KIND * 5000  # some 700 KiB: several pieces
    write(tmp_path / "file", key, many)
    assert read(tmp_path / "file", key) == many
    write(tmp_path / "file", key, [])
    assert read(tmp_path / "file", key) == []


def test_secrets_are_wrapped_inside_what_is_encrypted() -> None:
    stream = b"".join(encode(EVERY_KIND, wrapping=Secret(b"\x01" * 32)))
    assert SECRET.reveal() not in stream
    with pytest.raises(BackupDamaged):
        list(decode([stream], wrapping=Secret(b"\x02" * 32)))


def test_stream_that_ends_within_an_operation_is_refused() -> None:
    wrapping = Secret(b"\x01" * 32)
    stream = b"".join(encode(EVERY_KIND, wrapping=wrapping))
    with pytest.raises(BackupDamaged):
        list(decode([stream[:-1]], wrapping=wrapping))
    with pytest.raises(BackupDamaged):
        list(decode([b"\xff\xff\xff\xff" + stream], wrapping=wrapping))


def test_file_in_another_place_or_of_another_token_does_not_open(tmp_path: Path, key: RecoveryKey) -> None:
    write(tmp_path / "file", key, EVERY_KIND, previous=b"before")
    assert read(tmp_path / "file", key, previous=b"before")
    with pytest.raises(BackupDamaged):
        read(tmp_path / "file", key, previous=b"another")
    with pytest.raises(BackupDamaged):
        read(tmp_path / "file", key, part="keys", previous=b"before")
    other = replace(key, service=replace(key.service, token=Secret(b"\x03" * 32)))
    with pytest.raises(BackupDamaged):
        read(tmp_path / "file", other, previous=b"before")
    generate(tmp_path / "other", now=NOW)
    with pytest.raises(RecoveryKeyDiffers):
        read(tmp_path / "file", read_private_half(tmp_path / "other"), previous=b"before")


def test_every_changed_byte_of_a_small_file_is_found(tmp_path: Path, key: RecoveryKey) -> None:
    path = tmp_path / "file"
    write(path, key, [PutPin("bafy")])
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises((BackupDamaged, RecoveryKeyDiffers)):
            read(path, key)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(BackupDamaged):
            read(path, key)


def test_write_that_fails_half_way_leaves_what_was_there(tmp_path: Path, key: RecoveryKey) -> None:
    write(tmp_path / "file", key, EVERY_KIND)

    def failing() -> Iterator[Operation]:
        yield PutDocument("records", b"x" * 300_000)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        sealed_file.write(tmp_path / "file", failing(), to=key.service, generation="g", part="index", at=NOW)
    assert read(tmp_path / "file", key) == EVERY_KIND
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "key", "key.service"]
