"""Forgets what has expired: marks of things used once, counters of attempts, families of tokens.

Nothing depends on it being done in time: each of them is judged by its own dates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from backend.errors import AssentError
from backend.identity.ports import AttemptCounter, FamilyStore, SingleUse
from backend.identity.staff import LOCK_SECONDS
from backend.recurring import Recurring
from backend.types import UnixSeconds

_LOG = logging.getLogger("assent.purging")


class Purging(Recurring):
    """Purges at once and every ``interval_seconds``. Several processes may: deleting twice is harmless."""

    def __init__(
        self,
        *,
        used: SingleUse,
        attempts: AttemptCounter,
        families: FamilyStore,
        clock: Callable[[], int],
        interval_seconds: float,
    ) -> None:
        super().__init__(name="purging", every_seconds=interval_seconds, log=_LOG, failing="purge failed")
        self._used = used
        self._attempts = attempts
        self._families = families
        self._clock = clock

    def purge(self) -> bool:
        """Purge everything once; False if some of it failed, which is logged and tried again next time."""
        now = UnixSeconds(self._clock())
        # A counter this old counts nothing any more: the next attempt begins anew.
        before = UnixSeconds(now - LOCK_SECONDS)
        # Each for itself: what fails must not keep the others from being purged.
        done = [
            self._attempt("used", lambda: self._used.purge(now=now)),
            self._attempt("attempts", lambda: self._attempts.purge(before=before)),
            self._attempt("families", lambda: self._families.purge(now=now)),
        ]
        return all(done)

    def _round(self) -> None:
        self.purge()

    def _attempt(self, what: str, purge: Callable[[], None]) -> bool:
        try:
            purge()
        except AssentError as failure:
            _LOG.warning("purge failed", extra={"what": what, "code": failure.code})
        except Exception:  # noqa: BLE001 - the others must be purged; it is logged
            _LOG.exception("purge failed unexpectedly")
        else:
            return True
        return False
