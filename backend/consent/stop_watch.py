"""Takes the stops that another custodian, or anybody, sends to the chain for a patient of this one.

They count at the head without this. It makes them count before their block, and puts them into the log, so
that patient and grantee are told of them as of any other. What it does not hear of in time is found in the
final blocks afterwards (``recorded``).
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

from backend.consent.evidence_store import ConsentIndex
from backend.consent.ledger_types import SentStop
from backend.consent.revocations import Revocation, RevocationService
from backend.errors import AssentError, Unavailable
from backend.recurring import Recurring

_LOG = logging.getLogger("assent.consent")
INTERVAL_SECONDS: Final = 0.2


class Stops(Protocol):
    def new(self) -> list[SentStop]:
        """Return what came since the last call. Raises LedgerUnavailable."""
        ...


class StopWatch(Recurring):
    """Looks five times a second."""

    def __init__(
        self,
        *,
        stops: Stops,
        index: ConsentIndex,
        revocations: RevocationService,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(
            name="stops",
            every_seconds=interval_seconds,
            log=_LOG,
            failing="stops on the chain could not be looked for",
            away=logging.DEBUG,  # others tell that the node is away, and not five times a second
            waits_first=True,
        )
        self._stops = stops
        self._index = index
        self._revocations = revocations
        self._waiting: list[SentStop] = []  # taken from the node, and a store was away

    def look(self) -> None:
        """Take what came. Raises Unavailable where it has to be tried again."""
        self._waiting += self._stops.new()
        while self._waiting:
            self._take(self._waiting[0])
            self._waiting.pop(0)

    def _take(self, sent: SentStop) -> None:
        if not self._concerns_us(sent):
            return
        wanted = Revocation(sent.signature, sent.consent, sent.subject, sent.epoch)
        try:
            self._revocations.revoke(wanted)
        except Unavailable:
            raise
        except AssentError as refusal:  # whoever may send transactions may send nonsense
            _LOG.info("a stop on the chain came to nothing", extra={"code": refusal.code})

    def _concerns_us(self, sent: SentStop) -> bool:
        if sent.consent is not None:
            return self._index.get(sent.consent) is not None
        return sent.subject is not None and bool(self._index.of_subject(sent.subject))

    def _round(self) -> None:
        self.look()
