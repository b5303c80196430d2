"""What a custodian promises its patients about all answers together, and what it lets one study spend."""

from __future__ import annotations

from dataclasses import dataclass

from backend.research.dp import rho_within
from backend.research.types import NanoRho
from backend.types import MemberId

NO_CAP = NanoRho(2**62)
CUSTODIAN = MemberId(bytes(32))  # in the place of a researcher: the custodian's own figures, under no cap


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """At most ``epsilon`` (millionths) at 10^-``delta_exponent`` in a period, over all studies together.

    A new period renews the budget; what a patient can lose over several periods is the sum, which is why a
    patient's own cap counts over all of them. ``study_epsilon`` caps what one study may spend in its whole
    life, ``researcher_epsilon`` what one researcher's organisation may spend in a period; 0 is no cap of its
    own. Neither is part of the promise: they keep one from using up what belongs to all.
    """

    ledger: str
    epsilon: int
    delta_exponent: int
    period_seconds: int
    study_epsilon: int = 0
    researcher_epsilon: int = 0

    @property
    def rho(self) -> NanoRho:
        return rho_within(self.epsilon, self.delta_exponent)

    @property
    def study_rho(self) -> NanoRho:
        return self._cap(self.study_epsilon)

    @property
    def researcher_rho(self) -> NanoRho:
        return self._cap(self.researcher_epsilon)

    def _cap(self, epsilon: int) -> NanoRho:
        return rho_within(epsilon, self.delta_exponent) if epsilon else NO_CAP
