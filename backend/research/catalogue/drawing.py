"""Draws the catalogue's counts: once a period, charged to the custodian's ledger before the noise is drawn.

Order: charge (durable), open and count, draw, keep (durable), show. A crash after the charge leaves it
standing; the next attempt finds it by its id, pays nothing and goes on (``paid_draws`` tells when it pays
again). Of two draws only the one that was kept first is ever seen. So one charge covers all attempts of a
period, whatever is offered meanwhile; another price in the settings is another charge.

One patient is in exactly one level of each histogram, so replacing a patient's whole record moves one bin
down and one up: squared sensitivity 2. Who is counted at all follows from consents and the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from backend.research.budget import PrivacyBudget
from backend.research.canonical import digest_of
from backend.research.catalogue.discovery import CONSENT_KINDS, kind_of
from backend.research.catalogue.offers import Catalogue, Offer, digest_of_offers
from backend.research.catalogue.types import Counts, Drawing, DrawingStore
from backend.research.cohort import distinct, opened_ahead, respecting_minimum
from backend.research.dp import HISTOGRAM_SENSITIVITY_SQUARED, expected_error, noisy_counts, rho_within
from backend.research.errors import CatalogueDisabled
from backend.research.extraction import extract
from backend.research.paid_draws import PaidDraws
from backend.research.policy import CUSTODIAN
from backend.research.types import Candidate, Charge, NanoRho, StudyId
from backend.research.variables import Variable
from backend.types import UnixSeconds

CONSENTS: Final = "consents"
Progress = Callable[[int, int], None]  # patients counted, of how many
Discoverable = Callable[[tuple[Variable, ...]], Iterable[Candidate]]


@dataclass(frozen=True, slots=True)
class CataloguePolicy:
    """``epsilon`` (millionths; 0: no counts) is what the counts of one period cost in all."""

    epsilon: int
    period_seconds: int


class CatalogueDrawer:
    """Holds nothing between draws; during one, one counter a level and the records of a few patients."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: DrawingStore,
        budget: PrivacyBudget,
        draws: PaidDraws,
        policy: CataloguePolicy,
        clock: Callable[[], int],
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._budget = budget
        self._draws = draws
        self._policy = policy
        self._clock = clock

    @property
    def draws(self) -> bool:
        """Whether the custodian spends anything on counts."""
        return self._policy.epsilon > 0

    @property
    def ledger(self) -> str:
        return self._budget.policy.ledger

    @property
    def period(self) -> int:
        return self._clock() // self._policy.period_seconds

    @property
    def price(self) -> NanoRho:
        """What the counts of one period cost."""
        return rho_within(self._policy.epsilon, self._budget.policy.delta_exponent)

    @property
    def expected_error(self) -> int | None:
        """The ``error_95`` that each count of this period has or will have; None where none are drawn."""
        if not self.draws:
            return None
        return expected_error(HISTOGRAM_SENSITIVITY_SQUARED, self._share(self._counted(self.reference_date)))

    @property
    def reference_date(self) -> str:
        """The first day of this period: ages are taken then."""
        return self._first_day(self.period)

    def newest(self) -> Drawing | None:
        return self._store.newest(self.ledger)

    def find(self, period: int) -> Drawing | None:
        return self._store.find(self.ledger, period)

    def draw(self, period: int, discoverable: Discoverable, progress: Progress) -> Drawing:
        """Return the counts of a period, drawn now unless they were before.

        ``discoverable`` yields the patients who permit the custodian to ask questions of these variables.
        Raises CatalogueDisabled, BudgetExceeded (nothing charged, nothing opened), LedgerUnavailable and
        whatever opening records raises.
        """
        if not self.draws:
            raise CatalogueDisabled
        known = self.find(period)
        if known is not None:
            self._draws.drawn(self._draws.charges(self._charge_name(period)))
            return known
        first_day = self._first_day(period)
        counted = self._counted(first_day)
        variables = tuple(offer.variable for offer in counted)
        found = distinct(discoverable(variables))
        kinds = {candidate.subject: kind_of(candidate.terms) for candidate in found}
        candidates = [candidate for candidate in found if kinds[candidate.subject] is not None]
        joined = self._budget.join([candidate.subject for candidate in candidates])
        charge = self._charge(period)
        within = [
            candidate
            for candidate in candidates
            if self._budget.within_cap(charge, joined[candidate.subject], candidate.terms.epsilon_cap)
        ]
        group = respecting_minimum(within, 0)
        tallies = [dict.fromkeys(variable.domain, 0) for variable in variables]
        consents = dict.fromkeys(CONSENT_KINDS, 0)
        for place, candidate in enumerate(opened_ahead(group)):
            row = extract(variables, candidate.allowed, candidate.resources())
            for variable, tally in zip(variables, tallies, strict=True):
                tally[variable.level_of(row[variable.name])] += 1
            kind = kinds[candidate.subject]
            if kind is not None:
                consents[kind] += 1
            progress(place + 1, len(group))
        share = self._share(counted)
        drawing = Drawing(
            ledger=self.ledger,
            period=period,
            offers=digest_of_offers(counted),
            rho=charge.rho,
            drawn_at=UnixSeconds(self._clock()),
            reference_date=first_day,
            consents=_noisy(CONSENTS, consents, share),
            counts=tuple(
                _noisy(variable.name, tally, share)
                for variable, tally in zip(variables, tallies, strict=True)
            ),
        )
        kept = self._store.keep(drawing)
        self._draws.drawn([charge.charge_id])
        return kept

    def _first_day(self, period: int) -> str:
        start = period * self._policy.period_seconds
        return datetime.fromtimestamp(start, tz=UTC).date().isoformat()

    def _study(self, period: int) -> StudyId:
        """Each period is a study of its own: what it may cost is fixed."""
        return StudyId(digest_of(["assent-catalogue-1", self.ledger, self._policy.period_seconds, period]))

    def _charge_name(self, period: int) -> bytes:
        return digest_of(["assent-catalogue-charge-2", self._study(period).hex(), self.price])

    def _charge(self, period: int) -> Charge:
        name, study, rho = self._charge_name(period), self._study(period), self.price
        return self._draws.debit(name, study, CUSTODIAN, rho, study_limit=NanoRho(2**62))

    def _counted(self, reference_date: str) -> list[Offer]:
        return [offer for offer in self._catalogue.at(reference_date) if offer.counted]

    def _share(self, counted: Sequence[Offer]) -> NanoRho:
        return NanoRho(self.price // (len(counted) + 1))


def _noisy(name: str, tally: dict[str, int], rho: NanoRho) -> Counts:
    drawn = noisy_counts(list(tally.values()), sensitivity_squared=HISTOGRAM_SENSITIVITY_SQUARED, rho=rho)
    return Counts(name, tuple(tally), drawn.values, drawn.error_95)
