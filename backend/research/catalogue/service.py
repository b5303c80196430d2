"""The catalogue in use: drawn in the background on the operator's word, shown, asked for quotes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from backend.audit import codes
from backend.audit.entry import Action, Agent, AuditEvent, Outcome
from backend.audit.log import AuditLog
from backend.consent.decision_types import Requester
from backend.errors import AssentError
from backend.research.candidates import Use
from backend.research.catalogue.discovery import PURPOSE
from backend.research.catalogue.drawing import CatalogueDrawer
from backend.research.catalogue.matcher import Quote, quote
from backend.research.catalogue.offers import Catalogue
from backend.research.catalogue.types import Drawing
from backend.research.study import Proposal
from backend.research.types import Candidate
from backend.research.variables import Variable
from backend.types import MemberId

_LOG = logging.getLogger("assent.research")
_STEP: Final = 5


class DrawState(StrEnum):
    NOT_DRAWN = "not_drawn"
    DRAWING = "drawing"
    FAILED = "failed"
    DRAWN = "drawn"


class Permitting(Protocol):
    def permitting(self, use: Use) -> Iterable[Candidate]: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How the counts of this period stand. ``percent`` is in steps of 5; ``code`` is of the last failure."""

    period: int
    state: DrawState
    percent: int
    code: str


class _Stopped(Exception):
    """The service stops. The charge stands, and the next draw goes on from it."""


class CatalogueService:
    """Safe for many threads. ``close`` at the end."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        drawer: CatalogueDrawer,
        candidates: Permitting,
        tenant: MemberId,
        delta_exponent: int,
        audit: AuditLog,
        clock: Callable[[], int],
    ) -> None:
        self.catalogue = catalogue
        self.drawer = drawer
        self._candidates = candidates
        self._tenant = tenant
        self._delta_exponent = delta_exponent
        self._audit = audit
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._percent = 0
        self._code = ""

    def quote(self, proposal: Proposal) -> Quote:
        """What a draft would get. Raises StudyInvalid naming the field."""
        return quote(proposal, self.drawer.newest(), delta_exponent=self._delta_exponent)

    def newest(self) -> Drawing | None:
        """The newest counts; those of an earlier period stand until new ones are drawn."""
        return self.drawer.newest()

    def standing(self) -> Standing:
        newest, period = self.drawer.newest(), self.drawer.period
        if newest is not None and newest.period == period:
            return Standing(period, DrawState.DRAWN, 100, "")
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return Standing(period, DrawState.DRAWING, self._percent, "")
            state = DrawState.FAILED if self._code else DrawState.NOT_DRAWN
            return Standing(period, state, self._percent, self._code)

    def draw(self, *, by: Agent) -> Standing:
        """Begin to draw this period's counts, unless they are there or being drawn. Returns at once."""
        standing = self.standing()
        if standing.state is DrawState.DRAWN:
            return standing
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._percent, self._code = 0, ""
                self._thread = threading.Thread(target=self._draw, args=(by,), name="catalogue", daemon=True)
                self._thread.start()
        return self.standing()

    def close(self) -> None:
        """Stop; a draw under way ends at the next patient."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _draw(self, by: Agent) -> None:
        try:
            drawing = self.drawer.draw(self._discoverable, self._progress)
            self._audit.append(
                AuditEvent(
                    type=codes.CATALOGUE_DRAWN,
                    outcome=Outcome.CHANGED,
                    occurred_at_ms=self._clock() * 1000,
                    actor=by,
                    organisation=self._tenant,
                    purpose=PURPOSE,
                    detail={"offers": drawing.offers},
                )
            )
        except _Stopped:
            return
        except AssentError as failure:
            _LOG.warning("the catalogue was not drawn", extra={"code": failure.code})
            self._code = failure.code
        except Exception:  # noqa: BLE001 - it is logged, and shown as failed
            _LOG.exception("the catalogue was not drawn")
            self._code = AssentError.code

    def _discoverable(self, variables: tuple[Variable, ...]) -> Iterable[Candidate]:
        use = Use(
            variables=variables,
            requester=Requester(actor=self._tenant),
            purpose=PURPOSE,
            action=Action.QUERY,
            agent=Agent.service("catalogue"),
        )
        for candidate in self._candidates.permitting(use):
            if self._stop.is_set():
                raise _Stopped
            yield candidate

    def _progress(self, done: int, of: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        percent = 100 * done // of
        self._percent = percent - percent % _STEP
