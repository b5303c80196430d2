"""``assent keys`` on a whole deployment: each class is replaced, logged and lives on, also after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from backend.adapters.keys.hsm_session import HsmAccess
from backend.audit import codes
from backend.audit.access import AccessEntry
from backend.bootstrap import World, open_world
from backend.cli import app
from backend.identity.people import INDEX_KEYS
from backend.keystore import version_of
from backend.maintenance.fsck import check_everything
from backend.rotations import AT_REST
from backend.settings import Settings
from backend.types import SubjectId
from tests.integration.softhsm import epoch_objects, new_token

CLASSES = ["root", "epoch", "page", "name", "record-number", "document-signing", *AT_REST, "access-token"]


class Deployment:
    """A data directory and the settings that open it, as an operator's environment."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
        self.data = data
        self.patch = monkeypatch
        self.environment(settings | {"ASSENT_DATA_DIRECTORY": str(data)})
        monkeypatch.setattr("backend.logs.configure", lambda: None)

    def environment(self, settings: dict[str, str]) -> None:
        for name, value in settings.items():
            self.patch.setenv(name, value)

    def run(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, ["keys", *arguments], input=stdin)

    def answer(self, *arguments: str, stdin: str = "") -> Any:
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout.splitlines()[-1])

    def versions(self) -> dict[str, int]:
        return {line["class"]: line["version"] for line in self.answer("list")}

    def logged(self) -> list[tuple[str, int]]:
        """Return the rotations in the audit log: class and version."""
        with closing(open_world(Settings())) as world:
            return logged(world)


def logged(world: World) -> list[tuple[str, int]]:
    search = world.services.log_search

    def keep(entry: AccessEntry) -> bool:
        event = entry.event
        return event is not None and event.type == codes.KEY_ROTATED and "class" in event.detail

    found = search.scan(None, search.span(), newest_first=False, keep=keep, limit=1000, most=100_000)
    return [
        (str(entry.event.detail["class"]), int(entry.event.detail["version"]))  # type: ignore[call-overload]
        for entry in found.entries
        if entry.event is not None
    ]


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return Deployment(tmp_path / "data", monkeypatch, {"ASSENT_PASSPHRASE": "the first passphrase"})


@pytest.fixture
def token() -> HsmAccess:
    return new_token()


@pytest.fixture
def with_hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: HsmAccess) -> Deployment:
    settings = {
        "ASSENT_KEYSTORE": "pkcs11",
        "ASSENT_PKCS11_MODULE": token.module,
        "ASSENT_PKCS11_TOKEN_LABEL": token.token_label,
        "ASSENT_PKCS11_PIN": token.pin,
    }
    return Deployment(tmp_path / "data", monkeypatch, settings)


def test_each_class_is_replaced_listed_and_logged(deployment: Deployment) -> None:
    assert deployment.versions() == dict.fromkeys(CLASSES, 1)
    for key_class in ("epoch", "page", "name", "record-number", "document-signing", *AT_REST):
        line = deployment.answer("rotate", key_class)
        assert (line["class"], line["made_at"] is not None) == (key_class, True)
    deployment.answer("rotate")  # without a class: access tokens, as ever
    root = deployment.answer("rotate", "root", "--passphrase-stdin", stdin="another passphrase\n")
    assert (root["version"], root["minimum"]) == (2, 2)

    refused = deployment.run("list")
    assert refused.exit_code == 2
    assert "keystore_passphrase" in refused.stderr
    deployment.environment({"ASSENT_PASSPHRASE": "another passphrase"})
    versions = deployment.versions()
    # Besides its own rotation the epoch rose with root, page and name, and with the keys destroyed of others.
    assert versions.pop("epoch") == 1 + 1 + 3 + 2 + len(AT_REST) - 2  # two have no key yet
    assert set(versions.values()) == {2}
    assert {name for name, _ in deployment.logged()} == {*CLASSES} - {"access-token"}


def test_compromised_is_refused_where_old_keys_are_dead_anyway(deployment: Deployment) -> None:
    done = deployment.run("rotate", "page", "--compromised")
    assert done.exit_code == 2
    assert "usage" in done.stderr


def test_service_that_runs_keeps_its_keys(deployment: Deployment) -> None:
    with closing(open_world(Settings())):
        done = deployment.run("rotate", "page")
    assert done.exit_code == 2
    assert "data_directory_in_use" in done.stderr


