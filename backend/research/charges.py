"""The chain of charges of one privacy ledger, and what follows from it: pure, no store."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field, replace

from backend.research.canonical import digest_of
from backend.research.errors import BudgetLedgerDamaged
from backend.research.types import Charge, LedgerHead, NanoRho, StudyId
from backend.types import MemberId, UnixSeconds

NOTHING = NanoRho(0)
START = bytes(32)  # the digest before the first charge


@dataclass(frozen=True, slots=True)
class Wanted:
    """A charge that somebody asks for. Amounts are nano-rho.

    ``study_limit`` is the lower of what the study's proposal asked for and the custodian's cap of a study. It
    holds over the study and the versions of it ``before`` together.
    """

    charge_id: bytes
    study: StudyId
    researcher: MemberId
    rho: NanoRho
    study_limit: NanoRho
    before: tuple[StudyId, ...] = ()

    def is_that_of(self, charge: Charge) -> bool:
        return (charge.study, charge.researcher, charge.rho) == (self.study, self.researcher, self.rho)


@dataclass(slots=True)
class Chain:
    """The sums over a chain of charges, built by ``apply`` one charge at a time.

    ``count`` is the number of charges, ``known`` all of them by charge id (about 1 KB each). ``researchers``
    holds what a researcher spent in ``period``, ``studies`` what a study spent in its whole life.
    """

    ledger: str
    count: int = 0
    digest: bytes = START
    spent: NanoRho = NOTHING
    period: int = 0
    period_spent: NanoRho = NOTHING
    studies: MutableMapping[StudyId, NanoRho] = field(default_factory=dict)
    researchers: MutableMapping[MemberId, NanoRho] = field(default_factory=dict)
    known: MutableMapping[bytes, Charge] = field(default_factory=dict)

    def spent_over(self, studies: Iterable[StudyId]) -> NanoRho:
        """In their whole lives, together."""
        return NanoRho(sum(self.studies.get(study, 0) for study in frozenset(studies)))

    def period_at(self, now: int, period_seconds: int) -> int:
        """A clock that runs backwards does not open an old period's budget again."""
        return max(now // period_seconds, self.period)

    def spent_in(self, period: int) -> NanoRho:
        return self.period_spent if period == self.period else NanoRho(0)

    def spent_by(self, researcher: MemberId, period: int) -> NanoRho:
        return self.researchers.get(researcher, NanoRho(0)) if period == self.period else NanoRho(0)

    def next(self, wanted: Wanted, *, period: int, at: UnixSeconds) -> Charge:
        """The charge as it would stand at the end of the chain."""
        bare = Charge(
            ledger=self.ledger,
            place=self.count,
            charge_id=wanted.charge_id,
            study=wanted.study,
            researcher=wanted.researcher,
            rho=wanted.rho,
            spent=NanoRho(self.spent + wanted.rho),
            period=period,
            period_spent=NanoRho(self.spent_in(period) + wanted.rho),
            study_spent=NanoRho(self.studies.get(wanted.study, 0) + wanted.rho),
            researcher_spent=NanoRho(self.spent_by(wanted.researcher, period) + wanted.rho),
            at=at,
            previous=self.digest,
            digest=b"",
        )
        return replace(bare, digest=digest_of_charge(bare))

    def apply(self, charge: Charge) -> None:
        """Go on by one charge. Raises BudgetLedgerDamaged unless it is exactly what may stand there."""
        wanted = Wanted(charge.charge_id, charge.study, charge.researcher, charge.rho, charge.rho)
        if (
            charge.rho <= 0
            or charge.period < self.period
            or charge.charge_id in self.known
            or charge != self.next(wanted, period=charge.period, at=charge.at)
        ):
            raise BudgetLedgerDamaged
        if charge.period != self.period:
            self.researchers = {}
        self.count += 1
        self.digest = charge.digest
        self.spent = charge.spent
        self.period, self.period_spent = charge.period, charge.period_spent
        self.studies[charge.study] = charge.study_spent
        self.researchers[charge.researcher] = charge.researcher_spent
        self.known[charge.charge_id] = charge

    def draft(self) -> Chain:
        """A chain that goes on from here and leaves this one as it is."""
        return replace(
            self,
            studies=ChainMap({}, self.studies),
            researchers=ChainMap({}, self.researchers),
            known=ChainMap({}, self.known),
        )

    @property
    def head(self) -> LedgerHead:
        return LedgerHead(self.ledger, self.count, self.digest, self.spent)


def digest_of_charge(charge: Charge) -> bytes:
    """SHA-256 over every field of a charge but its digest; ``previous`` chains it to all before it."""
    return digest_of(
        [
            "assent-privacy-charge-2", charge.ledger, charge.place, charge.charge_id.hex(),
            charge.study.hex(), charge.researcher.hex(), charge.rho, charge.spent, charge.period,
            charge.period_spent, charge.study_spent, charge.researcher_spent, charge.at,
            charge.previous.hex(),
        ]
    )  # fmt: skip
