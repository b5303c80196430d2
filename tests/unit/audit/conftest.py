from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.audit.log import AuditLog
from tests.support.audit_world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.down = False
    for log in made.opened:
        log.close()


@pytest.fixture
def log(world: World) -> AuditLog:
    return world.open()
