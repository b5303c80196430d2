"""What is told of one meaning of an id, and from what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from backend.adapters.ledger.rebuild.ledger_state import LedgerState, PatientContracts


@dataclass(slots=True)
class Thing:
    """One meaning of an id. ``facts``: name to a text, a number or a list of texts."""

    kind: str
    state: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Constants:
    """What the deployment fixed, in seconds."""

    recovery_delay: int
    grace: int


@dataclass(frozen=True, slots=True)
class View:
    """The replayed state of all contracts. ``now``: the second for which states are told.

    ``generation``: which of the patients' contracts count, by default the newest.
    """

    state: LedgerState
    constants: Constants
    now: int
    generation: int = -1

    @property
    def patients(self) -> PatientContracts:
        return self.state.generations[self.generation]

    def since_first(self) -> Iterator[View]:
        """Yield the same as each generation sees it, from the one that counts back to the first."""
        newest = range(len(self.state.generations))[self.generation]
        for generation in range(newest, -1, -1):
            yield replace(self, generation=generation)
