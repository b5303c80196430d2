"""Data that an earlier release wrote: refused by name, migrated after a backup, and whole afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from eth_account import Account

from backend.adapters.schema_version import (
    FILE,
    SCHEMA,
    MigrationUnfinished,
    SchemaNewer,
    SchemaOlder,
    SchemaUnreadable,
    Version,
    note_directory,
    note_index,
    of_directory,
    of_index,
)
from backend.demo.actors import Api, Provider, Refused, Wallet
from backend.settings import Settings
from backend.stores import open_stores
from tests.support.process_world import Program, run_cli, running_program

EARLIER: Final = Path(__file__).resolve().parents[1] / "data" / "version-0.tar.xz"
RUNS: Final = 3  # of the study, each in its earlier form
# Ends itself right after so many durable writes of the migration.
KILLED_AFTER: Final = """
import os, signal, sys
from pathlib import Path
from backend.maintenance import migrating, migration_steps
from backend.settings import Settings

left = int(sys.argv[2])

def counted(write):
    def writing(*arguments):
        global left
        write(*arguments)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return writing

for name in ("note_directory", "note_index"):
    setattr(migrating, name, counted(getattr(migrating, name)))
migration_steps.renew_job = counted(migration_steps.renew_job)
settings = Settings(data_directory=Path(sys.argv[1]))
migrating.migrate(settings, dry_run=False, with_backup=False, tell=print)
"""


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, Any]:
    """Unpack the data below ``tmp_path``; return what was true of it."""
    with tarfile.open(EARLIER) as archive:
        archive.extractall(tmp_path, filter="data")
    facts: dict[str, Any] = json.loads((tmp_path / "facts.json").read_text())
    return facts


def files(root: Path) -> dict[str, bytes]:
    """Everything that lies there, but for the lock that each opening makes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def answer(*arguments: str | Path) -> dict[str, Any]:
    """What a command answers that ends well."""
    done = run_cli(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def code_of(*arguments: str | Path, **environment: str) -> str:
    """The code with which a command ends."""
    done = run_cli(*arguments, **environment)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr.split(":")[0].strip().splitlines()[-1]


@pytest.mark.timeout(900)
def test_data_of_an_earlier_release_is_refused_and_migrated_and_then_whole(
    tmp_path: Path, earlier: dict[str, Any]
) -> None:
    data, backups, key = tmp_path / "data", tmp_path / "backups", tmp_path / "recovery.key"
    at = ("--data-directory", data)
    before = files(data)
    assert code_of("up", *at, "--port", "1") == "schema_older"
    assert code_of("fsck", *at) == "schema_older"
    assert files(data) == before

    listed = answer("migrate", "--dry-run", *at)
    assert (listed["from"], list(listed["would change"].values())) == (0, [RUNS, 0])
    assert code_of("migrate", *at) == "migration_needs_backup"
    assert code_of("fsck", *at) == "schema_older"  # neither changed anything

    assert run_cli("backup", "keygen", "--out", key).returncode == 0
    where = ("--to", backups, "--service-half", f"{key}.service")
    report = answer("migrate", *where, *at)
    assert list(report["changed"].values()) == [RUNS, 0]
    verified = answer("backup", "verify", "--from", backups, "--recovery-key", key)
    assert verified["generation"] == report["backup"]
    # The way back is the release that made it: this one would take its data for its own.
    assert (
        code_of(
            "restore", "--from", backups, "--recovery-key", key, "--data-directory", tmp_path / "restored"
        )
        == "backup_of_another_release"
    )
    assert not (tmp_path / "restored" / "keys").exists()

    assert answer("migrate", *at) == {"from": SCHEMA, "to": SCHEMA}
    checked = answer("fsck", *at)
    assert checked["sound"], checked["damage"]
    assert checked["checked"]["log entries opened"] > len(earlier["patients"])
    with running_program(tmp_path) as program:
        _everything_holds(program, earlier)


def _everything_holds(program: Program, facts: dict[str, Any]) -> None:
    clinic, researcher = (Provider(Api(program.http), *facts[name]) for name in ("clinic", "researcher"))
    for provider in (clinic, researcher):
        provider.sign_in()
    for then in facts["patients"]:
        patient = Wallet(Api(program.http), Account.from_key(then["key"]), then["subject"])
        patient.sign_in()
        consents = patient.api.get("/v1/consents", subject=patient.subject)
        assert {row["consent_id"]: row["state"] for row in consents} == then["consents"]
        assert patient.api.get("/v1/accesses", subject=patient.subject)["gaps"] == 0
        if then["readable"]:
            assert clinic.read(then["record"])
        else:
            with pytest.raises(Refused) as refused:
                clinic.read(then["record"])
            assert refused.value.status in {403, 404}
        own = f"/v1/records/{then['record']}"
        if then["erased"]:
            with pytest.raises(Refused) as refused:
                patient.api.get(own, purpose="PATRQT")
            assert refused.value.status == 403  # nobody reads it again, nor is told why
        else:
            assert patient.api.get(own, purpose="PATRQT")["segments"]
    assert [then["readable"] for then in facts["patients"]].count(True) == 1
    runs = researcher.api.get(f"/v1/studies/{facts['study']}/runs")
    assert len(runs) == RUNS
    (newest, *_) = runs
    path = f"/v1/studies/{facts['study']}/runs/{newest['run_id']}"
    assert researcher.api.get(path)["result"]["digest"] == facts["result"]


@pytest.mark.timeout(900)
def test_migration_killed_after_each_of_its_writes_goes_on_and_ends(
    tmp_path: Path, earlier: dict[str, Any]
) -> None:
    data = tmp_path / "data"
    settings = Settings(data_directory=data)
    kills = 0
    while True:
        # After one write, then two, and so on: of what was done before, the next one has less to do.
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AFTER, str(data), str(kills + 1)],
            env={**os.environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
        if of_directory(data) != Version(SCHEMA):  # the last write of all
            with pytest.raises(MigrationUnfinished):
                open_stores(settings)
    assert kills >= RUNS + 2
    with closing(open_stores(settings).closing):
        pass
    checked = answer("fsck", "--data-directory", data)
    assert checked["sound"], checked["damage"]


def test_data_from_before_bundles_were_merged_is_marked_and_nothing_else(tmp_path: Path) -> None:
    settings, at = Settings(data_directory=tmp_path), ("--data-directory", tmp_path)
    stores = open_stores(settings)
    with closing(stores.closing):
        note_index(stores.database, Version(1))
    note_directory(tmp_path, Version(1))
    with pytest.raises(SchemaOlder):
        open_stores(settings)
    report = answer("migrate", "--without-backup", *at)
    assert report == {"from": 1, "to": SCHEMA, "changed": {"small bundles of the audit log may be merged": 0}}
    open_stores(settings).closing.close()


def test_new_data_bears_the_version_and_another_release_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_directory=tmp_path)
    stores = open_stores(settings)
    with closing(stores.closing):
        assert of_directory(tmp_path) == of_index(stores.database) == Version(SCHEMA)
        stores.database["schema"].update_one({"_id": "schema"}, {"$set": {"version": SCHEMA + 1}})
    with pytest.raises(SchemaNewer):
        open_stores(settings)
    at = ("--data-directory", tmp_path)
    assert code_of("migrate", *at) == "schema_newer"
    stores = open_stores(settings, any_schema=True)
    with closing(stores.closing):
        stores.database["records"].insert_one({"_id": "any"})
        stores.database["schema"].delete_one({})  # somebody else's doing: it is not taken for new
    with pytest.raises(SchemaOlder):
        open_stores(settings)
    assert run_cli("migrate", "--without-backup", *at).returncode == 0
    open_stores(settings).closing.close()
    note_directory(tmp_path, Version(SCHEMA + 1))
    with pytest.raises(SchemaNewer):
        open_stores(settings)
    (tmp_path / FILE).write_text('{"version": "1"}')
    with pytest.raises(SchemaUnreadable):
        open_stores(settings)
