"""``assent doctor`` names what is wrong with a configuration, and leaves everything as it is."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from backend.adapters.index.server import EmbeddedIndex
from backend.backup.errors import BackupKeyNeeded
from backend.backup.recovery_key import generate, service_path
from backend.backup.shelf import MANIFEST, Shelf, new_generation
from backend.bootstrap import open_world
from backend.cli import app
from backend.maintenance.doctor import State, examine
from backend.settings import Settings
from tests.integration.api.world import Service, open_service

PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "public_url": "https://assent.example",
    "passphrase": "Vu7-kkd9-0xmq-zzPl",
}


def states(settings: Settings) -> dict[str, State]:
    return {each.part: each.state for each in examine(settings)}


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a service that ran and was stopped."""
    root = tmp_path_factory.mktemp("doctor") / "data"
    open_world(Settings(data_directory=root)).close()
    return root


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("doctor") / "data"
    with open_service(root) as service:
        (root / "run.json").write_text(json.dumps({"url": service.url}))
        yield service


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    found = states(Settings(data_directory=tmp_path / "data"))
    assert State.BROKEN not in found.values()
    assert found["data directory"] is State.LOOK
    assert not (tmp_path / "data").exists()


def test_stopped_service_is_sound_and_left_as_it_was(used: Path) -> None:
    before = {path: path.stat().st_size for path in used.rglob("*") if path.is_file()}
    found = states(Settings(data_directory=used))
    assert State.BROKEN not in found.values()
    assert found["key store"] is State.SOUND
    after = {path: path.stat().st_size for path in used.rglob("*") if path.is_file()}
    assert after == before


def test_running_service_is_asked_itself(running: Service) -> None:
    found = states(running.world.stores.settings)
    assert found["service: ledger"] is found["service: index"] is State.SOUND


def test_another_program_that_holds_the_directory_is_told(running: Service) -> None:
    note = running.world.stores.directory.root / "run.json"
    whole = note.read_bytes()
    note.unlink()
    try:
        assert states(running.world.stores.settings)["service"] is State.BROKEN
    finally:
        note.write_bytes(whole)


def test_directory_that_others_can_read_is_broken(used: Path) -> None:
    used.chmod(0o755)
    try:
        (found,) = [each for each in examine(Settings(data_directory=used)) if each.part == "data directory"]
        assert (found.state, found.remedy) == (State.BROKEN, f"chmod 700 {used}")
    finally:
        used.chmod(0o700)


def test_another_passphrase_does_not_open_the_keys(used: Path) -> None:
    found = {each.part: each for each in examine(Settings(data_directory=used, passphrase="another one"))}
    assert found["key store"].state is State.BROKEN
    assert found["key store"].remedy


def test_production_on_embedded_parts_is_broken(used: Path) -> None:
    found = states(Settings(data_directory=used / "none", **PRODUCTION))
    assert found["ledger"] is found["index"] is State.BROKEN


