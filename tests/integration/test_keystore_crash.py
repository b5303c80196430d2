"""The key store when the disk or the HSM fails or the process dies at any instant."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.adapters import durable
from backend.adapters.keys.database import KeyDatabase
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.hsm import HsmKeyStore
from backend.adapters.keys.hsm_session import HsmSession
from backend.adapters.keys.paged import PagedKeyStore
from backend.adapters.keys.root import Argon2Cost, KeyFile, Passphrase
from backend.keystore import (
    KeyName,
    KeyStorePassphrase,
    KeyStoreUnavailable,
    Secret,
    WrappingClass,
)
from tests.integration.softhsm import epoch_objects, new_token

OLD = Passphrase("old", Argon2Cost(1, 1, 64))
NEW = Passphrase("new", Argon2Cost(1, 1, 64))


DISK_STEPS: list[tuple[Any, str]] = [
    (os, "fsync"),
    (durable, "write_all"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "rename"),
    (KeyDatabase, "write_store_row"),
    (KeyDatabase, "drop_journal"),
]


class Failing:
    """Counts calls of the functions that touch the disk and fails one of them, before or after it worked."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        at: int,
        *,
        worked: bool,
        targets: Sequence[tuple[Any, str]] = DISK_STEPS,
    ) -> None:
        self._left, self._worked = at, worked
        self.happened = False
        for target, name in targets:
            monkeypatch.setattr(target, name, self._wrap(getattr(target, name)))

    def _wrap(self, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left != 0:
                return real(*arguments, **options)
            self.happened = True
            if self._worked:
                real(*arguments, **options)
            raise OSError(errno.ENOSPC, "no space left")

        return call


@pytest.mark.parametrize("worked", [False, True])
def test_failure_of_any_step_of_an_erasure_loses_nothing_and_can_be_repeated(
    tmp_path: Path, worked: bool
) -> None:
    for at in range(1, 40):
        directory = tmp_path / str(at)
        store = EmbeddedKeyStore(directory, OLD)
        kept, gone = store.create_many([("salt", "kept"), ("salt", "gone")])
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked)
            try:
                store.erase("salt", "gone")
                failed = False
            except KeyStoreUnavailable:
                failed = True
            # The state of the disk at this instant, as a killed process would leave it.
            shutil.copytree(directory / "store", tmp_path / f"killed{at}" / "store")
        assert failed == failing.happened
        check(EmbeddedKeyStore(tmp_path / f"killed{at}", OLD), kept, gone, erased=None if failed else True)
        check(store, kept, gone, erased=None if failed else True)
        if not failing.happened:
            assert at > 10
            return
    pytest.fail("an erasure takes more steps than were tried")


def check(store: EmbeddedKeyStore, kept: Secret, gone: Secret, *, erased: bool | None) -> None:
    """The store works, holds what it must, and can be brought to where the failed call wanted to be."""
    assert store.get("salt", "kept") == kept
    if erased is None and store.exists("salt", "gone"):
        assert store.get("salt", "gone") == gone
    elif erased is not None:
        assert store.exists("salt", "gone") is not erased
    fresh = store.get_or_create("salt", "fresh")
    store.erase("salt", "gone")
    assert not store.exists("salt", "gone")
    assert (store.get("salt", "kept"), store.get("salt", "fresh")) == (kept, fresh)
    assert len(list(store._store.glob("epoch-*"))) == 1
    store.close()


