"""What brings older data into the form that this release reads: numbered steps, done in order.

A step lists its changes anew each time it is asked. Each change is one durable write that, once made, is no
longer listed: a migration that was killed anywhere goes on by doing the same again. Whoever adds a step
raises ``SCHEMA`` with it and adds data of the release before to ``tests/data``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from backend.adapters.index.earlier_jobs import complete_job, incomplete_jobs
from backend.stores import Stores

Change = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Step:
    """``number``: the version that the data has after it."""

    number: int
    does: str
    changes: Callable[[Stores], Iterator[Change]]


def _complete_jobs(stores: Stores) -> Iterator[Change]:
    for job, lacking in incomplete_jobs(stores.database):
        yield partial(complete_job, stores.database, job, lacking)


STEPS: Final = (Step(1, "runs of studies say whether a result is prepared or removed", _complete_jobs),)
