"""Idempotency keys: the same request again is the same act, also after a crash and from two senders at once.

Whatever an act would draw at random (ids, salts, secrets) comes from its ``Attempt``, and that draws the same
for the same caller, act and key. So an act that was interrupted is repeated and finds what it left. One small
mark an act says what the request was, when it began, and whether it came to its end. Marks are kept for good:
they are few, and one forgotten would let an old key be used for something else.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.errors import Conflict
from backend.types import UnixSeconds

_LOCKS: Final = 64


class IdempotencyKeyReused(Conflict):
    """The key came before, from the same caller, with another request."""

    code = "idempotency_key_reused"
    remedy = "Send the first request unchanged to get its answer, or take a new Idempotency-Key."


@dataclass(frozen=True, slots=True)
class Mark:
    """``fingerprint`` is a keyed hash of the request: it tells nothing about it without the key."""

    mark_id: str
    fingerprint: str
    begun_at: UnixSeconds
    finished: bool = False


class Marks(Protocol):
    """Keeps marks. Each write is durable when its method returns; raises Unavailable in doubt."""

    def begin(self, mark: Mark) -> Mark:
        """Keep the mark unless one with its id is there; return the one that is kept. Atomic."""
        ...

    def finish(self, mark_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at an act. ``finished``: an earlier try came to its end, so give its answer and change nothing.

    ``begun_at`` is when the first try began, so that dates counted from it are the same in each.
    """

    begun_at: UnixSeconds
    seed: bytes = field(repr=False)
    finished: bool = False

    @classmethod
    def only(cls, *, now: int) -> Attempt:
        """Return an attempt that nobody can repeat: of a request without a key."""
        return cls(UnixSeconds(now), secrets.token_bytes(32))

    def draw(self, name: str, size_bytes: int = 32) -> bytes:
        """Return up to 32 bytes that nobody can guess, another value for each name."""
        return hmac.digest(self.seed, name.encode(), "sha256")[:size_bytes]


class Idempotency:
    """``key``: 32 bytes of the key store. Without it, nobody can tell a mark's act or what it drew."""

    def __init__(self, *, key: bytes, marks: Marks, clock: Callable[[], int]) -> None:
        self._key = key
        self._marks = marks
        self._clock = clock
        # Tries of one act wait for each other here. Two processes may both make one: they then draw the same
        # ids, so one finds what the other made; at worst the log says twice that it was made.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    @contextmanager
    def attempt(self, *, caller: str, act: str, key: str | None, request: bytes) -> Iterator[Attempt]:
        """Run an act inside: if it ends without an exception, later attempts are told that it is finished.

        ``caller``: a principal's name; ``act``: the route; ``key``: the caller's, None for none; ``request``:
        what must be equal in each try, without passwords (a fast hash must not stand in for a slow one).
        Raises IdempotencyKeyReused, Unavailable.
        """
        if key is None:
            yield Attempt.only(now=self._clock())
            return
        place = "\0".join((caller, act, key))
        mark_id = self._digest("mark", place.encode())
        with self._locks[mark_id[0] % _LOCKS]:
            wanted = Mark(
                mark_id=mark_id.hex(),
                fingerprint=self._digest("fingerprint", request).hex(),
                begun_at=UnixSeconds(self._clock()),
            )
            kept = self._marks.begin(wanted)
            if not hmac.compare_digest(kept.fingerprint, wanted.fingerprint):
                raise IdempotencyKeyReused(field="Idempotency-Key")
            # Another label than the mark's: whoever reads the index must not learn what was drawn.
            yield Attempt(kept.begun_at, self._digest("seed", place.encode()), kept.finished)
            if not kept.finished:
                self._marks.finish(kept.mark_id)

    def _digest(self, label: str, message: bytes) -> bytes:
        return hmac.digest(self._key, label.encode() + b"\0" + message, "sha256")