def test_erasure_writes_in_the_order_that_survives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddedKeyStore(tmp_path, OLD)
    store.create_many([("salt", "kept"), ("salt", "gone")])
    steps: list[str] = []

    def spy(target: Any, name: str, describe: Callable[..., str]) -> None:
        real = getattr(target, name)

        def call(*arguments: Any, **options: Any) -> Any:
            steps.append(describe(*arguments, **options))
            return real(*arguments, **options)

        monkeypatch.setattr(target, name, call)

    spy(os, "fsync", lambda descriptor: f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
    spy(Path, "replace", lambda path, _: f"rename {path.name}")
    spy(Path, "unlink", lambda path, **_: f"remove {path.name}")
    spy(KeyDatabase, "write_store_row", lambda _, row: f"commit epoch {row.epoch}")
    store.erase("salt", "gone")
    assert steps == [
        "sync epoch-2.key.tmp",
        "rename epoch-2.key.tmp",
        "sync store",
        "commit epoch 2",
        "sync epoch-1.key",  # after it was overwritten
        "remove epoch-1.key",
        "sync store",
    ]
    monkeypatch.undo()
    connection = store._database._connection if store._database else None
    assert connection is not None
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: synced at every commit
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    store.close()


@pytest.mark.parametrize("worked", [False, True])
def test_failure_of_any_step_of_a_new_passphrase_leaves_one_of_the_two_valid(
    tmp_path: Path, worked: bool
) -> None:
    for at in range(1, 40):
        directory = tmp_path / str(at)
        store = EmbeddedKeyStore(directory, OLD)
        kept = store.get_or_create("salt", "kept")
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked)
            try:
                store.rotate_root(NEW)
                failed = False
            except KeyStoreUnavailable:
                failed = True
        assert store.get("salt", "kept") == kept
        store.erase("salt", "other")
        store.close()
        opened = 0
        for passphrase in (OLD, NEW):
            try:
                again = EmbeddedKeyStore(directory, passphrase)
            except KeyStorePassphrase:
                continue
            assert again.get("salt", "kept") == kept
            again.close()
            opened += 1
        assert opened == 1
        if not failed:
            assert not failing.happened
            return
    pytest.fail("a rotation takes more steps than were tried")


@pytest.mark.parametrize("worked", [False, True])
def test_failure_of_any_step_of_making_a_store_lets_the_next_start_make_it(
    tmp_path: Path, worked: bool
) -> None:
    for at in range(1, 40):
        directory = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked)
            try:
                EmbeddedKeyStore(directory, OLD).close()
            except KeyStoreUnavailable:
                assert failing.happened
        store = EmbeddedKeyStore(directory, OLD)
        assert store.get_or_create("salt", "s") == store.get("salt", "s")
        store.close()
        if not failing.happened:
            return
    pytest.fail("making a store takes more steps than were tried")


CHILD = """
import sys
from pathlib import Path
from backend.adapters.keys.embedded import EmbeddedKeyStore
from backend.adapters.keys.hsm import HsmAccess, HsmKeyStore
from backend.adapters.keys.root import KeyFile

directory, run, token = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
if token:
    store = HsmKeyStore(directory / "keys", HsmAccess(*token))
else:
    store = EmbeddedKeyStore(directory / "keys", KeyFile(directory / "key"))
for step in range(10_000):
    names = [("erasure_share", f"{run}-{step}-{part}") for part in range(3)]
    for (_, name), secret in zip(names, store.create_many(names)):
        print("made", name, secret.reveal().hex(), flush=True)
    print("erasing", names[0][1], flush=True)
    store.erase(*names[0])
    print("erased", names[0][1], flush=True)
    if step % 3 == 2:
        store.rotate(("epoch", "page", "name")[step // 3 % 3])
        print("rotated", flush=True)
"""


@pytest.mark.parametrize("hsm", [False, True], ids=["embedded", "pkcs11"])
def test_killed_process_loses_nothing_acknowledged_and_brings_nothing_back(tmp_path: Path, hsm: bool) -> None:
    KeyFile.create(tmp_path / "key")
    token = new_token() if hsm else None
    arguments = [token.module, token.token_label, token.pin] if token else []
    chance = random.Random(7)
    made: dict[str, str] = {}
    erasing: set[str] = set()
    erased: set[str] = set()
    for run in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(run), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(chance.randrange(1, 60)):
            note(child.stdout.readline(), made, erasing, erased)
        os.kill(child.pid, signal.SIGKILL)
        for line in child.stdout:
            note(line, made, erasing, erased)
        child.stdout.close()
        child.wait(timeout=30)
        store: PagedKeyStore
        if token:
            store = HsmKeyStore(tmp_path / "keys", token)
        else:
            store = EmbeddedKeyStore(tmp_path / "keys", KeyFile(tmp_path / "key"))
        # Whatever a kill interrupted is decided at the next start, one way or the other, and stays so.
        erased |= {name for name in erasing if not store.exists("erasure_share", name)}
        erasing.clear()
        for name, value in made.items():
            if name in erased:
                assert not store.exists("erasure_share", name)
            else:
                assert store.get("erasure_share", name).reveal().hex() == value
        store.close()
        if token:
            assert len(epoch_objects(token)) == 1  # what the kill orphaned is gone
    assert len(made) > 50
    assert len(erased) > 10


