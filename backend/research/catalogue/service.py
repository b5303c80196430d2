"""The catalogue in use: shown, asked for quotes, and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend.audit.entry import Agent
from backend.research.catalogue.drawing import CatalogueDrawer
from backend.research.catalogue.draws import CatalogueDraws
from backend.research.catalogue.matcher import Quote, quote
from backend.research.catalogue.offers import Catalogue
from backend.research.catalogue.types import Drawing
from backend.research.study import Proposal


class DrawState(StrEnum):
    NOT_DRAWN = "not_drawn"
    DRAWING = "drawing"
    FAILED = "failed"
    DRAWN = "drawn"


@dataclass(frozen=True, slots=True)
class Standing:
    """How the counts of this period stand. ``percent`` is in steps of 5; ``code`` is of the last failure."""

    period: int
    state: DrawState
    percent: int
    code: str


class CatalogueService:
    """Safe for many threads."""

    def __init__(
        self, *, catalogue: Catalogue, drawer: CatalogueDrawer, draws: CatalogueDraws, delta_exponent: int
    ) -> None:
        self.catalogue = catalogue
        self.drawer = drawer
        self._draws = draws
        self._delta_exponent = delta_exponent

    def quote(self, proposal: Proposal) -> Quote:
        """What a draft would get. Raises StudyInvalid naming the field."""
        return quote(proposal, self.drawer.newest(), delta_exponent=self._delta_exponent)

    def newest(self) -> Drawing | None:
        """The newest counts; those of an earlier period stand until new ones are drawn."""
        return self.drawer.newest()

    def standing(self) -> Standing:
        turn, period = self._draws.turn(), self.drawer.period
        if self.drawer.find(period) is not None:
            return Standing(period, DrawState.DRAWN, 100, "")
        if turn is None:
            return Standing(period, DrawState.NOT_DRAWN, 0, "")
        return Standing(period, DrawState.FAILED if turn.code else DrawState.DRAWING, turn.percent, turn.code)

    def draw(self, *, by: Agent) -> None:
        """Have this period's counts drawn, unless they are there or being drawn. Returns at once.

        Raises CatalogueDisabled.
        """
        self._draws.ask(by=by)