def test_servers_that_do_not_answer_are_named_in_bounded_time(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        begun = time.monotonic()
        found = {
            each.part: each
            for each in examine(
                Settings(
                    data_directory=tmp_path,
                    ledger_url=f"http://127.0.0.1:{port}",
                    ledger_chain_id=7,
                    index_uri=f"mongodb://127.0.0.1:{port}",
                    storage="kubo",
                    kubo_address=f"/ip4/127.0.0.1/tcp/{port}",
                    smtp_url=f"smtp://127.0.0.1:{port}",
                    mail_from="assent@hospital.example",
                    **PRODUCTION,
                )
            )
        }
        assert time.monotonic() - begun < 60
    for part in ("ledger", "index", "blocks", "mail"):
        assert found[part].state is State.BROKEN, part
        assert found[part].remedy, part


def test_index_of_one_server_is_looked_at(tmp_path: Path) -> None:
    server = EmbeddedIndex(tmp_path / "index")
    server.start()
    try:
        found = states(Settings(data_directory=tmp_path / "data", index_uri=server.uri))
    finally:
        server.stop()
    assert found["index"] is State.LOOK


def of_backup(settings: Settings) -> set[tuple[State, str]]:
    """What is said of the backup, without what is only here: how it lies on the disk of the data."""
    found = [each for each in examine(settings) if each.part == "backup"]
    assert all(each.remedy for each in found if each.state is not State.SOUND)
    return {(each.state, each.said) for each in found if "on the disk of the data" not in each.said}


@pytest.mark.parametrize(
    ("key_days", "verified_hours", "state", "said"),
    [
        (0, 1, State.SOUND, "found right "),
        (0, None, State.LOOK, "none was read back"),
        (0, 27, State.BROKEN, "27 hours old"),
        (25, 1, State.LOOK, "its key ends in"),
        (31, 1, State.BROKEN, "recovery_key_expired"),
    ],
)
def test_backup_is_as_sound_as_its_key_its_directory_and_its_last_check(
    tmp_path: Path, key_days: int, verified_hours: int | None, state: State, said: str
) -> None:
    now = int(time.time())
    generate(tmp_path / "key", now=now - key_days * 86_400)
    shelf = Shelf(tmp_path / "backup")
    generation = new_generation(now)
    (shelf.root / generation).mkdir(parents=True)
    (shelf.root / generation / MANIFEST).touch()
    if verified_hours is not None:
        shelf.note_verified(generation, now - verified_hours * 3600)
    settings = Settings(
        data_directory=tmp_path / "data",
        backup_directory=shelf.root,
        backup_recovery_key=service_path(tmp_path / "key"),
        backup_interval_hours=24,
    )
    assert [text for found, text in of_backup(settings) if found is state and said in text]
    shutil.rmtree(shelf.root)
    assert State.BROKEN in {found for found, _ in of_backup(settings)}


def test_backup_that_is_off_or_on_the_disk_of_the_data_is_to_be_looked_at(tmp_path: Path) -> None:
    assert of_backup(Settings(data_directory=tmp_path / "data", backup_interval_hours=0)) == {
        (State.LOOK, "none is kept")
    }
    data, backup = tmp_path / "data", tmp_path / "data-backup"
    for directory in (data, backup):
        directory.mkdir(mode=0o700)
    found = list(examine(Settings(data_directory=data, backup_interval_hours=24)))
    said = [each.said for each in found if each.part == "backup" and each.state is State.LOOK]
    assert [text for text in said if "is on the disk of the data, and is lost with it" in text]
    assert [text for text in said if "the keys that open it lie beside the data" in text]


def test_production_that_would_keep_a_backup_needs_its_key(tmp_path: Path) -> None:
    settings = Settings(**PRODUCTION, data_directory=tmp_path / "data", backup_interval_hours=24)
    (finding,) = [each for each in examine(settings) if each.part == "backup"]
    assert finding.state is State.BROKEN
    assert "ASSENT_BACKUP_RECOVERY_KEY" in finding.remedy
    with pytest.raises(BackupKeyNeeded):
        open_world(settings)
    assert not (tmp_path / "data").exists()


def test_command_answers_people_and_programs_and_says_it_by_its_status(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = CliRunner().invoke(app, ["doctor", "--data-directory", str(used)])
    assert said.exit_code == 0, said.output
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(f"ASSENT_{name.upper()}", value)
    said = CliRunner().invoke(app, ["doctor", "--data-directory", str(used / "none"), "--json"])
    assert said.exit_code == 1
    findings = json.loads(said.output)["findings"]
    assert {"part", "state", "said", "remedy"} == set(findings[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"passphrase": "too short"},
        {"passphrase": "Change-me-change-me-99"},
        {"passphrase": "aaaaaaaaaaaaaaaaaaaaaaaa"},
        {"trusted_proxies": "10.0.0.0/8,0.0.0.0/0"},
        {"webhook_private_networks": "::/0"},
        {"public_url": "http://localhost:8000"},
    ],
)
def test_production_refuses_default_secrets_and_permissive_settings(changes: dict[str, str]) -> None:
    assert not Settings(**PRODUCTION).is_development
    with pytest.raises(ValidationError):
        Settings(**(PRODUCTION | changes))
