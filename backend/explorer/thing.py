"""What is told of one meaning of an id, and from what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.adapters.ledger.rebuild.ledger_state import LedgerState


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
    """The replayed state of all contracts. ``now``: the second for which states are told."""

    state: LedgerState
    constants: Constants
    now: int
