"""Has the counts of each period drawn once, in a thread of the service: the first on the operator's word.

The first draw waits for an operator, who knows when enough patients have consented: what a period's counts
cost is spent once, whoever was there to be counted. From then on each period is drawn at its beginning. A
turn is taken by compare-and-swap and held by a lease, so one process at a time draws; one that a crash left
is taken up when its lease is over, or at the start where no other process can hold it. The charge is found by
its id (``drawing``), so that no attempt pays again. What fails is told, and tried again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.decision_types import Requester
from backend.errors import AssentError, Unavailable
from backend.recurring import Recurring
from backend.research.candidates import Use
from backend.research.canonical import digest_of
from backend.research.catalogue.discovery import PURPOSE
from backend.research.catalogue.drawing import CatalogueDrawer
from backend.research.catalogue.turns import HeldTurn, Turn, TurnLost, TurnStore, hold
from backend.research.catalogue.types import Drawing
from backend.research.errors import CatalogueDisabled
from backend.research.types import Candidate
from backend.research.variables import Variable
from backend.types import MemberId, UnixSeconds

_LOG = logging.getLogger("assent.research")
RETRY_SECONDS: Final = 3_600
RETRY_SOON_SECONDS: Final = 60  # where a store or the chain did not answer
LOOK_SECONDS: Final = 30.0  # for a period that began, or a turn of another process whose lease is over
_SERVICE: Final = Agent.service("catalogue")


class Permitting(Protocol):
    def permitting(self, use: Use) -> Iterable[Candidate]: ...


class _Stopped(Exception):
    """The service stops. The charge stands, and the next attempt goes on from it."""


class CatalogueDraws(Recurring):
    """``start`` once, ``close`` at the end. ``publish``: whether this period's counts cannot be drawn."""

    def __init__(
        self,
        *,
        drawer: CatalogueDrawer,
        turns: TurnStore,
        candidates: Permitting,
        tenant: MemberId,
        audit: AuditLog,
        clock: Callable[[], int],
        alone: bool,
        publish: Callable[[bool], None],
    ) -> None:
        super().__init__(
            name="catalogue",
            every_seconds=LOOK_SECONDS,
            log=_LOG,
            failing="the catalogue's turns cannot be read",
        )
        self._drawer = drawer
        self._turns = turns
        self._candidates = candidates
        self._tenant = tenant
        self._audit = audit
        self._clock = clock
        self._takeover = alone  # at the start: no other process can hold a turn
        self._publish = publish
        self._holder = secrets.token_hex(8)

    def ask(self, *, by: Agent) -> None:
        """Have this period's counts drawn now, unless they are there or being drawn. Returns at once.

        Raises CatalogueDisabled.
        """
        if not self._drawer.draws:
            raise CatalogueDisabled
        ledger, period = self._drawer.ledger, self._drawer.period
        if self._drawer.find(period) is not None:
            return
        turn = self._turns.begin(Turn(ledger, period, by))
        if turn.code:
            self._turns.replace(turn.after(by=by, code="", again_at=UnixSeconds(0)))
        self._soon()

    def turn(self) -> Turn | None:
        """How this period's draw stands."""
        return self._turns.find(self._drawer.ledger, self._drawer.period)

    def look(self) -> None:
        """Begin the turn of a period that is due, and draw what is open and held by nobody.

        Raises IndexUnavailable, AuditUnavailable.
        """
        takeover, self._takeover = self._takeover, False
        ledger, period = self._drawer.ledger, self._drawer.period
        newest = self._drawer.newest()
        if self._drawer.draws and newest is not None and newest.period < period:
            self._turns.begin(Turn(ledger, period, _SERVICE))
        for turn in self._turns.open(ledger):
            now = self._clock()
            held = turn.leased_until > now and turn.holder != self._holder and not takeover
            if held or turn.again_at > now:
                continue
            taken = hold(turn, self._holder, turns=self._turns, clock=self._clock)
            if taken is not None:
                with suppress(TurnLost):
                    self._draw(taken)
        found = self.turn()
        self._publish(found is not None and bool(found.code))

    def _round(self) -> None:
        self.look()

    def _draw(self, held: HeldTurn) -> None:
        try:
            self._attempt(held)
        except _Stopped:
            held.give_back()
        except TurnLost:
            raise
        except AssentError as failure:
            self._fail(held, failure)
        except Exception as failure:  # noqa: BLE001 - it is logged, and shown as failed
            _LOG.exception("the catalogue was not drawn")
            unknown = AssentError()
            unknown.__cause__ = failure
            self._fail(held, unknown)

    def _attempt(self, held: HeldTurn) -> None:
        period = held.turn.period
        drawing = self._drawer.find(period)
        if drawing is None and period == self._drawer.period:

            def discoverable(variables: tuple[Variable, ...]) -> Iterable[Candidate]:
                return self._discoverable(variables, held)

            def progress(done: int, of: int) -> None:
                self._require_going()
                held.renew(100 * done // of)

            drawing = self._drawer.draw(period, discoverable, progress)
        if drawing is not None:
            self._audit.append(self._entry(held.turn, drawing), act=_act_of(held.turn))
        held.done()

    def _fail(self, held: HeldTurn, failure: AssentError) -> None:
        _LOG.error("the counts of a period were not drawn", extra={"code": failure.code})
        wait = RETRY_SOON_SECONDS if isinstance(failure, Unavailable) else RETRY_SECONDS
        held.failed(failure.code, again_at=UnixSeconds(self._clock() + wait))

    def _discoverable(self, variables: tuple[Variable, ...], held: HeldTurn) -> Iterable[Candidate]:
        use = Use(
            variables=variables,
            requester=Requester(actor=self._tenant),
            purpose=PURPOSE,
            action=Action.QUERY,
            agent=_SERVICE,
        )
        for candidate in self._candidates.permitting(use):
            self._require_going()
            held.renew(0)
            yield candidate

    def _require_going(self) -> None:
        if self._ending.is_set():
            raise _Stopped

    def _entry(self, turn: Turn, drawing: Drawing) -> AuditEvent:
        return AuditEvent(
            type=codes.CATALOGUE_DRAWN,
            outcome=Outcome.CHANGED,
            occurred_at_ms=drawing.drawn_at * 1000,
            actor=turn.by,
            organisation=self._tenant,
            purpose=PURPOSE,
            detail={"offers": drawing.offers},
        )


def _act_of(turn: Turn) -> bytes:
    """What names the entry, so that a draw has one whatever crashed."""
    return digest_of(["assent-catalogue-turn-1", turn.ledger, turn.period])[:16]
