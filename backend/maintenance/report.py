"""What a check of the stores found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    code: str  # stable: docs/operations.md lists them
    where: str  # names the object, such as "record 00ff../2 segment s0003 block bafk.."


@dataclass(slots=True)
class Report:
    """``damage`` is what an operator must repair. ``leftovers`` are what an interrupted, never acknowledged
    write left behind: they cost space and nothing else."""

    counts: Counter[str] = field(default_factory=Counter)
    damage: list[Finding] = field(default_factory=list)
    leftovers: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.damage

    def damaged(self, code: str, where: str) -> None:
        self.damage.append(Finding(code, where))

    def left(self, code: str, where: str) -> None:
        self.leftovers.append(Finding(code, where))

    def as_json(self) -> dict[str, Any]:
        return {
            "sound": self.sound,
            "checked": dict(self.counts),
            "damage": [{"code": found.code, "where": found.where} for found in self.damage],
            "leftovers": [{"code": found.code, "where": found.where} for found in self.leftovers],
        }
