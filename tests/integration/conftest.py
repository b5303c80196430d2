"""Real servers for the integration tests, on 127.0.0.1 and free ports, stopped by process id."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest
from pymongo.database import Database

from backend.adapters.index.server import EmbeddedIndex, connect

# A server that stops after the test that started it writes to that test's stream, which is closed by then.
logging.raiseExceptions = False
_database_numbers = itertools.count(1)

# Files that take minutes begin first, so that the workers, each with a file at a time, end together.
LONG: Final = (
    "test_crash", "test_rotation_at_rest", "test_tampering", "test_erasure_crash", "test_cli_keys",
    "test_webhooks_crash", "test_mail_crash", "test_backup_crash", "test_tampering_files",
    "test_recovery_crash", "test_crash_faults", "test_run_faults", "test_cli_ledger", "test_paper_crash",
    "test_cli_accounts", "test_migration",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture(scope="session")
def index_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIndex]:
    server = EmbeddedIndex(tmp_path_factory.mktemp("index"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mongo(index_server: EmbeddedIndex) -> Iterator[Database[dict[str, Any]]]:
    """A fresh, empty database on a real MongoDB-wire server, with durable writes."""
    database = connect(index_server.uri, database=f"test{next(_database_numbers)}")
    yield database
    database.client.close()
