"""What brings older data into the form that this release reads: numbered steps, done in order.

A step lists its changes anew each time it is asked. Each change is one durable write that, once made, is no
longer listed: a migration that was killed anywhere goes on by doing the same again. Whoever adds a step
raises ``SCHEMA`` with it and, where it changes anything, adds data of the release before to ``tests/data``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from backend.adapters.index.earlier_jobs import earlier_jobs, participants_of, renew_job
from backend.research.jobs.kept import KeptResult
from backend.research.jobs.types import place_of
from backend.sealed import DocumentSealer
from backend.stores import Stores

Change = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Step:
    """``number``: the version that the data has after it."""

    number: int
    does: str
    changes: Callable[[Stores], Iterator[Change]]


def _renew_jobs(stores: Stores) -> Iterator[Change]:
    """Runs of before 26 November 2026 say neither what is prepared nor that their result was removed, and
    their sealed results neither how many took part nor what was exported: nothing was, then."""
    sealer = DocumentSealer(stores.keys)
    for job, sealed in earlier_jobs(stores.database):
        result = b""
        if sealed:
            kept = json.loads(sealer.open(sealed, subject=None, place=place_of(job)))
            kept["participants"] = participants_of(stores.database, kept["result"]["run"])
            kept["export"] = None
            renewed = KeptResult.decode(json.dumps(kept).encode()).encoded()
            result = sealer.seal(renewed, subject=None, place=place_of(job))
        yield partial(renew_job, stores.database, job, result)


def _nothing(_: Stores) -> Iterator[Change]:
    """From version 2 on bundles of the log may be merged. What is there is read as it is, and the service
    merges it; the number keeps a release away that would read a merged one as damage."""
    return iter(())


STEPS: Final = (
    Step(1, "runs of studies are kept so that results can be withheld and removed", _renew_jobs),
    Step(2, "small bundles of the audit log may be merged", _nothing),
)