def test_rotation_whose_entry_was_lost_is_logged_once_by_the_next_start(deployment: Deployment) -> None:
    with closing(open_world(Settings())) as world:
        world.stores.keys.rotate("page")  # and the program dies before the entry
        assert logged(world) == []
    for _ in range(2):
        deployment.versions()
    assert deployment.logged() == [("page", 2)]


def test_hsm_keeps_the_keys_of_a_whole_deployment(with_hsm: Deployment, token: HsmAccess) -> None:
    assert with_hsm.versions() == dict.fromkeys(CLASSES, 1)
    for key_class in ("epoch", "page", "name", "record-number", "document-signing"):
        with_hsm.answer("rotate", key_class)
    refused = with_hsm.run("rotate", "root", "--passphrase-stdin", stdin="x\n")
    assert refused.exit_code == 2
    assert "root_in_hsm" in refused.stderr
    assert len(epoch_objects(token)) == 1
    assert not list(with_hsm.data.rglob("epoch-*.key"))
    done = CliRunner().invoke(app, ["fsck"])
    assert done.exit_code == 0, done.output
    with_hsm.environment({"ASSENT_PKCS11_PIN": "no such pin"})
    for code, setting in (
        ("hsm_pin", {}),
        ("hsm_token", {"ASSENT_PKCS11_TOKEN_LABEL": "nowhere"}),
        ("hsm_module", {"ASSENT_PKCS11_MODULE": "/nowhere.so"}),
        ("keystore_kind", {"ASSENT_KEYSTORE": "embedded", "ASSENT_PASSPHRASE": "x"}),
    ):
        with_hsm.environment(setting)
        refused = with_hsm.run("list")
        assert refused.exit_code == 2
        assert code in refused.stderr


CHILD = """
import sys
from backend.maintenance.key_rotation import open_rotation
from backend.settings import Settings

with open_rotation(Settings()) as rotation:
    print("ready", flush=True)
    while True:
        rotation.rotate(sys.argv[1])
"""


CHILD_AT_REST = """
import sys
from backend.bootstrap import clock
from backend.rotations import rotation_at_rest
from backend.settings import Settings
from backend.stores import open_stores

stores = open_stores(Settings())
with stores.closing:
    print("ready", flush=True)
    while True:
        rotation_at_rest(stores, sys.argv[1]).rotate(clock=clock)
"""


def test_rotation_at_rest_killed_at_any_time_is_ended_and_logged_by_the_next_start(
    deployment: Deployment,
) -> None:
    key_class = "documents"
    with closing(open_world(Settings())) as world:
        subjects = enrolled(world)
    chance = random.Random(7)
    for _ in range(3):
        kill_while(CHILD_AT_REST, key_class, after=chance.uniform(0, 0.5))
        with closing(open_world(Settings())) as world:
            state = version_of(world.stores.keys, key_class)
            assert state.version == state.minimum == state.logged
            assert enrolled(world) == subjects
            assert check_everything(world.stores).damage == []
    assert deployment.logged()[-1] == (key_class, state.version)
    assert len(set(deployment.logged())) == len(deployment.logged())


def enrolled(world: World) -> list[SubjectId]:
    """Enrol forty people; nobody twice."""
    return [
        world.services.identity.enrolments.issue(
            f"MRN-{number}", name="Ada Example", birth_date=None, checked_by="ab" * 16
        ).subject_id
        for number in range(40)
    ]


def kill_while(program: str, key_class: str, *, after: float) -> None:
    """kill -9 of a program that rotates without end."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-c", program, key_class], stdout=subprocess.PIPE, stderr=log
        )
        assert child.stdout is not None
        if child.stdout.readline() != b"ready\n":
            child.wait(60)
            log.seek(0)
            raise AssertionError(log.read().decode())
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=60)


@pytest.mark.parametrize("key_class", ["page", "record-number"])
def test_rotation_killed_at_any_time_can_be_repeated(deployment: Deployment, key_class: str) -> None:
    """Each time after another while, then one more."""
    with closing(open_world(Settings())) as world:
        subjects = enrolled(world)
    chance = random.Random(5)
    for _ in range(4):
        kill_while(CHILD, key_class, after=chance.uniform(0, 0.5))
    deployment.answer("rotate", key_class)
    with closing(open_world(Settings())) as world:
        state = version_of(world.stores.keys, INDEX_KEYS)
        assert state.minimum == state.version
        assert enrolled(world) == subjects  # found under the new key: nobody is enrolled twice
        newest = version_of(world.stores.keys, key_class)
        assert newest.logged == newest.version
    assert [entry for entry in deployment.logged() if entry[0] == key_class][-1] == (
        key_class,
        newest.version,
    )
