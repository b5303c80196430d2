"""Whether the code that runs now may wait for something outside this process.

Most answers can be given from memory, and then handing the request to a worker thread and back costs more
than the answer. Whether one can is not known beforehand, so it is tried: inside ``without_waiting`` the first
call that would have to wait raises MustWait before it has done anything, and the caller starts again in a
thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


class MustWait(Exception):
    """Start again where waiting is allowed."""


@contextmanager
def without_waiting() -> Iterator[None]:
    """Forbid waiting in this thread. What runs inside must not await: the mark belongs to the thread."""
    _here.forbidden = True
    try:
        yield
    finally:
        _here.forbidden = False


def about_to_wait() -> None:
    """Say that the next step leaves the process or takes long. Raises MustWait where that is forbidden."""
    if getattr(_here, "forbidden", False):
        raise MustWait
