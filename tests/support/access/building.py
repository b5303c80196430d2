"""The access world, ready for attempts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.access.cells import schedule_everything
from tests.support.access.node import running_node
from tests.support.access.situation import go_on, happen
from tests.support.access.world import AccessWorld, deploy


@contextmanager
def access_world(
    directory: Path, *, whole_history: bool = False, succeeding: bool = False
) -> Iterator[AccessWorld]:
    """Start a node and let everything happen on it. Tracing the past needs its ``whole_history``."""
    with running_node(directory, whole_history=whole_history) as node:
        world = deploy(node, succeeding=succeeding)
        happen(world)
        schedule_everything(world)
        go_on(world)
        yield world