def note(line: str, made: dict[str, str], erasing: set[str], erased: set[str]) -> None:
    match line.split():
        case ["made", name, value] if len(value) == 64:
            made[name] = value
        case ["erasing", name]:
            erasing.add(name)
        case ["erased", name]:
            erased.add(name)


HSM_STEPS: list[tuple[Any, str]] = [
    (HsmSession, "call"),
    (KeyDatabase, "write_store_row"),
    (KeyDatabase, "drop_journal"),
]


@pytest.mark.parametrize("restarted", [False, True], ids=["goes on", "restarted"])
@pytest.mark.parametrize("worked", [False, True], ids=["before", "after"])
def test_hsm_failure_of_any_step_of_an_erasure_loses_nothing_and_leaves_no_object(
    tmp_path: Path, worked: bool, restarted: bool
) -> None:
    for at in range(1, 40):
        token, directory = new_token(), tmp_path / str(at)
        store = HsmKeyStore(directory, token)
        kept, gone = store.create_many([("salt", "kept"), ("salt", "gone")])
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked, targets=HSM_STEPS)
            try:
                store.erase("salt", "gone")
                failed = False
            except KeyStoreUnavailable:
                failed = True
        assert failed == failing.happened
        if restarted:
            store._owner.release()  # as a killed process: nothing else is done
            store = HsmKeyStore(directory, token)
        assert store.get("salt", "kept") == kept
        if not failed:
            assert not store.exists("salt", "gone")
        elif store.exists("salt", "gone"):
            assert store.get("salt", "gone") == gone
        assert len(epoch_objects(token)) == 1
        store.erase("salt", "gone")
        assert not store.exists("salt", "gone")
        assert store.get("salt", "kept") == kept
        assert len(epoch_objects(token)) == 1
        store.close()
        if not failing.happened:
            assert at > 6
            return
    pytest.fail("an erasure takes more steps than were tried")


@pytest.mark.parametrize("worked", [False, True], ids=["before", "after"])
def test_hsm_failure_of_any_step_of_making_a_store_lets_the_next_start_make_it(
    tmp_path: Path, worked: bool
) -> None:
    steps = [*HSM_STEPS, (os, "fsync"), (Path, "rename"), (Path, "unlink")]
    for at in range(1, 40):
        token, directory = new_token(), tmp_path / str(at)
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked, targets=steps)
            try:
                HsmKeyStore(directory, token).close()
            except KeyStoreUnavailable:
                assert failing.happened
        store = HsmKeyStore(directory, token)
        assert store.get_or_create("salt", "s") == store.get("salt", "s")
        assert len(epoch_objects(token)) == 1
        store.close()
        if not failing.happened:
            return
    pytest.fail("making a store takes more steps than were tried")


@pytest.mark.parametrize("key_class", ["epoch", "page", "name"])
@pytest.mark.parametrize("worked", [False, True], ids=["before", "after"])
def test_failure_of_any_step_of_a_rotation_keeps_every_secret_and_can_be_repeated(
    tmp_path: Path, worked: bool, key_class: WrappingClass
) -> None:
    for at in range(1, 40):
        directory = tmp_path / str(at)
        store = EmbeddedKeyStore(directory, OLD)
        names: list[KeyName] = [("salt", f"s{number}") for number in range(300)]
        made = store.create_many(names)
        with pytest.MonkeyPatch.context() as monkeypatch:
            failing = Failing(monkeypatch, at, worked=worked)
            try:
                store.rotate(key_class)
                failed = False
            except KeyStoreUnavailable:
                failed = True
            shutil.copytree(directory / "store", tmp_path / f"killed{at}" / "store")
        assert failed == failing.happened
        for opened in (EmbeddedKeyStore(tmp_path / f"killed{at}", OLD), store):
            assert opened.create_many(names) == made
            opened.rotate(key_class)
            opened.close()
        again = EmbeddedKeyStore(directory, OLD)
        assert again.create_many(names) == made
        again.close()
        if not failing.happened:
            assert at > 8
            return
    pytest.fail("a rotation takes more steps than were tried")
