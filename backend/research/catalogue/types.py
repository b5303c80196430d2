"""What the catalogue keeps of a period, and the port to where it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from backend.research.types import NanoRho
from backend.types import UnixSeconds


@dataclass(frozen=True, slots=True)
class Counts:
    """Noisy numbers of patients in each public level (they may be negative: nothing is cut off).

    Each single value is off by more than ``error_95`` with a probability of 5 % at most.
    """

    name: str
    levels: tuple[str, ...]
    values: tuple[int, ...]
    error_95: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """The counts of one period. ``offers`` is the digest of what was offered then.

    ``consents`` counts the discoverable patients by kind of consent.
    """

    ledger: str
    period: int
    offers: bytes
    rho: NanoRho
    drawn_at: UnixSeconds
    reference_date: str
    consents: Counts
    counts: tuple[Counts, ...]


class DrawingStore(Protocol):
    """Drawings. What is stored first stays. Both raise IndexUnavailable."""

    def find(self, ledger: str, period: int) -> Drawing | None: ...

    def newest(self, ledger: str) -> Drawing | None:
        """The drawing of the latest period that has one."""

    def keep(self, drawing: Drawing) -> Drawing:
        """Store it, durable on return, or return the one of its period that was stored before."""
