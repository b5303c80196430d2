"""Warns of credentials that are about to expire: from then on the member is permitted nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from backend.consent.member_book import Credential, MemberBook, Shown
from backend.recurring import Recurring

_LOG = logging.getLogger("assent.members")
DAY_SECONDS: Final = 24 * 3600
LOOK_EVERY_SECONDS: Final = 600.0


class ExpiryWatch(Recurring):
    """Counts at start-up and every ten minutes, and logs what it found once a day.

    ``publish`` gets the number of members that expire within 30 days, and of those that have expired.
    """

    def __init__(
        self,
        *,
        book: MemberBook,
        publish: Callable[[int, int], None],
        clock: Callable[[], int],
        interval_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        super().__init__(
            name="expiry", every_seconds=interval_seconds, log=_LOG, failing="members could not be listed"
        )
        self._book = book
        self._publish = publish
        self._clock = clock
        self._logged_at: int | None = None

    def look(self) -> None:
        """Count once, and log if the last warning is a day old. Raises what the book raises."""
        entries = [each for each in self._book.all() if each.standing.shown is not Shown.REMOVED]
        expiring = [each for each in entries if each.credential is Credential.EXPIRING]
        expired = [each for each in entries if each.credential is Credential.EXPIRED]
        self._publish(len(expiring), len(expired))
        now = self._clock()
        if not (expiring or expired) or (self._logged_at is not None and now < self._logged_at + DAY_SECONDS):
            return
        self._logged_at = now
        soonest = min((each.expiry for each in expiring), default=None)
        _LOG.warning(
            "credentials of members expire; 'assent members list' shows whose",
            extra={
                "expiring": len(expiring),
                "expired": len(expired),
                "days_left": None if soonest is None else (soonest - now) // DAY_SECONDS,
            },
        )

    def _round(self) -> None:
        self.look()
